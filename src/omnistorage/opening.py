"""Address or remote name to Storage."""


def open(*a): ...
