"""What only some services can do, as ``Storage`` offers it: usage, links, forms, versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .paths import as_key

if TYPE_CHECKING:
    from .driver import Driver
    from .info import Form, ObjectInfo, Usage

Path = str | os.PathLike[str]


class Extras:
    """The verbs of a storage that only few services have; ``features`` says so beforehand."""

    @property
    def driver(self) -> Driver:
        """The driver behind the layers."""
        raise NotImplementedError

    def about(self) -> Usage:
        """Say how full the storage is.

        Raises:
            Unsupported: The service does not tell.
        """
        return self.driver.about()

    def link(self, path: Path, *, method: str = "GET", expires: float = 3600.0) -> str:
        """Return a link by which anybody may read an object for ``expires`` seconds; with PUT, store it.

        Raises:
            Unsupported: The service makes none.
            ConfigError: The service makes none that last as long.
        """
        return self.driver.presign(as_key(path), method=method, expires=expires)

    def form(self, path: Path, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        """Return a form by which anybody may store an object of at most ``max_size`` bytes for ``expires`` seconds.

        Raises:
            Unsupported: The service makes none.
            ConfigError: The service makes none that last as long.
        """
        return self.driver.post_form(as_key(path), expires=expires, max_size=max_size)

    def versions(self, path: Path) -> Iterator[ObjectInfo]:
        """Yield the versions of an object, newest first; ``open_reader(path, version=...)`` reads one.

        Raises:
            Unsupported: The service keeps none.
        """
        return self.driver.versions(as_key(path))

    def restore(self, path: Path, version: str) -> ObjectInfo:
        """Make one version of an object the present one, also if the object is deleted; the others stay.

        Raises:
            NotFound: There is no such object or version.
            Unsupported: The service keeps none.
        """
        return self.driver.restore_version(as_key(path), version)
