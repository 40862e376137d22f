"""Which omnistorage this is; a file of its own, so that every room can say so."""

from typing import Final

__version__: Final = "0.1.0"
