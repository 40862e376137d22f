"""Drivers that store, list, read or delete wrongly, and the suite on them; run by ``test_suite_finds_faults``."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Sequence

import pytest

from omnistorage.core.driver import Failures
from omnistorage.core.errors import NotFound, StorageError
from omnistorage.core.info import DIR, ObjectInfo, Page
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import Body, BytesBody, ByteStream, descriptor, read_all
from omnistorage.drivers.memory import MemoryDriver, Options
from omnistorage.testing import DriverSuite
from omnistorage.testing.bodies import LyingBody
from planting import Healthy, caught_by, changed, claiming


class TestHealthy(DriverSuite):
    many = 50

    @pytest.fixture
    def driver(self) -> MemoryDriver:
        return Healthy(Options(name=secrets.token_hex(8), page_size=20))


@caught_by("test_file_in_rations")
class CopiesWithoutAsking(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        if body.ration is None or body.progress is None:
            return super().put(path, body, options)
        with body.open() as stream:
            data = os.pread(descriptor(stream), body.size or 0, 0)
        body.progress(len(data))
        return super().put(path, BytesBody(data), options)


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


@caught_by("test_changed_source_leaves_the_old")
class PutNeverChecks(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            return super().put(path, LyingBody(read_all(stream), body.size or 0), options)


@caught_by("test_refused_proof_leaves_the_old")
class ProofIsNoMatter(Healthy):
    """Shows what it has, and stores it whatever is said."""

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            data = read_all(stream)
        if body.proof is not None:
            with contextlib.suppress(StorageError):
                body.proof(io.BytesIO(data))
        return super().put(path, body, options)


@caught_by("test_refused_proof_leaves_the_old")
class ProofComesTooLate(Healthy):
    """Gives the object its name first."""

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        info = super().put(path, body, options)
        if body.proof is not None:
            with self.get(path) as stored:
                body.proof(stored)
        return info


@caught_by("test_proof_sees_what_nobody_else_does")
class ProofIsSeen(Healthy):
    """Gives the object its name first, and takes it away again if it is wrong."""

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        info = super().put(path, body, options)
        if body.proof is not None:
            try:
                with self.get(path) as stored:
                    body.proof(stored)
            except StorageError:
                self.delete(path)
                raise
        return info


@caught_by("test_proof_sees_what_nobody_else_does")
class ProofOfTheBeginning(Healthy):
    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        with body.open() as stream:
            data = read_all(stream)
        if body.proof is not None:
            body.proof(io.BytesIO(data[:1000]))
        return super().put(path, body, options)


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
        return super().put(path, body, changed(options, if_absent=False))  # type: ignore[arg-type]


@caught_by("test_if_absent")
class IfAbsentForgottenQuietly(Healthy):
    features = claiming(if_absent=False)

    def put(self, path: str, body: Body, options: PutOptions) -> ObjectInfo:
        return super().put(path, body, changed(options, if_absent=False))  # type: ignore[arg-type]


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
    """A copy is a link: it shows what its source holds now."""

    def copy(self, src: str, dst: str) -> ObjectInfo:
        self.links = {**getattr(self, "links", {}), dst: src}
        return super().copy(src, dst)

    def get(self, path: str, offset: int = 0, length: int | None = None) -> ByteStream:
        return super().get(getattr(self, "links", {}).get(path, path), offset, length)


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
