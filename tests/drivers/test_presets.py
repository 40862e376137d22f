"""The services that speak S3: every row of presets.toml is sound, and agrees with who else knows them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnistorage.core.errors import ConfigError
from omnistorage.core.grammar import scheme_of
from omnistorage.drivers import _presets
from omnistorage.drivers._presets import Preset, by_rclone, preset, presets
from scripts import s3_services

TOML = Path(_presets.__file__).with_name("presets.toml")
ALL = [preset(name) for name in presets()]
ROWS = pytest.mark.parametrize("row", ALL, ids=[row.name for row in ALL])
RCLONE = Path(sys.executable).with_name("rclone")

# Services of rclone that are no preset here; each would need its reason.
UNMAPPED: Mapping[str, str] = {}
# Places that a vendor's page or a later rclone names, and the rclone of these tests does not.
BEYOND_RCLONE = {
    "au-mel-1.linodeobjects.com",
    "eu-central-1.object.fastlystorage.app",
    "s3.eu-west-3.wasabisys.com",
    "s3.it-mil.scw.cloud",
    "s3.us-east-1.wasabisys.com",
    "s3.us-west-2.wasabisys.com",
    "us-iad-1.linodeobjects.com",
}
SAMPLE_ACCOUNT = "acc0unt"


@pytest.fixture(scope="module")
def rclone_help() -> str:
    """What rclone says about its S3 backend."""
    return subprocess.run(
        [RCLONE, "--config", "", "help", "backend", "s3"], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def option_values(page: str, option: str) -> dict[str, set[str]]:
    """Return provider to the values that rclone suggests for an option."""
    section = page.partition(f"#### --s3-{option}\n")[2].partition("\n#### ")[0]
    found: dict[str, set[str]] = defaultdict(set)
    value = ""
    for line in section.splitlines():
        if match := re.fullmatch(r'  - "(.*)"', line):
            value = match[1]
        elif match := re.fullmatch(r"    - Provider: (.*)", line):
            for provider in match[1].split(","):
                found[provider].add(value)
    return found


def providers(page: str) -> list[str]:
    section = page.partition("#### --s3-provider\n")[2].partition("\n#### ")[0]
    return re.findall(r'^  - "(.*)"$', section, re.MULTILINE)


def test_rows_are_read_one_by_one_as_the_whole_file_would_be() -> None:
    """TOML parsed at once, which also refuses a name that is there twice, gives the same services."""
    whole = tomllib.loads(TOML.read_text("utf-8"))

    assert sorted(whole) == presets()
    assert len(whole) >= 30
    for name, fields in whole.items():
        found = preset(name)
        assert {key: getattr(found, key) for key in fields} == {
            key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()
        }
        assert found.name == name


def test_a_field_that_presets_do_not_have_is_refused() -> None:
    """A typing error in a row cannot pass for a default."""
    import msgspec

    with pytest.raises(msgspec.ValidationError, match="no_batch_deletes"):
        _presets._read('[x]\ntitle = "X"\nno_batch_deletes = true\nsources = ["https://x.example/"]\n')
    with pytest.raises(msgspec.ValidationError, match="sources"):
        _presets._read('[x]\ntitle = "X"\n')


@ROWS
def test_a_name_can_be_the_second_half_of_a_scheme(row: Preset) -> None:
    """``s3+NAME://`` reads back as that name."""
    assert row.name == row.name.lower()
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*", row.name)
    assert scheme_of(f"s3+{row.name}") == f"s3+{row.name}"
    assert row.title


@ROWS
def test_endpoints_have_known_fields_and_use_tls(row: Preset) -> None:
    """Nothing but region and account is filled in, and only a server for tests is asked without TLS."""
    for url in (row.endpoint, *row.endpoints.values()):
        assert set(re.findall(r"\{(\w*)\}", url)) <= {"region", "account"}
        assert not url.endswith("/")
        assert url == "" or url.startswith("https://") or row.name == "localstack"
    assert ("{account}" in row.endpoint) == bool(row.account)
    assert set(row.endpoints) <= set(row.regions)
    assert not row.regions or row.region in (*row.regions, "")


@ROWS
def test_every_region_has_an_endpoint_of_its_own(row: Preset) -> None:
    """Each region of a row makes a URL without gaps; so does the default one."""
    urls = [row.url(region=region, account=SAMPLE_ACCOUNT) for region in row.regions]

    assert len(set(urls)) == len(urls) or "{region}" not in row.endpoint
    assert all(re.fullmatch(r"https://[a-z0-9.-]+", url) for url in urls)
    if row.region:
        assert "{" not in row.url(account=SAMPLE_ACCOUNT)


@ROWS
def test_every_row_has_a_source(row: Preset) -> None:
    """A page, or a server that was tried; and a row of rclone's names rclone's file."""
    assert row.sources
    assert len(set(row.sources)) == len(row.sources)
    for source in row.sources:
        assert re.fullmatch(r"https://\S+|measured: [\w. -]+ \d+(\.\d+)+", source)
    if row.rclone:
        assert "rclone/rclone" in row.sources[0]


