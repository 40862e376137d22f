"""What a run tells while it goes on: typed events, lines of JSON, and the names that log readers know."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from cli_runs import run_here
from omnistorage.sync import Began, Compare, Ended, Finished, GuardError, Moved, Options, Progress, events, sync
from sync_scenes import OLD, TREE, files, held, memory, plain

LARGE = b"x" * (3 << 20)


def test_events_tell_the_whole_story() -> None:
    """Each action ends, a large transfer begins and moves before, and the last event has the totals."""
    src, dst = memory(TREE | {"large": LARGE}), memory(OLD)
    told = list(events(src, dst, delete=True, every=0))
    large = [event for event in told if not isinstance(event, Finished | Progress) and event.path == "large"]
    last = told[-1]

    assert held(dst) == TREE | {"large": LARGE}
    assert [type(event) for event in large] == [Began, *[Moved] * (len(large) - 2), Ended]
    assert {event.path for event in told if isinstance(event, Ended) and event.verb == "delete"} == {
        "deep/gone",
        "gone/on/e",
        "z",
    }
    assert isinstance(last, Finished)
    assert (last.ok, last.exit_code, last.progress.transferred) == (True, 0, len(TREE))


def test_progress_comes_by_the_clock(tmp_path: Path) -> None:
    """With a short interval there is progress between the events of a run that takes a while."""
    src, dst = files(tmp_path / "s", {str(number): b"x" for number in range(2000)}), files(tmp_path / "d")
    told = list(events(src, dst, every=0.001))

    assert any(isinstance(event, Progress) for event in told)
    assert isinstance(told[-1], Finished)


def test_closing_ends_the_run() -> None:
    """Who stops listening stops the run, and no thread stays."""
    src, dst = memory({str(number): b"x" for number in range(5000)}), memory()
    stream = events(src, dst)
    next(stream)
    stream.close()

    assert len(held(dst)) < 5000
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("omnistorage")]


def test_a_refusal_is_raised() -> None:
    """What refuses the run is raised where the events are read."""
    with pytest.raises(GuardError, match="empty"):
        list(events(memory(), memory(OLD), Options(), delete=True))


def test_event_lines(tmp_path: Path) -> None:
    """``--events`` writes a JSON object a line; names that are not UTF-8 survive; the last line has the totals."""
    files(tmp_path / "s", {"a": b"1", "odd\udcff": b"2", "large": LARGE})
    ran = run_here("sync", tmp_path / "s", tmp_path / "d", "--events", tmp_path / "log")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    assert ran.code == 0
    assert {line["path"] for line in lines if line["event"] == "ended"} == {"a", "odd\udcff", "large"}
    assert lines[-1]["event"] == "finished"
    assert lines[-1]["progress"]["transferred"] == 3


KEYS = {
    "bytes",
    "checks",
    "deletedDirs",
    "deletes",
    "elapsedTime",
    "errors",
    "eta",
    "fatalError",
    "lastError",
    "listed",
    "renames",
    "retryError",
    "speed",
    "totalBytes",
    "totalChecks",
    "totalTransfers",
    "transferTime",
    "transfers",
    "transferring",
}


def test_json_log_has_the_known_keys(tmp_path: Path) -> None:
    """Log lines of objects and of the run have the keys that readers of rclone's logs look for."""
    files(tmp_path / "s", {"a": b"123"})
    ran = run_here("copy", tmp_path / "s", tmp_path / "d", "-v", "--use-json-log")
    one, last = (json.loads(line) for line in ran.err.splitlines())

    assert (one["level"], one["object"], one["size"], one["objectType"]) == ("info", "a", 3, "file")
    assert {"time", "level", "msg", "source"} <= one.keys()
    assert last["stats"].keys() >= KEYS
    assert (last["stats"]["transfers"], last["stats"]["bytes"]) == (1, 3)


@pytest.mark.parametrize("flags", [("--strict",), ("--strict", "--verify")])
def test_strict(flags: tuple[str, ...], tmp_path: Path) -> None:
    """Rule 8, deviation h: what is verified by size only is counted; with ``--strict`` the exit code says so."""
    files(tmp_path / "s", {"a": b"123"})
    ran = run_here("copy", tmp_path / "s", tmp_path / "d", *flags)

    assert ran.code == (0 if "--verify" in flags else 1)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (Options(compare=Compare.HASH), 2),
        (Options(), 2),
        (Options(compare=Compare.SIZE), 0),
    ],
)
def test_what_is_left_alone_for_its_size(options: Options, count: int) -> None:
    """Rule 8, deviation h: what is left alone for its size is counted, where more was asked for and is not known."""
    dst = plain({"a": b"123", "b": b"456", "c": b"longer"})
    result = sync(memory({"a": b"123", "b": b"654", "c": b"7890"}), dst, options)

    assert (result.equal, result.transferred) == (2, 1)
    assert result.unverified - result.transferred == count
    assert held(dst)["b"] == b"456"


def test_one_line(tmp_path: Path) -> None:
    """``--stats-one-line`` writes the sum of a run in one line."""
    files(tmp_path / "s", {"a": b"123"})
    ran = run_here("copy", tmp_path / "s", tmp_path / "d", "--stats", "1m", "--stats-one-line")

    assert len(ran.err.splitlines()) == 1
    assert "1 objects" in ran.err
