"""Cases about errors: of our kind, with verb, path and scheme, and understood by code that knows only Python's."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import read_all
from omnistorage.storage import Storage
from omnistorage.testing.bodies import BodyBroke, BrokenBody

from .base import Suite, put

CALLS: dict[str, Callable[[Storage], object]] = {
    "stat": lambda storage: storage.driver.stat("d/nope"),
    "get": lambda storage: storage.driver.get("d/nope"),
    "delete": lambda storage: storage.driver.delete("d/nope"),
}


class ErrorCases(Suite):
    """Whatever goes wrong is told in one language."""

    @pytest.mark.parametrize("verb", CALLS)
    def test_not_found_tells_where(self, storage: Storage, verb: str) -> None:
        """An error says which verb, on which path, of which storage."""
        put(storage, "d/a")
        with pytest.raises(NotFound) as caught:
            CALLS[verb](storage)
        error = caught.value

        assert (error.op, error.path, error.scheme) == (verb, "d/nope", storage.scheme)
        assert "d/nope" in str(error)
        assert error.retryable is False

    def test_not_found_is_pythons(self, storage: Storage) -> None:
        """Code that knows nothing of us catches FileNotFoundError."""
        with pytest.raises(FileNotFoundError):
            storage.read_bytes("nope")
        with pytest.raises(FileNotFoundError):
            storage.open_reader("d/nope")

    def test_cause_is_not_ours(self, storage: Storage) -> None:
        """The cause of an error is what the service's library raised, or nothing: no error of ours twice."""
        with pytest.raises(NotFound) as caught:
            storage.stat("nope")

        assert caught.value.__cause__ is None or not isinstance(caught.value.__cause__, StorageError)

    def test_errors_pickle(self, storage: Storage) -> None:
        """An error that crosses to another process keeps its kind and its words."""
        with pytest.raises(NotFound) as caught:
            storage.stat("d/nope")
        again = pickle.loads(pickle.dumps(caught.value))

        assert type(again) is type(caught.value)
        assert str(again) == str(caught.value)
        assert (again.op, again.path, again.scheme) == ("stat", "d/nope", storage.scheme)

    def test_bugs_fly_on(self, storage: Storage) -> None:
        """An exception that is not the service's is not dressed up as one of ours."""
        with pytest.raises(BodyBroke):
            storage.driver.put("a", BrokenBody(b"0123456789", 5), PutOptions())

    def test_works_after_errors(self, storage: Storage) -> None:
        """Errors use nothing up: after many of them the storage works as before."""
        put(storage, "a")
        for _ in range(50):
            for call in CALLS.values():
                with pytest.raises(NotFound):
                    call(storage)
        with storage.driver.get("a") as stream:
            got = read_all(stream)

        assert got == b"x"
