"""What the tests about metadata share: what a file system can keep, and being somebody who is not root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnistorage.drivers.file import FileDriver, Options
from omnistorage.storage import Storage

NOBODY = 65534

READ_FOR_12 = "0200000001000600ffffffff020004000c00000004000400ffffffff10000400ffffffff20000000ffffffff"
"""An access list as the kernel keeps it: the owner reads and writes, user 12 and the group read."""


def place(root: Path, **options: object) -> Storage:
    """Make a storage of local files."""
    root.mkdir(parents=True, exist_ok=True)
    return Storage(FileDriver(Options(root=str(root), **options)))  # type: ignore[arg-type]


def mode(path: Path) -> str:
    """Return the permissions of a file in octal."""
    return f"{os.lstat(path).st_mode & 0o7777:o}"


def attributes(path: Path) -> dict[str, bytes]:
    """Return the user's extended attributes of a file."""
    names = [name for name in os.listxattr(path) if name.startswith("user.")]
    return {name.removeprefix("user."): os.getxattr(path, name) for name in names}


def _keeps(name: str, value: bytes) -> Callable[[], bool]:
    def ask() -> bool:
        with tempfile.NamedTemporaryFile() as file:
            try:
                os.setxattr(file.name, name, value)
            except (AttributeError, OSError):
                return False
        return True

    return ask


needs_xattr = pytest.mark.skipif(
    not _keeps("user.x", b"1")(), reason=f"{tempfile.gettempdir()} keeps no extended attributes (user.*)"
)
needs_acl = pytest.mark.skipif(
    not _keeps("system.posix_acl_access", bytes.fromhex(READ_FOR_12))(),
    reason=f"{tempfile.gettempdir()} keeps no access lists (system.posix_acl_access)",
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without privileges; whoever is one already stays himself."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that everybody can reach and write to; the one of pytest is its own."""
    folder = Path(tempfile.mkdtemp(prefix="omnistorage-test-"))
    folder.chmod(0o777)
    yield folder
    for above, names, _ in os.walk(folder):
        for name in names:
            os.chmod(os.path.join(above, name), 0o700)
    shutil.rmtree(folder)
