"""``omnistorage sha256sum``: print SHA256 hashes."""

from __future__ import annotations

from ._hashsum import command_for

command = command_for("sha256")
