"""Cases about many deletes at once, fullness, and what killed runs left."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import NotFound, Unsupported
from omnistorage.storage import Storage

from .base import Suite, keys, put


class Housekeeping(Suite):
    """Tidying removes what is named, and nothing else."""

    def test_delete_many(self, storage: Storage) -> None:
        """All that is named goes, missing ones count as gone, and the rest stays."""
        put(storage, "a", "d/b", "d/c", "e")
        failures = storage.delete_many(["a", "nope", "d/c"])

        assert list(failures) == [None, None, None]
        assert keys(storage) == ["d/b", "e"]

    def test_delete_many_of_none(self, storage: Storage) -> None:
        """Nothing named, nothing deleted."""
        put(storage, "a")

        assert list(storage.delete_many([])) == []
        assert keys(storage) == ["a"]

    def test_delete_many_of_driver(self, storage: Storage) -> None:
        """The driver answers for each path in its place, or refuses the verb."""
        put(storage, "a", "b", "c")
        if not storage.features.delete_many:
            with pytest.raises(Unsupported):
                storage.driver.delete_many(["a"])
            return
        answers = storage.driver.delete_many(["c", "nope", "a"])

        assert len(answers) == 3
        assert (answers[0], answers[2]) == (None, None)
        assert answers[1] is None or isinstance(answers[1], NotFound)
        assert keys(storage) == ["b"]

    def test_delete_many_with_directory(self, storage: Storage) -> None:
        """A directory among the paths deletes nothing below it and does not stop the others."""
        put(storage, "a", "d/b", "z")
        failures = storage.delete_many(["a", "d", "z"])

        assert keys(storage) == ["d/b"]
        assert (failures[0], failures[2]) == (None, None)
        assert failures[1] is None or isinstance(failures[1], IsADirectoryError)
        assert failures[1] is not None or not storage.features.mkdir

    def test_delete_very_many(self, storage: Storage) -> None:
        """More paths than a service takes with one request are deleted all the same."""
        names = [f"d/{n:05}" for n in range(self.many)]
        put(storage, *names, "keep")
        failures = storage.delete_many(names)

        assert [failure for failure in failures if failure] == []
        assert len(failures) == len(names)
        assert keys(storage) == ["keep"]

    def test_about(self, storage: Storage) -> None:
        """Numbers of bytes are not negative and fit together, or the question is refused."""
        if not storage.features.about:
            with pytest.raises(Unsupported):
                storage.about()
            return
        put(storage, "a", data=b"0123456789")
        usage = storage.about()
        numbers = [usage.total, usage.used, usage.free, usage.trashed, usage.other, usage.objects]

        assert [number for number in numbers if number is not None and number < 0] == []
        assert [number for number in numbers if number is not None] != []
        assert usage.total is None or usage.used is None or usage.used <= usage.total
        assert usage.objects is None or usage.objects >= 1

    def test_sweep(self, storage: Storage) -> None:
        """Sweeping after killed runs leaves every object where it is."""
        put(storage, "a", ".hidden", "d/b", "d/c.tmp", "d/.part~")
        before = keys(storage)
        removed = storage.driver.sweep(older_than=0.0)

        assert removed == 0
        assert keys(storage) == before

    def test_sweep_of_directory(self, storage: Storage) -> None:
        """A part of the tree can be swept on its own."""
        put(storage, "d/a")

        assert storage.driver.sweep("d", older_than=0.0) == 0
        assert keys(storage) == ["d/a"]
