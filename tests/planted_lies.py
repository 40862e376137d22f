"""Drivers that claim what is not so or mistreat parts, and the suite on them; run by ``test_suite_finds_faults``."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import pytest

from omnistorage.core.driver import PutItem, PutResults
from omnistorage.core.errors import NotFound
from omnistorage.core.info import ObjectInfo, Page
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, Upload, read_all
from omnistorage.drivers.memory import MemoryDriver
from omnistorage.testing import DriverSuite
from planting import Healthy, caught_by, changed, claiming

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


@caught_by("test_attributes_are_told")
class MetadataVerbTellsTimesOnly(Healthy):
    def metadata(self, path: str) -> dict[str, str]:
        return {name: value for name, value in super().metadata(path).items() if name == "mtime"}


@caught_by("test_attributes_are_told")
class MetadataVerbForgetsTimes(Healthy):
    def metadata(self, path: str) -> dict[str, str]:
        return {name: value for name, value in super().metadata(path).items() if name != "mtime"}


@caught_by("test_set_metadata_of_missing")
class MetadataOfNothingIsEmpty(Healthy):
    def metadata(self, path: str) -> dict[str, str]:
        try:
            return super().metadata(path)
        except NotFound:
            return {}


@caught_by("test_attributes_of_directory")
class MetadataOfObjectsOnly(Healthy):
    def metadata(self, path: str) -> dict[str, str]:
        self._held(path)
        return super().metadata(path)


@caught_by("test_set_metadata")
class MetadataIsMerged(Healthy):
    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        return super().set_metadata(path, {**self.stat(path).metadata, **metadata})


@caught_by("test_listed_metadata")
class ListedMetadataClaimed(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page([msgspec.structs.replace(info, metadata={}) for info in answer.infos], answer.next)


@caught_by("test_listed_modified")
class ListedTimesClaimed(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page([changed(info, mtime_ns=None) for info in answer.infos], answer.next)


@caught_by("test_listed_modified")
class ListedTimesAreThoseOfTheService(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        return Page([changed(info, mtime_ns=time.time_ns()) for info in answer.infos], answer.next)


@caught_by("test_listed_modified")
class ListedTimesAreRoundedWhereAllIsListed(Healthy):
    def list(self, path: str, *, recursive: bool = False, page: object = None) -> Page:
        answer = super().list(path, recursive=recursive, page=page)
        rounded = [changed(info, mtime_ns=(info.mtime_ns or 0) // 10**9 * 10**9) for info in answer.infos]
        return Page(rounded, answer.next) if recursive else answer


@caught_by("test_listed_modified")
class ListedTimesNotClaimed(Healthy):
    features = claiming(listed_mtime=False)


@caught_by("test_attributes_are_applied")
class AttributesKeptAsText(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, msgspec.structs.replace(options, attributes=False))


@caught_by("test_attributes_are_changed")
class AttributesSetOnceOnly(Healthy):
    def set_metadata(self, path: str, metadata: dict[str, str]) -> ObjectInfo:
        return super().set_metadata(path, {k: v for k, v in metadata.items() if k != "content-type"})


@caught_by("test_attributes_need_telling")
class AttributesAppliedUntold(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, msgspec.structs.replace(options, attributes=True))


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


@caught_by("test_key_is_no_other_place[only a slash]")
class SlashMeansRoot(Healthy):
    def stat(self, path: str) -> ObjectInfo:
        return super().stat("" if path == "/" else path)


@caught_by("test_name[trailing blank]")
class NamesTrimmed(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path.rstrip(" "), body, options)


@caught_by("test_claimed_verb_is_there[versions]")
class VersionsOverriddenOnly(Healthy):
    def versions(self, path: str) -> Any:
        return super().versions(path)


# -- many at once --------------------------------------------------------------------------------------------


@caught_by("test_put_many_with_a_bad_one[broken]")
class BatchEndsAtFirstFailure(Healthy):
    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        results: PutResults = []
        for item in items:
            if results and isinstance(results[-1], Exception):
                results.append(results[-1])
                continue
            results += super().put_many([item])
        return results


@caught_by("test_put_many_with_a_bad_one[too short]")
class BatchTrustsSizes(Healthy):
    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        results: PutResults = []
        for path, body, options in items:
            with body.open() as stream:
                results += super().put_many([(path, BytesBody(read_all(stream)), options)])
        return results


@caught_by("test_put_many")
class BatchInOrderOfNames(Healthy):
    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        return super().put_many(sorted(items, key=lambda item: item[0]))


@caught_by("test_put_many_with_times")
class BatchForgetsTimes(Healthy):
    def put_many(self, items: Sequence[PutItem]) -> PutResults:
        return super().put_many([(path, body, PutOptions()) for path, body, _ in items])


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
            ended = False

            def abort(self) -> None:
                if not self.ended:
                    self.ended = True
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


@caught_by("test_stored_is_what_will_be")
class StoredIsAPart(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class First(_Disturbed):
            def stored(self) -> ByteStream | None:
                return io.BytesIO(self.inner._parts[1])  # type: ignore[attr-defined]

        return First(super().begin_upload(path, options, size))


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


@caught_by("test_upload_is_found")
class FindingClaimed(Healthy):
    features = claiming(finds_uploads=True)


@caught_by("test_upload_of_other_bytes_begins_anew[other bytes]")
class FindsUploadsOfOtherBytes(Healthy):
    features = claiming(finds_uploads=True)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        return _left_at(self, path) or super().begin_upload(path, options, size)


@caught_by("test_upload_in_use_is_not_taken")
class FindsUploadsInUse(Healthy):
    features = claiming(finds_uploads=True)

    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        found = _left_at(self, path) if options.origin == "these bytes" else None
        return found or super().begin_upload(path, options, size)


@caught_by("test_upload_that_is_over_is_not_found")
class FindsWhatIsOver(Healthy):
    def begin_upload(self, path: str, options: PutOptions, size: int | None = None) -> Upload:
        class Stays(_Disturbed):
            def abort(self) -> None:
                return

        return Stays(_left_at(self, path) or super().begin_upload(path, options, size))


@caught_by("test_resume_of_other_bytes")
class ResumesForAnybody(Healthy):
    features = claiming(finds_uploads=True)


def _left_at(driver: MemoryDriver, path: str) -> Upload | None:
    found: Upload | None = next((one for one in driver._space.uploads.values() if one.path == path), None)
    return found


@caught_by("test_sweep")
class SweepTakesHiddenFiles(Healthy):
    def sweep(
        self, path: str = "", *, older_than: float = 86400.0, noticed: bool = False, dry_run: bool = False
    ) -> int:
        found = [info.path for info in self.list(path, recursive=True).infos if info.name.startswith(".")]
        self.delete_many(found)
        return len(found)


@caught_by("test_pickle")
class DoesNotPickle(Healthy):
    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a client")


class _Login(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    page_size: int = 20
    password: str = "let-me-in"


class _Guarded(Healthy):
    """A driver with a password."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.options = _Login(name=options.name)


