"""What S3 has beyond bytes: links, forms, versions, tags, checksums, how full a bucket is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from omnistorage.core.errors import ConfigError, Corrupted, InvalidPath, NotFound, StorageError, Unsupported
from omnistorage.core.info import Form
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import BytesBody
from omnistorage.drivers.s3 import Options, S3Driver
from omnistorage.storage import Storage
from omnistorage.testing.bodies import pattern
from s3_scenes import fresh_bucket, settings
from servers import Server


@pytest.fixture
def driver(radosgw: Server) -> Iterator[S3Driver]:
    """An empty bucket."""
    driver = fresh_bucket(radosgw)
    yield driver
    driver.close()


@pytest.fixture
def storage(driver: S3Driver) -> Storage:
    """An empty bucket behind its front door."""
    return Storage(driver)


def posted(form: Form, data: bytes) -> int:
    """Send a form as a browser does; return the status of the answer."""
    lines = []
    for name, value in form.fields.items():
        lines.append(f'--frontier\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    lines.append(b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + data + b"\r\n")
    body = b"".join(lines) + b"--frontier--\r\n"
    request = Request(form.url, body, {"Content-Type": "multipart/form-data; boundary=frontier"}, method="POST")
    try:
        with urlopen(request) as answer:
            return int(answer.status)
    except HTTPError as exc:
        with exc:
            return int(exc.code)


def test_links_work_without_credentials(storage: Storage) -> None:
    """Anybody with the link can read, or store, or delete that object, and no other."""
    storage.write_bytes("d/a b+\u00e9", b"linked")
    storage.write_bytes("old", b"x")
    link = storage.link("d/a b+\u00e9", expires=60)
    with urlopen(link) as answer:
        read = answer.read()
    with urlopen(Request(storage.link("new", method="PUT", expires=60), data=b"stored", method="PUT")) as answer:
        status = answer.status
    with urlopen(Request(storage.link("old", method="DELETE", expires=60), method="DELETE")):
        pass
    with pytest.raises(HTTPError) as other:
        urlopen(link.replace("d/a", "d/b"))
    other.value.close()

    assert (read, status, other.value.code) == (b"linked", 200, 403)
    assert storage.read_bytes("new") == b"stored"
    assert not storage.exists("old")


def test_link_ends(storage: Storage) -> None:
    """After its time a link is of no use."""
    storage.write_bytes("a", b"x")
    link = storage.link("a", expires=1)
    time.sleep(2.1)
    with pytest.raises(HTTPError) as late:
        urlopen(link)
    late.value.close()

    assert late.value.code == 403


@pytest.mark.parametrize("expires", [0, 0.5, 7 * 86400 + 1])
def test_links_last_no_longer_than_they_can(storage: Storage, expires: float) -> None:
    """A time that the service would refuse is refused here, before anybody gets the link."""
    with pytest.raises(ConfigError, match="seven days"):
        storage.link("a", expires=expires)
    with pytest.raises(ConfigError, match="seven days"):
        storage.form("a", expires=expires)
    with pytest.raises(ConfigError, match="PATCH"):
        storage.link("a", method="PATCH")


def test_form_stores_without_credentials(storage: Storage) -> None:
    """A browser can send a file by a form, no larger than was allowed, under the name that was given."""
    form = storage.form("d/by form.jpg", expires=60, max_size=10)
    stored = posted(form, b"0123456789")
    too_large = posted(storage.form("e", expires=60, max_size=3), b"0123")
    elsewhere = posted(Form(form.url, {**form.fields, "key": "other"}), b"x")

    assert stored in (200, 201, 204)
    assert storage.read_bytes("d/by form.jpg") == b"0123456789"
    assert storage.stat("d/by form.jpg").content_type == "image/jpeg"
    assert (too_large, elsewhere) == (400, 403)
    assert list(storage.list()) == ["d/by form.jpg"]
    with pytest.raises(InvalidPath):
        storage.form("a${filename}")


def test_no_form_where_none_is_taken(rclone_s3: Server) -> None:
    """A service that takes no forms is not said to."""
    storage = Storage(fresh_bucket(rclone_s3))

    assert not storage.features.post_form
    with pytest.raises(Unsupported):
        storage.form("a")


def test_link_of_a_foreign_bucket_says_who_pays(radosgw: Server) -> None:
    """What every request says is a part of the link."""
    driver = S3Driver(Options(**settings(radosgw, bucket="b", requester_pays=True)))

    assert "x-amz-request-payer=requester" in driver.presign("a")


def test_no_link_to_what_needs_a_key(radosgw: Server) -> None:
    """A link that could not work is not given out."""
    driver = S3Driver(Options(**settings(radosgw, bucket="b", sse_customer_key="A" * 43 + "=")))
    with pytest.raises(Unsupported):
        driver.presign("a")


def test_versions(radosgw: Server) -> None:
    """They are listed newest first, without those of longer keys; a deleted object has those it had."""
    driver = fresh_bucket(radosgw, versioned=True)
    with Storage(driver) as storage:
        for path, data in (("a", b"1"), ("ab", b"x"), ("a", b"22"), ("a", b"333")):
            storage.write_bytes(path, data)
        storage.delete("a")
        found = list(storage.versions("a"))
        deleted = storage.exists("a")
        storage.restore("a", found[1].version or "")

        assert [info.size for info in found] == [3, 2, 1]
        assert len({info.version for info in found}) == 3
        assert not deleted
        assert storage.read_bytes("a") == b"22"
        assert storage.stat("a").version not in (None, *(info.version for info in found))


def test_restored_version_has_its_tags(localstack: Server) -> None:
    """Also where an object can be copied onto itself with a change only."""
    driver = fresh_bucket(localstack, versioned=True)
    with Storage(driver) as storage:
        driver.put("a", BytesBody(b"1"), PutOptions(metadata={"x-amz-tagging": "team=blue"}, attributes=True))
        driver.put("a", BytesBody(b"2"), PutOptions(metadata={"x-amz-tagging": "team=red"}, attributes=True))
        storage.restore("a", list(storage.versions("a"))[1].version or "")

        assert storage.read_bytes("a") == b"1"
        assert driver.metadata("a")["x-amz-tagging"] == "team=blue"


@pytest.mark.parametrize("kind", ["radosgw", "moto", "localstack"])
def test_versions_of_keys_with_blanks(request: pytest.FixtureRequest, kind: str) -> None:
    """Blanks at an end are letters like any other."""
    with Storage(fresh_bucket(request.getfixturevalue(kind), versioned=True)) as storage:
        for key in ("a ", " a", "a\t", "a  b"):
            storage.write_bytes(key, b"1")
            storage.write_bytes(key, b"22")

            assert [info.size for info in storage.versions(key)] == [2, 1]


def test_version_with_a_name_that_is_none(radosgw: Server) -> None:
    """Whatever stands in the place of a version's name, an object that is not there is not found."""
    with Storage(fresh_bucket(radosgw, versioned=True)) as storage:
        storage.write_bytes("a", b"x")
        for name in ("no-such", "../x", "", "a b&c=d"):
            with pytest.raises(NotFound):
                storage.open_reader("a", version=name or "null")
            with pytest.raises(NotFound):
                storage.restore("a", name or "null")


