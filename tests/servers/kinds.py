"""The kinds of servers: how each is started, what it needs, and what is done where that is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from . import localstack, moto, radosgw, rclone, swift
from .model import Server
from .processes import Nursery


class Service(msgspec.Struct, frozen=True):
    """What is started as one.

    Attributes:
        name: Of the service, for messages.
        start: Starts it and returns the servers that it is.
        missing: Says what must be installed; "" if nothing.
        slow: Only tests of the slow set are worth its start.
    """

    name: str
    start: Callable[[Nursery], list[Server]]
    missing: Callable[[], str]
    slow: bool = False


_RADOSGW = Service("radosgw", radosgw.start, radosgw.missing)

KINDS: Final[dict[str, Service]] = {
    "radosgw": _RADOSGW,
    "radosgw-tls": _RADOSGW,
    "moto": Service("moto", moto.start, moto.missing),
    "rclone": Service("rclone", rclone.start, rclone.missing),
    "rclone-tls": Service("rclone-tls", rclone.start_tls, rclone.missing),
    "localstack": Service("localstack", localstack.start, localstack.missing, slow=True),
    "swift": Service("swift", swift.start, swift.missing, slow=True),
}
PLAIN: Final = ("radosgw", "moto", "rclone", "localstack", "swift")
TLS: Final = ("radosgw-tls", "rclone-tls")


def missing(kind: str) -> str:
    """Say what must be installed for a kind of server; "" if nothing."""
    if sys.platform != "linux":
        return "Linux, whose processes can be made to end with their parent"
    return KINDS[kind].missing()


def require(kind: str) -> None:
    """Skip the test where the server cannot be started, or fail it, as ``lacking`` does."""
    if KINDS[kind].slow and os.environ.get("OMNISTORAGE_SLOW") != "1":
        import pytest

        pytest.skip(f"{kind} is of the slow set: OMNISTORAGE_SLOW=1 runs it")
    if what := missing(kind):
        lacking(what)


def lacking(what: str) -> NoReturn:
    """Skip the test for want of ``what``; with CI set, where all must be there, fail it."""
    # The keeper knows the kinds, too, and starts faster without.
    import pytest

    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(f"missing: {what}; with CI set, nothing may be", pytrace=False)
    pytest.skip(f"missing: {what}")
