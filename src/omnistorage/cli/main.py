"""The command ``omnistorage``: puts flags in order, and ends the process with the exit code of the command."""

from __future__ import annotations

import sys

# As in typing, which takes longer to import than some commands run.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    args = list(sys.argv[1:] if argv is None else argv)
    if args and args[0].startswith("-"):
        from ._order import flags_last

        args = flags_last(args)
    _speak_utf8()
    if args == ["version"]:
        # Asked by scripts again and again: answered without importing what commands need.
        from ._facts import in_words

        sys.stdout.write(in_words())
        sys.exit(0)
    if args[:1] == ["lsf"] and len(args) > 1 and not args[-1].startswith("-"):
        from ._plain import local_names

        names = local_names(args[1:-1], args[-1])
        if names is not None:
            sys.exit(_print("".join(f"{name}\n" for name in names)))
        from ._names import FLAGS, run_plain

        if FLAGS.issuperset(args[1:-1]):
            sys.exit(run_plain(args[1:-1], args[-1]))
    from ._exits import run
    from ._group import cli

    _end_on_signals()
    sys.exit(run(cli, args))


def _print(text: str) -> int:
    """Write all that a command has to say, and return its exit code."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as exc:
        from ._exits import end

        failure = exc

        def again() -> None:
            raise failure

        return end(again)
    return 0


def _end_on_signals() -> None:
    """End as on Ctrl-C when told to terminate or when the terminal goes: nothing half-written stays behind."""
    import signal

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _speak_utf8() -> None:
    """Print names as the bytes they are, also those that are not valid UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="surrogateescape")
