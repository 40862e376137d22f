"""``s3://bucket/prefix``, ``s3://`` (buckets as directories): S3 and what speaks its language, as ``s3+r2://``."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from omnistorage.core.address import Address
from omnistorage.core.attributes import CONTENT_TYPE, MTIME
from omnistorage.core.driver import Driver, Failures, GetResults, PutItem, PutResults
from omnistorage.core.errors import (
    ConfigError,
    InvalidPath,
    IsADirectory,
    NotEmpty,
    NotFound,
    StorageError,
    Unsupported,
)
from omnistorage.core.features import Features
from omnistorage.core.info import DIR, Form, ObjectInfo, Page, Usage
from omnistorage.core.mime import type_of_name
from omnistorage.core.options import PutOptions, from_text
from omnistorage.core.placed import Placed
from omnistorage.core.streams import Body, ByteStream, Upload

from . import _s3copy as copying
from . import _s3links as links
from . import _s3list as lists
from . import _s3together as together
from . import _s3unfinished as unfinished
from . import _s3upload as parts
from . import _s3versions as versioning
from ._s3answers import confirm_deleted, refuse_foreign
from ._s3client import Client
from ._s3delete import delete_all
from ._s3keys import MAX_KEY, refuse_no_key, refuse_unlisted
from ._s3metadata import (
    TAGGING,
    all_metadata,
    changed_headers,
    headers_for,
    info_of,
)
from ._s3options import Options, same_service
from ._s3put import Puts
from ._s3stream import range_header, stream_of

__all__ = ["DRIVER", "Options", "S3Driver"]

T = TypeVar("T")

_BY_FILE: Final = frozenset({"rclone"})
"""Services that write objects as files in place, so that half of one can be seen."""


class S3Driver(Driver):
    """Flat keys in buckets; directories are prefixes only, and any text of up to 1024 bytes is a key."""

    scheme = "s3"
    family = True
    options_class = Options
    features = Features(
        recursive=True,
        ordered=True,
        ranges=True,
        atomic_put=True,
        if_absent=True,
        mtime=True,
        listed_mtime=False,
        precision=1,
        metadata=True,
        applies=frozenset({MTIME, CONTENT_TYPE}),
        content_type=True,
        hashes=frozenset({"md5"}),
        max_path=MAX_KEY,
        any_key=True,
    )

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self._client = client = Client(self.options)
        self._puts = Puts(client, self.options)
        self._bucket: str = self.options.bucket
        self.many = together.SMALL
        self._page = max(1, min(self.options.list_chunk, 1000))
        self.features = msgspec.structs.replace(
            type(self).features,
            if_absent=not client.preset.no_if_none_match,
            if_match=bool(client.preset.if_match),
            ranges=not client.preset.no_ranges,
            atomic_put=client.preset.name not in _BY_FILE,
            hashes=frozenset({"md5"}) if client.etag_is_md5 else frozenset(),
            versions=self.options.versioned,
            post_form=not client.preset.no_forms,
            upload_hashes=frozenset({"md5"}) if self.options.upload_md5 else frozenset(),
            about=client.preset.name == "ceph" and bool(self._bucket),
            copy=client.preset.max_copy > 0,
            set_modified=client.preset.max_copy > 0,
            set_metadata=client.preset.max_copy > 0,
            upload=not client.preset.no_multipart,
            resume_upload=not client.preset.no_multipart,
            abort_begun=not client.preset.no_multipart,
            # Buckets are made and can be empty; what stands in one cannot be both real and any text.
            mkdir=not self._bucket,
            any_key=bool(self._bucket),
        )

    @classmethod
    def from_address(cls, address: Address) -> tuple[Driver, str]:
        settings: dict[str, Any] = dict(address.options)
        _, plus, provider = address.scheme.partition("+")
        if plus:
            settings.setdefault("provider", provider)
        prefix = address.path.strip("/")
        login, at, _ = address.authority.rpartition("@")
        if at and ":" in login:
            raise ConfigError(
                "s3: keys cannot stand before the bucket; access_key_id and secret_access_key are options"
            )
        if address.authority:
            settings["bucket"] = address.authority
        elif not settings.get("bucket"):
            settings["bucket"], _, prefix = prefix.partition("/")
        return cls(from_text(Options, settings, where=cls.scheme)), prefix.strip("/")

    # -- the five verbs ------------------------------------------------------------------------------------

    def stat(self, path: str) -> ObjectInfo:
        bucket, key = self._at(path)
        if not key:
            if bucket and not lists.exists(self._client, bucket):
                raise NotFound(f"there is no such bucket ({bucket!r})")
            return ObjectInfo(path, DIR)
        # Most of what is asked for is an object; only what is none costs a second request.
        head = self._head(bucket, key)
        if head is not None:
            return info_of(path, head, etag_is_md5=self._client.etag_is_md5)
        if lists.is_folder(self._client, bucket, key):
            return ObjectInfo(path, DIR)
        raise NotFound

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        bucket, folder = self._at(path)
        if not bucket:
            return lists.page_of_buckets(self._client, recursive=recursive, token=page, most=self._page)
        root = "" if self._bucket else f"{bucket}/"
        return lists.page_of(
            self._client, bucket, folder, recursive=recursive, token=page, most=self._page, root=root
        )

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return self._open(path, offset, length, ())

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        bucket, key = self._object(path)
        headers = self._new_headers(key, options)
        return self._in_bucket(bucket, lambda: self._puts.put((bucket, key), path, body, headers, options))

    def delete(self, path: str) -> None:
        bucket, key = self._object(path)
        # The service says the same whether there was something or not.
        self._found(bucket, key)
        confirm_deleted(self._client, bucket, key, self._client.request("DELETE", bucket, key))

    # -- optional verbs ------------------------------------------------------------------------------------

    def copy(self, src: str, dst: str) -> ObjectInfo:
        if src == dst:
            return self.stat(src)
        return self._copy(self._object(src), self._target(dst), dst)

    def copy_from(self, source: Placed, dst: str) -> ObjectInfo:
        place = same_service(source, self.identity()[:-1], self.options)
        return self._copy(place, self._target(dst), dst, source.etag, source.begun)

    def mkdir(self, path: str) -> None:
        bucket, key = self._at(path)
        if self._bucket:
            raise Unsupported("directories of a bucket are prefixes only")
        if bucket and not key and not lists.exists(self._client, bucket):
            copying.make_bucket(self._client, bucket)

    def rmdir(self, path: str) -> None:
        bucket, key = self._at(path)
        if self._bucket:
            raise Unsupported("directories of a bucket are prefixes only")
        if not bucket:
            raise NotEmpty
        if not key:
            self._client.request("DELETE", bucket)
        elif lists.is_folder(self._client, bucket, key):
            raise NotEmpty
        else:
            raise NotFound

    def make_root(self) -> None:
        if self._bucket:
            copying.make_bucket(self._client, self._bucket)

    def remove_root(self, *, dry_run: bool = False) -> bool:
        if self._bucket and not dry_run:
            self._client.request("DELETE", self._bucket)
        return bool(self._bucket)

    def set_modified(self, path: str, mtime_ns: int) -> None:
        bucket, key = self._object(path)
        head = self._found(bucket, key)
        headers = changed_headers(head, None, mtime_ns)
        copying.replace(self._client, (bucket, key), path, head, headers, self.options.part_size)

    def metadata(self, path: str) -> dict[str, str]:
        bucket, key = self._at(path)
        head = self._head(bucket, key) if key else None
        if head is not None:
            tags = copying.tags_of(self._client, (bucket, key), head)
            return all_metadata(head) | ({TAGGING: tags} if tags else {})
        self.stat(path)
        return {}

    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        bucket, key = self._object(path)
        head = self._found(bucket, key)
        headers = changed_headers(head, metadata, None)
        copying.replace(self._client, (bucket, key), path, head, headers, self.options.part_size)
        if TAGGING in metadata:
            copying.set_tags(self._client, (bucket, key), metadata[TAGGING])
        return self.stat(path)

    def delete_many(self, paths: Sequence[str]) -> Failures:
        return delete_all(self._client, self._object, paths)

    def put_together(self, items: Sequence[PutItem], width: int) -> PutResults:
        results = together.put_together(self._client, items, width, self._object, self._new_headers, self.put)
        if self._makes_buckets:
            for at, result in enumerate(results):
                if isinstance(result, NotFound):
                    [results[at]] = self.put_many(items[at : at + 1])
        return results

    def get_together(self, paths: Sequence[str], width: int) -> GetResults:
        return together.get_together(self._client, paths, width, self._object)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        bucket, key = self._object(path)
        if options.if_match is not None:
            raise Unsupported("a condition on what is replaced holds for an object that is sent as a whole")
        headers = self._new_headers(key, options)
        return self._in_bucket(bucket, lambda: self._puts.begin((bucket, key), path, headers, options, size))

    def resume_upload(self, path: str, token: str, options: PutOptions) -> Upload:
        bucket, key = self._object(path)
        self._refuse_no_parts()
        return parts.resume(self._client, bucket, key, path, token, options.mtime_ns)

    def abort_begun(self, path: str, since_ns: int) -> int:
        self._refuse_no_parts()
        return unfinished.abort_begun(self._client, *self._object(path), since_ns)

    def presign(self, path: str, *, method: str = "GET", expires: float = 3600.0) -> str:
        return links.link(self._client, method, *self._object(path), expires)

    def post_form(self, path: str, *, expires: float = 3600.0, max_size: int | None = None) -> Form:
        if not self.features.post_form:
            raise Unsupported("this service takes no forms")
        return links.form(self._client, *self._object(path), expires, max_size)

    def versions(self, path: str) -> Iterator[ObjectInfo]:
        self._refuse_no_versions()
        return versioning.versions_of(self._client, *self._object(path), path)

    def get_version(self, path: str, version: str, offset: int = 0, length: int | None = None) -> ByteStream:
        self._refuse_no_versions()
        with versioning.asking(version):
            return self._open(path, offset, length, versioning.query_of(version))

    def restore_version(self, path: str, version: str) -> ObjectInfo:
        self._refuse_no_versions()
        place = self._object(path)
        with versioning.asking(version):
            return copying.copy(self._client, place, place, path, self.options.part_size, version)

    def about(self) -> Usage:
        if not self.features.about:
            raise Unsupported("this service does not tell; counting the objects does")
        return lists.usage_of(self._client, self._bucket)

    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        if noticed or not self.features.upload:
            # Unfinished uploads are not listed among objects, so that none can have been noticed.
            return 0
        bucket, key = self._at(path)
        if not bucket:
            below = [info.path for info in self.list("").infos]
            return sum(self.sweep(one, older_than=older_than, dry_run=dry_run) for one in below)
        prefix = f"{key}/" if key else ""
        return unfinished.sweep(self._client, bucket, prefix, int(older_than * 1e9), dry_run=dry_run)

    # -- housekeeping --------------------------------------------------------------------------------------

    def identity(self) -> tuple[str, ...]:
        return (self.scheme, self._client.base, self._bucket)

    def close(self) -> None:
        self._client.close()

    # -- private -------------------------------------------------------------------------------------------

    def _at(self, path: str) -> tuple[str, str]:
        """Return bucket and key of a path; either may be empty."""
        if self._bucket:
            return self._bucket, path
        bucket, _, key = path.partition("/")
        if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
            raise InvalidPath("among buckets, a path has no empty part and no dots")
        return bucket, key

    def _object(self, path: str) -> tuple[str, str]:
        bucket, key = self._at(path)
        if not key:
            raise IsADirectory("a bucket is no object" if bucket else "the root cannot be an object")
        refuse_no_key(self._client.preset, key)
        return bucket, key

    def _target(self, path: str) -> tuple[str, str]:
        bucket, key = self._object(path)
        refuse_unlisted(self._client.preset, key)
        return bucket, key

    def _open(self, path: str, offset: int, length: int | None, query: tuple[tuple[str, str], ...]) -> ByteStream:
        bucket, key = self._object(path)
        if length == 0:
            self._client.request("HEAD", bucket, key, query, self._client.key_headers)
            return io.BytesIO()
        headers = {**self._client.key_headers, **range_header(offset, length)}
        answer = self._client.request("GET", bucket, key, query, headers, stream=True, allow=(416,))
        return stream_of(path, bucket, answer, offset, length, etag_is_md5=self._client.etag_is_md5)

    def _head(self, bucket: str, key: str) -> Mapping[str, str] | None:
        refuse_no_key(self._client.preset, key)
        given = self._client.key_headers
        try:
            answer = self._client.request("HEAD", bucket, key, headers=given, allow=(404,))
        except StorageError as exc:
            # An answer to HEAD gives no reason; this is what is left where credentials and clock are right.
            if given or not exc.message.startswith("HTTP status 400"):
                raise
            hint = "is it encrypted by a key of your own? sse_customer_key names that"
            raise StorageError(f"{exc.message}: {hint}", request_id=exc.request_id) from exc
        if answer.status == 404:
            return None
        refuse_foreign(answer.headers, bucket)
        return answer.headers

    def _found(self, bucket: str, key: str) -> Mapping[str, str]:
        head = self._head(bucket, key)
        if head is None:
            raise NotFound
        return head

    def _new_headers(self, key: str, options: PutOptions) -> dict[str, str]:
        refuse_unlisted(self._client.preset, key)
        if options.if_absent and not self.features.if_absent:
            raise Unsupported("this service cannot refuse to replace without a race")
        # Always a time of our own: that of the service has seconds only, and is not in its answer.
        mtime_ns = time.time_ns() if options.mtime_ns is None else options.mtime_ns
        # Whoever serves it as a page wants to know what it is; without a type, services call all of it bytes.
        kind = {"content-type": type_of_name(key.rpartition("/")[2])}
        return {**kind, **self._client.write_headers(), **headers_for(options, mtime_ns)}

    def _copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        path: str,
        etag: str | None = None,
        begun: Callable[[str], object] | None = None,
    ) -> ObjectInfo:
        given = (self._client, source, target, path, self.options.part_size)
        return self._in_bucket(target[0], lambda: copying.copy(*given, etag=etag, begun=begun))

    @property
    def _makes_buckets(self) -> bool:
        # What stores an object makes the directories above it.
        return not self._bucket or bool(self.options.make_bucket)

    def _in_bucket(self, bucket: str, call: Callable[[], T]) -> T:
        """Do what stores something; again, if there was no such bucket and it could be made."""
        try:
            return call()
        except NotFound as exc:
            if not self._makes_buckets or "NoSuchBucket" not in exc.message or lists.exists(self._client, bucket):
                raise
            copying.make_bucket(self._client, bucket)
            try:
                return call()
            except Unsupported:
                # The bytes could be read only once.
                raise exc from None

    def _refuse_no_versions(self) -> None:
        if not self.options.versioned:
            raise Unsupported("say versioned=true if the bucket keeps versions")

    def _refuse_no_parts(self) -> None:
        if not self.features.upload:
            raise Unsupported("this service takes no object in parts")


DRIVER = S3Driver
