"""Lets nothing be changed: every verb that would is refused before the service hears of it.

Named ``Readonly`` beside the error ``ReadOnly`` that it raises. Reading, listing, hashes, versions and links for
reading pass. ``features`` loses what only writers need, so that no caller tries; ``mkdir`` stays, because it also
says that there are real directories, which readers have to know: the verb itself is refused like the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from omnistorage.core.driver import Driver, Failures, PutItem, PutResults
from omnistorage.core.errors import ReadOnly
from omnistorage.core.info import Form, ObjectInfo
from omnistorage.core.layer import Layer
from omnistorage.core.options import PutOptions
from omnistorage.core.placed import Placed
from omnistorage.core.streams import Body, Upload

_OFF = (
    "copy",
    "move",
    "set_modified",
    "upload",
    "resume_upload",
    "abort_begun",
    "finds_uploads",
    "delete_many",
    "set_metadata",
    "if_absent",
    "if_match",
)


class Readonly(Layer):
    """Refuses every change with ReadOnly."""

    def __init__(self, inner: Driver) -> None:
        super().__init__(inner)
        self.features = msgspec.structs.replace(inner.features, **dict.fromkeys(_OFF, False))

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        self._refuse("put", path)

    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        self._refuse("put_many", items[0][0] if items else "")

    def delete(self, path: str) -> None:
        self._refuse("delete", path)

    def copy(self, src: str, dst: str) -> ObjectInfo:
        self._refuse("copy", dst)

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        self._refuse("put_together", items[0][0] if items else "")

    def copy_from(self, source: Placed, dst: str) -> ObjectInfo:
        self._refuse("copy_from", dst)

    def move(self, src: str, dst: str) -> ObjectInfo:
        self._refuse("move", src)

    def mkdir(self, path: str) -> None:
        self._refuse("mkdir", path)

    def rmdir(self, path: str) -> None:
        self._refuse("rmdir", path)

    def make_root(self) -> None:
        self._refuse("make_root", "")

    def remove_root(self, *, dry_run: bool = False) -> bool:
        self._refuse("remove_root", "")

    def set_modified(self, path: str, mtime_ns: int) -> None:
        self._refuse("set_modified", path)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        self._refuse("begin_upload", path)

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        self._refuse("resume_upload", path)

    def delete_many(self, paths: Sequence[str]) -> Failures:
        self._refuse("delete_many", paths[0] if paths else "")

    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        """Return a link for reading.

        Raises:
            ReadOnly: ``method`` would let the holder of the link change the object.
        """
        if method.upper() not in ("GET", "HEAD"):
            self._refuse("presign", path)
        return super().presign(path, method=method, expires=expires)

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        self._refuse("set_metadata", path)

    def post_form(self, path: str, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        self._refuse("post_form", path)

    def abort_begun(self, path: str, since_ns: int) -> int:
        self._refuse("abort_begun", path)

    def restore_version(self, path: str, version: str) -> ObjectInfo:
        self._refuse("restore_version", path)

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        if not dry_run:
            self._refuse("sweep", path)
        return super().sweep(path, older_than=older_than, noticed=noticed, dry_run=True)

    def _refuse(self, op: str, path: str) -> NoReturn:
        raise ReadOnly(op=op, path=path, scheme=self.scheme)
