"""The runs people ask for: ``sync``, ``copy``, ``move``, and the plan of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from omnistorage.storage import Storage

from .model import Action, Observer, Result
from .options import Options
from .run import Run

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from .journal import Journal


def sync(
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    observer: Observer | None = None,
    executor: Executor | None = None,
    journal: Journal | None = None,
) -> Result:
    """Make ``dst`` like ``src``: copy what is new or differs, then delete what ``src`` does not have.

    Raises:
        NotFound: There is no source.
        GuardError: The run was refused before anything was changed.
    """
    run = Run.between(src, dst, options, delete=True, observer=observer, executor=executor)
    run.journal = journal
    return run.result()


def copy(
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    observer: Observer | None = None,
    executor: Executor | None = None,
    journal: Journal | None = None,
) -> Result:
    """Copy what is new or differs from ``src`` to ``dst``; nothing is deleted.

    Raises:
        NotFound: There is no source.
    """
    run = Run.between(src, dst, options, observer=observer, executor=executor)
    run.journal = journal
    return run.result()


def move(
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    observer: Observer | None = None,
    executor: Executor | None = None,
    journal: Journal | None = None,
) -> Result:
    """Move objects from ``src`` to ``dst``; each goes from ``src`` when its bytes are proven to be at ``dst``.

    Raises:
        NotFound: There is no source.
        GuardError: The two places overlap.
    """
    run = Run.between(src, dst, options, move=True, observer=observer, executor=executor)
    run.journal = journal
    return run.result()


def copy_one(
    src: Storage,
    src_path: str,
    dst: Storage,
    dst_path: str,
    options: Options = Options(),
    *,
    delete_source: bool = False,
    observer: Observer | None = None,
) -> Result:
    """Copy (or move) one object under any name, as ``copy`` and ``move`` would: not if it is there already.

    Raises:
        NotFound: There is no such object.
    """
    run = Run.of_one(src, src_path, dst, dst_path, options, move=delete_source, observer=observer)
    return Result() if run is None else run.result()


def plan(src: Storage, dst: Storage, options: Options = Options(), *, delete: bool = True) -> Iterator[Action]:
    """Yield what ``sync`` (or ``copy``, without ``delete``) would do, deletes last; nothing is changed.

    Raises:
        NotFound: There is no source.
        GuardError: The run would be refused.
    """
    dry = msgspec.structs.replace(options, dry_run=True)
    for outcome in Run.between(src, dst, dry, delete=delete):
        yield outcome.action
