"""Where objects stand on this machine: what a deletion of one must not take with it."""

from __future__ import annotations

import os

from omnistorage.core.crossing import root_of, same_object
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
        StorageError: Both are one object (a bind mount shows it at two places, a service under two spellings), or it
            is behind a link to a folder.
    """
    if same_object(src, path, dst, dst_path):
        raise StorageError("source and destination are the same file", op="delete", path=path)
    src_root = root_of(src)
    if through_links and src_root is not None and through_link(src_root, path):
        # It may stand anywhere, or be another object of the source as well.
        raise StorageError("stays: it is reached through a symbolic link to a folder", op="delete", path=path)


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
