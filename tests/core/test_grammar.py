"""Addresses taken apart and put together."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.address import Address
from omnistorage.core.errors import ConfigError
from omnistorage.core.grammar import canonical, connection, is_remote_name, parse, split
from omnistorage.core.redact import looks_secret, redacted, redacted_text


def _address(scheme: str, authority: str = "", path: str = "", remote: str = "", **options: str) -> Address:
    return Address(scheme=scheme, authority=authority, path=path, remote=remote, options=options)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        # URLs
        ("memory://", _address("memory")),
        ("memory://name/a/b", _address("memory", "name", "/a/b")),
        ("S3://Bucket/Key", _address("s3", "Bucket", "/Key")),
        ("s3://b/a%20b%2Fc%3Fd", _address("s3", "b", "/a b/c?d")),
        ("s3://b/100%/%zz%4", _address("s3", "b", "/100%/%zz%4")),
        ("s3://b/%C3%A9%FF", _address("s3", "b", "/é\udcff")),
        ("s3://b//a//b/", _address("s3", "b", "//a//b/")),
        ("s3://b/a#b+c", _address("s3", "b", "/a#b+c")),
        ("s3://b?region=x", _address("s3", "b", region="x")),
        ("s3://b/k?x=a%26b&&flag&y=c=d+e", _address("s3", "b", "/k", x="a&b", flag="true", y="c=d+e")),
        ("sftp://u:p%40@[::1]:22/x", _address("sftp", "u:p%40@[::1]:22", "/x")),
        ("fsspec+s3://b/k", _address("fsspec+s3", "b", "/k")),
        ("file:///a/b", _address("file", "", "/a/b")),
        ("file://localhost/a", _address("file", "localhost", "/a")),
        ("file:/a/b", _address("file", "", "/a/b")),
        ("file:a%20b", _address("file", "", "a b")),
        ("file:", _address("file", "", ".")),
        ("file://", _address("file", "", "/")),
        ("file:x?links=keep", _address("file", "", "x", links="keep")),
        # local paths
        (".", _address("file", "", ".")),
        ("a/b%20c?d", _address("file", "", "a/b%20c?d")),
        ("/a:b", _address("file", "", "/a:b")),
        ("./x:y", _address("file", "", "./x:y")),
        ("cr/a:y", _address("file", "", "cr/a:y")),
        ("~/x", _address("file", "", "~/x")),
        ("cr,a=b", _address("file", "", "cr,a=b")),
        ("a, b/c", _address("file", "", "a, b/c")),
        ("a,,b", _address("file", "", "a,,b")),
        ('cr,a="x"y', _address("file", "", 'cr,a="x"y')),
        # remotes and connection strings
        ("nas:", _address("", remote="nas")),
        ("nas:a/b", _address("", "", "a/b", "nas")),
        ("x:y:z", _address("", "", "y:z", "x")),
        ("föö bar:/x", _address("", "", "/x", "föö bar")),
        ("nas,a=b:x", _address("", "", "x", "nas", a="b")),
        ("nas,flag,b=:x", _address("", "", "x", "nas", flag="true", b="")),
        ("cr,a=b/x:y", _address("", "", "y", "cr", a="b/x")),
        (":local:", _address("file", "", ".")),
        (":local:/a,b:c", _address("file", "", "/a,b:c")),
        (":memory:a", _address("memory", "", "a")),
        (
            ':s3,provider=Minio,endpoint="http://h:9000":bucket/k',
            _address("s3", "", "bucket/k", provider="Minio", endpoint="http://h:9000"),
        ),
        (":s3,a='x''y\"':p", _address("s3", "", "p", a="x'y\"")),
        (':s3,a="x""y\'":p', _address("s3", "", "p", a="x\"y'")),
        (':s3,a="":p', _address("s3", "", "p", a="")),
        (':s3,a="""":p', _address("s3", "", "p", a='"')),
        (":s3,a=x=y\"z':p", _address("s3", "", "p", a="x=y\"z'")),
    ],
)
def test_parse(text: str, address: Address) -> None:
    """Each way to write an address means what the documentation says."""
    assert parse(text) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be empty"),
        (":", "must stand between"),
        ("::", "no name of a backend"),
        (":s3", "must stand between"),
        (":s3,a", "must stand between"),
        (":lo/cal:x", "must stand between"),
        ("fo!o:x", "no name of a remote"),
        ("-foo:x", "no name of a remote"),
        (" foo:x", "no name of a remote"),
        ("foo :x", "no name of a remote"),
        ("nas,:x", "name of an option is missing"),
        ("nas,=x:y", "name of an option is missing"),
        ("nas,a=b,,:y", "name of an option is missing"),
        ("nas,a/b=c:y", "no name of an option"),
        ("nas,a b=c:y", "no name of an option"),
        ('nas,a="x:y', "does not end with it"),
        ('nas,a="x"y:z', "neither ',' nor ':'"),
        ('nas,a="x:y"', "neither ',' nor ':'"),
    ],
)
def test_parse_refuses(text: str, words: str) -> None:
    """What cannot be understood is refused, with the reason."""
    with pytest.raises(ConfigError, match=words):
        parse(text)


