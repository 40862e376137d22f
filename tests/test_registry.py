"""The registry: which driver answers for a scheme, and what is said when none does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from omnistorage import registry
from omnistorage.core.driver import Driver
from omnistorage.core.errors import ConfigError, MissingExtra, UnknownOption, UnknownScheme
from omnistorage.core.options import from_text
from omnistorage.drivers import file, memory
from omnistorage.drivers.s3 import Options as S3Options


class PlainDriver(Driver):
    """Does nothing."""

    scheme = "plain"


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget afterwards what the test registers and loads."""
    monkeypatch.setattr(registry, "_REGISTERED", {})
    monkeypatch.setattr(registry, "_LOADED", {})


@pytest.fixture
def extra_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clean: None) -> Iterator[Path]:
    """A folder whose modules count as built-in drivers."""
    import omnistorage.drivers as room

    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    yield tmp_path
    for module in tmp_path.glob("*.py"):
        sys.modules.pop(f"omnistorage.drivers.{module.stem}", None)


@pytest.fixture
def no_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if the metadata of installed distributions is read."""

    def refuse() -> dict[str, Any]:
        raise AssertionError("entry points were read")

    monkeypatch.setattr(registry, "_entry_points", refuse)


def test_backends_are_the_files_of_drivers() -> None:
    """Every file of drivers/ is a backend, those with an underscore are not, and the list is sorted."""
    names = registry.backends()

    assert {"file", "memory"} <= set(names)
    assert not [name for name in names if name.startswith("_")]
    assert names == sorted(names)


def test_built_in_driver_needs_no_entry_points(clean: None, no_entry_points: None) -> None:
    """The metadata of installed distributions is not read for a driver of ours."""
    assert registry.driver_class("memory") is memory.MemoryDriver


@pytest.mark.parametrize("name", ["local", "FILE", "Local"])
def test_other_names_of_file(name: str) -> None:
    """Case does not matter, and rclone's name for local files works."""
    assert registry.driver_class(name) is file.FileDriver


def test_registered_driver_goes_first(clean: None) -> None:
    """A registered driver answers even for the scheme of a built-in one, also if that was used before."""
    before = registry.driver_class("memory")
    registry.register("memory", PlainDriver)

    assert before is memory.MemoryDriver
    assert registry.driver_class("memory") is PlainDriver


def test_registered_driver_is_listed(clean: None) -> None:
    """A registered scheme is among the backends."""
    registry.register("plain+x-1", PlainDriver)

    assert "plain+x-1" in registry.backends()
    assert registry.driver_class("plain+x-1") is PlainDriver


def test_scheme_with_plus_belongs_to_its_first_part(clean: None) -> None:
    """``plain+s3`` is handled by the driver of ``plain``."""
    registry.register("plain", PlainDriver)

    assert registry.driver_class("plain+s3") is PlainDriver


@pytest.mark.parametrize("scheme", ["", "1s", "a:b", "S3", "a/b", "ä", "a b"])
def test_register_refuses_impossible_schemes(clean: None, scheme: str) -> None:
    """What could never be written in an address cannot be registered."""
    with pytest.raises(ValueError, match="cannot be a scheme"):
        registry.register(scheme, PlainDriver)


def test_register_refuses_what_is_no_driver(clean: None) -> None:
    """Only classes derived from Driver can be registered."""
    with pytest.raises(TypeError, match="not a Driver class"):
        registry.register("thing", dict)  # type: ignore[arg-type]


def test_unknown_scheme_lists_and_suggests() -> None:
    """The message lists what there is, and names what was probably meant."""
    with pytest.raises(UnknownScheme) as caught:
        registry.driver_class("memmory")

    assert str(caught.value).startswith("unknown scheme 'memmory'; did you mean 'memory'? known: ")
    assert "file" in str(caught.value)


@pytest.mark.parametrize("scheme", ["_localcopy", "", "a.b", "nothing+like+it"])
def test_private_and_odd_names_are_unknown(scheme: str) -> None:
    """Files shared by drivers are no drivers, and names that are no module names do no harm."""
    with pytest.raises(UnknownScheme):
        registry.driver_class(scheme)


def test_missing_library_is_named_with_the_extra(extra_folder: Path) -> None:
    """A driver whose library is missing says what to install."""
    (extra_folder / "needy.py").write_text("import no_such_library.part\n")

    with pytest.raises(MissingExtra) as caught:
        registry.driver_class("needy")

    assert str(caught.value) == "needy needs no_such_library: pip install 'omnistorage[needy]'"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_missing_file_of_ours_is_a_bug(extra_folder: Path) -> None:
    """A driver that imports a file of ours that does not exist is not mistaken for a missing extra."""
    (extra_folder / "buggy.py").write_text("import omnistorage.no_such_room\n")

    with pytest.raises(ModuleNotFoundError, match="no_such_room"):
        registry.driver_class("buggy")


def test_describe_all_bears_missing_libraries(extra_folder: Path) -> None:
    """One driver that cannot be imported does not hide the others."""
    (extra_folder / "needy.py").write_text("import no_such_library\n")
    infos = {info.scheme: info for info in registry.describe_all()}

    assert "pip install" in infos["needy"].missing
    assert infos["memory"].missing == ""


def test_describe_explains_the_options() -> None:
    """Help texts come from the driver's options: name, type in words, default, meaning."""
    options = {option.name: option for option in registry.describe("file").options}

    assert options["links"].type == "skip, follow or keep"
    assert options["links"].default == "skip"
    assert options["root"].type == "str"
    assert options["root"].help.startswith("Folder that the keys are relative to")


def test_typed_makes_values_of_texts() -> None:
    """Texts become what the driver wants, dashes in names underscores; references stay."""
    assert registry.typed("memory", {"page-size": "7", "name": "x"}) == {"page_size": 7, "name": "x"}
    assert registry.typed("memory", {"page_size": "env:SIZE"}) == {"page_size": "env:SIZE"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"nmae": "x"}, UnknownOption, "unknown option 'nmae'; known: name, page_size, retries"),
        ({"page_size": "many"}, ConfigError, "option 'page_size'"),
    ],
)
def test_typed_refuses_wrong_options(options: dict[str, str], error: type[Exception], words: str) -> None:
    """A wrong name and a wrong value are refused, with words that help."""
    with pytest.raises(error, match=words):
        registry.typed("memory", options)


def test_many_threads_get_the_same_class(extra_folder: Path) -> None:
    """The first use from many threads at once imports one class."""
    (extra_folder / "slowly.py").write_text(
        "from omnistorage.core.driver import Driver\nclass DRIVER(Driver):\n    scheme = 'slowly'\n"
    )
    with ThreadPoolExecutor(8) as pool:
        classes = set(pool.map(registry.driver_class, ["slowly"] * 32))

    assert len(classes) == 1


def test_numbers_of_options_may_have_units() -> None:
    """Sizes are written as everywhere else; a bare number is as many bytes, and what is no number is refused."""
    texts = ("7", "16M", "1.5Gi", "7b")
    read = {text: from_text(S3Options, {"part_size": text}, where="s3").part_size for text in texts}

    assert read == {"7": 7, "16M": 16 << 20, "1.5Gi": 3 << 29, "7b": 7}
    for wrong in ("", "x", "5x", "off", "M"):
        with pytest.raises(ConfigError, match="part_size"):
            from_text(S3Options, {"part_size": wrong}, where="s3")
