"""Keys, region and endpoint from options, environment and the shared files: found where botocore finds them."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import botocore.session
import pytest
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError
from hypothesis import given, settings
from hypothesis import strategies as st

from omnistorage.config.secrets import resolve
from omnistorage.core.errors import ConfigError, StorageError, Unauthenticated, Unsupported
from omnistorage.drivers import _awscredentials
from omnistorage.drivers._awscredentials import Source
from omnistorage.drivers._sigv4 import Credentials

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCY", "IQoJb3JpZ2luX2Vj"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Let the process have these variables, and no others but what it needs to run."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "TMPDIR", "PYTHONPATH")}
    with mock.patch.dict(os.environ, {**kept, "AWS_EC2_METADATA_DISABLED": "true", **values}, clear=True):
        yield


class Home:
    """A home folder with shared files, and what the environment says about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"HOME": str(folder)}
        (folder / ".aws").mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / ".aws" / name
        path.write_text(text, "utf-8")
        return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def keys(found: Credentials | None) -> tuple[str, str, str]:
    assert found is not None
    return found.access_key, found.secret_key, found.session_token


# What botocore finds ------------------------------------------------------------------------------


def outcome(call: Any) -> Any:
    """Return what a call gives, or that it failed for a setting."""
    try:
        return call()
    except (BotoCoreError, ConfigError):
        return "wrong setting"
    except Unauthenticated:
        return None


def of_botocore(profile: str) -> dict[str, Any]:
    def session() -> Any:
        return botocore.session.Session(profile=profile or None)

    def found() -> tuple[str, str, str] | None:
        credentials = session().get_credentials()
        if credentials is None:
            return None
        frozen = credentials.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""

    def endpoint() -> str:
        here = session()
        if here.get_config_variable("ignore_configured_endpoint_urls"):
            return ""
        provider = ConfiguredEndpointProvider(here.full_config, here.get_scoped_config(), "s3")
        return provider.provide() or ""

    return {
        "credentials": outcome(found),
        "region": outcome(lambda: session().get_config_variable("region") or ""),
        "endpoint": outcome(endpoint),
    }


def of_ours(profile: str) -> dict[str, Any]:
    return {
        "credentials": outcome(lambda: keys(Source(profile=profile).credentials())),
        "region": outcome(lambda: Source(profile=profile).region()),
        "endpoint": outcome(lambda: Source(profile=profile).endpoint()),
    }


NAMES = st.sampled_from(["default", "dev", "two words", "other"])
WORD = st.text("abXY019/+=#;:%$ é", min_size=1, max_size=8).filter(lambda text: text.strip() == text)
SETTINGS = st.sampled_from(
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"] * 2
    + ["region", "region", "endpoint_url", "output", "services", "AWS_Access_Key_ID"]
    + ["ignore_configured_endpoint_urls", "s3", "dynamodb"]
)
SEPARATORS = st.sampled_from([" = ", "=", ": ", " =\t"])


@st.composite
def lines_of_settings(draw: st.DrawFn) -> str:
    text = ""
    for name in draw(st.lists(SETTINGS, max_size=6, unique_by=str.lower)):
        if name in ("s3", "dynamodb"):
            inner = draw(st.sampled_from(["endpoint_url = http://nested", "max_queue_size=5", "endpoint_url=", "x"]))
            text += f"{name} =\n  {inner}\n"
            continue
        value = draw(WORD)
        if name == "services":
            value = draw(st.sampled_from(["web", "web", "nowhere"]))
        elif name == "ignore_configured_endpoint_urls":
            value = draw(st.sampled_from(["true", "True", "false", "no"]))
        text += f"{name}{draw(SEPARATORS)}{value}\n"
        text += draw(st.sampled_from([""] * 6 + ["\n", "# note\n", "; note = 1\n", "  continued\n"]))
    return text


