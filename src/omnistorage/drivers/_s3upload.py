"""Uploads of S3 in parts: begun, gone on with by other processes, finished, thrown away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import md5
from typing import TYPE_CHECKING, Any, Final

from msgspec import DecodeError
from msgspec.json import decode, encode

from omnistorage.core.errors import (
    AlreadyExists,
    Corrupted,
    NoSpace,
    NotFound,
    PreconditionFailed,
    StorageError,
    Unsupported,
)
from omnistorage.core.info import FILE, ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.sending import Sending
from omnistorage.core.streams import Body, BytesBody, ByteStream, Upload, read_exactly

from ._s3answers import foreign, refuse_foreign, result_of
from ._s3bodies import read_into, whole, wrong_size
from ._s3client import Client
from ._s3digest import SIGNED
from ._s3errors import named
from ._s3metadata import MTIME_HEADER, is_md5, md5_header, ns_of, refuse_unsealed, version_of
from ._s3turns import Turns
from ._s3unfinished import abort, begin, stored_parts
from ._s3xml import completion, text_of

if TYPE_CHECKING:
    from hashlib import _Hash
    from xml.etree.ElementTree import Element

    from ._http import Answer

_MIB: Final = 1 << 20


def part_size_for(client: Client, wanted: int, size: int | None) -> int:
    """Return the bytes of a part, so that ``size`` bytes need no more parts than the service takes."""
    known = client.preset
    least = min(max(wanted, known.min_part_size), known.max_part_size)
    if size is None:
        return least
    needed = -(-size // known.max_parts)
    return max(least, -(-needed // _MIB) * _MIB)


class S3Upload(Upload):
    """An upload in parts; its token is its key, its id at the service and the size of its parts."""

    # With turns, these are less than two parts that a kill costs.
    streams = 2

    def __init__(
        self,
        client: Client,
        bucket: str,
        key: str,
        path: str,
        upload_id: str,
        part_size: int,
        *,
        mtime_ns: int | None,
        if_absent: bool = False,
        grows: bool = False,
        stored: Mapping[int, tuple[int, str]] | None = None,
    ) -> None:
        self.part_size = part_size
        self.token = encode({"bucket": bucket, "key": key, "id": upload_id, "part_size": part_size}).decode()
        self._client = client
        self._bucket = bucket
        self._key = key
        self._path = path
        self._id = upload_id
        self._mtime_ns = mtime_ns
        self._if_absent = if_absent
        self._grows = grows and not client.preset.equal_parts
        self._parts: dict[int, tuple[int, str]] = dict(stored or {})
        self._lock = threading.Lock()
        self._buffers = threading.local()
        self._turns = Turns()
        # Here, where no other thread disturbs a measurement.
        self._new_hash = client.part_hash()
        self._over = False

    @property
    def done(self) -> Mapping[int, int]:
        with self._lock:
            return {number: size for number, (size, _) in self._parts.items()}

    def put_part(self, number: int, body: Body) -> None:
        if body.size is None or isinstance(body, BytesBody):
            self.put_bytes(number, whole(body), progress=body.progress)
            return
        # Each thread has one buffer for all its parts: fresh memory costs as much as reading into it.
        buffer = getattr(self._buffers, "one", None)
        if buffer is None or len(buffer) < body.size:
            buffer = self._buffers.one = bytearray(max(body.size, self.part_size))
        with memoryview(buffer)[: body.size] as data:
            self.put_bytes(number, data, read_into(data, body, self._new_hash()), body.progress)

    def put_bytes(
        self,
        number: int,
        data: bytes | memoryview,
        digest: _Hash | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None:
        """Store one part that is in memory.

        Args:
            number: Of the part.
            data: Its bytes.
            digest: What ``Client.part_hash`` makes of them, if at hand.
            progress: Asked on the way, with 0, whether the part is wanted still.
        """
        client = self._client
        if digest is None:
            digest = self._new_hash()
            digest.update(data)
        by_md5 = digest.name == "md5"
        proof = client.checksum_headers(data, digest=digest.digest()) if by_md5 else {SIGNED: digest.hexdigest()}
        headers = {**client.key_headers, **proof}
        query = (("partNumber", str(number)), ("uploadId", self._id))
        if number > client.preset.max_parts:
            words = f"more than {client.preset.max_parts} parts of {self.part_size} bytes: say a larger part_size"
            raise NoSpace(words)
        with self._turns.begin(progress) as before_block:
            answer = client.request(
                "PUT", self._bucket, self._key, query, headers, data, unsigned=True, before_block=before_block
            )
        refuse_foreign(answer.headers, self._bucket)
        if by_md5:
            refuse_other(client, self._bucket, digest.digest(), answer.headers)
        with self._lock:
            self._parts[number] = (len(data), answer.headers["etag"])

    def part_length(self, number: int) -> int:
        if not self._grows:
            return self.part_size
        # Twice as much with each tenth of the parts there may be: with 8 MiB at first, these are 8 TiB in the end.
        known = self._client.preset
        return min(self.part_size << (number - 1) // max(1, known.max_parts // 10), known.max_part_size)

    def copy_part(self, number: int, source: str, begin: int, end: int, headers: Mapping[str, str]) -> None:
        """Let the service take the bytes from ``begin`` up to ``end`` of another object as one part."""
        given = {**headers, "x-amz-copy-source": source, "x-amz-copy-source-range": f"bytes={begin}-{end - 1}"}
        query = (("partNumber", str(number)), ("uploadId", self._id))
        answer = self._client.request("PUT", self._bucket, self._key, query, given)
        etag = text_of(result_of(answer, self._bucket), "ETag")
        if not etag:
            raise foreign(self._bucket, answer.headers)
        with self._lock:
            self._parts[number] = (end - begin, etag)

    def finish(self) -> ObjectInfo:
        if self._over:
            raise NotFound("the upload was finished or aborted before")
        if not self._parts:
            self.put_bytes(1, b"")
        headers = dict(self._client.key_headers)
        if self._if_absent:
            headers["if-none-match"] = "*"
            refuse_present(self._client, self._bucket, self._key)
        try:
            answer, result = self._complete(headers)
        except StorageError as exc:
            if "InvalidPart" not in exc.message or not self._name_anew():
                raise
            answer, result = self._complete(headers)
        self._over = True
        found = [self._parts[number] for number in sorted(self._parts)]
        etag = text_of(result, "ETag").strip('"') or self._worked_out([etag for _, etag in found])
        size = sum(length for length, _ in found)
        return ObjectInfo(self._path, FILE, size, self._mtime_ns, etag=etag, version=version_of(answer.headers))

    def _complete(self, headers: Mapping[str, str]) -> tuple[Answer, Element]:
        client = self._client
        body = completion((number, etag) for number, (_, etag) in sorted(self._parts.items()))
        try:
            answer = client.request("POST", self._bucket, self._key, (("uploadId", self._id),), headers, body)
            return answer, result_of(answer, self._bucket)
        except PreconditionFailed as exc:
            raise AlreadyExists(exc.message, request_id=exc.request_id) from exc

    def _name_anew(self) -> bool:
        """Take the ETags of the parts from the service, if all that is between us are these names.

        By its SHA-256 each part was proven whatever ETag the answer named, which may have been changed on the way.
        """
        listed = stored_parts(self._client, self._bucket, self._key, self._id)
        same = self._new_hash().name != "md5" and {number: size for number, (size, _) in listed.items()} == self.done
        if same:
            self._parts = listed
        return same

    def _worked_out(self, etags: list[str]) -> str | None:
        """Return the ETag that S3 gives to these parts; one service does not tell it in its answer."""
        plain = [etag.strip('"') for etag in etags]
        if not self._client.etag_is_md5 or not all(map(is_md5, plain)):
            return None
        whole = md5(bytes.fromhex("".join(plain)), usedforsecurity=False)
        return f"{whole.hexdigest()}-{len(plain)}"

    def fill(self, body: Body, stream: ByteStream, first: bytes, size: int | None = None) -> ObjectInfo:
        """Store what ``first`` and a stream have, several parts at a time, and finish.

        Raises:
            Truncated: These are not ``size`` bytes.
            SourceChanged: The body was changed while it was read.
        """
        count, number, data = 0, 0, first
        with closing(Sending(self.put_bytes, self.stop)) as sending:
            while data or not number:
                length = self.part_length(number + 1)
                if len(data) < length:
                    data += read_exactly(stream, length - len(data))
                count += len(data)
                if size is not None and count > size:
                    raise wrong_size(size, size)
                if data or not number:
                    number += 1
                    sending.send(number, data)
                data = read_exactly(stream, length)
            if size is not None and count != size:
                raise wrong_size(size, count)
            sending.end()
        body.check()
        return self.finish()

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Throw the parts away if what is done within fails."""
        try:
            yield
        except BaseException:
            # The failure is the one to be told; what stays is swept later.
            with suppress(StorageError):
                self.abort()
            raise

    def stop(self) -> None:
        self._turns.stop()

    def abort(self) -> None:
        if self._over:
            return
        abort(self._client, self._bucket, self._key, self._id)
        self._over = True


