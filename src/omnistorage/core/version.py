"""Which omnistorage this is; a file of its own, which imports nothing, so that every room can say so."""

__version__ = "0.1.0"
