"""``omnistorage md5sum``: print MD5 hashes."""

from __future__ import annotations

from ._hashsum import command_for

command = command_for("md5")
