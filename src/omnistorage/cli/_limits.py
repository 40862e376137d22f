"""How fast a command may go: the flags, the layers that see to it, and the signal that lifts the limit."""

from __future__ import annotations

import signal
import threading
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from omnistorage.core.driver import Driver
    from omnistorage.core.timetable import Timetable
    from omnistorage.storage import LayerMaker

    from ._console import Console
    from ._flags import Command


class Rate(click.ParamType[Any]):
    """Bytes a second, or a timetable of them: ``10M``, ``10M:1M``, ``08:00,512k 19:00,off``."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        from omnistorage.core.timetable import parse

        try:
            return parse(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


_OPTIONS = (
    click.option(
        "--bwlimit", type=Rate(), help="Most bytes a second: 10M, UP:DOWN, or a timetable (08:00,512k 19:00,off)."
    ),
    click.option("--bwlimit-file", type=Rate(), help="The same for each file by itself."),
    click.option("--tpslimit", type=float, default=0.0, help="Most calls a second to services, both sides together."),
    click.option("--tpslimit-burst", type=int, default=1, help="Calls that may come at once after a rest."),
)


def limited(command: Command) -> Command:
    """Add rclone's flags for limits to a command that has a console; the command gets ``limits``, a Limits."""

    @wraps(command)
    def wrapper(**given: Any) -> Any:
        limits = Limits(
            given.pop("bwlimit"),
            given.pop("bwlimit_file"),
            given.pop("tpslimit"),
            given.pop("tpslimit_burst"),
            given["console"],
        )
        with limits:
            return command(limits=limits, **given)

    for option in reversed(_OPTIONS):
        wrapper = option(wrapper)
    return wrapper


class Limits:
    """What a command must keep to, and the layers that do; without a limit there are none.

    While it is used as a context manager, SIGUSR2 lifts the limit of bandwidth and puts it in force again. Where
    there is no limit that signal does nothing, rather than end the process.

    Args:
        bwlimit: Bytes a second, all transfers together.
        per_file: Bytes a second for each file.
        calls: Calls a second to services; none or less is no limit.
        burst: Calls that may come at once after a rest.
        console: Told when the limit has changed.
    """

    def __init__(
        self, bwlimit: Timetable | None, per_file: Timetable | None, calls: float, burst: int, console: Console
    ) -> None:
        self._per_file = per_file if per_file is not None and per_file.slots else None
        self._bandwidth = self._calls = None
        self._before: Any = None
        if bwlimit is not None and bwlimit.slots:
            from omnistorage.core.bandwidth import Bandwidth

            self._bandwidth = Bandwidth(bwlimit, told=partial(console.notice, ""))
            console.info("", f"bandwidth limit is {self._bandwidth.rates}")
        if 0 < calls < float("inf"):
            from omnistorage.layers.limit import calls_per_second

            self._calls = calls_per_second(calls, burst)
            self._rate = calls, burst
            console.info("", f"at most {calls:g} calls a second")

    def divide(self, workers: int) -> None:
        """Divide the limits among so many processes, before anything is opened; each file keeps its own."""
        if self._bandwidth is not None:
            self._bandwidth = self._bandwidth.share(workers)
        if self._calls is not None:
            from omnistorage.layers.limit import calls_per_second

            # This process makes calls as well: it lists.
            calls, burst = self._rate
            self._calls = calls_per_second(calls / (workers + 1), burst / (workers + 1))

    def source(self) -> tuple[LayerMaker, ...]:
        """Return what goes around a place that bytes come from; local files are read for nothing."""
        return self._layers(reads=False, writes=False)

    def dest(self) -> tuple[LayerMaker, ...]:
        """Return what goes around a place that bytes go to: in local files storing counts, and reading does not."""
        return self._layers(reads=False, writes=True)

    def reading(self) -> tuple[LayerMaker, ...]:
        """Return what goes around a place that is only read; reading counts, that of local files, too."""
        return self._layers(reads=True, writes=True)

    def _layers(self, *, reads: bool, writes: bool) -> tuple[LayerMaker, ...]:
        if self._bandwidth is None and self._per_file is None and self._calls is None:
            return ()
        return (partial(self._around, reads=reads, writes=writes),)

    def _around(self, inner: Driver, *, reads: bool, writes: bool) -> Driver:
        from omnistorage.layers.limit import Limit

        if not inner.features.local:
            return Limit(inner, bandwidth=self._bandwidth, per_file=self._per_file, calls=self._calls)
        # What a system call costs is no business of those who limit calls.
        if not writes or (self._bandwidth is None and self._per_file is None):
            return inner
        return Limit(inner, bandwidth=self._bandwidth, per_file=self._per_file, reads=reads)

    def __enter__(self) -> Limits:
        number = getattr(signal, "SIGUSR2", None)
        # Only the main thread may say what a signal does.
        if number is not None and threading.current_thread() is threading.main_thread():
            bandwidth = self._bandwidth
            # The handler may come in the midst of anything: it takes no lock, and leaves the work to others.
            action = signal.SIG_IGN if bandwidth is None else lambda number, frame: bandwidth.toggle_soon()
            self._before = signal.signal(number, action)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGUSR2, self._before)