def test_versions_have_to_be_asked_for(storage: Storage) -> None:
    """Who did not say that the bucket keeps versions learns how to."""
    with pytest.raises(Unsupported, match="versioned=true"):
        list(storage.versions("a"))


def test_tags_are_metadata(storage: Storage, driver: S3Driver) -> None:
    """Tags are told, set with an object, replaced, kept by what changes something else, and copied along."""
    put = {"x-amz-tagging": "note=a%20b&team=blue"}
    driver.put("a", BytesBody(b"x"), PutOptions(metadata={"k": "v", **put}, attributes=True))
    first = driver.metadata("a")
    storage.set_modified("a", 5)
    driver.set_metadata("a", {"k": "w"})
    kept = driver.metadata("a")
    storage.copy("a", "b")
    driver.set_metadata("a", {"x-amz-tagging": "team=red"})
    changed = driver.metadata("a")

    assert first["x-amz-tagging"] == put["x-amz-tagging"]
    assert (kept["x-amz-tagging"], kept["k"]) == (put["x-amz-tagging"], "w")
    assert driver.metadata("b")["x-amz-tagging"] == put["x-amz-tagging"]
    assert changed["x-amz-tagging"] == "team=red"


def test_tags_keep_their_blanks(storage: Storage, driver: S3Driver) -> None:
    """A change of something else leaves the blanks at the ends of a tag where they are."""
    tags = {"x-amz-tagging": "note=%20a%20&plus=%2B"}
    driver.put("a", BytesBody(b"x"), PutOptions(metadata=tags, attributes=True))
    storage.set_modified("a", 5)

    assert driver.metadata("a")["x-amz-tagging"] == tags["x-amz-tagging"]


