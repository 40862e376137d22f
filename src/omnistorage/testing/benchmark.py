"""How fast a storage is: ``python -m omnistorage.testing.benchmark memory://``.

Measures puts and gets of small and large objects, listing, stat and delete, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Final

import msgspec

from omnistorage.core.errors import StorageError
from omnistorage.core.streams import CHUNK
from omnistorage.storage import Storage

from .bodies import pattern

_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Measure(msgspec.Struct, frozen=True):
    """What was measured of one verb.

    Attributes:
        name: What was done (``put small``).
        count: How many times.
        seconds: How long all took together, on the wall clock.
        bytes: How many bytes passed, all together.
        p50: Half of the calls took at most so many seconds.
        p95: So did 95 of 100.
        p99: So did 99 of 100.
    """

    name: str
    count: int
    seconds: float
    bytes: int
    p50: float
    p95: float
    p99: float

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def throughput(self) -> float:
        """Millions of bytes a second."""
        return self.bytes / self.seconds / 1e6 if self.seconds else 0.0


def run(
    storage: Storage,
    *,
    size: int = 16 << 20,
    large: int = 4,
    small: int = 4 << 10,
    count: int = 1000,
    threads: int = 4,
) -> list[Measure]:
    """Measure a storage, in a directory of its own that is removed in the end, also after an error.

    Args:
        storage: The storage.
        size: Bytes of a large object.
        large: How many large objects.
        small: Bytes of a small object.
        count: How many small objects.
        threads: How many calls go on at the same time.

    Raises:
        StorageError: A call failed.
    """
    folder = f"omnistorage-benchmark-{secrets.token_hex(6)}"
    few = [f"{folder}/large/{n}" for n in range(large)]
    many = [f"{folder}/small/{n:06}" for n in range(count)]
    big, little = pattern(size), pattern(small)
    with ThreadPoolExecutor(threads) as pool:

        def each(name: str, keys: Sequence[str], call: Callable[[str], object], amount: int = 0) -> Measure:
            began = time.perf_counter()
            took = sorted(pool.map(lambda key: _timed(call, key), keys))
            seconds = time.perf_counter() - began
            return Measure(name, len(keys), seconds, amount * len(keys), *(_share(took, p) for p in (50, 95, 99)))

        try:
            found = [
                each("put small", many, lambda key: storage.write_bytes(key, little), small),
                each("get small", many, storage.read_bytes, small),
                each("put large", few, lambda key: storage.write_bytes(key, big), size),
                each("get large", few, lambda key: _drain(storage, key), size),
                each("list", [folder], lambda key: sum(1 for _ in storage.scan(key))),
                each("stat", many, storage.stat),
                each("delete", many, storage.delete),
            ]
        finally:
            _tidy(storage, folder, few + many)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; return the exit code: 0, 1 if the storage failed, 2 for a wrong address or option."""
    parser = argparse.ArgumentParser(prog="python -m omnistorage.testing.benchmark", description=__doc__)
    parser.add_argument("url", help="address of the storage, such as memory:// or /tmp")
    parser.add_argument("--size", type=_size, default=16 << 20, help="bytes of a large object (16M)")
    parser.add_argument("--large", type=_number, default=4, help="how many large objects (4)")
    parser.add_argument("--small", type=_size, default=4 << 10, help="bytes of a small object (4k)")
    parser.add_argument("--count", type=_number, default=1000, help="how many small objects (1000)")
    parser.add_argument("--threads", type=_number, default=4, help="calls at the same time (4)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    settings = {name: getattr(given, name) for name in ("size", "large", "small", "count", "threads")}
    # A program, not a part of this floor: what it opens, its user named.
    opening: Any = import_module("omnistorage.opening")
    try:
        storage: Storage = opening.open(given.url)
    except (StorageError, ValueError) as exc:
        return _complain(exc, 2)
    try:
        with storage:
            found = run(storage, **settings)
    except StorageError as exc:
        return _complain(exc, 1)
    sys.stdout.write(_as_json(given.url, settings, found) if given.json else _as_table(found))
    return 0


def _timed(call: Callable[[str], object], key: str) -> float:
    began = time.perf_counter()
    call(key)
    return time.perf_counter() - began


def _share(took: Sequence[float], percent: int) -> float:
    """The time within which so many of 100 calls were done; ``took`` is sorted."""
    return took[min(len(took) - 1, len(took) * percent // 100)] if took else 0.0


def _drain(storage: Storage, key: str) -> None:
    with storage.open_reader(key) as reader:
        while reader.read(CHUNK):
            pass


def _tidy(storage: Storage, folder: str, keys: Iterable[str]) -> None:
    storage.delete_many(keys)
    if storage.features.mkdir:
        for place in (f"{folder}/small", f"{folder}/large", folder):
            if storage.exists(place):
                storage.rmdir(place)


def _as_table(found: Iterable[Measure]) -> str:
    lines = [f"{'':10}{'count':>8}{'ops/s':>11}{'MB/s':>10}{'p50 ms':>10}{'p95 ms':>10}{'p99 ms':>10}"]
    for one in found:
        speed = f"{one.throughput:.1f}" if one.bytes else "-"
        times = "".join(f"{value * 1000:>10.3f}" for value in (one.p50, one.p95, one.p99))
        lines.append(f"{one.name:10}{one.count:>8}{one.rate:>11.1f}{speed:>10}{times}")
    return "\n".join(lines) + "\n"


def _as_json(url: str, settings: dict[str, int], found: Iterable[Measure]) -> str:
    results = [
        {**msgspec.structs.asdict(one), "ops_per_second": one.rate, "mb_per_second": one.throughput} for one in found
    ]
    return json.dumps({"url": url, **settings, "results": results}) + "\n"


def _complain(exc: Exception, code: int) -> int:
    sys.stderr.write(" ".join(f"benchmark: {exc}".split()) + "\n")
    return code


def _number(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return value


def _size(text: str) -> int:
    digits, unit = text.rstrip("bBkKmMgGi"), text.lower().rstrip("b").rstrip("i")[-1:]
    if not digits.isdecimal() or not (unit.isdecimal() or unit in _UNITS):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512, 4k or 16M")
    return int(digits) * (1 if unit.isdecimal() else _UNITS[unit])


if __name__ == "__main__":
    sys.exit(main())
