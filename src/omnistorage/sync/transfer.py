"""Doing one action: the only place of a sync that writes objects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from omnistorage.core.content import same_content
from omnistorage.core.driver import Driver
from omnistorage.core.errors import Cancelled, Corrupted, NotFound, PermissionDenied, StorageError, Unsupported
from omnistorage.core.info import ObjectInfo
from omnistorage.core.options import PutOptions
from omnistorage.core.streams import ByteStream

from . import repeated
from .attributes import Attributes
from .backup import Backup
from .closer import AtHand, has_bytes_of, look, times_untold
from .compare import wants_touch
from .deletion import delete, delete_source, delete_together, deletes
from .elsewhere import Elsewhere
from .fingerprint import Fingerprint
from .large import Large
from .limits import Admission
from .model import (
    CONTENTS_DIFFER,
    Action,
    Compare,
    Event,
    Observer,
    Outcome,
    Policy,
    Verb,
    origin_of,
)
from .plain import Plain, plain_between
from .serverside import ServerSide, told_equal
from .source import WATCHED, SourceBody

if TYPE_CHECKING:
    from .jobmemory import JobMemory

DECLINED: Final = "declined"
ELSEWHERE: Final = "equal in a place to compare with"
TO_BE_ASKED: Final = "to be asked for by whoever keeps the limit"
"""Reasons for not doing what was planned."""

_CHANGES: Final = frozenset((Verb.COPY, Verb.TOUCH, Verb.RENAME, Verb.DELETE, Verb.MKDIR, Verb.RMDIR))


class Transfer:
    """Does actions, one or a batch at a time, from any thread; pickled, in another process (see ``repeated``).

    Args:
        src: The source.
        dst: The destination.
        policy: How the run decides.
        observer: Gets events; None for none.
        verify: Compare hashes after each copy, reading back what was stored where the service must.
        dry_run: Change nothing; find out what would be done.
        inplace: Write under the final name.
        admission: Asked before a copy that only a look at the content showed to be needed, and whether to go on.
        backup: Keeps what is about to be replaced or deleted.
        elsewhere: Other places that may hold an object already.
        attributes: Carries metadata; None if none is to be kept.
        approve: Asked before each change; False leaves that one out.
        journal: Remembers what was found to be equal, so that a run which is interrupted need not look again.
        large: Stores large objects; None to store them as all others.
        width: Requests of small objects under way at a time, of all threads.
    """

    def __init__(
        self,
        src: Driver,
        dst: Driver,
        policy: Policy,
        *,
        observer: Observer | None = None,
        verify: bool = False,
        dry_run: bool = False,
        inplace: bool = False,
        admission: Admission | None = None,
        backup: Backup | None = None,
        elsewhere: Elsewhere | None = None,
        attributes: Attributes | None = None,
        approve: Callable[[Action], bool] | None = None,
        journal: JobMemory | None = None,
        large: Large | None = None,
        width: int = 1,
    ) -> None:
        self._src = src
        self._dst = dst
        self._policy = policy
        self._observer = observer
        self._verify = verify
        self._dry_run = dry_run
        self._inplace = inplace
        self._admission = admission
        self._backup = backup
        self._elsewhere = elsewhere
        self._attributes = attributes
        self._approve = approve
        self._large = large
        # A move deletes on the evidence of this run alone.
        compares = policy.compare is Compare.HASH or times_untold(src, dst, policy)
        self.at_hand = AtHand(src, dst, policy)
        self._journal = None if dry_run or policy.move or not compares else journal
        self._stop = threading.Event()
        self._observer_failed: Exception | None = None
        self._repeats = self._must_ask = False
        # Layers that do not let the source be changed do not pass its folder on, either.
        altered = attributes is not None and attributes.alters
        self._can_rename = policy.move and src.local_root is not None and not altered
        self._server_side = ServerSide(src, dst, large) if attributes is None and elsewhere is None else None
        self._is_plain = not (dry_run or verify or inplace or policy.move or elsewhere or approve or attributes)
        self._width = width
        self._plain = self._new_plain()

    @property
    def admits(self) -> bool:
        """True if copies ask by themselves whether they may begin, as they may turn out to be needless."""
        return self._elsewhere is not None and self._admission is not None

    def __getstate__(self) -> dict[str, Any]:
        return repeated.state_of(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _stop=threading.Event())
        self._plain = self._new_plain()

    def _new_plain(self) -> Plain | None:
        plain = plain_between(self._src, self._dst, self._width, self._go_on, keeps=self._backup is not None)
        return plain if self._is_plain else None

    def cancel(self) -> None:
        """Make all that runs, and all that comes, fail with Cancelled."""
        self._stop.set()

    def batch(self, actions: list[Action]) -> list[Outcome]:
        """Do several actions: the small ones that are copied as they are together, others one after the other."""
        if not (self._dry_run or self._approve or self._backup or self._stop.is_set()) and deletes(
            self._dst, actions
        ):
            return delete_together(self._dst, actions)
        plain = self._plain
        one_by_one = plain is None or (plain.near and (len(actions) == 1 or not all(map(plain.takes, actions))))
        if plain is None or one_by_one or all(map(self.at_hand, actions)):
            return [self.do(action) for action in actions]
        if self._stop.is_set():
            return [Outcome(action, Cancelled(op="copy", path=action.path)) for action in actions]
        done = self._copy_plain([action for action in actions if plain.takes(action)], plain)
        return [done.get(id(action)) or plain.alone(self.do, action) for action in actions]

    def _copy_plain(self, actions: list[Action], plain: Plain) -> dict[int, Outcome]:
        """Hand small objects over all at once; return the outcomes by the identity of their actions."""
        outcomes: dict[int, Outcome] = {}
        for action, stored in zip(actions, plain.copy(actions) if actions else (), strict=True):
            if isinstance(stored, ObjectInfo):
                self._note_equal(action, stored)
                outcomes[id(action)] = Outcome(action, bytes=stored.size or 0, verified="size")
            elif isinstance(stored, StorageError):
                # Larger than it was listed, say: the long way takes it, or tells.
                if not isinstance(stored, Unsupported):
                    outcomes[id(action)] = self._failed(action, stored)
            else:
                raise stored
        return outcomes

    def do(self, action: Action, *, again: bool = False) -> Outcome:
        """Do one action; a failure is an outcome, not an exception. ``again`` says that it was tried before."""
        try:
            if self._stop.is_set():
                raise Cancelled(op=action.verb.value, path=action.path)
            return self._do(action)
        except StorageError as exc:
            if self._observer_failed is not None:
                raise self._observer_failed from None
            attributes = self._attributes
            if not again and attributes and isinstance(exc, PermissionDenied) and attributes.open_up(action.path):
                return self.do(action, again=True)
            return self._failed(action, exc)

    def _failed(self, action: Action, error: StorageError) -> Outcome:
        if isinstance(error, NotFound) and repeated.has_vanished(self._src, action):
            near = self._src if self._can_rename else None
            if self._repeats and (done := repeated.moved_before(action, self._dst, self._policy, near)):
                return done
            return Outcome(msgspec.structs.replace(action, verb=Verb.SKIP, reason="vanished from the source"))
        return Outcome(action, error)

    def _do(self, action: Action) -> Outcome:
        verb = action.verb
        if verb is Verb.COMPARE:
            return self._compare(action)
        if verb is Verb.METADATA:
            return self._settle(action)
        if self._dry_run:
            return self._imagined(action)
        if self._approve is not None and verb in _CHANGES and not self._approve(action):
            return Outcome(msgspec.structs.replace(action, verb=Verb.SKIP, reason=DECLINED))
        if verb is Verb.COPY:
            return self._copy(action)
        if verb is Verb.TOUCH:
            return self._touch(action)
        if verb is Verb.DELETE:
            return self._delete(action)
        if verb is Verb.RENAME:
            return self._rename(action)
        if verb is Verb.MKDIR:
            self._dst.mkdir(action.path)
            if self._attributes is not None:
                self._attributes.hide(action.path)
        elif verb is Verb.RMDIR:
            self._dst.rmdir(action.path)
        return Outcome(action)

    def _imagined(self, action: Action) -> Outcome:
        """Return what would come of an action if it went well."""
        if action.verb is not Verb.COPY or action.src is None:
            return Outcome(action)
        if self._elsewhere is not None and self._elsewhere.has(action.src):
            return Outcome(msgspec.structs.replace(action, verb=Verb.KEEP, reason=ELSEWHERE))
        self._ask_for(action)
        return Outcome(action, bytes=action.src.size or 0)

    def _copy(self, action: Action) -> Outcome:
        src = action.src
        assert src is not None
        if self._elsewhere is not None and self._elsewhere.has(src):
            return Outcome(msgspec.structs.replace(action, verb=Verb.KEEP, reason=ELSEWHERE))
        self._ask_for(action)
        kept = [""]
        if self._server_side is not None and self._server_side.possible:
            if self._backup is not None and action.dst is not None:
                self._keep(action, kept)
            if (copied := self._server_side.copy(src, action.path)) is not None:
                return self._ended(action, copied, kept[0], proven=told_equal(src, copied, self._policy.hash_name))
        large = src.size is None or src.size >= WATCHED
        if large and self._observer is not None:
            self._observer(Event("begin", action.path, src.size or 0))
        body, near = self._body(src, large)
        if src.mtime_ns is not None or not self._src.features.mtime:
            return self._store(action, src, body, near, kept)
        # The object has one, and only the listing did not tell it.
        try:
            return self._store(action, body.filled(self._src, src), body, near, kept)
        finally:
            body.leave()

    def _store(self, action: Action, src: ObjectInfo, body: SourceBody, near: bool, kept: list[str]) -> Outcome:
        proves = self._verify or self._policy.move
        proof = (lambda stored: self._prove_stored(action, stored, body)) if proves else None
        if not near:
            body.proof = proof
        if self._backup is not None and action.dst is not None:
            body.before_end = lambda: self._keep(action, kept)
        kind = src.content_type or body.content_type
        options = PutOptions(mtime_ns=src.mtime_ns, content_type=kind, metadata=src.metadata)
        if self._attributes is not None:
            options = self._attributes.put_options(src, self._attributes.wanted(src))
        consume = self._can_rename and body.local_path is not None
        if consume or self._inplace:
            options = msgspec.structs.replace(options, consume=consume, inplace=self._inplace)
        if self._inplace and body.before_end is not None:
            # There the old bytes are gone before the new ones have come.
            body.before_end()
        resumed = 0
        if self._large is not None and self._large.takes(body, options):
            moved = partial(self._moved, path=action.path)
            stored, resumed = self._large.put(action.path, body, options, moved, self._tell, proof)
        else:
            stored = self._dst.put(action.path, body, options)
        if src.size is not None and stored.size is not None and stored.size != src.size:
            raise Corrupted(f"{src.size} bytes were sent, {stored.size} arrived", op="put", path=action.path)
        lost = self._attributes.lost(options.metadata, stored.metadata) if self._attributes is not None else ()
        if options.consume and repeated.is_gone(self._src, origin_of(src)):
            return Outcome(action, verified="hash", renamed=True, backup=kept[0])
        action = msgspec.structs.replace(action, src=src)
        return self._ended(action, stored, kept[0], resumed, lost, proven=body.proven)

    def _ended(
        self, action: Action, stored: ObjectInfo, backup: str, resumed: int = 0, lost: Any = (), proven: bool = False
    ) -> Outcome:
        """Do what is to be done when an object was copied, and say what came of it."""
        verified = "size"
        # A source is deleted only on proof of its content; a copy gets what was asked for.
        if self._verify or self._policy.move:
            if not proven:
                self._prove(action)
            verified = "hash"
        self._note_equal(action, stored)
        if self._policy.move:
            delete_source(self._src, self._dst, action, self._policy)
        size = action.src.size if action.src is not None and action.src.size is not None else stored.size or 0
        return Outcome(action, bytes=size - resumed, verified=verified, backup=backup, lost=lost, resumed=resumed)

    def _ask_for(self, action: Action) -> None:
        """Ask whether a copy may begin, unless that was done when its content was found to differ."""
        if self.admits and action.reason != CONTENTS_DIFFER and self._admission is not None:
            size = (action.src.size or 0) if action.src is not None else 0
            if not self._admission.admit(size):
                raise Cancelled("the limit is reached", op="put", path=action.path)

    def _body(self, src: ObjectInfo, large: bool) -> tuple[SourceBody, bool]:
        """Return the bytes to store, and whether they may be renamed to where they are wanted."""
        other = self._elsewhere.find(src) if self._elsewhere is not None else None
        if other is not None:
            return SourceBody(*other, self._moved if large else None), False
        body = SourceBody(self._src, src, self._moved if large else None)
        if self._can_rename:
            body.local_path = f"{self._src.local_root}/{origin_of(src)}"
        return body, self._can_rename

    def _keep(self, action: Action, kept: list[str]) -> None:
        """Keep the old version of an object, once, however often its storing is tried."""
        assert self._backup is not None
        if not kept[0]:
            kept[0] = self._backup.keep(action.path, action.dst, action.src)

    def _touch(self, action: Action) -> Outcome:
        src = action.src
        assert src is not None
        assert src.mtime_ns is not None
        if self._dst.features.set_modified:
            if self._attributes is not None and self._dst.features.set_metadata:
                return Outcome(action, lost=self._attributes.settle_all(src, action.path))
            self._dst.set_modified(action.path, src.mtime_ns)
            return Outcome(action)
        return self._copy(msgspec.structs.replace(action, verb=Verb.COPY))

    def _rename(self, action: Action) -> Outcome:
        """Give an object of the destination the path that its twin has at the source."""
        from .respelling import rename

        rename(self._src, self._dst, action, self._prove)
        lost: tuple[str, ...] = ()
        if self._attributes is not None and action.src is not None and self._dst.features.set_metadata:
            lost = self._attributes.settle_all(action.src, action.path)
        return Outcome(action, verified="hash" if action.src is not None else "", renamed=True, lost=lost)

    def _settle(self, action: Action) -> Outcome:
        """Let the metadata decide, and set it if it differs."""
        attributes = self._attributes
        assert attributes is not None
        asks = self._approve is not None and not self._dry_run
        outcome = attributes.settle(action, dry_run=self._dry_run or asks)
        if asks and outcome.action.verb is not Verb.KEEP and self._approve is not None:
            if not self._approve(outcome.action):
                return Outcome(msgspec.structs.replace(outcome.action, verb=Verb.SKIP, reason=DECLINED))
            outcome = attributes.settle(action)
        if outcome.action.verb is Verb.COPY and not self._dry_run:
            return self._copy(outcome.action)
        return outcome

    def _delete(self, action: Action) -> Outcome:
        kept = self._backup.keep(action.path, action.dst) if self._backup is not None else ""
        # Gone is what was wanted, whoever did it.
        with suppress(NotFound):
            delete(self._dst, action.path)
        return Outcome(action, backup=kept)

    def _compare(self, action: Action) -> Outcome:
        """Let the content decide, and do what follows from it."""
        policy, src, dst = self._policy, action.src, action.dst
        assert src is not None
        assert dst is not None
        known = self._journal is not None and self._journal.known_equal(
            action.path, Fingerprint.of(src), Fingerprint.of(dst)
        )
        differ = False
        if not known:
            differ, action = look(self._src, self._dst, action, policy)
            src, dst = action.src or src, action.dst or dst
        if differ:
            if policy.immutable:
                reason = "immutable, but differs: contents differ"
                action = msgspec.structs.replace(action, verb=Verb.FAIL, reason=reason, exit_code=6)
                return Outcome(action, StorageError(reason, op="sync", path=action.path))
            copied = msgspec.structs.replace(action, verb=Verb.COPY, reason=CONTENTS_DIFFER)
            if self._must_ask or self.at_hand(action):
                return Outcome(copied, Cancelled(TO_BE_ASKED, path=action.path))
            if self._admission is not None and not self._admission.admit(src.size or 0):
                return Outcome(action, Cancelled("the limit is reached", op="put", path=action.path))
            return self._do(copied)
        if not known:
            self._note_equal(action, dst)
        action = msgspec.structs.replace(action, verb=Verb.KEEP, reason="equal content")
        lost: tuple[str, ...] = ()
        if wants_touch(src, dst, policy):
            action = msgspec.structs.replace(action, verb=Verb.TOUCH, reason="only the time of modification differs")
            touched = self._do(action)
            if touched.action.verb is not Verb.TOUCH:
                return touched
            lost = touched.lost
        elif policy.metadata and not policy.immutable:
            settled = self._settle(action)
            if settled.action.verb is Verb.COPY or settled.action.verb is Verb.SKIP:
                return settled
            action, lost = settled.action, settled.lost
        if policy.move and not self._dry_run:
            delete_source(self._src, self._dst, action, self._policy)
        return Outcome(action, verified="hash", lost=lost)

    def _note_equal(self, action: Action, stored: ObjectInfo) -> None:
        """Remember that what is stored has the content of the source."""
        if self._journal is not None and action.src is not None:
            self._journal.mark_equal(action.path, Fingerprint.of(action.src), Fingerprint.of(stored))

    def _prove(self, action: Action) -> None:
        if not same_content(self._src, self._dst, _origin(action), self._policy.hash_name, dst_path=action.path):
            raise Corrupted("the stored bytes are not those of the source", op="put", path=action.path)

    def _prove_stored(self, action: Action, stored: ByteStream, body: SourceBody) -> None:
        """Compare what was stored with the source, before it gets its name."""
        if not has_bytes_of(self._src, _origin(action), stored, self._policy.hash_name, action.src):
            raise Corrupted("the stored bytes are not those of the source", op="put", path=action.path)
        body.proven = True

    def look_again(self, action: Action) -> Action:
        """Return an action that failed as it is to be tried again: with what the source says now."""
        return repeated.look_again(self._src, action)

    def _go_on(self, count: int) -> None:
        if self._stop.is_set():
            raise Cancelled(op="put")

    def _moved(self, count: int, path: str) -> None:
        if self._stop.is_set() or (self._admission is not None and self._admission.stops()):
            raise Cancelled(op="put", path=path)
        self._tell(Event("bytes", path, count))

    def _tell(self, event: Event) -> None:
        if self._observer is not None:
            try:
                self._observer(event)
            except Exception as exc:
                # It passes through the destination, which must not take it for a failure of its own.
                self._observer_failed = exc
                raise Cancelled("the observer failed", op="put", path=event.path) from exc


def _origin(action: Action) -> str:
    return action.path if action.src is None else origin_of(action.src)
