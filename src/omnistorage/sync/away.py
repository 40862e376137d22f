"""Batches done by an executor of the caller's, maybe in other processes: what travels there, and what comes back.

An executor that stays in this process gets the doer itself. One that pickles gets, with each batch, the doer as some
hundred bytes that each process makes into a doer once, and the things to do; back come the results, in which the
things themselves are only numbers. Each batch differs from all others, so that a cluster which remembers results
(Dask's ``pure``) never takes one for another.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from omnistorage.core.adapted import AdaptedBackend
from omnistorage.core.driver import Driver
from omnistorage.core.errors import StorageError, Unreachable, Unsupported

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

T = TypeVar("T")
R = TypeVar("R")

_FAR: Final = frozenset(("dask", "distributed", "loky", "mpi4py", "ray"))
"""Packages whose executors always work in other processes."""


class _Doer(Protocol[T, R]):
    def batch(self, batch: list[T], /) -> list[R]: ...


class Away(Generic[T, R]):
    """Hands batches to an executor.

    Args:
        doer: Does the batches; pickled if they are done in other processes.
        executor: Where they are done.

    Attributes:
        far: Batches are done in other processes, as far as is known yet.
    """

    def __init__(self, doer: _Doer[T, R], executor: Executor) -> None:
        self.doer = doer
        self.far = is_far(executor)
        self.key = os.urandom(8).hex()
        self._executor = executor
        self._numbers = count()
        self._packed = b""

    def check(self) -> None:
        """See to it that the doer can be sent, before anything is done.

        Raises:
            Unsupported: It cannot; the message says why.
        """
        if self.far:
            try:
                # What cannot be made again there is found here.
                pickle.loads(self.packed())
            except StorageError:
                raise
            except Exception as exc:
                raise Unsupported(f"this cannot be given to other processes: {exc}") from exc

    def submit(self, todo: list[T]) -> Future[Any]:
        """Begin a batch; see ``results``."""
        if self.is_over:
            raise Unreachable("it is closed")
        return self._executor.submit(_do, _Parcel(self, next(self._numbers), todo))

    def results(self, future: Future[Any], todo: Sequence[T]) -> list[R]:
        """Return what came of a batch that is done; raise what the executor raised."""
        result = future.result()
        found: list[R] = _Unpacker(result, todo).load() if isinstance(result, bytes) else result
        return found

    def packed(self) -> bytes:
        """Return the doer as bytes.

        Raises:
            Unsupported: It is of use to this process only.
        """
        self.far = True
        if not self._packed:
            file = io.BytesIO()
            _Sender(file, pickle.HIGHEST_PROTOCOL).dump(self.doer)
            self._packed = file.getvalue()
        return self._packed

    @property
    def is_over(self) -> bool:
        """True if the executor never answers again: a Dask client without its scheduler takes work in silence."""
        client = getattr(self._executor, "_client", None)
        return getattr(client, "status", "") in ("closed", "closing")

    def interrupt(self) -> None:
        """Ask for what runs in other processes to end soon, if the executor knows how."""
        ask = getattr(self._executor, "interrupt", None)
        if ask is not None:
            ask()


def is_far(executor: Executor) -> bool:
    """Say whether an executor is known to work in other processes."""
    kind = type(executor)
    pools = sys.modules.get("concurrent.futures.process")
    if pools is not None and issubclass(kind, pools.ProcessPoolExecutor):
        return True
    return bool(getattr(executor, "far", False)) or kind.__module__.partition(".")[0] in _FAR


class _Parcel(Generic[T, R]):
    """A batch on its way; it knows only when it is pickled that the way is a long one."""

    def __init__(self, away: Away[T, R], number: int, todo: list[T]) -> None:
        self._away = away
        self._number = number
        self._todo = todo

    def do(self) -> list[R]:
        return self._away.doer.batch(self._todo)

    def __reduce__(self) -> tuple[object, ...]:
        away = self._away
        todo = pickle.dumps(self._todo, pickle.HIGHEST_PROTOCOL)
        return _Arrived, (away.key, away.packed(), self._number, todo)


class _Arrived:
    """A batch that came from another process; opened when it is done, where a failure can be reported."""

    def __init__(self, key: str, doer: bytes, number: int, todo: bytes) -> None:
        self._parts = key, doer, number, todo

    def do(self) -> bytes:
        key, doer, _, packed = self._parts
        todo = pickle.loads(packed)
        file = io.BytesIO()
        _Packer(file, todo).dump(_load(key, doer).batch(todo))
        return file.getvalue()

    def __reduce__(self) -> tuple[object, ...]:
        return _Arrived, self._parts


def _do(parcel: _Parcel[Any, Any] | _Arrived) -> Any:
    return parcel.do()


@lru_cache(maxsize=4)
def _load(key: str, doer: bytes) -> _Doer[Any, Any]:
    """Make a doer, once for each run and process: its drivers keep their connections from batch to batch."""
    made: _Doer[Any, Any] = pickle.loads(doer)
    return made


class _Sender(pickle.Pickler):
    """Pickles what another process can reach as well, and refuses what would be a mere copy there."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Driver) and obj.scheme == "memory":
            raise Unsupported("memory storages cannot be shared with other processes")
        if isinstance(obj, AdaptedBackend) and not _says_how(type(obj.backend)):
            # What is stored in a copy is lost with it, and a move would delete its source.
            name = type(obj.backend).__name__
            raise Unsupported(f"{name} does not say how other processes reach its objects (by __reduce__)")
        return NotImplemented


def _says_how(kind: type) -> bool:
    return any(
        name in vars(one) for one in kind.__mro__[:-1] for name in ("__reduce__", "__reduce_ex__", "__getstate__")
    )


class _Packer(pickle.Pickler):
    """Pickles results; the things that were to be done are numbers in them."""

    def __init__(self, file: io.BytesIO, todo: Sequence[Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._numbers = {id(one): number for number, one in enumerate(todo)}

    def persistent_id(self, obj: Any) -> int | None:
        return self._numbers.get(id(obj))


class _Unpacker(pickle.Unpickler):
    """Reads results, in which things are numbers."""

    def __init__(self, data: bytes, todo: Sequence[Any]) -> None:
        super().__init__(io.BytesIO(data))
        self._todo = todo

    def persistent_load(self, pid: Any) -> Any:
        return self._todo[pid]
