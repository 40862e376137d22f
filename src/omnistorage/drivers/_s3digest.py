"""By what a service checks the bytes that it is sent: headers of checksums, and the hash of parts of an upload."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any, Final

from omnistorage.core.errors import MissingExtra
from omnistorage.core.streams import CHUNK, ByteStream

from ._presets import Preset
from ._s3options import Options

if TYPE_CHECKING:
    from hashlib import _Hash

SIGNED: Final = "x-amz-content-sha256"
"""The header with the SHA-256 of a body, which is part of what is signed."""

Data = bytes | memoryview


def checksum_headers(kind: str, data: Data, *, digest: bytes | None = None) -> dict[str, str]:
    """Return the header by which the service checks the bytes; ``digest`` is their MD5, if at hand."""
    if kind == "md5":
        found = digest or md5(data, usedforsecurity=False).digest()
        return {"content-md5": b64encode(found).decode()}
    if kind == "crc32c":
        import google_crc32c

        value = google_crc32c.value(bytes(data)).to_bytes(4, "big")
        return {"x-amz-checksum-crc32c": b64encode(value).decode()}
    if kind == "crc64nvme":
        return {"x-amz-checksum-crc64nvme": b64encode(_crc64(data).to_bytes(8, "big")).decode()}
    if kind == "sha256":
        return {"x-amz-checksum-sha256": b64encode(sha256(data).digest()).decode()}
    return {}


def stream_checksum(kind: str, stream: ByteStream) -> dict[str, str]:
    """Return the header by which the service checks the bytes of a stream, as ``checksum_headers`` does; read it."""
    if kind not in _KINDS:
        return {}
    name, new = _KINDS[kind]
    digest = new()
    while data := stream.read(CHUNK):
        digest.update(data)
    return {name: b64encode(digest.digest()).decode()}


class _Crc64:
    """A running CRC64NVME."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = _crc64(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(8, "big")


def _crc32c() -> Any:
    import google_crc32c

    return google_crc32c.Checksum()  # type: ignore[no-untyped-call]


def part_hash(preset: Preset, options: Options) -> Callable[[], _Hash]:
    """Return what makes the hash by which parts are proven: SHA-256, or MD5.

    The service compares either with what came, and refuses the part. By an MD5 we see that once more, in the ETag; so
    it is left only for a service that is known to refuse by SHA-256, and where that costs less time.
    """
    free = not (options.checksum or options.anonymous) and preset.checksum == "md5"
    if free and preset.checks_sha256 and sha256_is_faster():
        return sha256
    return _md5


@cache
def sha256_is_faster() -> bool:
    """Say whether this processor makes a SHA-256 faster than an MD5, as those with instructions for it do by far."""
    return min(_time(sha256) for _ in range(5)) < min(_time(_md5) for _ in range(5))


def _time(new: Callable[[], _Hash]) -> float:
    digest, data = new(), bytes(128 << 10)
    begin = time.perf_counter()
    digest.update(data)
    return time.perf_counter() - begin


def _md5() -> _Hash:
    return md5(usedforsecurity=False)


def _crc64(data: Data, before: int = 0) -> int:
    try:
        from awscrt import checksums
    except ModuleNotFoundError as exc:
        raise MissingExtra("s3: checksum=crc64nvme needs awscrt: pip install 'omnistorage[crc64]'") from exc
    return int(checksums.crc64nvme(bytes(data), before))


_KINDS: Final[dict[str, tuple[str, Callable[[], Any]]]] = {
    "md5": ("content-md5", _md5),
    "crc32c": ("x-amz-checksum-crc32c", _crc32c),
    "crc64nvme": ("x-amz-checksum-crc64nvme", _Crc64),
    "sha256": ("x-amz-checksum-sha256", sha256),
}
