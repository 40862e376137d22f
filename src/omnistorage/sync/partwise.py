"""One large object, part by part: what is stored safely is not sent again by the next run.

An upload is gone on with only if the source is still what it was when the upload began: its size, its time, and what
else tells versions apart (etag, version; for files of this machine the inode and the time of its last change, which
nobody can set back). What an unfinished upload has is the driver's word (``Upload.done``). A source that is changed
while it is sent fails with SourceChanged, and its parts are thrown away: two versions are never mixed.

Unfinished uploads are found again in one of two ways: by the driver (``features.finds_uploads``), or by the token
that ``Uploads`` has noted. Where neither can be, an upload that failed is aborted. Where the driver can find what
came of it (``Driver.abort_begun``), it is also noted that one is about to begin: a kill may come before the token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import Cancelled, Corrupted, NoSpace, NotFound, RateLimited, SourceChanged, StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Upload

from .following import Following
from .ranges import Range, Version
from .uploads import UploadRecord, Uploads

_PARTS, _PROOF, _END = "parts", "proof", "end"


class Sent(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        info: What was stored.
        bytes: Bytes that were sent now.
        resumed: Bytes that an earlier run had sent.
    """

    info: ObjectInfo
    bytes: int
    resumed: int = 0


class Watcher(Protocol):
    """Hears how an upload goes; from any thread."""

    def moved(self, count: int, /) -> object:
        """Hear of bytes that were moved; may raise, to stop."""
        ...

    def resumed(self, count: int, /) -> object:
        """Hear of bytes that need not be sent, before the first part is."""
        ...

    def kept(self, done: int, count: int, /) -> object:
        """Hear, after a failure, that so many of the ``count`` parts wait for the next run."""
        ...

    def wanted(self) -> Mapping[str, str]:
        """Return hashes that the whole must have: they are worked out of what is stored, where it can be read."""
        ...

    def ending(self, upload: Upload, /) -> object:
        """Be asked when all parts are stored and the source is what it was, before the object appears; may raise."""
        ...


def can_send(src: Driver, dst: Driver, info: ObjectInfo) -> bool:
    """Say whether an object can go by parts, and whether anything is won by that."""
    if info.size is None or not (src.features.ranges and dst.features.upload):
        return False
    # Without a mark nobody could tell whether two ranges are of one version.
    marked = info.mtime_ns is not None or info.etag is not None or info.version is not None
    return marked and (dst.features.resume_upload or not _near(src, dst))


def send(
    src: Driver,
    dst: Driver,
    info: ObjectInfo,
    path: str,
    options: PutOptions,
    *,
    uploads: Uploads,
    watcher: Watcher,
    workers: int | None = None,
) -> Sent:
    """Store the object ``info`` of the source as ``path``, going on where an earlier run ended.

    Args:
        src: The source.
        dst: The destination.
        info: What a listing said of the object; see ``can_send``.
        path: Its key at the destination.
        options: How to store it; ``origin`` is set here.
        uploads: Remembers the upload as long as it is not finished.
        watcher: Hears how it goes.
        workers: Parts side by side, None for as many as the upload wants; between two places on this machine it is
            always one.

    Raises:
        SourceChanged: The source is not what the listing said, or was changed meanwhile; nothing is kept of it.
        StorageError: It could not be stored; the parts are kept for the next run where one can find them.
    """
    source = Version(src, info)
    try:
        sending = _Sending(source, dst, path, options, uploads, watcher)
        return sending.run(1 if _near(src, dst) else workers)
    finally:
        source.close()