def begin_upload(
    client: Client,
    bucket: str,
    key: str,
    path: str,
    headers: Mapping[str, str],
    options: PutOptions,
    size: int | None,
    wanted: int,
) -> S3Upload:
    """Begin an upload of ``size`` bytes, in parts of ``wanted`` or more, with the headers and the MD5 of ``options``.

    Raises:
        Unsupported: The service takes no parts.
    """
    if client.preset.no_multipart:
        raise Unsupported("this service takes no object in parts")
    part_size = part_size_for(client, wanted, size)
    upload_id = begin(client, bucket, key, {**headers, **md5_header(options.hashes)})
    mtime_ns = ns_of(headers[MTIME_HEADER])
    facts: dict[str, Any] = {"mtime_ns": mtime_ns, "if_absent": options.if_absent, "grows": size is None}
    return S3Upload(client, bucket, key, path, upload_id, part_size, **facts)


def resume(client: Client, bucket: str, key: str, path: str, token: str, mtime_ns: int | None) -> S3Upload:
    """Go on with an upload that was begun with this key.

    Raises:
        NotFound: There is no such upload any more, or the token is that of another key.
    """
    try:
        known: Any = decode(token)
        same = known["bucket"] == bucket and known["key"] == key
        upload_id, part_size = str(known["id"]), int(known["part_size"])
    except (DecodeError, ValueError, KeyError, TypeError):
        raise NotFound("there is no such upload") from None
    if not same:
        raise NotFound("there is no such upload of this object")
    stored = stored_parts(client, bucket, key, upload_id)
    return S3Upload(client, bucket, key, path, upload_id, part_size, mtime_ns=mtime_ns, stored=stored)


def refuse_present(client: Client, bucket: str, key: str) -> None:
    """Look whether there is an object.

    Raises:
        AlreadyExists: There is one.
    """
    answer = client.request("HEAD", bucket, key, headers=client.key_headers, allow=(404,))
    if answer.status != 404:
        refuse_foreign(answer.headers, bucket)
        raise AlreadyExists


def refuse_other(client: Client, bucket: str, digest: bytes, headers: Mapping[str, str]) -> None:
    """Compare the ETag that ``headers`` give to what was stored with ``digest``, the MD5 of what was sent.

    Raises:
        Corrupted: The service stored other bytes.
        Unsupported: They are not encrypted by the key that was given.
    """
    refuse_unsealed(client.key_headers, headers)
    plain = headers.get("etag", "").strip('"')
    if client.etag_is_md5 and len(plain) == 32 and plain != digest.hex():
        told = f"the service stored other bytes than were sent: MD5 {plain}, not {digest.hex()}"
        raise named(Corrupted(told), bucket, headers)