@ROWS
def test_limits_are_possible(row: Preset) -> None:
    """Sizes fit together, and a service that cannot copy parts has said what one copy does."""
    assert 1 <= row.max_parts <= 10_000
    assert 0 < row.min_part_size <= row.max_part_size <= row.max_object_size
    assert row.max_copy >= 0
    assert row.checksum in ("md5", "crc32c", "crc64nvme", "sha256")


def test_every_provider_of_rclone_is_a_preset(rclone_help: str) -> None:
    """The import of an rclone.conf knows them all, and no row names one that rclone has not."""
    theirs = providers(rclone_help)
    ours = {row.rclone for row in ALL if row.rclone}

    assert len(theirs) > 50
    assert set(theirs) - ours == set(UNMAPPED)
    assert ours <= set(theirs)
    assert len(ours) == sum(bool(row.rclone) for row in ALL)
    assert all(by_rclone(name) == preset(name).name for name in theirs)
    assert by_rclone("no such provider") is None


@ROWS
def test_endpoints_are_those_that_rclone_knows(row: Preset, rclone_help: str) -> None:
    """Where both know places of a service, ours are among rclone's, unless the vendor's page says more."""
    theirs = {url.removeprefix("https://") for url in option_values(rclone_help, "endpoint")[row.rclone]}
    theirs = {url.replace("{account_name}", SAMPLE_ACCOUNT) for url in theirs}
    fits = row.rclone and theirs and (row.endpoint or row.endpoints)
    ours = {row.url(region=region, account=SAMPLE_ACCOUNT) for region in row.regions} if fits else set()
    if fits and (row.region or "{region}" not in row.endpoint) and row.endpoint:
        ours.add(row.url(account=SAMPLE_ACCOUNT))

    assert {url.removeprefix("https://") for url in ours} - BEYOND_RCLONE <= theirs


@pytest.mark.parametrize("name", ["aws", "aws-cn", "aws-us-gov"])
def test_endpoints_of_aws_are_those_of_botocore(name: str) -> None:
    """In every region that we list."""
    session = botocore.session.Session()
    row = preset(name)

    assert row.regions
    for region in row.regions:
        client = session.create_client("s3", region_name=region, aws_access_key_id="AK", aws_secret_access_key="SK")
        # The first region of all has a second, older name.
        assert client.meta.endpoint_url.replace("//s3.amazonaws.com", "//s3.us-east-1.amazonaws.com") == row.url(
            region=region
        )


def test_case_does_not_matter_and_rclones_names_serve() -> None:
    assert preset("R2") == preset("Cloudflare") == preset("r2")
    assert preset("HuaweiOBS").name == "huawei"


def test_an_unknown_provider_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown provider 'amazon'; known: alibaba, .*wasabi"):
        preset("amazon")


def test_what_is_missing_is_named() -> None:
    """Region or account, with what is known about them."""
    with pytest.raises(ConfigError) as account:
        preset("r2").url()
    with pytest.raises(ConfigError) as region:
        preset("hetzner").url()
    with pytest.raises(ConfigError) as mapped:
        preset("leaseweb").url()

    assert str(account.value) == "provider 'r2' needs account_id (account id of Cloudflare) or endpoint_url"
    assert str(region.value) == "provider 'hetzner' needs region, one of hel1, fsn1, nbg1"
    assert "nl-01" in str(mapped.value)
    assert preset("other").url() == ""


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_region_or_account_leads_to_another_host(text: str) -> None:
    """What a user or a file gives as region stays within the host name of the service."""
    for name, field in (("hetzner", "region"), ("r2", "account")):
        try:
            url = preset(name).url(**{field: text})
        except ConfigError:
            continue

        host = url.removeprefix("https://")
        assert re.fullmatch(r"[A-Za-z0-9.-]+\.(your-objectstorage|r2\.cloudflarestorage)\.com", host)


@pytest.mark.parametrize("bad", ["evil.com/", "a@b", "x#", "x?y", "a:80", "a b", "-a", "a.", "é", "a\nb", "%2f"])
def test_a_region_that_is_no_part_of_a_host_name_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a part of a host name"):
        preset("scaleway").url(region=bad)


def test_conditional_writes_are_missing_until_a_source_says_otherwise() -> None:
    """A service that ignores the condition would replace what was to be kept."""
    assert preset("other").no_if_none_match
    assert preset("rclone").no_if_none_match
    assert not preset("aws").no_if_none_match
    for row in ALL:
        if not row.no_if_none_match:
            assert any("condition" in source or "measured" in source or "minio" in source for source in row.sources)


def test_the_table_of_the_docs_is_made_of_the_rows() -> None:
    """docs/s3-services.md shows each row; ``python scripts/s3_services.py`` writes it anew."""
    page = s3_services.PAGE.read_text("utf-8")

    assert page == s3_services.with_table(page)
    for row in ALL:
        assert f"| `{row.name}` |" in page
