"""What S3's answers mean: code and status to our errors, with the service's words and its name for the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from omnistorage.core.errors import (
    AlreadyExists,
    Corrupted,
    InvalidPath,
    InvalidRange,
    NoSpace,
    NotEmpty,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    StorageError,
    TimedOut,
    Unauthenticated,
    Unreachable,
    Unsupported,
)

E = TypeVar("E", bound=StorageError)


class Failure(msgspec.Struct, frozen=True):
    """What a service says of a request that failed.

    Attributes:
        status: The HTTP status; 200 if the failure came in the body of what looked well.
        code: The service's name for what is the case; empty where the answer has no body.
        message: Its words.
        region: Where the bucket is, if that is what was wrong.
        request_id: Its name for the request.
    """

    status: int
    code: str = ""
    message: str = ""
    region: str = ""
    request_id: str | None = None

    @property
    def outdated_keys(self) -> bool:
        """True if the service does not know the keys (any more)."""
        return self.code in _OUTDATED

    @property
    def doubts_keys(self) -> bool:
        """True if the service may not know the keys (any more): some say no more of that, and none does to a HEAD."""
        return self.code == "SignatureDoesNotMatch" or (self.status == 403 and not self.code)

    @property
    def elsewhere(self) -> bool:
        """True if the bucket may be in the region that is named."""
        return self.status in (301, 307, 308, 400) or self.code in _ELSEWHERE


def failure_of(status: int, headers: Mapping[str, str], data: bytes) -> Failure:
    """Read an answer that tells of a failure; never fails itself, whatever a proxy on the way made of it."""
    code = message = region = ""
    request_id = _request_id(headers)
    if b"<Error" in data[:2000]:
        from ._s3xml import text_of, tree

        try:
            root = tree(data)
        except StorageError:
            root = None
        if root is not None:
            found = root if root.tag == "Error" else root.find(".//Error")
            if found is not None:
                code, message = text_of(found, "Code"), text_of(found, "Message")
                region = text_of(found, "Region")
                request_id = request_id or text_of(found, "RequestId") or None
    region = headers.get("x-amz-bucket-region") or region
    if not _REGION.fullmatch(region):
        # It becomes a part of an address, and of what is signed.
        region = ""
    return Failure(status, code, message, region, request_id)


def error_of(failure: Failure, bucket: str, retry_after: float | None = None) -> StorageError:
    """Return the error that a failure means; its words name the bucket and the service's code."""
    kind = _CODES.get(failure.code) or _STATUS.get(failure.status)
    if kind is None:
        kind = Unreachable if failure.status >= 500 else StorageError
    what = kind.says if kind not in (StorageError, Unreachable) else ""
    if failure.code in _BETTER:
        what = _BETTER[failure.code]
    elif not what or kind is Unauthenticated:
        said = failure.message or (f"HTTP status {failure.status}" if not failure.code else "")
        what = ": ".join(part for part in (what, said) if part)
    details = [part for part in (failure.code, f"bucket {bucket!r}" if bucket else "") if part]
    message = f"{what} ({', '.join(details)})" if what and details else what or ", ".join(details)
    error = kind(message, retry_after=retry_after, request_id=failure.request_id)
    if failure.code in _AGAIN:
        error.retryable = True
    return error


def named(exc: E, bucket: str, headers: Mapping[str, str] | None = None) -> E:
    """Have an error that came from a connection name the bucket, and the request by the ``headers`` of its answer.

    That of another storage, from which a body comes, stays as it is.
    """
    if exc.op or not isinstance(exc, Unreachable | TimedOut | Corrupted):
        return exc
    if bucket and f"bucket {bucket!r}" not in exc.message:
        exc.message = f"{exc.message or exc.says} (bucket {bucket!r})"
    if headers is not None and exc.request_id is None:
        exc.request_id = _request_id(headers)
    return exc


def _request_id(headers: Mapping[str, str]) -> str | None:
    return headers.get("x-amz-request-id") or headers.get("x-request-id") or None


_REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_CODES: dict[str, type[StorageError]] = {
    "AccessDenied": PermissionDenied,
    "AccountProblem": PermissionDenied,
    "AllAccessDisabled": PermissionDenied,
    "AuthFailure": Unauthenticated,
    "AuthorizationHeaderMalformed": Unauthenticated,
    "BadDigest": Corrupted,
    "BucketAlreadyExists": AlreadyExists,
    "BucketAlreadyOwnedByYou": AlreadyExists,
    "BucketNotEmpty": NotEmpty,
    "ConditionalRequestConflict": RateLimited,
    "EntityTooLarge": NoSpace,
    "ExpiredToken": Unauthenticated,
    "IncompleteBody": Corrupted,
    "InternalError": Unreachable,
    "InvalidAccessKeyId": Unauthenticated,
    "InvalidArgument": StorageError,
    "InvalidBucketName": InvalidPath,
    "InvalidObjectName": InvalidPath,
    "InvalidObjectState": PermissionDenied,
    "InvalidRange": InvalidRange,
    "InvalidToken": Unauthenticated,
    "InvalidURI": InvalidPath,
    "KeyTooLong": InvalidPath,
    "KeyTooLongError": InvalidPath,
    "MethodNotAllowed": Unsupported,
    "NoSuchBucket": NotFound,
    "NoSuchKey": NotFound,
    "NoSuchUpload": NotFound,
    "NoSuchVersion": NotFound,
    "NotImplemented": Unsupported,
    "NotSignedUp": PermissionDenied,
    "OperationAborted": RateLimited,
    "PreconditionFailed": PreconditionFailed,
    "QuotaExceeded": NoSpace,
    "RequestTimeTooSkewed": Unauthenticated,
    "RequestTimeout": TimedOut,
    "ServiceUnavailable": RateLimited,
    "SignatureDoesNotMatch": Unauthenticated,
    "SlowDown": RateLimited,
    "SlowDownRead": RateLimited,
    "SlowDownWrite": RateLimited,
    "Throttling": RateLimited,
    "TooManyRequests": RateLimited,
    "XAmzContentSHA256Mismatch": Corrupted,
    "XMinioInvalidObjectName": InvalidPath,
    "XMinioStorageFull": NoSpace,
}

# For answers without a body, such as those to HEAD, and what proxies say.
_STATUS: dict[int, type[StorageError]] = {
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    405: Unsupported,
    408: TimedOut,
    409: StorageError,
    412: PreconditionFailed,
    413: NoSpace,
    416: InvalidRange,
    429: RateLimited,
    501: Unsupported,
    503: RateLimited,
    504: TimedOut,
    507: NoSpace,
}

_BETTER: dict[str, str] = {
    "EntityTooLarge": "larger than the service takes",
    "ExpiredToken": "the credentials have expired",
    "InvalidAccessKeyId": "the access key is not known there",
    "InvalidObjectState": "the object is archived; it has to be restored before it can be read",
    "NoSuchBucket": "there is no such bucket",
    "NoSuchUpload": "there is no such upload; it was finished, aborted or swept",
    "RequestTimeTooSkewed": "the clock of this machine differs too much from that of the service",
    "SignatureDoesNotMatch": "the secret key is not the one of the access key, or these are not known there",
}

_OUTDATED = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidAccessKeyId"})

_ELSEWHERE = frozenset({"PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"})

_AGAIN = frozenset({"InternalError", "RequestTimeout", "OperationAborted"})
