"""The jobs that the state folder knows of: those that run now, and those that were left undone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from omnistorage.core.errors import ConfigError, StorageError
from omnistorage.core.redact import HIDDEN

from .jobfiles import JobFiles, Order, job_ids
from .joblock import look
from .journal import Journal
from .uploads import throw_away

if TYPE_CHECKING:
    from omnistorage.config import Config

Folder = str | os.PathLike[str] | None
"""The folder for state; None for the user's own."""


class UnknownJob(ConfigError):
    """There is no such job, or more than one; the message lists those there are."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One job.

    Attributes:
        id: Its name.
        state: ``running``, ``interrupted``, or ``failed`` (came to its end, but not without failures).
        order: What it was told to do; None if that is lost.
        host: The machine that it runs or ran on.
        pid: The process.
        token: Tells this run of it from all others.
        started: Unix time of its begin, in seconds.
        heartbeat: Unix time of its last sign of life, in seconds.
        objects: Objects that were done.
        bytes: Bytes that were done.
        uploads: Uploads in parts that can be gone on with.
        saved: Bytes in these.
        failures: Objects that failed.
    """

    id: str
    state: str
    order: Order | None
    host: str
    pid: int
    token: str
    started: float
    heartbeat: float
    objects: int
    bytes: int
    uploads: int
    saved: int
    failures: int


def jobs(folder: Folder = None) -> list[Job]:
    """Return all jobs, the oldest first; works while they run.

    Raises:
        OSError: The state folder cannot be read.
    """
    state = _state(folder)
    if state is None:
        return []
    found = (_job(state, id) for id in job_ids(state))
    return sorted((job for job in found if job is not None), key=lambda job: (job.started, job.id))


def find(prefix: str, folder: Folder = None) -> Job:
    """Return the job whose id begins like this.

    Raises:
        UnknownJob: There is none, or more than one.
        OSError: The state folder cannot be read.
    """
    known = jobs(folder)
    found = [job for job in known if job.id.startswith(prefix.lower())] if prefix else []
    if len(found) != 1:
        listing = ", ".join(job.id for job in found or known) or "none"
        what = f"several jobs begin with {prefix!r}" if found else f"unknown job {prefix!r}; known"
        raise UnknownJob(f"{what}: {listing}")
    return found[0]


def forget(job: Job, folder: Folder = None, *, config: Config | str | None = None, force: bool = False) -> int:
    """Remove what a job left, and abort its uploads, so that no hidden parts stay at the destination.

    Args:
        job: The job.
        folder: The folder for state.
        config: The configuration by which the destination is opened; by default the one that the job had.
        force: Forget also uploads that cannot be aborted.

    Returns:
        Number of uploads that were aborted.

    Raises:
        Locked: It runs.
        StorageError: An upload cannot be aborted; the job stays, without those that were.
    """
    state = _state(folder)
    if state is None:
        return 0
    files = JobFiles(state, job.id)
    lock = files.acquire()
    with Journal(job.id, files, lock, _ignore) as journal:
        aborted = 0
        for path in journal.uploads():
            try:
                aborted += _abort(job, journal, path, config)
            except StorageError:
                if not force:
                    raise
            journal.forget_upload(path)
        journal.done()
    return aborted


def _abort(job: Job, journal: Journal, path: str, config: Config | str | None) -> bool:
    from omnistorage.opening import open_remote

    record = journal.upload_of(path)
    if record is None:
        return False
    dest = job.order.dest if job.order is not None else ""
    if not dest or HIDDEN in dest:
        why = "its address holds a secret, which was not kept" if dest else "its address is not known"
        raise StorageError(f"parts stay at the destination, as {why}", op="abort", path=path)
    if config is None and job.order is not None:
        config = job.order.config
    with open_remote(dest, config=config) as storage:
        return throw_away(storage.driver, path, record)


def _job(state: str, id: str) -> Job | None:
    files = JobFiles(state, id)
    seen = look(files.lock)
    if seen is None:
        return None
    record, order = seen.record, files.read_order()
    left = "interrupted" if record is None or record.state == "running" else record.state
    facts = {} if record is None else msgspec.structs.asdict(record)
    return Job(
        id=id,
        state="running" if seen.running else left,
        order=order,
        host=facts.get("host", ""),
        pid=facts.get("pid", 0),
        token=facts.get("token", ""),
        started=facts.get("started", seen.heartbeat),
        heartbeat=seen.heartbeat,
        objects=facts.get("objects", 0),
        bytes=facts.get("bytes", 0),
        uploads=facts.get("uploads", 0),
        saved=facts.get("saved", 0),
        failures=facts.get("failures", 0),
    )


def _state(folder: Folder) -> str | None:
    if folder is not None:
        return os.fspath(folder)
    from omnistorage.config.folders import state_folder

    return state_folder()


def _ignore(message: str) -> None:
    """Whoever forgets a job needs not be told that it could not be read."""