@pytest.mark.parametrize("text", ['nas,password="topsecret:y', ":sftp,pass='topsecret'x:y", ":s3,token=topsecret"])
def test_refusal_shows_no_secret(text: str) -> None:
    """The message about a broken connection string does not repeat the password in it."""
    with pytest.raises(ConfigError) as caught:
        parse(text)

    assert "topsecret" not in str(caught.value)


@given(
    name=st.sampled_from(["nas", ":s3", "a b@c"]),
    options=st.dictionaries(st.from_regex(r"[A-Za-z0-9_.]+", fullmatch=True), st.text(), max_size=4),
    path=st.text().filter(bool),
)
def test_connection_string_carries_any_value(name: str, options: dict[str, str], path: str) -> None:
    """Quoting and unquoting give back every value, whatever characters it has."""
    address = parse(connection(name, options, path))

    assert address.options == options
    assert address.path == path


_PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)


@given(
    st.builds(
        Address,
        scheme=st.sampled_from(["s3", "memory", "fsspec+s3"]),
        authority=st.sampled_from(["", "bucket", "user@host:22"]),
        path=_PATHS.map(lambda path: "/" + path) | st.just(""),
        options=st.dictionaries(st.sampled_from(["region", "endpoint"]), _PATHS),
    )
    | st.builds(Address, scheme=st.just("file"), path=_PATHS.filter(bool))
    | st.builds(
        Address,
        scheme=st.just(""),
        path=_PATHS,
        remote=st.sampled_from(["nas", "a b"]),
        options=st.dictionaries(st.sampled_from(["region", "name"]), _PATHS),
    )
)
def test_canonical_is_another_way_to_write_it(address: Address) -> None:
    """Without secrets, the text form of an address parses to the same place; an endpoint with ``@`` may hold one."""
    again = parse(canonical(address))
    written = again.path.removeprefix("./") if address.scheme == "file" else again.path

    assert written == (address.path.removeprefix("./") if address.scheme == "file" else address.path)
    options = {name: redacted(name, value) if "@" in value else value for name, value in address.options.items()}
    assert msgspec.structs.replace(again, path="") == msgspec.structs.replace(address, path="", options=options)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sftp://me:pw1@host/x?pass=pw2&port=2", "sftp://me:***@host/x?pass=***&port=2"),
        (":s3,secret_access_key=pw1:b/k", ":s3,secret_access_key=***:b/k"),
        ("nas,password='pw1':b", "nas,password=***:b"),
        ("nas,password=env:PW:b", "nas,password=***:PW:b"),
        ('nas,password="env:PW":b', 'nas,password="env:PW":b'),
        ("file:a%20b", "a b"),
        ("file:x:y", "./x:y"),
        (":local:x", "x"),
    ],
)
def test_canonical_hides_secrets(text: str, shown: str) -> None:
    """Messages show an address without passwords; references to secrets may be seen."""
    assert canonical(text) == shown


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", (".", "a")),
        ("a/b", ("a", "b")),
        ("/a", ("/", "a")),
        ("a/b/", ("a/b/", "")),
        ("..", ("..", "")),
        ("a/..", ("a/..", "")),
        ("./x:y", (".", "x:y")),
        ("file:a", ("file:", "a")),
        ("file:///a%20b", ("file:///", "a b")),
        (":local:", (":local:", "")),
        (":local:a", (":local:", "a")),
        ("nas:", ("nas:", "")),
        ("nas:a", ("nas:", "a")),
        ('nas,x="a/b:":c/d', ('nas,x="a/b:":c', "d")),
        ("s3://b", ("s3://b", "")),
        ("s3://b/", ("s3://b/", "")),
        ("s3://b/k", ("s3://b/", "k")),
        ("s3://b/x/k%3F?region=a/b", ("s3://b/x?region=a/b", "k?")),
    ],
)
def test_split(text: str, parts: tuple[str, str]) -> None:
    """The folder is an address of the same storage, the name is the last part, decoded."""
    assert split(text) == parts


