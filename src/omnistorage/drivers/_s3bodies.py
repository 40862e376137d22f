"""Bodies of what is sent to S3: read whole, hashed on the way, written to a file where a size has to be known."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from typing import TYPE_CHECKING, Final

import msgspec

from omnistorage.core.errors import Truncated
from omnistorage.core.hashes import hash_stream
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import (
    CHUNK,
    Body,
    BytesBody,
    ByteStream,
    FileBody,
    PlainFile,
    copy_stream,
    fill,
    read_all,
    read_exactly,
)

from ._s3digest import stream_checksum

if TYPE_CHECKING:
    from hashlib import _Hash

AT_HAND: Final = 32 << 20
"""Bytes up to which a body is read into memory, so that what it is checked by is known before it is sent."""

_PIECE: Final = 256 << 10


def with_md5(options: PutOptions, body: Body) -> PutOptions:
    """Return the options with the MD5 of a body that can be read twice at little cost: of bytes, or a local file."""
    if "md5" in options.hashes or not (body.local_path or isinstance(body, BytesBody)):
        return options
    with body.open() as stream:
        return msgspec.structs.replace(options, hashes={**options.hashes, **hash_stream(stream, ["md5"])})


def proof_of(body: Body, kind: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the header by which the service checks a body that is not in memory; none if that has to be read for it.

    A file of this machine is read once more: what is damaged on the way is refused then, and replaces nothing.

    Args:
        body: The bytes.
        kind: What they are checked by.
        known: Hashes of them.
    """
    if kind == "md5" and "md5" in known:
        return {"content-md5": b64encode(bytes.fromhex(known["md5"])).decode()}
    if not body.local_path:
        return {}
    with body.open() as stream:
        return stream_checksum(kind, stream)


def at_hand(body: Body) -> bytes | memoryview:
    """Return the bytes of a body, copied only if they are not in memory; raises as ``whole``."""
    if not isinstance(body, BytesBody):
        return whole(body)
    return body.data if isinstance(body.data, bytes) else memoryview(body.data).cast("B")


def whole(body: Body) -> bytes:
    """Read a body into memory.

    Raises:
        Truncated: It has another size than it says.
        SourceChanged: It was changed while it was read.
    """
    if type(body) is PlainFile:
        return body.read()
    with body.open() as stream:
        if body.size is None:
            data = read_all(stream)
        else:
            data = read_exactly(stream, body.size) if body.size else b""
            if len(data) != body.size or stream.read(1):
                raise wrong_size(body.size, len(data))
        body.check()
    return data


def read_into(data: memoryview, body: Body, digest: _Hash) -> _Hash:
    """Fill ``data`` with a body of that size; return the digest, which takes each piece while it is at hand.

    Raises:
        Truncated: It has another size than it says.
        SourceChanged: It was changed while it was read.
    """
    size, filled = len(data), 0
    with body.open() as stream:
        while filled < size and (count := fill(stream, data[filled : min(filled + _PIECE, size)])):
            digest.update(data[filled : filled + count])
            filled += count
        if filled != size or stream.read(1):
            raise wrong_size(size, filled)
        body.check()
    return digest


def wrong_size(size: int, count: int) -> Truncated:
    return Truncated(f"{size} bytes were announced, {'more' if count == size else count} came")


@contextmanager
def spooled(body: Body, stream: ByteStream, first: bytes = b"") -> Iterator[Body]:
    """Write what ``first`` and a stream have to a temporary file, for services that must know how much comes."""
    from tempfile import NamedTemporaryFile

    with NamedTemporaryFile(prefix="omnistorage-") as file:
        file.write(first)
        copy_stream(stream, file.write, size=None if body.size is None else body.size - len(first))
        file.flush()
        body.check()
        yield FileBody(file.name)


class CheckedStream:
    """The bytes of a body for a request that announces their number.

    The last of them are given only when all were read and found to be as many as announced, and unchanged: until
    then the service has not got the whole object, and stores nothing.

    Args:
        body: The bytes.
        size: How many there are.
        known: Their MD5; worked out as they are read if it is not known.
    """

    def __init__(self, body: Body, size: int, known: bytes | None = None) -> None:
        self._known = known
        self._hash = md5(usedforsecurity=False)
        self._body = body
        self._size = size
        self._stream: ByteStream = body.open()
        self._held = b""
        self._count = 0
        self._ended = False

    @property
    def digest(self) -> bytes:
        """The MD5 of what was read."""
        return self._known or self._hash.digest()

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes, as many as come at once if negative."""
        most = size if size > 0 else CHUNK
        while not self._ended and len(self._held) <= most:
            data = self._stream.read(most)
            self._count += len(data)
            if not data:
                if self._count != self._size:
                    raise wrong_size(self._size, self._count)
                self._body.check()
                self._ended = True
            elif self._count > self._size:
                raise wrong_size(self._size, self._size)
            else:
                if self._known is None:
                    self._hash.update(data)
                held, self._held = self._held, data
                if held:
                    return held
        given, self._held = self._held[:most], self._held[most:]
        return given

    def close(self) -> None:
        """Close the body's stream."""
        self._stream.close()

    def __enter__(self) -> CheckedStream:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()
