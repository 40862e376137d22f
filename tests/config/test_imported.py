"""Remotes of rclone become remotes of ours, and whatever does not come along is named."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from base64 import b64encode
from pathlib import Path

import pytest

from omnistorage.config import Config, resolved
from omnistorage.config._rclonetypes import TYPES
from omnistorage.config.imported import Made, Refused, converted, state, write
from omnistorage.config.rclone import remotes
from omnistorage.core.errors import ConfigError
from omnistorage.drivers._presets import by_rclone, preset, presets
from rclone_confs import RCLONE, providers

KEYS = "access_key_id = AK\nsecret_access_key = SK\n"


def _all(text: str, env: dict[str, str] | None = None) -> dict[str, Made | Refused]:
    return {one.name: one for one in converted(remotes(text.encode("utf-8", "surrogateescape"), env=env))}


def _made(text: str, name: str = "x") -> Made:
    found = _all(text)[name]
    assert isinstance(found, Made)
    return found


def _s3(text: str) -> Made:
    return _made(f"[x]\ntype = s3\n{text}")


def test_s3_settings() -> None:
    """Settings with a counterpart have its name and its type."""
    made = _s3(
        f"{KEYS}provider = AWS\nsession_token = ST\nregion = eu-west-1\nendpoint = https://s3.example\n"
        "acl = private\nstorage_class = GLACIER\nserver_side_encryption = aws:kms\nsse_kms_key_id = kid\n"
        "requester_pays = true\nchunk_size = 16M\nupload_cutoff = 100\nlist_chunk = 500\n"
        "disable_checksum = false\n"
    )

    assert (made.type, made.root, made.left_out, made.needless) == ("s3", "", (), ())
    assert made.options == {
        "make_bucket": True,
        "provider": "aws",
        "access_key_id": "AK",
        "secret_access_key": "SK",
        "session_token": "ST",
        "region": "eu-west-1",
        "endpoint_url": "https://s3.example",
        "path_style": False,
        "acl": "private",
        "storage_class": "GLACIER",
        "server_side_encryption": "aws:kms",
        "sse_kms_key_id": "kid",
        "requester_pays": True,
        "part_size": 16 << 20,
        "upload_cutoff": 100 << 10,
        "list_chunk": 500,
        "upload_md5": True,
    }


def test_customer_keys() -> None:
    """A key of the customer is Base64 here, however rclone has it."""
    raw = "0123456789abcdef0123456789abcdef"
    coded = b64encode(raw.encode()).decode()
    one = _s3(f"{KEYS}sse_customer_algorithm = AES256\nsse_customer_key = {raw}\nsse_customer_key_md5 = x\n")
    two = _s3(f"{KEYS}sse_customer_algorithm = ROT13\nsse_customer_key_base64 = {coded}\n")

    assert one.options["sse_customer_key"] == two.options["sse_customer_key"] == coded
    assert (one.left_out, set(one.needless)) == ((), {"sse_customer_algorithm", "sse_customer_key_md5"})
    assert two.left_out == ("sse_customer_algorithm=ROT13",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (KEYS, {"access_key_id": "AK", "secret_access_key": "SK"}),
        (f"{KEYS}env_auth = true\n", {"access_key_id": "AK", "secret_access_key": "SK"}),
        ("", {"anonymous": True}),
        ("env_auth = false\nprofile = p\n", {"anonymous": True}),
        ("env_auth = true\n", {}),
        ("env_auth = true\nprofile = p\n", {"profile": "p"}),
    ],
)
def test_where_keys_come_from(text: str, expected: dict[str, object]) -> None:
    """Keys that are given count; without any, rclone looks for some only if it is told to, and else signs nothing."""
    assert _s3(text).options == {"make_bucket": True, **expected}


def test_profile_that_does_not_count() -> None:
    """A profile is named where rclone does not look at it."""
    assert _s3("profile = p\n").left_out == ("profile=p",)


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ("provider = Cloudflare\nendpoint = https://a.r2.cloudflarestorage.com\n", "r2"),
        ("provider = Other\n", "other"),
        ("provider = Other\nendpoint = http://h:1\n", None),
        ("endpoint = http://h:1\n", None),
        ("provider = AWS\nregion = cn-north-1\n", "aws-cn"),
        ("provider = Nosuch\nendpoint = http://h:1\n", None),
    ],
)
def test_provider(text: str, provider: str | None) -> None:
    """The service is the preset of it; one that nobody knows is named."""
    made = _s3(KEYS + text)

    assert made.options.get("provider") == provider
    assert made.left_out == (("provider=Nosuch",) if "Nosuch" in text else ())


def test_every_provider_of_rclone_is_known() -> None:
    """Each service that rclone lists for s3 has a preset."""
    [option] = [one for one in providers()["s3"] if one["Name"] == "provider"]
    names = [one["Value"] for one in option["Examples"]]

    assert len(names) > 30
    assert [name for name in names if by_rclone(name) is None] == []


PROVIDERS = ["", "AWS", "Alibaba", "Minio", "Other"]
if os.environ.get("OMNISTORAGE_SLOW") == "1":
    # rclone 1.75 does not find its own row of US3, and takes it for any other service.
    PROVIDERS = ["", *sorted(row.rclone for row in map(preset, presets()) if row.rclone not in ("", "US3"))]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1"])
def test_buckets_are_named_like_rclone_names_them(tmp_path: Path, provider: str, host: str) -> None:
    """The bucket stands in the path or in the host name as in the requests of rclone."""
    for style in ("", "force_path_style = true\n", "force_path_style = false\n"):
        text = f"[x]\ntype = s3\n{KEYS}endpoint = http://{host}\nregion = r\n{style}"
        text += f"provider = {provider}\n" if provider else ""
        made = _made(text)

        # An endpoint means path style unless something else is said.
        assert made.options.get("path_style", True) == _asks_by_path(tmp_path, text), style
        assert made.left_out == ()


def _asks_by_path(folder: Path, text: str) -> bool:
    conf = folder / "rclone.conf"
    conf.write_text(text)
    words = ["lsf", "x:bucket", "--dump", "headers", "--retries", "1", "--low-level-retries", "1"]
    done = subprocess.run([RCLONE, "--config", conf, *words], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"GET /(bucket)?\?.*\n.*Host: (bucket\.)?l?", done.stderr)
    assert found, done.stderr
    assert bool(found[1]) != bool(found[2])
    return bool(found[1])


def test_settings_without_a_counterpart() -> None:
    """They are named with their values, unless these may be secret or say only what is so anyway."""
    made = _s3(
        f"{KEYS}role_arn = arn\nibm_api_key = TOPSECRET\nuse_multipart_uploads = false\nmight_gzip = unset\n"
        "versions = false\nversion_at = off\nno_such_thing = 1\nchunk_size = many\nrequester_pays = maybe\n"
        "download_url = https://u:TOPSECRET@h/\nno_check_bucket = true\nlist_version = 2\nlocation_constraint =\n"
    )

    assert made.left_out == (
        "chunk_size=many",
        "requester_pays=maybe",
        "download_url=https://u:***@h/",
        "ibm_api_key",
        "no_such_thing=1",
        "role_arn=arn",
        "use_multipart_uploads=false",
    )
    assert set(made.needless) == {"list_version", "no_check_bucket"}


def test_buckets_are_made_as_with_rclone() -> None:
    """Rclone makes the bucket with the first object, unless it is told not to."""
    says = {text: _s3(f"{KEYS}{text}\n").options.get("make_bucket") for text in ("", "no_check_bucket = false")}

    assert says == {"": True, "no_check_bucket = false": True}
    assert "make_bucket" not in _s3(f"{KEYS}no_check_bucket = true\n").options


def test_places_and_sizes_of_s3() -> None:
    """Where buckets are made, and up to which size an object is copied at once, is what it was."""
    made = _s3(f"{KEYS}region = eu-west-1\nlocation_constraint = EU\ncopy_cutoff = 1Gi\n")
    same = _s3(f"{KEYS}region = eu-west-1\nlocation_constraint = eu-west-1\n")

    assert (made.options["location_constraint"], made.options["copy_cutoff"]) == ("EU", 1 << 30)
    assert "location_constraint" not in same.options
    assert made.left_out == same.left_out == ()


def test_tables_know_rclones_settings() -> None:
    """What the tables speak of exists in rclone, and ``false`` is silent only where it is what rclone does anyway."""
    special = {
        "local": {"copy_links", "links"},
        "s3": {
            "provider",
            "env_auth",
            "profile",
            "sse_customer_key",
            "sse_customer_algorithm",
            "location_constraint",
        },
    }
    for name, kind in TYPES.items():
        options = {one["Name"]: one for one in providers()[name]}
        spoken_of = {*kind.same, *kind.needless, *kind.tristate, *special.get(name, ())}
        tristate = {one for one, held in options.items() if held["Type"] == "Tristate"}

        assert sorted(spoken_of - options.keys()) == []
        assert tristate == set(kind.tristate)


def test_local_and_memory() -> None:
    """Links are what they were; a storage in memory is one for the whole command."""
    follow = _made("[x]\ntype = local\ncopy_links = true\nskip_links = true\none_file_system = true\n")
    keep = _made("[x]\ntype = local\nlinks = true\nmetadata_restore_special_bits = true\ncopy_links = false\n")
    memory = _made("[x]\ntype = memory\ndiscard = true\n")

    assert (follow.type, follow.options, follow.left_out) == ("file", {"links": "follow"}, ("one_file_system=true",))
    assert (keep.options, keep.left_out) == ({"links": "keep", "special_bits": True}, ())
    assert (memory.type, memory.options, memory.left_out) == ("memory", {"name": "x"}, ("discard=true",))


def test_aliases() -> None:
    """An alias becomes what it stands for, through other aliases, with the settings of a connection string."""
    found = _all(
        f"[one]\ntype = s3\nregion = r\nrole_arn = a\n{KEYS}"
        "[pics]\ntype = alias\nremote = one:bucket/pics/\ndescription = d\n"
        "[year]\ntype = alias\nremote = pics:2024\n"
        "[other]\ntype = alias\nremote = one,region=q:b\n"
        "[disk]\ntype = alias\nremote = /mnt/disk\n"
        "[here]\ntype = alias\nremote = some/folder\n"
        '[fly]\ntype = alias\nremote = :s3,env_auth,endpoint="http://h:1":b\n'
        "[local]\ntype = alias\nremote = :local:/srv\n"
    )
    made = {name: one for name, one in found.items() if isinstance(one, Made)}
    keys = {"make_bucket": True, "access_key_id": "AK", "secret_access_key": "SK"}

    assert {name: (one.type, one.root) for name, one in made.items()} == {
        "one": ("s3", ""),
        "pics": ("s3", "bucket/pics/"),
        "year": ("s3", "bucket/pics/2024"),
        "other": ("s3", "b"),
        "disk": ("file", "/mnt/disk"),
        "here": ("file", "some/folder"),
        "fly": ("s3", "b"),
        "local": ("file", "/srv"),
    }
    assert made["year"].options == {"region": "r", **keys}
    assert made["other"].options == {"region": "q", **keys}
    assert made["fly"].options == {"make_bucket": True, "endpoint_url": "http://h:1"}
    assert made["pics"].left_out == ("role_arn=a", "description=d")


@pytest.mark.parametrize(
    ("text", "type_", "reason"),
    [
        ("[x]\ntype = drive\n", "drive", "type 'drive' is not supported yet"),
        ("[x]\nremote = y\n", "", "it has no type"),
        ("[a:b]\ntype = s3\n", "s3", "its name cannot be that of a remote here"),
        ("[file]\ntype = s3\n", "s3", "its name cannot be that of a remote here"),
        ("[x]\ntype = alias\n", "alias", "it names no place"),
        ("[x]\ntype = alias\nremote = y:z\n", "alias", "it stands for 'y:', which is not there"),
        ("[x]\ntype = alias\nremote = x:z\n", "alias", "it stands for itself"),
        ("[x]\ntype = alias\nremote = s3://b\n", "alias", "the place that it stands for cannot be understood"),
        (
            "[x]\ntype = alias\nremote = :s3,a=TOPSECRET\n",
            "alias",
            "the place that it stands for cannot be understood",
        ),
        (
            "[x]\ntype = alias\nremote = :sftp:\n",
            "alias",
            "it stands for a place that cannot be made: type 'sftp' is not supported yet",
        ),
        ("[x]\ntype = s3\nprofile = p\nsecret_access_key = env:A\n", "s3", "its 'secret_access_key' would be taken"),
        ("[x]\ntype = s3\nacl = \udcff\n", "s3", "its 'acl' is not UTF-8 text"),
    ],
)
def test_refused(text: str, type_: str, reason: str) -> None:
    """What cannot be made says why, with its type."""
    [found] = _all(text).values()

    assert isinstance(found, Refused)
    assert found.type == type_
    assert found.reason.startswith(reason)
    assert "TOPSECRET" not in found.reason


def test_aliases_in_a_circle() -> None:
    """A circle of aliases ends."""
    found = _all("[a]\ntype = alias\nremote = b:\n[b]\ntype = alias\nremote = c:\n[c]\ntype = alias\nremote = b:\n")

    assert {type(one) for one in found.values()} == {Refused}


def test_secrets_of_the_environment_stay_there() -> None:
    """What a variable holds is referred to by the name of the variable; what is no secret is copied."""
    env = {
        "RCLONE_CONFIG_X_TYPE": "s3",
        "RCLONE_CONFIG_X_SECRET_ACCESS_KEY": "TOPSECRET",
        "RCLONE_CONFIG_X_ACCESS_KEY_ID": "AK",
        "RCLONE_CONFIG_X_REGION": "r",
    }
    made = _all("", env)["x"]

    assert isinstance(made, Made)
    assert made.options == {
        "access_key_id": "env:RCLONE_CONFIG_X_ACCESS_KEY_ID",
        "secret_access_key": "env:RCLONE_CONFIG_X_SECRET_ACCESS_KEY",
        "region": "r",
        "make_bucket": True,
    }
    assert made.secrets == []


def test_nothing_secret_in_reprs() -> None:
    """What is made and what was read show no values."""
    text = "[x]\ntype = s3\nsecret_access_key = TOPSECRET\naccess_key_id = a\n"

    assert "TOPSECRET" not in repr(converted(remotes(text.encode()))) + repr(remotes(text.encode()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration of ours with a remote and comments."""
    path = tmp_path / "c.toml"
    path.write_text('# mine\n[remotes.old]\ntype = "memory" # keep\n')
    return path


