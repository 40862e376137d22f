"""The mock follows its script, and its complaints show what was wanted and what happened."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from omnistorage.core.errors import NoSpace, NotFound
from omnistorage.core.features import Features
from omnistorage.core.info import ObjectInfo
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite, MockDriver, UnexpectedCall


class TestLooseMock(DriverSuite):
    """Without a script and not strict, a mock is a storage in memory."""

    many = 50
    driver_pickles = False
    limits: ClassVar = {"test_resume": "a mock is one object; it has no second one for the same place"}

    @pytest.fixture
    def driver(self) -> MockDriver:
        return MockDriver(strict=False)


def test_returns_and_raises() -> None:
    """Calls get the answers of the script."""
    mock = MockDriver()
    mock.expect("get", path="a").returns(b"hello")
    mock.expect("stat", path="a").returns(ObjectInfo("a", size=5))
    mock.expect("list").returns(["a", "b"])
    mock.expect("put", path="b").raises(NoSpace)
    storage = Storage(mock)

    assert storage.read_bytes("a") == b"hello"
    assert storage.stat("a").size == 5
    assert list(storage.list()) == ["a", "b"]
    with pytest.raises(NoSpace) as caught:
        storage.write_bytes("b", b"x")
    assert (caught.value.op, caught.value.path, caught.value.scheme) == ("put", "b", "mock")
    mock.assert_all_met()


def test_several_answers() -> None:
    """Each call gets the next answer, and every further one the last."""
    mock = MockDriver()
    mock.expect("get").returns(b"1", b"2").times(3)
    storage = Storage(mock)

    assert [storage.read_bytes("a") for _ in range(3)] == [b"1", b"2", b"2"]
    with pytest.raises(UnexpectedCall):
        storage.read_bytes("a")


def test_unexpected_call() -> None:
    """A strict mock refuses what is not in its script, and shows script and calls."""
    mock = MockDriver()
    mock.expect("put", path="a", data=b"right")
    with pytest.raises(UnexpectedCall) as caught:
        Storage(mock).write_bytes("a", b"wrong")
    text = str(caught.value)

    assert text.startswith("unexpected put(path='a', data=b'wrong')")
    assert "put(path='a', data=b'right'): wanted 1 times, met 0 times" in text


def test_expectation_without_answer_uses_the_memory() -> None:
    """An expectation that says no answer is answered by the memory behind the mock."""
    mock = MockDriver()
    mock.expect("put", path="a", data=b"x")
    mock.expect("get").times(None)
    storage = Storage(mock)
    storage.write_bytes("a", b"x")

    assert storage.read_bytes("a") == b"x"
    assert Storage(mock.memory).read_bytes("a") == b"x"


def test_loose_mock_falls_back() -> None:
    """What is not scripted goes to the memory, if that was asked for; the script goes first."""
    mock = MockDriver(strict=False)
    mock.expect("get", path="a").raises(NotFound)
    storage = Storage(mock)
    storage.write_bytes("a", b"x")

    with pytest.raises(NotFound):
        storage.read_bytes("a")
    assert storage.read_bytes("a") == b"x"


def test_order() -> None:
    """An ordered script refuses a call whose turn has not come."""
    mock = MockDriver(ordered=True)
    mock.expect("delete", path="a").returns(None)
    mock.expect("delete", path="b").returns(None)
    storage = Storage(mock)

    with pytest.raises(UnexpectedCall):
        storage.delete("b")
    storage.delete("a")
    storage.delete("b")
    mock.assert_all_met()


def test_any_order() -> None:
    """Without an order, expectations are met as calls come."""
    mock = MockDriver()
    mock.expect("delete", path="a").returns(None)
    mock.expect("delete", path="b").returns(None)
    storage = Storage(mock)
    storage.delete("b")
    storage.delete("a")

    assert [call.path for call in mock.calls] == ["b", "a"]
    mock.assert_all_met()


def test_not_met() -> None:
    """An expectation that waits is named, with the calls that came instead."""
    mock = MockDriver()
    mock.expect("delete", path="a").returns(None)
    mock.expect("delete", path="b").returns(None).times(2)
    storage = Storage(mock)
    storage.delete("b")
    with pytest.raises(AssertionError) as caught:
        mock.assert_all_met()

    assert str(caught.value) == (
        "not met:\n"
        "  delete(path='a'): wanted 1 times, met 0 times\n"
        "  delete(path='b'): wanted 2 times, met 1 times\n"
        "calls so far:\n"
        "  delete(path='b')"
    )


def test_assert_called() -> None:
    """Calls can be asked for afterwards, by verb, arguments and number."""
    mock = MockDriver(strict=False)
    storage = Storage(mock)
    storage.write_bytes("a", b"x", metadata={"k": "v"})
    storage.copy("a", "b")
    storage.read_bytes("b", offset=1, length=2)
    mock.assert_called("put", path="a", data=b"x")
    mock.assert_called("copy", src="a", dst="b", times=1)
    mock.assert_called("get", path="b", offset=1, length=2)
    mock.assert_not_called("delete")

    with pytest.raises(AssertionError, match=r"put\(path='b'\): wanted at least once, was 0 times"):
        mock.assert_called("put", path="b")
    with pytest.raises(AssertionError, match=r"copy\(\): wanted 0 times, was 1 times"):
        mock.assert_not_called("copy")
    assert [call.op for call in mock.calls] == ["put", "copy", "get"]


def test_unknown_verb() -> None:
    """A mistake in the script is told when it is written."""
    with pytest.raises(ValueError, match="there is no verb 'upload'; known: abort, abort_begun, about"):
        MockDriver().expect("upload")


def test_features() -> None:
    """A mock may claim to be able to do less, and the front door does without."""
    mock = MockDriver(strict=False, features=Features(ranges=True))
    storage = Storage(mock)
    storage.write_bytes("a", b"x")
    storage.copy("a", "b")

    mock.assert_not_called("copy")
    assert storage.read_bytes("b") == b"x"


def test_needs_no_pytest() -> None:
    """Applications import the mock without pytest."""
    code = "import sys; sys.modules['pytest'] = None; from omnistorage.testing import MockDriver, FaultyDriver"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert (run.returncode, run.stderr) == (0, "")