@pytest.mark.parametrize(
    ("name", "good"),
    [
        *[(name, True) for name in ("a", "a b", "_+@.-", "é1", "1")],
        *[(name, False) for name in ("", "-a", " a", "a ", "a:b", "a/b", "a,b", "file", "File", "a\n")],
    ],
)
def test_names_of_remotes(name: str, good: bool) -> None:
    """A name can be what an address can name."""
    assert is_remote_name(name) is good


@pytest.mark.parametrize(
    "name",
    [
        *(
            "password",
            "pass",
            "pass2",
            "secret_access_key",
            "token",
            "api-key",
            "sas_url",
            "headers",
            "ACCESS_KEY_ID",
        ),
        *("sig", "passcode", "refresh_tokens", "access_keys", "apikeys"),
    ],
)
def test_names_of_secrets(name: str) -> None:
    """Options of these names are hidden."""
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    ["region", "bypass", "passive", "token_url", "key_file", "public_key", "user", "root", "design", "keyspace"],
)
def test_names_of_no_secrets(name: str) -> None:
    """Options of these names are shown."""
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("password", "x", "***"),
        ("password", 1234, "***"),
        ("password", "", ""),
        ("password", "env:PW", "env:PW"),
        ("password", "file:/x", "file:/x"),
        ("password", "file:x", "***"),
        ("env_auth", True, True),
        ("env_auth", "true", "true"),
        ("headers", ["a", "b"], ["***", "***"]),
        ("headers", {"X": "a"}, {"X": "***"}),
        ("remote", ":sftp,pass=a,host=b:c", ":sftp,pass=***,host=b:c"),
        ("remote", ":sftp,pass='a,b:c''d':c", ":sftp,pass=***:c"),
        ("endpoint", "https://me:a/b@host", "https://***"),
        ("endpoint_url", "me:a@host:9", "***"),
        ("proxy", "http://host:8@me:a", "http://***"),
        ("url", "https://host:8/b@c", "https://host:8/b@c"),
        ("endpoint", "https://me:a@host/x", "https://me:***@host/x"),
        ("region", "x", "x"),
        ("port", 22, 22),
    ],
)
def test_redacted(name: str, value: object, shown: object) -> None:
    """A value is shown without what is secret in it."""
    assert redacted(name, value) == shown


def test_redacted_text_of_a_url() -> None:
    """A password before the host and one in the query are hidden."""
    assert redacted_text("see ftp://u:p@h/x?token=t&a=b") == "see ftp://u:***@h/x?token=***&a=b"