@caught_by("test_no_secret_in_pickle")
class PicklesItsPassword(_Guarded):
    def __reduce__(self) -> Any:
        return type(self), (self.options,)


@caught_by("test_no_secret_in_repr")
class ShowsItsPassword(_Guarded):
    pass


@caught_by("test_threads_on_different_keys")
class OneBufferForAll(Healthy):
    """All threads share one buffer, which a put fills and a get empties."""

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        self.shared = io.BytesIO()
        with body.open() as stream:
            self.shared.write(read_all(stream))
        time.sleep(0.001)  # the other threads come in between
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


# -- limits that authors state -------------------------------------------------------------------------------


class DeletesNothing(Healthy):
    def delete(self, path: str) -> None:
        self.stat(path)


class TestLimitThatIsTrue(DriverSuite):
    limits: ClassVar = {"test_delete": "deletes nothing"}

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return DeletesNothing()


class TestLimitThatIsGone(DriverSuite):
    limits: ClassVar = {"test_delete": "was repaired since"}

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return Healthy()


class TestLimitThatIsMisspelt(DriverSuite):
    limits: ClassVar = {"test_delte": "no such case"}

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return Healthy()


class TestUnsteadyThatFails(DriverSuite):
    unsteady: ClassVar = {"test_delete": "deletes only now and then"}

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return DeletesNothing()


class TestUnsteadyThatPasses(DriverSuite):
    unsteady: ClassVar = {"test_delete": "deletes only now and then"}

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return Healthy()


LIMITS = {
    "TestLimitThatIsTrue": "skipped",
    "TestLimitThatIsGone": "failed",
    "TestLimitThatIsMisspelt": "error",
    "TestUnsteadyThatFails": "skipped",
    "TestUnsteadyThatPasses": "passed",
}
"""Name of the test class to the outcome of ``test_delete`` in it; an expected failure counts as skipped."""