@st.composite
def shared_files(draw: st.DrawFn) -> tuple[str | None, str | None]:
    """Text of config and credentials, either of which may be missing or, seldom, broken."""

    def text(titles: list[str]) -> str:
        sections = [f"[{title}]\n{draw(lines_of_settings())}" for title in titles]
        damage = draw(st.sampled_from([""] * 20 + ["no equals sign here\n", "[default]\n[default]\n", "[open\n"]))
        return "".join(sections) + damage

    quoted = {"two words": '"two words"'}
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    titles = [f"profile {quoted.get(name, name)}" for name in names]
    titles += draw(
        st.lists(st.sampled_from(["default", "services web", "dev", "DEFAULT", "sso-session x"]), unique=True)
    )
    config = text(draw(st.permutations(titles)))
    credentials = text(draw(st.lists(st.sampled_from(["default", "dev", "two words", "DEFAULT"]), unique=True)))
    missing = draw(st.sampled_from([()] * 6 + [("config",), ("credentials",), ("config", "credentials")]))
    return None if "config" in missing else config, None if "credentials" in missing else credentials


VARIABLES = {
    "AWS_ACCESS_KEY_ID": WORD,
    "AWS_SECRET_ACCESS_KEY": WORD,
    "AWS_SESSION_TOKEN": WORD,
    "AWS_SECURITY_TOKEN": WORD,
    "AWS_PROFILE": NAMES,
    "AWS_DEFAULT_PROFILE": NAMES,
    "AWS_DEFAULT_REGION": st.sampled_from(["us-east-2", "eu-west-1"]),
    "AWS_ENDPOINT_URL": st.sampled_from(["", "http://all"]),
    "AWS_ENDPOINT_URL_S3": st.sampled_from(["", "http://s3"]),
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": st.sampled_from(["true", "false"]),
}
ENVIRONMENTS = st.lists(st.sampled_from(sorted(VARIABLES)), max_size=4, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VARIABLES[name] for name in names})
)


@settings(max_examples=150)
@given(files=shared_files(), env=ENVIRONMENTS, profile=st.one_of(st.just(""), NAMES), moved=st.booleans())
def test_the_same_as_botocore(
    tmp_path_factory: pytest.TempPathFactory,
    files: tuple[str | None, str | None],
    env: dict[str, str],
    profile: str,
    moved: bool,
) -> None:
    """Whatever stands in files and environment: the same keys, the same region, the same endpoint, or an error."""
    home = Home(tmp_path_factory.mktemp("aws") / "home")
    names = ("setup", "keys") if moved else ("config", "credentials")
    paths = [home.write(name, text) for name, text in zip(names, files, strict=True) if text is not None]
    if moved:
        env = {
            **env,
            "AWS_CONFIG_FILE": str(home.folder / ".aws" / "setup"),
            "AWS_SHARED_CREDENTIALS_FILE": "$HOME/.aws/keys",
        }
    with environment({**home.env, **env}):
        theirs, ours = of_botocore(profile), of_ours(profile)

    for path in paths:
        path.unlink()
    for name in ("region", "endpoint"):
        # botocore also looks at files that it does not need, and fails if they are broken.
        if ours[name] != "wrong setting" and theirs[name] == "wrong setting":
            assert env.get("AWS_DEFAULT_REGION") if name == "region" else _needs_no_file(env)
        else:
            assert ours[name] == theirs[name]
    if theirs["credentials"] == "wrong setting" and ours["credentials"] != "wrong setting":
        assert not profile
        assert ours["credentials"][0] == env["AWS_ACCESS_KEY_ID"]
    else:
        assert ours["credentials"] == theirs["credentials"]


def _needs_no_file(env: Mapping[str, str]) -> bool:
    found = env.get("AWS_ENDPOINT_URL") or env.get("AWS_ENDPOINT_URL_S3")
    return env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == "true" or bool(found)


