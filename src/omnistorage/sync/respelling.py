"""Renaming at the destination: to the path that an object has at the source, or to another spelling of its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from omnistorage.core.crossing import same_object
from omnistorage.core.driver import Driver
from omnistorage.core.errors import AlreadyExists, NotFound, SourceChanged, StorageError
from omnistorage.core.info import ObjectInfo
from omnistorage.core.paths import join, name, parent

from .model import Action, Verb, as_told, origin_of

_LONGEST: Final = 200
"""Bytes of a name that are kept in the name in between; services take 255 in all."""


def rename(source: Driver, driver: Driver, action: Action, prove: Callable[[Action], object]) -> None:
    """Give what stands at the path of ``action.dst`` the path of the action; without a ``src``, see ``respell``.

    ``prove`` is called where the old path is gone: what is at the new one must be what the source has.

    Raises:
        SourceChanged: It is not what was compared.
    """
    src, old, path = action.src, action.dst, action.path
    assert old is not None
    if src is None:
        respell(driver, old, path)
        return
    try:
        now = driver.stat(old.path)
    except NotFound:
        # An earlier attempt may have done it, and only the answer was lost.
        prove(action)
        return
    if not as_told(old, now):
        raise SourceChanged("changed since it was compared", op="move", path=old.path)
    if driver.features.move:
        driver.move(old.path, path)
    else:
        driver.copy(old.path, path)
        driver.delete(old.path)
    if driver.features.set_modified:
        mtime_ns = src.mtime_ns
        if mtime_ns is None and source.features.mtime:
            # The object has one, and only the listing did not tell it.
            mtime_ns = source.stat(origin_of(src)).mtime_ns
        if mtime_ns is not None and mtime_ns != now.mtime_ns:
            driver.set_modified(path, mtime_ns)


def respelling(src_path: str, dst_path: str) -> Action | None:
    """Return what is to be done where both paths are one object; None if it is called so already.

    There is nothing to copy, and what would be deleted is what is wanted.
    """
    if name(src_path) == name(dst_path):
        return None
    before = ObjectInfo(join(parent(dst_path), name(src_path)))
    return Action(Verb.RENAME, dst_path, "another spelling of its name", None, before)


def respell(driver: Driver, old: ObjectInfo, path: str) -> None:
    """Rename ``old`` to ``path``, which must be free, or another spelling of where ``old`` is.

    Raises:
        AlreadyExists: Something else is called so.
        Unsupported: The service cannot rename.
    """
    folder = parent(path)
    before = _time_of(driver, folder)
    if same_object(driver, old.path, driver, path):
        # A service that makes room for what it moves would remove the object itself. The name in between is an
        # ordinary one: whatever happens, nobody takes the object for a leftover.
        import secrets

        shown = name(path).encode("utf-8", "surrogateescape")[:_LONGEST].decode("utf-8", "ignore")
        between = join(folder, f"{shown}.renaming-{secrets.token_hex(4)}")
        driver.move(old.path, between)
        try:
            driver.move(between, path)
        except BaseException:
            driver.move(between, old.path)
            raise
    elif _is_there(driver, path):
        raise AlreadyExists("something else has this name", op="move", path=path)
    else:
        driver.move(old.path, path)
    if before is not None:
        driver.set_modified(folder, before)


def _is_there(driver: Driver, path: str) -> bool:
    try:
        driver.stat(path)
    except NotFound:
        return False
    return True


def _time_of(driver: Driver, folder: str) -> int | None:
    """Return the time of a directory that is to keep it, although a name in it changes."""
    if not folder or not driver.features.mkdir or not driver.features.set_modified:
        return None
    try:
        return driver.stat(folder).mtime_ns
    except StorageError:
        return None