@pytest.mark.parametrize("size", [1, 6 << 20], ids=["whole", "parts"])
@pytest.mark.parametrize("kind", ["radosgw", "moto", "localstack"])
def test_tags_by_an_option(request: pytest.FixtureRequest, kind: str, size: int) -> None:
    """All that is stored gets them, by one request or by parts."""
    if (kind, size) == ("radosgw", 6 << 20):
        request.applymarker(pytest.mark.xfail(reason="Ceph 16 drops the tags of an upload in parts", strict=True))
    driver = fresh_bucket(request.getfixturevalue(kind), tagging="team=blue", upload_cutoff=2)
    with Storage(driver) as storage:
        storage.write_bytes("a", pattern(size))

        assert driver.metadata("a")["x-amz-tagging"] == "team=blue"


def test_tags_are_refused_where_they_do_harm(rclone_s3: Server) -> None:
    """One server takes a request for tags for the object itself."""
    driver = fresh_bucket(rclone_s3)
    with Storage(driver) as storage:
        storage.write_bytes("a", b"kept")
        with pytest.raises(Unsupported):
            driver.set_metadata("a", {"x-amz-tagging": "k=v"})

        assert storage.read_bytes("a") == b"kept"


@pytest.mark.parametrize("kind", ["md5", "crc32c", "crc64nvme", "sha256", "none"])
def test_checksums_are_taken(s3_server: Server, kind: str) -> None:
    """Each server stores what is sent with each of the checksums, by one request and by parts."""
    data = pattern(11 << 20)
    with Storage(fresh_bucket(s3_server, checksum=kind)) as storage:
        storage.write_bytes("a", data[:100])
        upload = storage.driver.begin_upload("b", PutOptions(), len(data))
        for number, at in enumerate(range(0, len(data), upload.part_size), 1):
            upload.put_part(number, BytesBody(data[at : at + upload.part_size]))
        upload.finish()

        assert storage.read_bytes("a") == data[:100]
        assert storage.read_bytes("b") == data


def test_wrong_checksum_is_refused(driver: S3Driver) -> None:
    """What arrives as something else is not stored, and the error may be repeated."""
    headers = {"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    with pytest.raises(Corrupted) as refused:
        driver._client.request("PUT", driver.options.bucket, "a", headers=headers, body=b"x")

    assert refused.value.retryable


def test_usage_of_a_bucket(storage: Storage, driver: S3Driver) -> None:
    """Ceph says how much there is without a listing; with a quota also how much there may be."""
    storage.write_bytes("a", b"x" * 1000)
    storage.write_bytes("b", b"x" * 24)
    usage = storage.about()

    assert (usage.used, usage.objects, usage.total) == (1024, 2, None)


def test_usage_is_refused_where_nobody_knows_it(moto: Server) -> None:
    """The words say what helps."""
    with pytest.raises(Unsupported, match="counting"):
        Storage(fresh_bucket(moto)).about()


def test_canned_acl_opens_an_object(radosgw: Server) -> None:
    """What is stored as public can be read by anybody."""
    driver = fresh_bucket(radosgw, acl="public-read")
    with Storage(driver) as storage:
        storage.write_bytes("a", b"open")
    nobody = S3Driver(Options(**settings(radosgw, bucket=driver.options.bucket, access_key_id="",
                                         secret_access_key="", anonymous=True)))  # fmt: skip
    with Storage(nobody) as storage:
        read = storage.read_bytes("a")
        with pytest.raises(StorageError):
            storage.write_bytes("a", b"x")

    assert read == b"open"


def test_storage_class_is_asked_for(moto: Server) -> None:
    """The service keeps an object in the class that the options name, also when its time is changed."""
    driver = fresh_bucket(moto, storage_class="STANDARD_IA")
    with Storage(driver) as storage:
        storage.write_bytes("a", b"x")
        storage.set_modified("a", 7)
        told = driver._client.request("HEAD", driver.options.bucket, "a").headers

    assert told["x-amz-storage-class"] == "STANDARD_IA"


def test_keys_are_asked_for_by_name(moto: Server) -> None:
    """Encryption at the service is asked for by header, and the ETag is not taken for an MD5 then."""
    driver = fresh_bucket(moto, server_side_encryption="aws:kms", sse_kms_key_id="key-1")
    with Storage(driver) as storage:
        info = storage.write_bytes("a", b"x")
        told = driver._client.request("HEAD", driver.options.bucket, "a").headers

    assert told["x-amz-server-side-encryption"] == "aws:kms"
    assert told["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1"
    assert info.hashes == {}


def test_link_without_credentials_is_an_address(radosgw: Server) -> None:
    """Nobody's link to what is public anyway is where it is."""
    driver = S3Driver(Options(provider="ceph", endpoint_url=radosgw.endpoint, bucket="b", anonymous=True))
    link = urlsplit(driver.presign("a b"))

    assert (link.path, link.query) == ("/b/a%20b", "")
    with pytest.raises(ConfigError, match="credentials"):
        driver.post_form("a")