@pytest.mark.parametrize(
    ("config", "env"),
    [
        ("[default]\nendpoint_url = http://127.0.0.1:1\nregion = eu-west-1\n", {}),
        (
            "[default]\nservices = web\nregion = eu-west-1\n[services web]\ns3 =\n  endpoint_url = http://127.0.0.1:2\n",
            {},
        ),
        (
            "[default]\nendpoint_url = http://127.0.0.1:1\nregion = eu-west-1\n",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:3"},
        ),
        (
            "[default]\nregion = eu-west-1\n",
            {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:4", "AWS_ENDPOINT_URL": "http://x"},
        ),
    ],
)
def test_a_client_of_botocore_goes_to_the_same_endpoint(home: Home, config: str, env: dict[str, str]) -> None:
    """Asked of a client that botocore has made, not of its parts."""
    home.write("config", config)
    with environment({**home.env, **env, **KEYS}):
        client = botocore.session.Session().create_client("s3")
        source = Source()

        assert source.endpoint() == client.meta.endpoint_url
        assert source.region() == client.meta.region_name


# Precedence ---------------------------------------------------------------------------------------


def test_options_go_before_everything(home: Home) -> None:
    """Keys that are given are taken, and nothing else is looked at."""
    home.write("credentials", "broken")
    source = Source(access_key_id="A", secret_access_key="B", session_token="C", env={**home.env, **KEYS})

    assert keys(source.credentials()) == ("A", "B", "C")
    assert source.credentials() is source.credentials()


def test_keys_of_the_environment_need_no_files(home: Home) -> None:
    """They serve though the files are broken, and no file is opened for them."""
    home.write("credentials", "broken")
    source = Source(env={**home.env, **KEYS, "AWS_SESSION_TOKEN": TOKEN})

    assert keys(source.credentials()) == (KEY, SECRET, TOKEN)


def test_a_profile_given_as_option_goes_before_keys_of_the_environment(home: Home) -> None:
    """As with botocore: who names a profile means it; one that the environment names does not."""
    home.write("credentials", "[dev]\naws_access_key_id = K\naws_secret_access_key = S\n")

    assert keys(Source(profile="dev", env={**home.env, **KEYS}).credentials()) == ("K", "S", "")
    assert keys(Source(env={**home.env, **KEYS, "AWS_PROFILE": "dev"}).credentials())[0] == KEY


def test_the_region_of_other_sdks_is_read_first(home: Home) -> None:
    """AWS_REGION, which botocore alone does not know, before AWS_DEFAULT_REGION, before the profile."""
    home.write("config", "[default]\nregion = third\n")
    both = {"AWS_REGION": "first", "AWS_DEFAULT_REGION": "second"}

    assert Source(env={**home.env, **both}).region() == "first"
    assert Source(env={**home.env, **both, "AWS_REGION": ""}).region() == "second"
    assert Source(env=home.env).region() == "third"


def test_empty_variables_count_as_not_set(home: Home) -> None:
    home.write("credentials", "[default]\naws_access_key_id = K\naws_secret_access_key = S\n")
    empty = dict.fromkeys(("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL"), "")

    assert keys(Source(env={**home.env, **empty}).credentials()) == ("K", "S", "")


def test_files_of_old_tools_are_read_last(home: Home, tmp_path: Path) -> None:
    """AWS_CREDENTIAL_FILE, then BOTO_CONFIG, as botocore does; region and profile stay those of the shared files."""
    old = tmp_path / "old"
    old.write_text("AWSAccessKeyId=K1\nAWSSecretKey = S1\n# nothing\n")
    boto = tmp_path / "boto.cfg"
    boto.write_text("[Credentials]\naws_access_key_id = K2\naws_secret_access_key = S2\n")
    for env, expected in (
        ({"AWS_CREDENTIAL_FILE": str(old), "BOTO_CONFIG": str(boto)}, ("K1", "S1", "")),
        ({"BOTO_CONFIG": str(boto)}, ("K2", "S2", "")),
    ):
        with environment({**home.env, **env}):
            assert of_botocore("")["credentials"] == expected
            assert of_ours("")["credentials"] == expected


def test_anonymous_finds_nothing_and_looks_nowhere(home: Home) -> None:
    """Also if keys are there; region and endpoint of the environment are for those who have keys."""
    home.write("config", "broken")
    env = {**home.env, **KEYS, "AWS_REGION": "r", "AWS_ENDPOINT_URL": "http://e"}
    source = Source(anonymous=True, access_key_id="half", env=env)

    assert source.credentials() is None
    assert (source.region(), source.endpoint()) == ("", "")


def test_without_env_auth_no_keys_mean_anonymous(home: Home) -> None:
    """As with rclone; keys that are given are still used."""
    env = {**home.env, **KEYS, "AWS_REGION": "r"}

    assert Source(env_auth=False, env=env).credentials() is None
    assert Source(env_auth=False, env=env).region() == ""
    assert keys(Source(env_auth=False, access_key_id="A", secret_access_key="B", env=env).credentials())[0] == "A"


# Errors -------------------------------------------------------------------------------------------


def test_nothing_found_tells_where_was_looked(home: Home) -> None:
    """One line with the places, and how to do without."""
    home.write("config", "[default]\nregion = r\n")
    with pytest.raises(Unauthenticated) as caught:
        Source(env=home.env).credentials()

    aws = home.folder / ".aws"
    assert str(caught.value) == (
        f"no credentials found; looked at AWS_ACCESS_KEY_ID, profile 'default' in {aws}/credentials (not there) "
        f"and {aws}/config; 'anonymous' signs nothing"
    )


def test_a_profile_that_is_not_there_is_told_those_that_are(home: Home) -> None:
    home.write("config", "[default]\n[profile b]\n")
    home.write("credentials", "[a]\n")
    with pytest.raises(ConfigError, match=r"no profile 'c' in .*; known: a, b, default$"):
        Source(profile="c", env=home.env).credentials()
    with pytest.raises(ConfigError, match="no profile 'c'"):
        Source(env={**home.env, **KEYS, "AWS_PROFILE": "c"}).credentials()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"access_key_id": "A"}, "access_key_id is given without secret_access_key"),
        ({"secret_access_key": SECRET}, "secret_access_key is given without access_key_id"),
        ({"session_token": SECRET}, "session_token is given without access_key_id and secret_access_key"),
    ],
)
def test_half_of_the_keys_is_a_mistake(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Source(**given)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[default]\naws_access_key_id = K\naws_secret_access_key {SECRET}\n", "line 3: expected NAME = VALUE"),
        (f"aws_secret_access_key = {SECRET}\n", "line 1: expected a section like [default] first"),
        ("[default]\na = 1\na = 2\n", "line 3: a is there twice"),
        ("[default]\n[default]\n", "line 2: section [default] is there twice"),
        (f"[default]\ns3 =\n  {SECRET}\n", "[default] s3: expected lines NAME = VALUE"),
        ("[default]\naws_access_key_id = K\n", "aws_secret_access_key is missing or empty"),
        (
            f"[default]\naws_access_key_id =\naws_secret_access_key = {SECRET}\n",
            "aws_access_key_id is missing or empty",
        ),
    ],
)
def test_a_broken_file_is_told_by_its_line_and_never_quoted(home: Home, text: str, message: str) -> None:
    """What stands in the line may be the secret."""
    path = home.write("credentials", text)
    with pytest.raises(ConfigError) as caught:
        Source(env=home.env).credentials()

    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    everything = str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
    assert SECRET not in everything


