"""Storing large objects: by renaming where that can be, else part by part where that is of use, else in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from omnistorage.core.driver import Driver
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, Upload

from .model import Event
from .source import SourceBody
from .uploads import NoUploads, Uploads

Proof = Callable[[ByteStream], object]


class Large:
    """Stores large objects of one run, from any thread.

    Args:
        dst: The destination.
        cutoff: What counts as large, in bytes; None for nothing.
        streams: Parts of one object side by side, where there is waiting to be done; None for as many as each upload
            wants.
        uploads: Remembers uploads; None leaves that to the destination.

    Attributes:
        kept: Objects that failed, and how many parts of how many are kept for the next run.
        uploads: What remembers uploads.
    """

    def __init__(self, dst: Driver, cutoff: int | None, streams: int | None, uploads: Uploads | None = None) -> None:
        self.kept: dict[str, tuple[int, int]] = {}
        self._dst = dst
        self._cutoff = cutoff
        self._streams = streams
        self.uploads: Uploads = NoUploads() if uploads is None else uploads

    def forgetful(self) -> Large:
        """Return one that does the same and remembers nothing, for another process."""
        return Large(self._dst, self._cutoff, self._streams)

    def takes(self, body: SourceBody, options: PutOptions) -> bool:
        """Say whether an object is large enough, and may be stored under another name first."""
        if self._cutoff is None or options.inplace:
            return False
        return body.size is not None and body.size >= self._cutoff

    def put(
        self,
        path: str,
        body: SourceBody,
        options: PutOptions,
        moved: Callable[[int], object],
        tell: Callable[[Event], object],
        proof: Proof | None,
    ) -> tuple[ObjectInfo, int]:
        """Store an object; return what a listing says of it, and how many of its bytes an earlier run had moved.

        Args:
            path: Its key.
            body: Its bytes.
            options: How to store it.
            moved: Called with bytes as they are moved; may raise, to stop.
            tell: Takes events.
            proof: Is shown what was stored, before it gets its name, where that can be; raises to refuse it.
        """
        from .partwise import can_send, send

        if not can_send(body.driver, self._dst, body.info):
            return self._dst.put(path, body, options), 0
        if options.consume and self._dst.features.local:
            try:
                return self._dst.put(path, _RenameOnly(body), options), 0
            except _NotRenamed:
                # It must go to another file system.
                body.local_path = None
        watcher = _Watcher(self, path, body, moved, tell, proof)
        sent = send(
            body.driver,
            self._dst,
            body.info,
            path,
            options,
            uploads=self.uploads,
            watcher=watcher,
            workers=self._streams,
        )
        self.kept.pop(path, None)
        return sent.info, sent.resumed


class _Watcher:
    """Hears how one object goes; see ``partwise.Watcher``."""

    def __init__(
        self,
        large: Large,
        path: str,
        body: SourceBody,
        moved: Callable[[int], object],
        tell: Callable[[Event], object],
        proof: Proof | None,
    ) -> None:
        self.moved = moved
        self._large = large
        self._path = path
        self._body = body
        self._tell = tell
        self._proof = proof

    def resumed(self, count: int) -> None:
        self._tell(Event("resumed", self._path, count))

    def kept(self, done: int, count: int) -> None:
        self._large.kept[self._path] = (done, count)

    def wanted(self) -> Mapping[str, str]:
        if self._proof is not None:
            # It reads all of what was stored.
            return {}
        return {name: told for name, told in self._body.info.hashes.items() if name == "md5"}

    def ending(self, upload: Upload) -> None:
        if self._proof is not None and (stream := upload.stored()) is not None:
            with stream:
                self._proof(stream)
        if self._body.before_end is not None:
            self._body.before_end()


class _NotRenamed(Exception):
    """A local file that was to be renamed has to be copied."""


class _RenameOnly(Body):
    """A file of this machine that a driver may take for its own by renaming it, but not read."""

    def __init__(self, body: SourceBody) -> None:
        self.size = body.size
        self.local_path = body.local_path
        self._body = body

    def open(self) -> ByteStream:
        raise _NotRenamed

    def check(self) -> None:
        self._body.check()
