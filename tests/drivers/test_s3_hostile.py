"""Answers of a service that is broken, or wants what is not its own: nothing goes elsewhere, little is believed."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from itertools import product
from typing import Any

import pytest

from http_scenes import Talk, answering, reply, serving
from omnistorage.core.errors import Corrupted, StorageError
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
REGIONS = [
    "",
    "us-east-2",
    "evil.com/",
    "us-east-1@evil",
    "us-east-1.evil.com",
    "../x",
    "us east",
    "a" * 64,
    "-x",
    "X",
]


def _storage(base: str, **options: Any) -> Storage:
    keys = {"access_key_id": "AKID", "secret_access_key": "hush", "session_token": "a-token"}
    return Storage(S3Driver(Options(bucket="b", endpoint_url=base, **{**keys, **options})))


@pytest.mark.parametrize(
    "code", ["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "Redirect"]
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 401, 403])
def test_no_answer_sends_us_elsewhere(status: int, code: str) -> None:
    """Whatever it says of a better place, by header or by XML: the next request goes to the same host, if at all."""
    with serving(answering(reply())) as other:
        for region, named in product(REGIONS, ("", f"127.0.0.1:{other.port}")):
            text = f"<Error><Code>{code}</Code><Region>{region}</Region><Endpoint>{named}</Endpoint></Error>"
            headers = {"x_amz_bucket_region": region} if region else {}
            headers |= {"Location": f"{other.base}/b/a"} if named else {}
            with serving(answering(reply(status, text.encode(), **headers))) as server:
                with _storage(server.base, sse_customer_key=KEY) as storage:
                    calls: list[Callable[[], object]] = [
                        lambda: storage.read_bytes("a"),
                        lambda: storage.write_bytes("a", b"x"),
                        lambda: list(storage.list()),
                    ]
                    for call in calls:
                        with pytest.raises(StorageError):
                            call()
                scopes = {seen.headers["authorization"].split("/")[2] for seen in server.seen}

                assert {seen.headers["host"] for seen in server.seen} == {f"127.0.0.1:{server.port}"}
                assert scopes <= {"us-east-1", "us-east-2"}
                assert len(server.seen) <= 6
        assert other.accepted == 0


ERROR = b"<Error><Code>AccessDenied</Code><Message>no</Message>%s</Error>"


@pytest.mark.parametrize("named", [b"", b"<Key></Key>", b"<Key>another</Key>", b"<Key>d%2Fa</Key>"])
def test_a_delete_that_failed_for_nobody_known_failed_for_all(named: bytes) -> None:
    """A failure whose key is none of ours is not forgotten: what it was about may still be there."""
    with (
        serving(answering(reply(200, b"<DeleteResult>" + ERROR % named + b"</DeleteResult>"))) as server,
        _storage(server.base) as storage,
    ):
        failures = storage.delete_many(["d/a", "d/b"])

        assert [str(failure) for failure in failures if failure] == [
            f"s3 delete 'd/{name}': access denied (AccessDenied, bucket 'b')" for name in "ab"
        ]


def test_a_delete_that_failed_for_one() -> None:
    """The others are gone."""
    with (
        serving(answering(reply(200, b"<DeleteResult>" + ERROR % b"<Key>d/a</Key>" + b"</DeleteResult>"))) as server,
        _storage(server.base) as storage,
    ):
        assert [failure is None for failure in storage.delete_many(["d/a", "d/b"])] == [False, True]


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"OK", b"<ListBucketResult></ListBucketResult>"])
def test_a_delete_that_nobody_confirms(body: bytes) -> None:
    """An answer of another kind, a proxy's for instance, confirms nothing."""

    def talk(client: Talk) -> None:
        while asked := client.request():
            client.send(reply(200, body) if asked.method == "POST" else reply(403))

    with serving(talk) as server, _storage(server.base) as storage, pytest.raises(Corrupted, match="delete_many 'a'"):
        storage.delete_many(["a", "b"])


VERBS: dict[str, Callable[[Storage], object]] = {
    "put": lambda storage: storage.write_bytes("a", b"data"),
    "put in parts": lambda storage: storage.write_bytes("a", bytes(6 << 20)),
    "put many": lambda storage: storage.driver.put_many([("a", BytesBody(b"x"), PutOptions())] * 2),
    "list": lambda storage: list(storage.list()),
    "copy": lambda storage: storage.copy("a", "b"),
    "set_modified": lambda storage: storage.driver.set_modified("a", 5),
    "delete many": lambda storage: storage.delete_many(["a", "b"]),
}


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_page_is_no_confirmation(verb: str, kind: str) -> None:
    """Something on the way that answers all with 200 and a page of its own has stored, copied and deleted nothing."""
    page = b"<html><p>Please log in</p></html>" if kind == "text/html" else b'{"login": "please"}'
    with (
        serving(answering(reply(200, page, Content_Type=kind))) as server,
        _storage(server.base, part_size=5 << 20, upload_cutoff=5 << 20) as storage,
    ):
        try:
            found = VERBS[verb](storage)
        except StorageError as exc:
            found = [exc]

        assert isinstance(found, list)
        assert found
        assert all(isinstance(one, StorageError) for one in found)


def test_an_upload_that_a_page_finishes() -> None:
    """All parts were taken, and what came after the last request is not the word of the service."""

    def talk(client: Talk) -> None:
        while asked := client.request():
            if "uploads" in asked.target:
                begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
                client.send(reply(200, begun))
            elif asked.method == "PUT":
                client.send(reply(200, b"", ETag=f'"{md5(asked.body).hexdigest()}"'))
            else:
                client.send(reply(200, b"<html><p>Please log in</p></html>", Content_Type="text/html"))

    with (
        serving(talk) as server,
        _storage(server.base, part_size=5 << 20, upload_cutoff=5 << 20) as storage,
        pytest.raises(Corrupted, match="not one of S3"),
    ):
        storage.write_bytes("a", bytes(6 << 20))


def test_a_delete_that_failed_as_a_whole() -> None:
    """A failure that comes with 200 is one of all objects."""
    with serving(answering(reply(200, ERROR % b""))) as server, _storage(server.base) as storage:
        failures = list(storage.delete_many(["a", "b"]))

        assert ["access denied (AccessDenied, bucket 'b')" in str(failure) for failure in failures] == [True, True]
