"""What only some services can do, as ``Storage`` offers it: usage, conditions, links, forms, versions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from .options import PutOptions
from .paths import as_key
from .streams import as_body
from .times import as_ns

if TYPE_CHECKING:
    from datetime import datetime

    from .driver import Driver
    from .info import Form, ObjectInfo, Usage
    from .streams import Body, ByteStream

    Content = Body | bytes | bytearray | memoryview | ByteStream

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

    def replace(
        self,
        path: Path,
        data: Content,
        *,
        etag: str,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        modified: datetime | int | None = None,
    ) -> ObjectInfo:
        """Replace an object, if it still has this ETag: who read it, and changed what he read, undoes nobody's work.

        Raises:
            PreconditionFailed: It is another object by now, or gone.
            Unsupported: The service cannot do that without a race.
        """
        options = PutOptions(
            content_type=content_type,
            metadata=dict(metadata or {}),
            mtime_ns=None if modified is None else as_ns(modified),
            if_match=etag,
        )
        return self.driver.put(as_key(path), as_body(data), options)

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
