"""Drivers with one planted fault each, and the suite on them; run by ``test_suite_finds_faults``."""

from __future__ import annotations

import hashlib
import io
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from omnistorage.core.driver import Failures
from omnistorage.core.errors import NotFound
from omnistorage.core.info import DIR, ObjectInfo, Page
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, Upload, read_all
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.storage import Storage
from omnistorage.testing import DriverSuite

CAUGHT_BY: dict[str, str] = {}
"""Name of the test class to the case that must find its fault."""

Healthy = MemoryDriver


def caught_by(case: str) -> Callable[[type[MemoryDriver]], type[MemoryDriver]]:
    """Make a test class of the suite for a faulty driver, in which ``case`` must fail."""

    def plant(kind: type[MemoryDriver]) -> type[MemoryDriver]:
        name = f"Test{kind.__name__}"

        class Planted(DriverSuite):
            many = 50

            @pytest.fixture
            def driver(self) -> MemoryDriver:
                return kind(Options(name=secrets.token_hex(8), page_size=20))

        Planted.__name__ = Planted.__qualname__ = name
        globals()[name] = Planted
        CAUGHT_BY[name] = case
        return kind

    return plant


class TestHealthy(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return Healthy(Options(name=secrets.token_hex(8), page_size=20))


def claiming(**claims: Any) -> Any:
    """The memory driver's features, with these changed."""
    return msgspec.structs.replace(Healthy.features, **claims)


def changed(info: ObjectInfo, **changes: Any) -> ObjectInfo:
    return msgspec.structs.replace(info, **changes)


# -- listings ------------------------------------------------------------------------------------------------


@caught_by("test_many")
class ListStopsShort(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        return Page(super().list(path, recursive=recursive, page=page).infos)


@caught_by("test_many")
class ListLosesLastOfPage(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page(answer.infos[:-1] if answer.next else answer.infos, answer.next)


@caught_by("test_many")
class ListDoublesAcrossPages(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page(answer.infos, answer.infos[-1].path if answer.next and len(answer.infos) > 1 else None)


@caught_by("test_order_of_pages")
class ListOutOfOrder(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        # By name, as folders sort: a directory without its slash.
        return Page(sorted(answer.infos, key=lambda info: info.path), answer.next)


@caught_by("test_pages_can_be_asked_again")
class ListRemembersItsPlace(Healthy):
    turn = 0

    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        self.turn += 1
        return Page(answer.infos[self.turn % 2 :], answer.next)


@caught_by("test_directories_once")
class ListDoublesDirectories(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page([info for info in answer.infos for _ in range(2 if info.kind is DIR else 1)], answer.next)


@caught_by("test_order_of_recursive")
class RecursiveIsShallow(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        return super().list(path, page=page)


@caught_by("test_scan_of_directory")
class ListTakesPrefixForDirectory(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        if not path:
            return super().list(path, recursive=recursive, page=page)
        found = super().list("", recursive=True).infos
        return Page([info for info in found if info.path.startswith(path)])


@caught_by("test_listing_equals_stat")
class ListGuessesSizes(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page([changed(info, size=0) for info in answer.infos], answer.next)


# -- storing -------------------------------------------------------------------------------------------------


@caught_by("test_broken_body_leaves_nothing[midway]")
class PutLeavesHalf(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        data = b""
        with body.open() as stream:
            try:
                while piece := stream.read(1000):
                    data += piece
            except Exception:
                super().put(path, BytesBody(data), options)
                raise
        return super().put(path, BytesBody(data), options)


@caught_by("test_broken_body_keeps_the_old[midway]")
class PutDeletesFirst(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        if not options.if_absent:
            self.delete_many([path])
        return super().put(path, body, options)


@caught_by("test_wrong_size_leaves_nothing[half]")
class PutBelievesAnySize(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            return super().put(path, BytesBody(read_all(stream)), options)


@caught_by("test_put_replaces_with_shorter")
class PutKeepsTheTail(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            data = read_all(stream)
        try:
            with self.get(path) as old:
                data += read_all(old)[len(data) :]
        except NotFound:
            pass
        return super().put(path, BytesBody(data), options)


@caught_by("test_nothing_is_seen_before_the_end")
class PutShowsHalf(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        super().put(path, BytesBody(b"half"), options)
        return super().put(path, body, PutOptions())


@caught_by("test_if_absent")
class IfAbsentIgnored(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, changed(options, if_absent=False))  # type: ignore[arg-type, return-value]


@caught_by("test_if_absent")
class IfAbsentForgottenQuietly(Healthy):
    features = claiming(if_absent=False)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, changed(options, if_absent=False))  # type: ignore[arg-type, return-value]


@caught_by("test_put_returns_what_stat_says")
class PutAnswersNonsense(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return changed(super().put(path, body, options), size=0)


# -- reading -------------------------------------------------------------------------------------------------


@caught_by("test_range[middle]")
class RangeOffByOne(Healthy):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(path, offset, None if length is None else length + 1)


@caught_by("test_range[from the second]")
class RangeStartsLate(Healthy):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(path, offset + 1 if offset else 0, length)


@caught_by("test_range[nothing]")
class ZeroLengthMeansAll(Healthy):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(path, offset, length or None)


@caught_by("test_put_of_every_byte")
class TextMode(Healthy):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        with super().get(path, offset, length) as stream:
            return io.BytesIO(read_all(stream).replace(b"\r\n", b"\n"))


@caught_by("test_get_of_missing")
class MissingIsEmpty(Healthy):
    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        try:
            return super().get(path, offset, length)
        except NotFound:
            return io.BytesIO()


# -- deleting, copying ---------------------------------------------------------------------------------------


@caught_by("test_delete")
class DeleteDoesNothing(Healthy):
    def delete(self, path: str) -> None:
        self.stat(path)


@caught_by("test_delete_leaves_neighbours")
class DeleteTakesThePrefix(Healthy):
    def delete(self, path: str) -> None:
        super().delete(path)
        super().delete_many([info.path for info in self.list("", recursive=True).infos if info.path.startswith(path)])


@caught_by("test_delete_very_many")
class DeleteManyStopsAtTwenty(Healthy):
    def delete_many(self, paths: Sequence[str]) -> Failures:
        super().delete_many(paths[:20])
        return [None] * len(paths)


@caught_by("test_copy_is_its_own")
class CopyAliases(Healthy):
    def copy(self, src: str, dst: str) -> ObjectInfo:
        info = super().copy(src, dst)
        self._space.objects[dst] = self._space.objects[src]
        return changed(info, path=dst)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        info = super().put(path, body, options)
        held = self._space.objects[path]
        for key, other in self._space.objects.items():
            if getattr(self, "twin", None) == {key, path}:
                other.data = held.data
        return info


@caught_by("test_move_onto_itself")
class MoveOntoItselfDeletes(Healthy):
    def move(self, src: str, dst: str) -> ObjectInfo:
        info = self.copy(src, dst)
        self.delete(src)
        return info


@caught_by("test_move")
class MoveIsCopy(Healthy):
    def move(self, src: str, dst: str) -> ObjectInfo:
        return self.copy(src, dst)


# -- features that lie ---------------------------------------------------------------------------------------


@caught_by("test_precision_is_true")
class TimeRoundedToSeconds(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        when = None if options.mtime_ns is None else options.mtime_ns // 10**9 * 10**9
        return super().put(path, body, msgspec.structs.replace(options, mtime_ns=when))


@caught_by("test_modified_is_kept")
class TimeForgotten(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, msgspec.structs.replace(options, mtime_ns=None))


@caught_by("test_metadata_is_kept")
class MetadataForgotten(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, msgspec.structs.replace(options, metadata={}))


@caught_by("test_content_type_is_kept")
class ContentTypeForgotten(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, msgspec.structs.replace(options, content_type=None))


@caught_by("test_free_hashes")
class HashesClaimed(Healthy):
    features = claiming(hashes=frozenset({"md5"}))


@caught_by("test_computed_hashes")
class HashIsAnother(Healthy):
    def hash(self, path: str, name: str) -> str:
        with self.get(path) as stream:
            return hashlib.md5(read_all(stream)).hexdigest()


@caught_by("test_upper_and_lower")
class CaseClaimed(Healthy):
    features = claiming(case_insensitive=True)


@caught_by("test_upper_and_lower")
class CaseFoldedInSecret(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path.casefold(), body, options)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(path.casefold(), offset, length)


@caught_by("test_long_name[a]")
class NameLimitClaimed(Healthy):
    features = claiming(max_name=100)


@caught_by("test_long_path")
class PathLimitClaimed(Healthy):
    features = claiming(max_path=500)


@caught_by("test_name_of_no_file[empty part]")
class KeysNormalised(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path.replace("//", "/"), body, options)


@caught_by("test_name_of_no_file[up and down]")
class HierarchyUnchecked(Healthy):
    features = claiming(any_key=False)


@caught_by("test_name[trailing blank]")
class NamesTrimmed(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path.rstrip(" "), body, options)


@caught_by("test_claimed_verb_is_there[versions]")
class VersionsOverriddenOnly(Healthy):
    def versions(self, path: str) -> Any:
        return super().versions(path)


# -- uploads, writers, the rest ------------------------------------------------------------------------------


class _Disturbed(Upload):
    """An upload that does as the one inside; faulty ones override a method."""

    def __init__(self, inner: Upload) -> None:
        self.inner = inner
        self.part_size = inner.part_size
        self.token = inner.token

    @property
    def done(self) -> Any:
        return self.inner.done

    def put_part(self, number: int, body: Body) -> None:
        self.inner.put_part(number, body)

    def finish(self) -> ObjectInfo:
        return self.inner.finish()

    def abort(self) -> None:
        self.inner.abort()


@caught_by("test_abort_of_upload")
class AbortFinishes(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class Commits(_Disturbed):
            def abort(self) -> None:
                if self.inner.done:
                    self.inner.finish()

        return Commits(super().begin_upload(path, options, size))


@caught_by("test_abort_when_block_raises[250000]")
class WriterCommitsOnError(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class Commits(_Disturbed):
            def abort(self) -> None:
                self.inner.put_part(1, BytesBody(b"half"))
                self.inner.finish()

        return Commits(super().begin_upload(path, options, size))


@caught_by("test_parts_out_of_order")
class PartsInOrderOfArrival(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class Arrival(_Disturbed):
            count = 0

            def put_part(self, number: int, body: Body) -> None:
                self.count += 1
                self.inner.put_part(self.count, body)

        return Arrival(super().begin_upload(path, options, size))


@caught_by("test_nothing_is_seen_before_finish")
class PartsAreSeen(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        driver = self

        class Seen(_Disturbed):
            def put_part(self, number: int, body: Body) -> None:
                self.inner.put_part(number, body)
                driver.put(path, body, options)

        return Seen(super().begin_upload(path, options, size))


@caught_by("test_done_tells_sizes")
class DoneCountsPartsOnly(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class Counts(_Disturbed):
            @property
            def done(self) -> Any:
                return dict.fromkeys(self.inner.done, 0)

        return Counts(super().begin_upload(path, options, size))


@caught_by("test_sweep")
class SweepTakesHiddenFiles(Healthy):
    def sweep(self, path: str = "", *, older_than: float = 86400.0) -> int:
        found = [info.path for info in self.list(path, recursive=True).infos if info.name.startswith(".")]
        self.delete_many(found)
        return len(found)


@caught_by("test_pickle")
class DoesNotPickle(Healthy):
    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a client")


@caught_by("test_threads_on_different_keys")
class OneBufferForAll(Healthy):
    """All threads share one buffer, which a put fills and a get empties."""

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        self.shared = io.BytesIO()
        with body.open() as stream:
            while piece := stream.read(1):
                self.shared.write(piece)
        return super().put(path, BytesBody(self.shared.getvalue()), options)


@caught_by("test_not_found_tells_where[stat]")
class ErrorsNameAnotherPath(Healthy):
    def stat(self, path: str) -> ObjectInfo:
        try:
            return super().stat(path)
        except NotFound as exc:
            raise NotFound(path="elsewhere") from exc


@caught_by("test_bugs_fly_on")
class EveryBugIsAnError(Healthy):
    def classify(self, exc: Exception) -> Any:
        return NotFound


# Not a fault of a driver, but of the way it is used: the front door without its guard.
assert Storage
