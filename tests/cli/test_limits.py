"""``--bwlimit``, ``--bwlimit-file``, ``--tpslimit``, and the signal that lifts a limit while a command runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

import omnistorage
from cli_runs import Run
from omnistorage.cli._console import Console
from omnistorage.cli._limits import Limits
from omnistorage.core.timetable import parse
from omnistorage.drivers.file import FileDriver
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.layers.limit import Limit

posix = pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="there is no such signal here")


def seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("flag", ["--bwlimit", "--bwlimit-file"])
@pytest.mark.parametrize("text", ["", "fast", "10M:", "24:00,1M", "Mo-08:00,1M", "08:00 1M", "-1"])
def test_bad_rates(run: Run, tree: Path, flag: str, text: str) -> None:
    """What is no rate and no timetable is wrong use, says what is wanted, and nothing is done."""
    ran = run("copy", tree, "d", f"{flag}={text}")

    assert (ran.code, ran.out) == (2, "")
    assert f"Invalid value for '{flag}'" in ran.err
    assert "10M:1M" in ran.err
    assert ran.err.count("\n") == 1
    assert not Path("d").exists()


@pytest.mark.parametrize("flag", ["--tpslimit=often", "--tpslimit=", "--tpslimit-burst=1.5"])
def test_bad_calls(run: Run, tree: Path, flag: str) -> None:
    """Calls a second are a number."""
    assert run("copy", tree, "d", flag).code == 2


@pytest.mark.parametrize(
    "flags",
    [
        *(
            ["--bwlimit", text]
            for text in ("off", "0", " ", "100G", "1G:off", "08:00,1G 12:00,off", "Sat-00:00,1G;sun-10x00,2G")
        ),
        *(["--tpslimit", text] for text in ("0", "-1", "inf", "nan", "1e6")),
        ["--bwlimit-file", "1G"],
        ["--tpslimit", "1e6", "--tpslimit-burst", "-3"],
    ],
)
def test_limits_that_change_nothing(run: Run, tree: Path, flags: list[str]) -> None:
    """No limit, in all its spellings, and limits that are not reached."""
    assert run("sync", tree, "d", *flags).code == 0
    assert run("check", tree, "d", *flags).code == 0
    assert run("check", tree, "d", "--download", *flags).code == 0
    assert run("cat", "d/a.txt", *flags).out == "hello"
    assert run("rcat", "new", *flags, stdin="input").code == 0
    assert run("md5sum", "new", *flags).out == "a43c1b0aa53a0c908810c06ab1ff3967  new\n"
    assert run(*flags, "moveto", "new", "old", *flags).code == 0
    assert Path("old").read_text() == "input"


@pytest.mark.parametrize("there", ["d", "memory://limited"])
@pytest.mark.parametrize("flag", ["--bwlimit", "--bwlimit-file"])
def test_copies_keep_to_it(run: Run, there: str, flag: str) -> None:
    """In real time: a copy is not faster than its limit, to whatever place."""
    Path("s").mkdir()
    Path("s/a").write_bytes(os.urandom(100_000))

    assert seconds(lambda: run("copy", "s", there, flag, "200k")) >= 100_000 / 204_800 * 0.8


def test_directions(run: Run) -> None:
    """Up is to a service, down from it; between local files only a limit of both counts."""
    Path("s").mkdir()
    Path("s/a").write_bytes(os.urandom(100_000))
    slow = 100_000 / 204_800 * 0.8
    # Objects of a named memory are there as long as somebody holds it.
    kept = omnistorage.open("memory://up")

    assert seconds(lambda: run("copy", "s", "memory://up", "--bwlimit", "200k:off")) >= slow
    assert seconds(lambda: run("copy", "memory://up", "down", "--bwlimit", "off:200k")) >= slow
    assert seconds(lambda: run("copy", "s", "both", "--bwlimit", "200k:100k")) >= slow
    # At a byte a second these would take a day.
    assert run("copy", "s", "memory://free", "--bwlimit", "off:1b").code == 0
    assert run("copy", "memory://up", "free", "--bwlimit", "1b:off").code == 0
    assert run("copy", "s", "freer", "--bwlimit", "1b:off").code == 0
    assert [*kept.list()] == ["a"]
    assert Path("freer/a").read_bytes() == Path("free/a").read_bytes() == Path("s/a").read_bytes()


def test_what_is_read(run: Run) -> None:
    """Printing counts, and comparing bytes; hashing local files and renaming them do not."""
    Path("s").mkdir()
    data = os.urandom(100_000)
    Path("s/a").write_bytes(data)
    run("copy", "s", "d")
    slow = 100_000 / 204_800 * 0.8

    assert seconds(lambda: run("cat", "s", "--discard", "--bwlimit", "200k")) >= slow
    assert seconds(lambda: run("rcat", "new", "--bwlimit", "200k", stdin=data)) >= slow
    assert seconds(lambda: run("check", "s", "d", "--download", "--bwlimit", "400k")) >= slow
    assert seconds(lambda: run("md5sum", "s", "--download", "--bwlimit", "200k")) >= slow
    # At a byte a second these would take a day.
    assert run("check", "s", "d", "--bwlimit", "1b").code == 0
    assert run("md5sum", "s", "--bwlimit", "1b").code == 0
    assert run("sync", "-c", "s", "d", "--bwlimit", "1b").code == 0
    assert run("move", "s", "moved", "--bwlimit", "1b").code == 0
    assert Path("moved/a").read_bytes() == data


def test_calls_keep_to_it(run: Run) -> None:
    """Calls to a service are counted, all together; what is done with local files is not."""
    Path("s").mkdir()
    for number in range(5):
        Path(f"s/{number}").write_bytes(b"x")

    assert seconds(lambda: run("copy", "s", "memory://calls", "--tpslimit", "20")) >= 5 / 20
    assert run("copy", "s", "d", "--tpslimit", "0.001").code == 0
    assert run("copy", "s", "memory://burst", "--tpslimit", "0.001", "--tpslimit-burst", "100").code == 0


def test_layers() -> None:
    """Without a limit there are no layers; local files get one only where their bytes count."""
    console, table = Console(), parse("1M")
    none = Limits(None, parse("off"), 0.0, 1, console)
    bytes_ = Limits(table, None, 0.0, 1, console)
    calls = Limits(None, None, 5.0, 1, console)
    local, service = FileDriver(), MemoryDriver()

    assert none.source() == none.dest() == none.reading() == ()
    assert bytes_.source()[0](local) is local
    assert calls.dest()[0](local) is calls.reading()[0](local) is local
    assert isinstance(bytes_.dest()[0](local), Limit)
    assert bytes_.dest()[0](local).local_root == local.local_root
    assert bytes_.reading()[0](local).local_root is None
    for limits in (bytes_, calls):
        for layers in (limits.source(), limits.dest(), limits.reading()):
            assert isinstance(layers[0](service), Limit)


def test_one_limit_for_both_sides() -> None:
    """All layers of a command share their limits."""
    limits = Limits(parse("1M"), None, 5.0, 1, Console())
    one, two = limits.source()[0](MemoryDriver()), limits.dest()[0](MemoryDriver())

    assert isinstance(one, Limit)
    assert isinstance(two, Limit)
    assert one.bandwidth is two.bandwidth
    assert one._ops is two._ops


# -- signals ---------------------------------------------------------------------------------------------------


class Piped:
    """An ``rcat`` whose input comes from the test, so that it is sure to be in the midst of it."""

    def __init__(self, home: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "omnistorage", "rcat", str(home / "d" / "a"), *flags]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMNISTORAGE_CONFIG": ""},
        )
        self.lines: list[str] = []
        self._home = home
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    def feed(self, size: int) -> None:
        self.stdin.write(bytes(size))
        self.stdin.flush()

    def wait_for(self, done: Callable[[], bool], feed: int = 0) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, self.lines
            assert self.process.poll() is None, self.lines
            if feed:
                self.feed(feed)
            time.sleep(0.01)

    def begun(self) -> bool:
        return any(".omnistorage-" in path.name for path in self._home.rglob("*"))

    def signal(self) -> None:
        self.process.send_signal(signal.SIGUSR2)

    def end(self) -> int:
        self.stdin.close()
        code = self.process.wait(60)
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.lines.append(line.decode().split(": ", 1)[1].strip())


@pytest.fixture
def piped(tmp_path: Path) -> Iterator[Callable[..., Piped]]:
    """Start an ``rcat``; it is ended, whatever comes."""
    made: list[Piped] = []

    def start(*flags: str) -> Piped:
        made.append(Piped(tmp_path, *flags))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        # It may not have read all that it was sent.
        with suppress(BrokenPipeError):
            one.end()


@posix
def test_signal_lifts_and_restores(piped: Callable[..., Piped]) -> None:
    """SIGUSR2 lifts the limit, and the next one puts it in force again; each is told, and the bytes are whole."""
    running = piped("--bwlimit", "64M")
    running.wait_for(running.begun, feed=1 << 20)
    running.signal()
    running.wait_for(lambda: len(running.lines) == 1, feed=1 << 20)
    running.signal()
    running.wait_for(lambda: len(running.lines) == 2, feed=1 << 20)

    assert running.end() == 0
    assert running.lines == ["bandwidth limit is lifted", "bandwidth limit is 64 MiB/s again"]


@posix
def test_signal_frees_who_waits(tmp_path: Path, piped: Callable[..., Piped]) -> None:
    """What would have to wait for years goes on when the signal comes."""
    running = piped("--bwlimit", "1b")
    feeder = threading.Thread(target=running.feed, args=(20 << 20,))
    feeder.start()
    running.wait_for(running.begun)
    running.signal()
    feeder.join(60)

    assert running.end() == 0
    assert (tmp_path / "d" / "a").stat().st_size == 20 << 20
    assert running.lines == ["bandwidth limit is lifted"]


@posix
@pytest.mark.parametrize("flags", [[], ["--bwlimit", "off"], ["--tpslimit", "1000"]])
def test_signal_without_a_limit(piped: Callable[..., Piped], flags: list[str]) -> None:
    """Where there is nothing to lift the signal does nothing; above all it does not end the run."""
    running = piped(*flags)
    running.wait_for(running.begun, feed=1 << 20)
    running.signal()
    running.feed(10 << 20)

    assert running.end() == 0
    assert running.lines == []


@posix
def test_handler_is_taken_back(run: Run, tree: Path) -> None:
    """A command that has ended leaves signals as they were."""
    before = signal.getsignal(signal.SIGUSR2)
    run("copy", tree, "d", "--bwlimit", "1G")
    run("copy", tree, "e")

    assert signal.getsignal(signal.SIGUSR2) is before


@posix
def test_interrupted_while_small_files_wait(tmp_path: Path) -> None:
    """Ctrl-C ends a slow run soon, also where many small files are still to come."""
    (tmp_path / "s").mkdir()
    for number in range(1000):
        # The first ones take long enough for the rest to be given to threads, which hear of no signal.
        (tmp_path / "s" / f"{number:04}").write_bytes(bytes(100 if number < 64 else 4000))
    command = [sys.executable, "-m", "omnistorage", "copy", "s", "d", "--bwlimit", "16k"]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMNISTORAGE_CONFIG": ""}
    ) as process:
        while process.poll() is None and len(list((tmp_path / "d").glob("0*"))) < 66:
            time.sleep(0.01)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        took = time.monotonic() - began

    assert (process.returncode, err.strip()) == (130, "omnistorage: interrupted")
    # All that was handed over would take more than a minute.
    assert took < 30
    assert not [name for name in os.listdir(tmp_path / "d") if name.startswith(".omnistorage-")]


def test_timetable_in_json_log(run: Run, tree: Path) -> None:
    """What holds at the beginning is told to who asks for more, as a line like any other."""
    ran = run("copy", tree, "d", "-v", "--use-json-log", "--bwlimit", "00:00,2G")
    lines = [json.loads(line)["msg"] for line in ran.err.splitlines()]

    assert lines[0] == "bandwidth limit is 2 GiB/s"