class _Sending:
    """One object on its way."""

    def __init__(
        self, source: Version, dst: Driver, path: str, options: PutOptions, uploads: Uploads, watcher: Watcher
    ) -> None:
        self._source = source
        self._dst = dst
        self._path = path
        self._options = msgspec.structs.replace(options, origin=source.origin)
        self._uploads = uploads
        self._watcher = watcher
        self._noted = False
        self._upload = self._open()
        self._size = self._upload.part_size
        self._count = max(1, -(-source.size // self._size))
        self._stored: set[int] = set()
        self._stage = _PARTS
        self._following: Following | None = None

    def run(self, workers: int | None) -> Sent:
        upload = self._upload
        try:
            done = upload.done
            resumed = sum(done.values())
            self._stored.update(done)
            if resumed:
                self._watcher.resumed(resumed)
            missing = [number for number in range(1, self._count + 1) if number not in done]
            wanted = self._watcher.wanted()
            if wanted:
                self._following = Following(upload, self._count, wanted)
                self._following.stored(*done)
            side_by_side(missing, self._send_part, workers or upload.streams)
            self._source.check_again()
            self._stage = _PROOF
            if self._following is not None and self._following.hexdigests() not in (None, wanted):
                # No single range has a hash of its own; the whole has one that the service tells.
                raise Corrupted("other bytes came than are stored", op="get", path=self._source.key)
            self._watcher.ending(upload)
            self._stage = _END
            info = upload.finish()
        except BaseException as exc:
            self._fail(exc)
        self._forget()
        return Sent(info, self._source.size - resumed, resumed)

    def _send_part(self, number: int, moved: Callable[[int], object]) -> None:
        offset = (number - 1) * self._size
        length = min(self._size, self._source.size - offset)

        def report(count: int) -> None:
            moved(count)
            self._watcher.moved(count)

        self._upload.put_part(number, Range(self._source, offset, length, report))
        self._stored.add(number)
        if self._following is not None:
            self._following.stored(number)
        if self._noted:
            # For people who ask how far it is.
            self._uploads.note_saved(self._path, self._saved)

    @property
    def _saved(self) -> int:
        return min(len(self._stored) * self._size, self._source.size)

    def _open(self) -> Upload:
        """Go on with the upload that is known, or begin one."""
        upload = self._known()
        if upload is None:
            options = msgspec.structs.replace(self._options, hashes=self._hashes())
            since_ns = time.time_ns()
            self._note_begin(since_ns)
            try:
                upload = self._dst.begin_upload(self._path, options, self._source.size)
            except StorageError as exc:
                if not exc.retryable or isinstance(exc, RateLimited) or self._undone(since_ns):
                    self._forget()
                raise
            if not self._fits(upload.part_size, upload.done):
                upload.abort()
                upload = self._dst.begin_upload(self._path, options, self._source.size)
        if not self._dst.features.finds_uploads:
            # Where it is found anyway, a note would only cost, and is made for people when parts are left.
            self._note(upload, sum(upload.done.values()))
        return upload

    def _hashes(self) -> dict[str, str]:
        """Return what is known of the bytes, and what the destination wants to know at the price of reading them."""
        known = {**self._source.hashes, **self._options.hashes}
        wanted = self._dst.features.upload_hashes - known.keys()
        if wanted and self._source.fd >= 0:
            known |= self._source.hash(wanted, lambda count: self._watcher.moved(0))
        return known

    def _undone(self, since_ns: int) -> bool:
        """Abort what may have begun without an answer; say whether nothing can be left of it."""
        if not self._noted:
            return True
        try:
            self._dst.abort_begun(self._path, since_ns)
        except StorageError:
            # The next run looks for it.
            return False
        return True

    def _note_begin(self, since_ns: int) -> None:
        """Note that an upload is about to begin: a kill before its token is noted would leave it to nobody."""
        features = self._dst.features
        if not features.abort_begun or not features.resume_upload or self._options.origin is None:
            return
        self._noted = True
        source = self._source
        record = UploadRecord(token="", part_size=0, source=source.fingerprint, size=source.size, since_ns=since_ns)
        self._uploads.note_upload(self._path, record)

    def _note(self, upload: Upload, saved: int) -> None:
        source, token = self._source, upload.token
        if token is None or self._options.origin is None or not self._dst.features.resume_upload:
            return
        self._noted = True
        record = UploadRecord(
            token=token, part_size=upload.part_size, source=source.fingerprint, size=source.size, saved=saved
        )
        self._uploads.note_upload(self._path, record)

    def _forget(self) -> None:
        if self._noted:
            self._uploads.forget_upload(self._path)

    def _known(self) -> Upload | None:
        record = self._uploads.upload_of(self._path)
        if record is None or not self._dst.features.resume_upload:
            return None
        self._noted = True
        if not record.token:
            # What cannot be found now is swept some day.
            with suppress(StorageError):
                self._dst.abort_begun(self._path, record.since_ns)
            return None
        same = self._options.origin is not None and record.source == self._source.fingerprint
        # Without an origin, for that is another one now: what was begun for other bytes is only thrown away.
        options = self._options if same else msgspec.structs.replace(self._options, origin=None)
        try:
            upload = self._dst.resume_upload(self._path, record.token, options)
            if same and upload.part_size == record.part_size and self._fits(upload.part_size, upload.done):
                return upload
            upload.abort()
        except NotFound:
            # Finished, aborted or swept; or somebody else works on it.
            return None
        return None

    def _fits(self, part_size: int, done: Mapping[int, int]) -> bool:
        """Say whether the parts that are there can be parts of the source."""
        size = self._source.size
        return all(
            number > 0 and length == min(part_size, size - (number - 1) * part_size)
            for number, length in done.items()
        )

    def _fail(self, exc: BaseException) -> NoReturn:
        """Keep or abort what is there, and raise."""
        if self._following is not None:
            self._following.stop()
        changed = isinstance(exc, SourceChanged)
        if isinstance(exc, StorageError) and not isinstance(exc, SourceChanged | Cancelled):
            changed = self._source.has_changed()
        hopeless = changed or isinstance(exc, NoSpace | NotFound)
        if self._stage is not _PARTS and isinstance(exc, Corrupted):
            # All parts are there, but not those of the source: they would not be the next time either.
            hopeless = True
        if self._stage is _END and isinstance(exc, StorageError) and not isinstance(exc, Cancelled):
            hopeless = hopeless or not exc.retryable
        if hopeless or not self._stored or not self._can_be_found():
            try:
                self._upload.abort()
            except StorageError:
                # The first failure is the one to be told. What stays is swept, or removed by the service.
                self._upload.leave()
            self._forget()
        else:
            self._upload.leave()
            self._note(self._upload, self._saved)
            self._watcher.kept(len(self._stored), self._count)
        if changed and not isinstance(exc, SourceChanged):
            raise self._source.changed() from exc
        raise exc

    def _can_be_found(self) -> bool:
        if self._options.origin is None or self._upload.token is None:
            return False
        if self._dst.features.finds_uploads:
            return True
        record = self._uploads.upload_of(self._path)
        return record is not None and record.token == self._upload.token


def side_by_side(numbers: Sequence[int], do: Callable[[int, Callable[[int], object]], object], workers: int) -> None:
    """Call ``do`` for each number, several at a time; the first failure stops the others and is raised.

    ``do`` gets a function as well, to be called now and then: it raises Cancelled once another one has failed.
    """
    if workers == 1 or len(numbers) < 2:
        for number in numbers:
            do(number, lambda count: None)
        return
    from concurrent.futures import ThreadPoolExecutor, wait

    left = iter(numbers)
    lock = threading.Lock()
    halt = threading.Event()
    failures: list[BaseException] = []

    def look(count: int) -> None:
        if halt.is_set():
            raise Cancelled("another part failed")

    def work() -> None:
        while not halt.is_set():
            with lock:
                number = next(left, None)
            if number is None:
                return
            try:
                do(number, look)
            except BaseException as exc:
                failures.append(exc)
                halt.set()

    with ThreadPoolExecutor(min(workers, len(numbers)), thread_name_prefix="omnistorage-part") as pool:
        try:
            wait([pool.submit(work) for _ in range(min(workers, len(numbers)))])
        except BaseException:
            halt.set()
            raise
    if failures:
        raise failures[0]


def _near(src: Driver, dst: Driver) -> bool:
    return src.features.local and dst.features.local