def test_written(file: Path) -> None:
    """The file keeps its lines and is for the owner only; the same again is fine, something else needs a word."""
    made = _s3(KEYS)
    other = _s3(f"{KEYS}region = r\n")
    config = Config.load(file, {})
    states = [state(config, made), write(config, [made])[0], write(config, [made])[0], write(config, [other])[0]]
    kept = tomllib.loads(file.read_text())["remotes"]["x"]
    states += [write(config, [other], overwrite=True)[0], state(Config.load(file, {}), other)]

    assert states == ["new", "new", "same", "other", "other", "same"]
    assert kept == {"type": "s3", "make_bucket": True, "access_key_id": "AK", "secret_access_key": "SK"}
    assert file.read_text().startswith('# mine\n[remotes.old]\ntype = "memory" # keep\n')
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tomllib.loads(file.read_text())["remotes"]["x"]["region"] == "r"


def test_secrets_in_files(file: Path, tmp_path: Path) -> None:
    """With a folder for secrets, each has a file for the owner only, and the configuration refers to it."""
    folder = tmp_path / "new" / "secrets"
    made = _s3('access_key_id = AK\nsecret_access_key = """ S K """\n')
    config = Config.load(file, {})
    write(config, [made], secrets_dir=str(folder))
    held = folder / "x.secret_access_key"
    table = tomllib.loads(file.read_text())["remotes"]["x"]

    assert table == {
        "type": "s3",
        "make_bucket": True,
        "access_key_id": "AK",
        "secret_access_key": f"file:{held}",
    }
    assert resolved(table)["secret_access_key"] == " S K "
    assert [stat.S_IMODE(one.stat().st_mode) for one in (held, folder)] == [0o600, 0o700]


