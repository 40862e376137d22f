"""Cases about listings: complete, in order, page by page, and never more than is there."""

from __future__ import annotations

import pytest

from omnistorage.core.errors import NotADirectory, NotFound
from omnistorage.core.info import DIR, FILE
from omnistorage.storage import Storage

from .base import Suite, keys, paths, put, raw_list, raw_pages

TRICKY = ["a!b", "a-b", "a.b", "a/x", "a0", "ab", "b", "c/d/e", "c d", "c-", "Z", "z", "é", "\uff5e", "\U0001f600"]
"""Names whose order differs when a directory does not count its slash, or when UTF-16 units are compared."""


class Listing(Suite):
    """A listing has each entry once, in path order, and ends only at the end."""

    def test_empty(self, storage: Storage) -> None:
        """An empty storage lists nothing, without an error."""
        assert raw_list(storage) == []
        assert keys(storage) == []
        assert list(storage.scan()) == []

    def test_one_level(self, storage: Storage) -> None:
        """A directory lists what stands in it, not what stands below that, and not itself."""
        put(storage, "a", "d/b", "d/e/c", "d/e/f/g")

        assert paths(sorted(raw_list(storage), key=lambda info: info.order)) == ["a", "d/"]
        assert paths(sorted(raw_list(storage, "d"), key=lambda info: info.order)) == ["d/b", "d/e/"]
        assert paths(raw_list(storage, "d/e/f")) == ["d/e/f/g"]

    def test_kinds(self, storage: Storage) -> None:
        """Objects are listed as objects with a size, directories as directories without a slash."""
        put(storage, "a", "d/b", data=b"123")
        found = {info.path: info for info in raw_list(storage)}

        assert found["a"].kind is FILE
        assert found["a"].size in (3, None)
        assert found["d"].kind is DIR

    def test_all_levels(self, storage: Storage) -> None:
        """A walk finds every object once, at whatever depth."""
        wanted = ["a", "d/b", "d/e/c", "d/e/f/g", "h/i"]
        put(storage, *wanted)

        assert keys(storage) == wanted
        assert [info.path for info in storage.scan() if info.kind is FILE] == wanted

    def test_scan_of_one_level(self, storage: Storage) -> None:
        """A scan that is not recursive stays in its directory."""
        put(storage, "a", "d/b", "d/e/c")

        assert paths(list(storage.scan(recursive=False))) == ["a", "d/"]
        assert paths(list(storage.scan("d", recursive=False))) == ["d/b", "d/e/"]

    def test_scan_of_directory(self, storage: Storage) -> None:
        """A scan of a directory has only what is below it, not below one of a similar name."""
        put(storage, "d/a", "d/e/b", "d2/a", "d-/a", "d.a", "dd")
        found = [info.path for info in storage.scan("d") if info.kind is FILE]

        assert found == ["d/a", "d/e/b"]
        assert [info.path for info in raw_list(storage, "d") if info.kind is FILE] == ["d/a"]

    def test_prefix(self, storage: Storage) -> None:
        """A prefix need not end at a slash."""
        put(storage, "logs/2026-01.txt", "logs/2026/01.txt", "logs/2025.txt", "logs2026")

        assert keys(storage, "logs/2026") == ["logs/2026-01.txt", "logs/2026/01.txt"]
        assert keys(storage, "logs/") == ["logs/2025.txt", "logs/2026-01.txt", "logs/2026/01.txt"]
        assert keys(storage, "nope") == []
        assert keys(storage, "nope/a") == []

    def test_order_of_pages(self, storage: Storage) -> None:
        """Where pages are claimed to be ordered, they are: a directory counts as its name plus a slash."""
        if not storage.features.ordered:
            pytest.skip("needs features.ordered; walking sorts, see test_order_of_walk")
        names = [name for name in TRICKY if not storage.features.case_insensitive or name != "Z"]
        put(storage, *names)
        found = paths(raw_list(storage))

        assert found == sorted(found)
        assert len(found) == len(names)

    def test_order_of_walk(self, storage: Storage) -> None:
        """A walk is in path order for every storage, so that two of them can be merged."""
        names = [name for name in TRICKY if not storage.features.case_insensitive or name != "Z"]
        put(storage, *names)
        found = [info.order for info in storage.scan()]

        assert found == sorted(found)
        assert keys(storage) == sorted(names)

    def test_order_of_recursive(self, storage: Storage) -> None:
        """Where all below a directory is listed in one go, that is complete and in path order, too."""
        if not storage.features.recursive:
            pytest.skip("needs features.recursive")
        names = [name for name in TRICKY if not storage.features.case_insensitive or name != "Z"]
        put(storage, *names, "c/d/f", "c/d.x")
        found = raw_list(storage, recursive=True)
        below = [info.path for info in raw_list(storage, "c", recursive=True) if info.kind is FILE]

        assert sorted(info.path for info in found if info.kind is FILE) == sorted([*names, "c/d/f", "c/d.x"])
        assert sorted(below) == ["c/d.x", "c/d/e", "c/d/f"]
        if storage.features.ordered:
            assert paths(found) == sorted(paths(found))

    def test_many(self, storage: Storage) -> None:
        """More entries than fit into a page are listed once each."""
        names = [f"d/{n:05}" for n in range(self.many)]
        put(storage, *names)
        found = [info.path for info in raw_list(storage, "d")]

        assert len(found) == len(names)
        assert sorted(found) == names
        assert keys(storage) == names

    def test_many_odd_names(self, storage: Storage) -> None:
        """Across pages, no entry is lost or out of order because of letters that are sent by codes."""
        letters = "%+ #~aZ\u00e9\u65e5\U0001f600"
        names = sorted(f"d/{letters[n % len(letters)]}{n:05}" for n in range(self.many))
        put(storage, *names)
        found = [info.path for info in raw_list(storage, "d")]

        assert sorted(found) == names
        assert keys(storage) == names

    def test_pages_can_be_asked_again(self, storage: Storage) -> None:
        """The same page asked for twice is the same, or a retry would lose or double entries."""
        put(storage, *(f"d/{n:05}" for n in range(self.many)))
        first = storage.driver.list("d")
        again = storage.driver.list("d")

        assert again.infos == first.infos
        if first.next is None:
            pytest.skip(f"{self.many} entries come as one page")
        second = storage.driver.list("d", page=first.next)
        third = storage.driver.list("d", page=first.next)
        assert third.infos == second.infos
        assert not {info.path for info in first.infos} & {info.path for info in second.infos}

    def test_directories_once(self, storage: Storage) -> None:
        """A directory is listed once, however much is below it and on however many pages."""
        put(storage, *(f"d{n % 3}/{n:05}" for n in range(self.many)))
        found = paths(raw_list(storage))

        assert sorted(found) == ["d0/", "d1/", "d2/"]

    def test_directories_across_pages(self, storage: Storage) -> None:
        """Many directories beside each other are all found, none twice."""
        wanted = [f"d{n:04}" for n in range(self.many // 4)]
        put(storage, *(f"{name}/a" for name in wanted))
        found = [info.path for info in raw_list(storage)]

        assert sorted(found) == wanted
        assert len(keys(storage)) == len(wanted)

    def test_missing_directory(self, storage: Storage) -> None:
        """A directory that is not there is an error where directories are real, never a bug elsewhere."""
        put(storage, "d/a")
        if storage.features.mkdir:
            with pytest.raises(NotFound):
                storage.driver.list("nope")
            with pytest.raises(NotFound):
                list(storage.scan("d/nope"))
            return
        try:
            found = raw_list(storage, "nope")
        except NotFound:
            found = []

        assert found == []

    def test_directory_that_is_an_object(self, storage: Storage) -> None:
        """What is an object cannot be listed as a directory."""
        put(storage, "a", "ab")
        if storage.features.mkdir:
            with pytest.raises(NotADirectory):
                storage.driver.list("a")
            return
        try:
            found = raw_pages(storage, "a")
        except (NotADirectory, NotFound):
            found = [[]]

        assert found == [[]]

    def test_deep(self, storage: Storage) -> None:
        """A tree may be deep."""
        deep = "/".join(f"d{n}" for n in range(60)) + "/a"
        put(storage, deep, "d0/b")

        assert keys(storage) == ["d0/b", deep]

    def test_after_delete(self, storage: Storage) -> None:
        """A listing shows changes at once: no entry of what was deleted, one of what came."""
        put(storage, "d/a", "d/b", "e/c")
        storage.delete("d/a")
        put(storage, "d/n")
        storage.delete("e/c")

        assert keys(storage) == ["d/b", "d/n"]
