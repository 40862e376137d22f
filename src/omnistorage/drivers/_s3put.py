"""Storing one object in S3: by one request, with what the service checks its bytes by, or in parts."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from hashlib import md5
from typing import Any

from omnistorage.core.errors import AlreadyExists, NotFound, PreconditionFailed
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, read_exactly

from ._s3answers import confirm_stored
from ._s3bodies import AT_HAND, CheckedStream, at_hand, proof_of, spooled, with_md5
from ._s3client import Client
from ._s3metadata import condition_of, stored_info
from ._s3options import Options
from ._s3upload import S3Upload, begin_upload, refuse_other

Place = tuple[str, str]
"""Bucket and key."""


class Puts:
    """Stores objects of one storage; from any thread."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options

    def put(self, place: Place, path: str, body: Body, headers: dict[str, str], options: PutOptions) -> ObjectInfo:
        """Store an object that is to have these headers, as ``Driver.put``."""
        size, known = body.size, self._client.preset
        if size is None:
            return self._unsized(place, path, body, headers, options)
        # By one request, where a condition has to hold: few services know one at the end of an upload.
        by_one = options.if_match is not None or known.no_multipart
        by_one = by_one or (options.if_absent and size <= known.max_part_size)
        # By parts goes whatever gets an ETag that says nothing of its bytes: they have checksums of their own.
        cutoff = min(self._options.upload_cutoff, known.max_part_size)
        by_one = by_one or (size <= cutoff and self._client.etag_is_md5)
        if size <= self._options.part_size or (by_one and self._is_handy(body, size, options)):
            return self._data(place, path, at_hand(body), headers, options)
        if by_one:
            return self._stream(place, path, body, size, headers, options)
        return self._parts(place, path, body, size, headers, options)

    def _is_handy(self, body: Body, size: int, options: PutOptions) -> bool:
        """Say whether a body of more than a part is read into memory, or is there."""
        if isinstance(body, BytesBody):
            return True
        # What can be read twice, or has a known checksum, needs no memory.
        return (
            size <= AT_HAND
            and not body.local_path
            and not ("md5" in options.hashes and self._client.checksum == "md5")
        )

    def begin(
        self, place: Place, path: str, headers: dict[str, str], options: PutOptions, size: int | None
    ) -> S3Upload:
        """Begin an upload in parts."""
        return begin_upload(self._client, *place, path, headers, options, size, self._options.part_size)

    def _data(
        self, place: Place, path: str, data: bytes | memoryview, headers: dict[str, str], options: PutOptions
    ) -> ObjectInfo:
        digest = md5(data, usedforsecurity=False).digest()
        sent = {**headers, **self._client.checksum_headers(data, digest=digest)}
        found = self._store(place, len(data), sent, data, options)
        refuse_other(self._client, place[0], digest, found)
        return stored_info(path, len(data), headers, found, etag_is_md5=self._client.etag_is_md5)

    def _stream(
        self, place: Place, path: str, body: Body, size: int, headers: dict[str, str], options: PutOptions
    ) -> ObjectInfo:
        opened: list[CheckedStream] = []
        proof = proof_of(body, self._client.checksum, options.hashes)
        if not proof and self._options.checksum not in ("", "none"):
            # It has to be known before the first byte is sent.
            with body.open() as once, spooled(body, once) as sized:
                return self.put(place, path, sized, headers, options)

        # Unless it is known by now, it is worked out on the way.
        known = b64decode(proof["content-md5"]) if "content-md5" in proof else None

        def stream() -> ByteStream:
            opened.append(CheckedStream(body, size, known))
            return opened[-1]

        found = self._store(place, size, {**headers, **proof, "content-length": str(size)}, stream, options)
        refuse_other(self._client, place[0], opened[-1].digest, found)
        return stored_info(path, size, headers, found, etag_is_md5=self._client.etag_is_md5)

    def _unsized(
        self, place: Place, path: str, body: Body, headers: dict[str, str], options: PutOptions
    ) -> ObjectInfo:
        with body.open() as stream:
            first = read_exactly(stream, self._options.part_size)
            if len(first) < self._options.part_size:
                body.check()
                return self._data(place, path, first, headers, options)
            if self._client.preset.no_multipart or options.if_match is not None:
                with spooled(body, stream, first) as sized:
                    return self.put(place, path, sized, headers, options)
            upload = self.begin(place, path, headers, options, None)
            with upload.undone_on_failure():
                return upload.fill(body, stream, first)

    def _parts(
        self, place: Place, path: str, body: Body, size: int, headers: dict[str, str], options: PutOptions
    ) -> ObjectInfo:
        if self._options.upload_md5:
            options = with_md5(options, body)
        upload = self.begin(place, path, headers, options, size)
        with upload.undone_on_failure(), body.open() as stream:
            return upload.fill(body, stream, b"", size)

    def _store(
        self, place: Place, size: int, headers: dict[str, str], data: Any, options: PutOptions
    ) -> Mapping[str, str]:
        sent = {**headers, **condition_of(options, self._client.preset.if_match)}
        try:
            answer = self._client.request("PUT", *place, headers=sent, body=data, unsigned=True)
        except PreconditionFailed as exc:
            if not options.if_absent:
                raise
            raise AlreadyExists(exc.message, request_id=exc.request_id) from exc
        except NotFound as exc:
            if options.if_match is None or "NoSuchBucket" in exc.message:
                raise
            raise PreconditionFailed("there is no such object any more", request_id=exc.request_id) from exc
        confirm_stored(self._client, *place, size, headers, answer)
        return answer.headers
