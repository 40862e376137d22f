"""What a command says when it cannot go on: one line, whoever catches the failure in between."""

from __future__ import annotations

import click
import pytest

from omnistorage.cli._exits import INTERRUPTED, TEMPORARY, run
from omnistorage.core.errors import Truncated


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (Truncated("10 bytes were announced, 9 came", op="get", path="a"), TEMPORARY, "10 bytes were announced"),
        (EOFError(), INTERRUPTED, "interrupted"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
    ],
)
def test_a_source_that_ends_early_is_no_interrupt(
    error: BaseException, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truncated is an EOFError, which click takes for the end of what the user types."""

    @click.command()
    def fails() -> None:
        raise error

    assert run(fails, []) == code
    assert says in capsys.readouterr().err
