"""Cases about the end of a storage, and about its second life in another process."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from omnistorage.core.driver import Driver
from omnistorage.core.errors import Closed
from omnistorage.core.redact import holds_secret
from omnistorage.storage import Storage

from .base import Suite, put


class Closing(Suite):
    """A closed storage does nothing more; a pickled one works again."""

    def test_close_twice(self, storage: Storage) -> None:
        """A second close does nothing, at the front door and below it."""
        put(storage, "a")
        driver = storage.driver
        storage.close()
        storage.close()
        driver.close()
        driver.close()

        assert storage.closed

    def test_close_unused(self, storage: Storage) -> None:
        """A storage that was never used can be closed."""
        storage.close()

        assert storage.closed

    def test_use_after_close(self, storage: Storage) -> None:
        """A closed storage says so, whatever it is asked."""
        put(storage, "a")
        storage.close()

        for call in (
            lambda: storage.read_bytes("a"),
            lambda: storage.write_bytes("b", b"x"),
            lambda: storage.stat("a"),
            lambda: list(storage.list()),
            lambda: list(storage.scan()),
            lambda: storage.delete("a"),
            lambda: storage.open_writer("b"),
            lambda: storage.open_reader("a"),
            lambda: storage.mkdir("d"),
            lambda: storage.exists("a"),
        ):
            with pytest.raises(Closed):
                call()

    def test_pickle(self, storage: Storage) -> None:
        """A driver pickles, before and after its first use, and works on the other side."""
        if not self.driver_pickles:
            pytest.skip("driver_pickles is False")
        unused = self.fresh(storage.driver)
        put(storage, "a")
        used = self.fresh(storage.driver)
        for driver in (unused, used):
            with Storage(driver) as again:
                again.write_bytes("b", b"other side")
                assert again.read_bytes("b") == b"other side"
                again.delete("b")

                assert again.features == storage.features
                assert again.scheme == storage.scheme

    def test_pickle_is_the_same_place(self, storage: Storage) -> None:
        """Two drivers with one identity see the same objects."""
        if not self.driver_pickles:
            pytest.skip("driver_pickles is False")
        put(storage, "a")
        with Storage(self.fresh(storage.driver)) as again:
            if again.driver.identity() != storage.driver.identity():
                pytest.skip("a pickled driver is another place (identity differs)")

            assert again.read_bytes("a") == b"x"

    def test_pickle_is_small(self, storage: Storage) -> None:
        """What is pickled are options, not clients or objects: it stays as it is after use."""
        if not self.driver_pickles:
            pytest.skip("driver_pickles is False")
        before = len(pickle.dumps(storage.driver))
        put(storage, "a")
        storage.read_bytes("a")

        assert len(pickle.dumps(storage.driver)) == before

    def test_no_secret_in_pickle(self, storage: Storage) -> None:
        """Options that are secret travel as references, or not at all."""
        secrets = _secrets_of(storage.driver)
        try:
            data = pickle.dumps(storage.driver)
        except Exception:
            if self.driver_pickles:
                raise
            data = b""

        assert [name for name, value in secrets.items() if value.encode() in data] == []

    def test_no_secret_in_repr(self, storage: Storage) -> None:
        """Neither the driver nor its options show a secret, and so no log does that shows these."""
        shown = f"{storage.driver!r} {storage.driver} {storage.driver.options!r} {storage.driver.options}"

        assert [name for name, value in _secrets_of(storage.driver).items() if value in shown] == []

    def test_identity(self, storage: Storage) -> None:
        """An identity is texts that do not change by use, the last a path."""
        before = storage.driver.identity()
        put(storage, "a")

        assert storage.driver.identity() == before
        assert all(isinstance(part, str) for part in before)
        assert len(before) >= 2


def _secrets_of(driver: Driver) -> dict[str, str]:
    """Return the options that hold secrets, by name."""
    options = msgspec.structs.asdict(driver.options)
    return {name: value for name, value in options.items() if isinstance(value, str) and holds_secret(name, value)}