def test_a_file_that_is_no_text_or_may_not_be_read(home: Home) -> None:
    """The first is an error, the second counts as not there, but is told."""
    (home.folder / ".aws" / "credentials").write_bytes(b"\xff\xfe[default]")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        Source(env=home.env).credentials()

    (home.folder / ".aws" / "credentials").unlink()
    (home.folder / ".aws" / "credentials").mkdir()
    with pytest.raises(Unauthenticated, match=r"credentials \(Is a directory\)"):
        Source(env=home.env).credentials()


def test_a_section_of_services_that_is_not_there(home: Home) -> None:
    home.write("config", "[default]\nservices = mine\n")
    with pytest.raises(ConfigError, match=r"there is no section \[services mine\]"):
        Source(env=home.env).endpoint()


# Time ---------------------------------------------------------------------------------------------


class Clock:
    """A time of day that stands still."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_keys_that_expire_are_read_again_from_the_environment() -> None:
    """Five minutes before; the old ones serve until then, and an expired one is an error."""
    clock = Clock(1_893_456_000.0)  # 2030-01-01
    env = {**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2030-01-01T01:00:00Z"}
    source = Source(env=env, clock=clock)
    first = source.credentials()
    env["AWS_ACCESS_KEY_ID"], env["AWS_CREDENTIAL_EXPIRATION"] = "NEW", "2030-01-01T02:00:00+00:00"

    assert first is not None
    assert first.expires == 1_893_456_000.0 + 3600
    clock.now += 3299
    assert source.credentials() is first
    clock.now += 2
    assert keys(source.credentials())[0] == "NEW"
    clock.now += 3900
    with pytest.raises(Unauthenticated, match="the credentials found have expired"):
        source.credentials()


def test_an_expiration_that_is_no_time_is_told() -> None:
    with pytest.raises(ConfigError, match=r"AWS_CREDENTIAL_EXPIRATION: expected a time like .*, got 'soon'"):
        Source(env={**KEYS, "AWS_CREDENTIAL_EXPIRATION": "soon"}).credentials()


def test_refused_keys_are_looked_for_anew(home: Home) -> None:
    """A tool that writes new keys into the file is noticed once a service has refused the old ones."""
    home.write("credentials", "[default]\naws_access_key_id = OLD\naws_secret_access_key = S\n")
    source = Source(env=home.env)
    old = source.credentials()
    home.write("credentials", "[default]\naws_access_key_id = NEW\naws_secret_access_key = S\n")

    assert old is not None
    assert source.credentials() is old
    assert source.forget(old)
    new = source.credentials()
    assert keys(new)[0] == "NEW"
    assert source.forget(old)
    assert source.credentials() is new


def test_doubted_keys_stay_until_there_are_others(home: Home) -> None:
    """Neither the same keys once more nor a file that cannot be understood take the place of what is held."""
    home.write("credentials", "[default]\naws_access_key_id = OLD\naws_secret_access_key = S\n")
    source = Source(env=home.env)
    old = source.credentials()
    assert old is not None

    assert not source.replaced(old)
    home.write("credentials", "[default]\naws_access_key_id = NEW\n")
    assert not source.replaced(old)
    assert source.credentials() is old
    home.write("credentials", "[default]\naws_access_key_id = OLD\naws_secret_access_key = OTHER\n")
    assert source.replaced(old)
    new = source.credentials()
    assert new is not None
    assert keys(new) == ("OLD", "OTHER", "")
    # Another thread may hear of the old ones later.
    assert source.replaced(old)
    assert source.credentials() is new


def test_whoever_gave_doubted_keys_is_not_asked_at_once_again(home: Home, tmp_path: Path) -> None:
    """A program that has other keys each time is run once in ten seconds, however many requests fail."""
    program = tmp_path / "program"
    program.write_text(
        f"""#!/bin/sh
        echo run >> '{tmp_path}/runs'
        printf '{{"Version": 1, "AccessKeyId": "K%d", "SecretAccessKey": "S"}}' $(wc -l < '{tmp_path}/runs')
        """
    )
    program.chmod(0o700)
    home.write("config", f"[default]\ncredential_process = {program}\n")
    clock = Clock(1_893_456_000.0)
    source = Source(env=home.env, clock=clock)
    first = source.credentials()
    assert first is not None

    assert [source.replaced(first) for _ in range(3)] == [False] * 3
    clock.now += 11
    assert [source.replaced(first) for _ in range(3)] == [True] * 3
    second = source.credentials()
    assert second is not None
    assert (keys(first)[0], keys(second)[0]) == ("K1", "K2")
    assert [source.replaced(second) for _ in range(3)] == [False] * 3
    program.write_text("#!/bin/sh\nexit 1\n")
    clock.now += 11
    assert not source.replaced(second)
    assert source.credentials() is second


def test_refused_keys_that_were_given_stay_what_they_are() -> None:
    source = Source(access_key_id="A", secret_access_key="B", env={})
    given_ones = source.credentials()

    assert given_ones is not None
    assert not source.forget(given_ones)
    assert not source.replaced(given_ones)
    assert source.credentials() is given_ones


# Secrets ------------------------------------------------------------------------------------------


def test_found_secrets_never_travel(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a pickle, nor in a repr, nor in a log; on the other side that side's own are found."""
    caplog.set_level(logging.DEBUG)
    home.write("credentials", f"[p]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    with environment(home.env):
        source = Source(profile="p")
        assert keys(source.credentials()) == (KEY, SECRET, "")
        data = pickle.dumps(source)
        again = pickle.loads(data)

        assert keys(again.credentials()) == (KEY, SECRET, "")
    shown = data.decode("latin-1") + repr(source) + repr(source.__dict__) + caplog.text
    assert SECRET not in shown
    assert KEY not in data.decode("latin-1")


def test_an_environment_that_was_given_does_not_travel() -> None:
    """It holds secrets; the other process has one of its own."""
    data = pickle.dumps(Source(env={**KEYS, "AWS_SESSION_TOKEN": TOKEN}))

    assert SECRET.encode() not in data
    assert TOKEN.encode() not in data


def test_references_travel_as_references_and_nothing_else_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came as ``env:NAME`` is looked up again where it arrives; text is refused, and named."""
    monkeypatch.setenv("MY_SECRET", SECRET)
    plain = Source(access_key_id="A", secret_access_key="plain", session_token=TOKEN, env={})
    with pytest.raises(Unsupported, match="secret_access_key, session_token given as text") as refused:
        pickle.dumps(plain)
    data = pickle.dumps(Source(access_key_id="A", secret_access_key=resolve("env:MY_SECRET"), env={}))
    monkeypatch.setenv("MY_SECRET", "another")

    assert TOKEN not in str(refused.value)
    assert SECRET.encode() not in data
    assert keys(pickle.loads(data).credentials()) == ("A", "another", "")


def test_a_repr_tells_the_settings_without_the_secrets() -> None:
    shown = repr(Source(access_key_id="A", secret_access_key=SECRET, session_token=TOKEN, profile="p", env={}))

    assert shown == "Source(access_key_id='A', profile='p', anonymous=False, env_auth=True)"


def test_a_repr_of_credentials_tells_the_key_alone() -> None:
    shown = repr(Credentials(KEY, SECRET, TOKEN)) + f"{Credentials(KEY, SECRET, TOKEN)}"

    assert KEY in shown
    assert SECRET not in shown
    assert TOKEN not in shown


def test_botocore_is_not_imported_for_keys_that_are_there(home: Home) -> None:
    """It takes longer than everything else together; nothing of it is loaded for keys in a file."""
    home.write("credentials", f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    home.write("config", "[default]\nregion = eu-west-1\nendpoint_url = http://e\n")
    code = (
        "import sys\nfrom omnistorage.drivers._awscredentials import Source\ns = Source()\n"
        "print(s.credentials().access_key, s.region(), s.endpoint(), 'botocore' in sys.modules)"
    )
    source = str(Path(_awscredentials.__file__).parents[2])
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": source, **home.env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert run.stdout.split() == [KEY, "eu-west-1", "http://e", "False"]


def test_every_error_is_one_of_ours(home: Home) -> None:
    """Nothing of configparser or the system comes out."""
    for text in ("\x00", "[", "[]\n", "[a]\n=\n", "[default]\n =x\n", "\ufeff[default]\n", "[default]\nx\n  y = 1\n"):
        home.write("config", text)
        source = Source(env=home.env)
        for call in (source.credentials, source.region, source.endpoint):
            try:
                call()
            except StorageError:
                continue