def test_secrets_that_changed(file: Path, tmp_path: Path) -> None:
    """A file with another secret counts as another remote: it stays without a word, too."""
    config = Config.load(file, {})
    write(config, [_s3(KEYS)], secrets_dir=str(tmp_path))
    new = _s3("access_key_id = AK\nsecret_access_key = NEW\n")
    [before] = write(config, [new], secrets_dir=str(tmp_path))
    kept = (tmp_path / "x.secret_access_key").read_text()
    write(config, [new], secrets_dir=str(tmp_path), overwrite=True)

    assert (before, kept) == ("other", "SK\n")
    assert (tmp_path / "x.secret_access_key").read_text() == "NEW\n"


def test_folder_that_cannot_be_made(file: Path, tmp_path: Path) -> None:
    """Nothing is written to the configuration if its secrets cannot be."""
    (tmp_path / "taken").write_text("")
    before = file.read_text()
    with pytest.raises(ConfigError, match="cannot be written"):
        write(Config.load(file, {}), [_s3(KEYS)], secrets_dir=str(tmp_path / "taken"))

    assert file.read_text() == before


def test_all_or_none(file: Path) -> None:
    """What cannot be written keeps all others from it."""
    good, bad = _s3(KEYS), Made(name="y", type="s3", options={"acl": None})
    before = file.read_text()
    with pytest.raises(ConfigError, match="cannot be written"):
        write(Config.load(file, {}), [good, bad])

    assert file.read_text() == before
