"""Writing a local file under its final name, for those who ask for it: what they gain is said in ``PutOptions``."""

from __future__ import annotations

import os
from typing import Final

from omnistorage.core.errors import SpecialFile, Truncated
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, ByteStream, descriptor

from . import _localmeta as localmeta
from . import _localtemp as temps
from ._localcopy import fill_file
from ._locallist import kind_in_words
from ._localstream import prove

_WRITE: Final = os.O_RDWR | os.O_CREAT | temps.CLOEXEC | temps.BINARY | temps.NOFOLLOW | temps.NONBLOCK


def put_in_place(
    path: str, place: str, body: Body, options: PutOptions, fsync: temps.Fsync, *, special: bool
) -> ObjectInfo:
    """Write ``body`` into the file ``place``, as it comes; a failure leaves what had come until then.

    The source is opened before the old bytes go, so that a source which is not there costs nothing.
    """
    with body.open() as source:
        fd = _open(place, options, fsync)
        try:
            if localmeta.mode_before(options) == temps.PRIVATE_FILE:
                # Who may read the old bytes need not be allowed to read the new ones.
                os.fchmod(fd, temps.PRIVATE_FILE)
            if _is_same(fd, source):
                # Two names of one file: emptying the one would empty the other, and there is nothing to write.
                size = os.fstat(fd).st_size
            else:
                os.ftruncate(fd, 0)
                size = fill_file(fd, source, body)
            if body.size is not None and size != body.size:
                raise Truncated(f"{body.size} bytes were announced, {size} came")
            if body.proof is not None:
                prove(fd, body.proof)
            body.check()
            mtime_ns, held = localmeta.finish(fd, options, special=special)
            if fsync != "never":
                os.fsync(fd)
        finally:
            os.close(fd)
    if fsync == "full":
        temps.sync_folder(os.path.dirname(place))
    return ObjectInfo(path, FILE, size, mtime_ns, metadata=held)


def _is_same(fd: int, source: ByteStream) -> bool:
    other = descriptor(source)
    return other >= 0 and os.path.samestat(os.fstat(fd), os.fstat(other))


def _open(place: str, options: PutOptions, fsync: temps.Fsync) -> int:
    mode = localmeta.mode_before(options)
    try:
        return _regular(place, mode)
    except FileNotFoundError:
        temps.make_folders(os.path.dirname(place), fsync, localmeta.folder_mode(options))
        return _regular(place, mode)


def _regular(place: str, mode: int) -> int:
    if os.path.lexists(place) and not os.path.isfile(place) and not os.path.isdir(place):
        raise SpecialFile(f"is {kind_in_words(place)}, not a regular file")
    return os.open(place, _WRITE, mode)
