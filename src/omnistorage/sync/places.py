"""Where objects stand on this machine: what a deletion of one must not take with it."""

from __future__ import annotations

import os

from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError


def refuse_to_delete(src: Driver, path: str, dst: Driver, dst_path: str, *, through_links: bool) -> None:
    """Make sure that an object of the source can be deleted, and nothing else goes with it.

    Args:
        src: The source.
        path: The object.
        dst: The destination.
        dst_path: What was proven to be the same there.
        through_links: The source follows symbolic links.

    Raises:
        StorageError: Both are one file, which a bind mount shows at two places, or it is behind a link to a folder.
    """
    src_root, dst_root = root_of(src), root_of(dst)
    if src_root is None:
        return
    if dst_root is not None and same_file(f"{src_root}/{path}", f"{dst_root}/{dst_path}"):
        raise StorageError("source and destination are the same file", op="delete", path=path)
    if through_links and through_link(src_root, path):
        # It may stand anywhere, or be another object of the source as well.
        raise StorageError("stays: it is reached through a symbolic link to a folder", op="delete", path=path)


def root_of(driver: Driver) -> str | None:
    """Return the folder of this machine that a storage stands for, also where layers hide it from the kernel."""
    if driver.local_root is not None:
        return driver.local_root
    scheme, *_, root = driver.identity()
    return root if driver.features.local and scheme == "file" else None


def same_file(one: str, two: str) -> bool:
    """Say whether two paths lead to one file by one name, which a file system may spell in several ways."""
    try:
        if not os.path.samefile(os.path.dirname(one), os.path.dirname(two)):
            return False
        if os.path.basename(one) == os.path.basename(two):
            return True
        # A second hard link is a name of its own.
        return os.path.samefile(one, two) and os.lstat(one).st_nlink == 1
    except OSError:
        return False


def through_link(root: str, path: str) -> bool:
    """Say whether the folder of a path below ``root`` is reached by a symbolic link: it may be anywhere."""
    folder = path.rpartition("/")[0]
    return os.path.realpath(f"{root}/{folder}") != os.path.join(os.path.realpath(root), folder).rstrip("/")


def one_disk(src: Driver, dst: Driver) -> bool:
    """Say whether two storages are folders of one disk, where a file can get a name in the other one."""
    one, two = root_of(src), root_of(dst)
    if one is None or two is None:
        return False
    try:
        return os.stat(one).st_dev == os.stat(two).st_dev
    except OSError:
        return False
