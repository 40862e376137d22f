"""Links and forms of S3: what lets somebody without credentials do one thing for a while."""

from __future__ import annotations

from typing import Final

from omnistorage.core.errors import ConfigError, InvalidPath, Unsupported
from omnistorage.core.info import Form
from omnistorage.core.mime import type_of_name

from ._s3client import Client
from ._sigv4 import LONGEST, canonical_query, quote_key

METHODS: Final = ("GET", "HEAD", "PUT", "DELETE")


def link(client: Client, method: str, bucket: str, key: str, expires: float) -> str:
    """Return a link to an object that works without credentials.

    Raises:
        ConfigError: It would last too long, or there is no such method.
        Unsupported: Whoever uses it would have to send our key along.
    """
    if method.upper() not in METHODS:
        raise ConfigError(f"a link is for one of {', '.join(METHODS)}, not {method!r}")
    credentials, seconds = client.credentials(), _seconds(expires)
    place = client.place_of(bucket)
    path = f"{place.path}/{quote_key(key)}"
    if client.key_headers:
        raise Unsupported("what is encrypted by a key of your own has no link that works without that key")
    if credentials is None:
        return place.base + path
    query = canonical_query(client.always.items())
    return place.signer.presign(credentials, method.upper(), place.base, path, query, seconds, now=client.now())


def form(client: Client, bucket: str, key: str, expires: float, max_size: int | None) -> Form:
    """Return a form by which a browser stores an object.

    Raises:
        ConfigError: It would last too long, or there are no credentials to sign it by.
        InvalidPath: The service would put the name of a file into the key.
    """
    if "${filename}" in key:
        raise InvalidPath("a form cannot name this key")
    credentials = client.credentials()
    if credentials is None:
        raise ConfigError("s3: a form needs credentials to be signed by")
    place = client.place_of(bucket)
    fields = {"key": key, "Content-Type": type_of_name(key.rpartition("/")[2])}
    for name, value in client.write_headers().items():
        fields["acl" if name == "x-amz-acl" else name] = value
    # Of tags and keys of our own forms have other notions.
    for name in ("x-amz-tagging", *client.key_headers):
        fields.pop(name, None)
    conditions: list[object] = [{"bucket": bucket}]
    if max_size is not None:
        conditions.append(["content-length-range", 0, max_size])
    signed = place.signer.post_policy(credentials, fields, conditions, _seconds(expires), now=client.now())
    return Form(place.base + (place.path or "/"), signed)


def _seconds(expires: float) -> int:
    if not 1 <= expires <= LONGEST:
        raise ConfigError(f"a link or form lasts from a second to seven days ({LONGEST} s), not {expires:g} s")
    return int(expires)
