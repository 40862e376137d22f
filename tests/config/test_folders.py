"""Where state is kept."""

from __future__ import annotations

import sys

import pytest

from omnistorage.config import state_folder


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/state/omnistorage"),
        ("linux", {"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/x/omnistorage"),
        ("linux", {"HOME": "/h", "XDG_STATE_HOME": ""}, "/h/.local/state/omnistorage"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/omnistorage/state"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/omnistorage"),
        ("win32", {"HOME": "/h", "XDG_STATE_HOME": "/x"}, "/h/AppData/Local/omnistorage"),
        ("linux", {"OMNISTORAGE_STATE": "/mine", "XDG_STATE_HOME": "/x"}, "/mine"),
        ("linux", {"OMNISTORAGE_STATE": "", "HOME": "/h"}, None),
    ],
)
def test_state_folder(
    platform: str, env: dict[str, str], folder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own variable goes first, then the platform's habit; an empty one means that nothing is kept."""
    monkeypatch.setattr(sys, "platform", platform)

    assert state_folder(env) == folder
