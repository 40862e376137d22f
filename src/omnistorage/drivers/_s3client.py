"""One request to S3: where it goes, its signature, what its answer means, and the few cases in which it goes again.

A request goes again, once for each of these reasons, if the service says that the bucket is in another region, that
the clock of this machine is wrong, or that the credentials are not valid (any more). Other failures are for the retry
layer.
Credentials are sent to hosts of the provider only, whatever an answer says of a better place.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from omnistorage.core.errors import ConfigError, StorageError, Unsupported
from omnistorage.core.streams import ByteStream

from ._awscredentials import Source
from ._http import Answer, Http, redacted_headers, retry_after
from ._httpmany import Request, send_many
from ._presets import Preset, preset
from ._s3digest import SIGNED, checksum_headers, part_hash
from ._s3errors import Failure, error_of, failure_of, named
from ._s3keys import is_label
from ._s3metadata import customer_key, http_time, is_secret
from ._s3options import Options
from ._sigv4 import EMPTY_SHA256, UNSIGNED, Credentials, Signer, canonical_query, check_text, quote_key

if TYPE_CHECKING:
    from hashlib import _Hash

Pairs = Iterable[tuple[str, str]]
Opener = Callable[[], ByteStream]

_SKEW: Final = 300.0
"""Seconds by which clocks must differ before what refuses a request is put down to that, whatever it says."""


class Call(NamedTuple):
    """A request about an object, with a small body or none; its headers and body are as ``request`` takes them."""

    method: str
    bucket: str
    key: str
    headers: Mapping[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"<Call {self.method} {self.bucket!r} {self.key!r} with {redacted_headers(self.headers)}>"


class Place(NamedTuple):
    """Where the requests for one bucket go."""

    base: str
    host: str
    path: str
    region: str
    signer: Signer


class Client:
    """Sends requests to one service; from any thread.

    Attributes:
        preset: What is known of the service.
        base: Where the service is, without a bucket; the same for all who mean the same service.
        always: Headers of every request; in links they are parameters.
        unanswered: Bucket and key of uploads of which it is not known whether they began, and when that may have been
            (nanoseconds by the clock of this machine).
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._http: Http | None = None
        self._source = Source(
            access_key_id=options.access_key_id,
            secret_access_key=options.secret_access_key,
            session_token=options.session_token,
            profile=options.profile,
            anonymous=options.anonymous,
            env_auth=options.env_auth,
        )
        self._looked_at: Credentials | None = None
        self._skew = 0.0
        self._places: dict[str, Place] = {}
        self._regions: dict[str, str] = {}
        self._asking = threading.Lock()
        self._asked: set[str] = set()
        self._sealed = False
        self.unanswered: dict[tuple[str, str], int] = {}
        given = options.endpoint_url
        if not given and not (options.provider and preset(options.provider).has_endpoint):
            given = self._source.endpoint()
        if "@" in given:
            raise ConfigError("s3: option 'endpoint_url' cannot hold a user or password; keys have options")
        self.preset: Preset = preset(options.provider or ("other" if given else "aws"))
        self._endpoint = given.rstrip("/")
        self._path_style = options.path_style
        if self._path_style is None:
            self._path_style = self.preset.path_style or bool(given)
        # The environment speaks of AWS: what it says must not outweigh the one region that another service knows.
        elsewhere = self.preset.region if options.provider and not self.preset.name.startswith("aws") else ""
        self._region = options.region or elsewhere or self._source.region() or self.preset.region
        self.base = self._base(self._region)
        self.always = {"x-amz-request-payer": "requester"} if options.requester_pays else {}
        self.key_headers = customer_key(options.sse_customer_key)
        if self.key_headers and self.preset.no_customer_keys:
            raise ConfigError(f"{self.preset.title} takes no notice of sse_customer_key, and would not encrypt")
        self.checksum = options.checksum or self.preset.checksum or "md5"

    @property
    def etag_is_md5(self) -> bool:
        """True if the ETag of an object that was sent by one request is its MD5, as far as is known by now."""
        options = self._options
        if options.etag_is_md5 is not None:
            return options.etag_is_md5
        secret = options.sse_customer_key or options.server_side_encryption.startswith("aws:kms")
        return self.preset.etag_is_md5 and not secret and not self._sealed

    def request(
        self,
        method: str,
        bucket: str,
        key: str = "",
        query: Pairs = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | memoryview | Opener | None = None,
        *,
        unsigned: bool = False,
        stream: bool = False,
        before_block: Callable[[bool], object] | None = None,
        allow: tuple[int, ...] = (),
    ) -> Answer:
        """Send a request and return its answer, if that is good.

        Args:
            method: GET, PUT, …
            bucket: The bucket, or empty for the service itself.
            key: The object, or empty for the bucket.
            query: The parameters.
            headers: Beside those that every request has.
            body: Bytes, or what opens a stream of as many bytes as the header ``content-length`` says.
            unsigned: The bytes have a checksum of their own, so that they need not be signed as well.
            stream: Read the body of the answer later.
            before_block: Called before some of the bytes are sent, and told whether they are the last.
            allow: Further states that are an answer, and not a failure.

        Raises:
            StorageError: As ``_s3errors`` has it.
        """
        wanted = canonical_query(query) if query else ""
        path = "/" + quote_key(key) if key else ""
        tried: set[str] = set()
        failed: StorageError | None = None
        while True:
            place = self.place_of(bucket)
            credentials = self.credentials()
            target = place.path + path or "/"
            if not key and bucket and not place.path:
                target = "/"
            try:
                given = (place, credentials, method, target, wanted, headers or {}, body, unsigned)
                answer = self._send(*given, stream=stream, before_block=before_block, before=tried)
            except Unsupported:
                # A body that can be read only once was read; what had gone wrong before is what counts.
                if failed is not None:
                    raise failed from None
                raise
            except StorageError as exc:
                raise named(exc, bucket)  # noqa: B904 -- it is the same
            if answer.status < 300 or answer.status in allow:
                self._note_seal(answer)
                return answer
            failure = failure_of(answer.status, answer.headers, answer.data)
            failed = error_of(failure, bucket, retry_after(answer.headers))
            if not self._can_mend(failure, answer, method, bucket, place, credentials, tried):
                raise failed

    def request_many(self, calls: Iterable[Call], width: int) -> Iterator[Answer | StorageError]:
        """Send small requests, up to ``width`` at a time; yield the answer, or the error, of each in order.

        What another try may mend (see ``request``) is sent once more by itself.
        """
        sent: deque[Call] = deque()

        def prepared() -> Iterator[Request]:
            for call in calls:
                sent.append(call)
                place = self.place_of(call.bucket)
                path = f"{place.path}/{quote_key(call.key)}"
                headers, payload = self._signed(
                    place, self.credentials(), call.method, path, "", call.headers, call.body, True
                )
                # Its body is bytes, and so is what is sent.
                yield call.method, place.base, path, headers, cast("bytes | None", payload)

        http = self._http or self._new_http()
        for answer in send_many(http, prepared(), width):
            call = sent.popleft()
            if isinstance(answer, StorageError):
                yield named(answer, call.bucket)
                continue
            if answer.status < 300:
                self._note_seal(answer)
                yield answer
                continue
            failure = failure_of(answer.status, answer.headers, answer.data)
            error = error_of(failure, call.bucket, retry_after(answer.headers))
            if error.retryable:
                yield error
                continue
            try:
                yield self.request(
                    call.method, call.bucket, call.key, headers=call.headers, body=call.body, unsigned=True
                )
            except StorageError as exc:
                yield exc

    def write_headers(self) -> dict[str, str]:
        """Return the headers by which an object that is made gets what the options say."""
        options = self._options
        headers = dict(self.key_headers)
        for name, value in (
            ("x-amz-storage-class", options.storage_class),
            ("x-amz-acl", options.acl),
            ("x-amz-tagging", options.tagging),
            ("x-amz-server-side-encryption", options.server_side_encryption),
            ("x-amz-server-side-encryption-aws-kms-key-id", options.sse_kms_key_id),
        ):
            if value:
                headers[name] = value
        return headers

    def checksum_headers(self, data: bytes | memoryview, *, digest: bytes | None = None) -> dict[str, str]:
        """Return the header by which the service checks the bytes; ``digest`` is their MD5, if at hand."""
        return checksum_headers(self.checksum, data, digest=digest)

    def part_hash(self) -> Callable[[], _Hash]:
        """Return what makes the hash by which the bytes of a part are proven: SHA-256, or MD5."""
        return part_hash(self.preset, self._options)

    @property
    def copy_cutoff(self) -> int:
        """Bytes up to which an object is copied by one request."""
        most = self.preset.max_copy
        return min(self._options.copy_cutoff or most, most)

    @property
    def location(self) -> str:
        """Where buckets are to be made; empty leaves it to the region."""
        return self._options.location_constraint

    def region_of(self, bucket: str) -> str:
        """Return the region in which a bucket is thought to be."""
        return self._regions.get(bucket, self._region) or "us-east-1"

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def __del__(self) -> None:
        # Of a client that was never finished there is no such thing.
        if getattr(self, "_http", None) is not None:
            self.close()

    def _note_seal(self, answer: Answer) -> None:
        if not self._sealed and is_secret(answer.headers) and not self.key_headers:
            self._sealed = True

    def _send(
        self,
        place: Place,
        credentials: Credentials | None,
        method: str,
        target: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | Opener | None,
        unsigned: bool,
        *,
        stream: bool,
        before_block: Callable[[bool], object] | None,
        before: set[str],
    ) -> Answer:
        http = self._http or self._new_http()
        sent, payload = self._signed(place, credentials, method, target, query, headers, body, unsigned)
        try:
            where = f"{target}?{query}" if query else target
            return http.send(
                method, place.base, where, sent, payload, stream=stream, before_block=before_block, before=before
            )
        finally:
            if payload is not None and not isinstance(payload, bytes | memoryview):
                payload.close()

    def _signed(
        self,
        place: Place,
        credentials: Credentials | None,
        method: str,
        target: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes | memoryview | Opener | None,
        unsigned: bool,
    ) -> tuple[dict[str, str], bytes | memoryview | ByteStream | None]:
        """Return all headers of a request, and its body."""
        sent = {**self.always, **headers}
        payload: bytes | memoryview | ByteStream | None
        if body is None:
            payload, digest = None, EMPTY_SHA256
            if method in ("PUT", "POST"):
                sent["content-length"] = "0"
        elif isinstance(body, bytes | memoryview):
            payload = body
            sent["content-length"] = str(len(body))
            # Without TLS, what is signed instead is their MD5, which nobody can make other bytes for.
            unsigned = unsigned and (place.base.startswith("https:") or "content-md5" in headers)
            known = headers.get(SIGNED) or (UNSIGNED if unsigned or credentials is None else "")
            digest = known or sha256(body).hexdigest()
        else:
            payload, digest = body(), UNSIGNED
        if credentials is not None:
            now = self.now()
            sent = place.signer.sign(credentials, method, place.host, target, query, sent, digest, now=now)
        return sent, payload

    def _can_mend(
        self,
        failure: Failure,
        answer: Answer,
        method: str,
        bucket: str,
        place: Place,
        credentials: Credentials | None,
        tried: set[str],
    ) -> bool:
        """Say whether the same request may go well now, for a reason that was not tried before."""
        if credentials is not None and "token" not in tried:
            # An answer to HEAD has no code: only what can expire is looked after then.
            silent = not failure.code and failure.status in (400, 401) and bool(credentials.session_token)
            if failure.outdated_keys or silent:
                tried.add("token")
                if self._source.forget(credentials):
                    return True
            # It may be another reason: only keys that are other ones by now are worth a second request.
            elif failure.doubts_keys:
                tried.add("token")
                if self._source.replaced(credentials):
                    return True
        date = http_time(answer.headers.get("date", ""))
        late = 0.0 if date is None else date / 1e9 - self.now()
        skewed = failure.code == "RequestTimeTooSkewed" or (failure.status in (400, 403) and abs(late) > _SKEW)
        if skewed and date is not None and "clock" not in tried:
            tried.add("clock")
            self._skew = date / 1e9 - time.time()
            return True
        if not bucket or "region" in tried:
            return False
        if method == "HEAD" and failure.status == 400 and not failure.region:
            tried.add("region")
            return self._learns_region(bucket, place.region)
        if failure.elsewhere and failure.region not in ("", place.region):
            tried.add("region")
            with self._lock:
                self._regions[bucket] = failure.region
                self._places.pop(bucket, None)
            return True
        return False

    def _learns_region(self, bucket: str, tried: str) -> bool:
        """Say whether a bucket is in another region, for which a GET is sent once: its answer says so in words."""
        with self._asking:
            if bucket not in self._regions and bucket not in self._asked:
                with contextlib.suppress(StorageError):
                    self.request("GET", bucket, query=(("location", ""),))
                self._asked.add(bucket)
            return self._regions.get(bucket, tried) != tried

    def now(self) -> float:
        """Return Unix time in seconds by the clock of the service."""
        return time.time() + self._skew

    def _new_http(self) -> Http:
        options = self._options
        with self._lock:
            if self._http is None:
                self._http = Http(
                    connections=options.connections,
                    connect_timeout=options.connect_timeout,
                    timeout=options.timeout,
                    ca_file=options.ca_file,
                    verify=options.verify,
                    proxy=options.proxy,
                )
            return self._http

    def _base(self, region: str) -> str:
        endpoint = self._endpoint or self.preset.url(region=region, account=self._options.account_id)
        if not endpoint:
            raise ConfigError(f"s3: the provider {self.preset.name!r} needs an endpoint_url")
        return endpoint if "://" in endpoint else f"https://{endpoint}"

    def place_of(self, bucket: str) -> Place:
        """Return where the requests for a bucket go."""
        return self._places.get(bucket) or self._new_place(bucket)

    def credentials(self) -> Credentials | None:
        """Return in whose name requests are sent; None is nobody's."""
        found = self._source.credentials()
        if found is not None and found is not self._looked_at:
            # Nobody else does: botocore takes keys of several lines from a file, and fails where they are sent.
            check_text(found.access_key, found.secret_key, found.session_token)
            self._looked_at = found
        return found

    def _new_place(self, bucket: str) -> Place:
        region = self._regions.get(bucket, self._region)
        base = self._base(region)
        region = region or "us-east-1"
        scheme, _, rest = base.partition("://")
        # An endpoint may have a path of its own, below which the service answers.
        host, slash, path = rest.partition("/")
        prefix = slash + path
        if bucket:
            if self._path_style or not is_label(bucket, scheme):
                prefix = f"{prefix}/{quote_key(bucket)}"
            else:
                host = f"{bucket}.{host}"
        # What everybody leaves out of the Host header has to be left out of the signature, too.
        usual = ":443" if scheme == "https" else ":80"
        place = Place(f"{scheme}://{host}", host.removesuffix(usual), prefix, region, Signer(region))
        with self._lock:
            self._places[bucket] = place
        return place
