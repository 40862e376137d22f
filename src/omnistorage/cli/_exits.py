"""How a command ends: which failure has which exit code, and the one line that says what it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from omnistorage.core.errors import NotFound, StorageError

if TYPE_CHECKING:
    import click

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO_DIRECTORY: Final = 3
NO_OBJECT: Final = 4
TEMPORARY: Final = 5
NOT_RETRIED: Final = 6
REFUSED: Final = 7
LIMIT: Final = 8
NOTHING_MOVED: Final = 9
INTERRUPTED: Final = 130
"""Exit codes; the numbers are rclone's."""


class Exit(Exception):
    """End the command with a code; what there was to say has been said, or is the message."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


def run(command: click.Command, args: Sequence[str]) -> int:
    """Run a command line and return its exit code; every failure becomes one line on stderr."""
    import click

    def call() -> None:
        try:
            command.main(args=list(args), prog_name="omnistorage", standalone_mode=False)
        except click.exceptions.Exit as exc:
            raise Exit(exc.exit_code) from None
        except click.UsageError as exc:
            where = f" {exc.ctx.info_name}" if exc.ctx is not None and exc.ctx.parent is not None else ""
            hint = f"(omnistorage{where} --help tells more)"
            raise Exit(USAGE, f"{exc.format_message().rstrip('.')} {hint}") from None
        except click.ClickException as exc:
            raise Exit(FAILED, exc.format_message()) from None
        except click.Abort as exc:
            # click takes every EOFError for the end of the user's input; of ours, a source that ended early is one.
            if isinstance(exc.__cause__, StorageError):
                raise exc.__cause__ from None
            raise KeyboardInterrupt from None

    return end(call)


def end(call: Callable[[], object]) -> int:
    """Do what a command does and return its exit code; every failure becomes one line on stderr."""
    try:
        call()
    except KeyboardInterrupt:
        return _say("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; nobody is left to tell.
        _drop_output()
        return FAILED
    except Exit as exc:
        code = _say(str(exc), exc.code) if str(exc) else exc.code
        return _flush() or code
    except Exception as exc:
        return _failure(exc)
    return _flush()


def code_of(error: BaseException) -> int:
    """Return the exit code that a failure of a whole command has."""
    from omnistorage.sync.guards import GuardError

    if isinstance(error, GuardError):
        return REFUSED
    if isinstance(error, NotFound):
        return NO_DIRECTORY
    if isinstance(error, StorageError) and error.retryable:
        return TEMPORARY
    return FAILED


def _failure(exc: Exception) -> int:
    if isinstance(exc, StorageError | OSError | ValueError):
        _trace_if_asked()
        if not isinstance(exc, StorageError) and isinstance(exc, OSError) and _flush() != OK:
            # It was the output that failed, and that has been said now.
            return FAILED
        code = _say(_in_words(exc), code_of(exc))
        # If it was the output that failed, its rest would fail again when the interpreter ends.
        return code if _flush() == OK else FAILED
    _trace_if_asked()
    return _say(f"internal error: {type(exc).__name__}: {exc} (please report it; -vv shows where)", FAILED)


def _in_words(exc: Exception) -> str:
    if isinstance(exc, OSError) and not isinstance(exc, StorageError) and exc.strerror:
        return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror
    return str(exc)


def _say(message: str, code: int) -> int:
    from omnistorage.core.errors import printable

    line = " ".join(message.split("\n"))
    sys.stderr.write(f"omnistorage: {printable(line)}\n")
    return code


def _trace_if_asked() -> None:
    if "-vv" in sys.argv:
        import traceback

        traceback.print_exc()


def _flush() -> int:
    """Meet a full disk or a closed pipe here, where it can still be reported."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except OSError as exc:
        # What is left in the buffer would be tried again when the interpreter ends, and fail with a code of its own.
        _drop_output()
        return _say(f"cannot write the output: {exc.strerror}", FAILED)
    return OK


def _drop_output() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
