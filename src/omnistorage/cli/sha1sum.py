"""``omnistorage sha1sum``: print SHA1 hashes."""

from __future__ import annotations

from ._hashsum import command_for

command = command_for("sha1")
