"""A plan as a file: made now, read by people, and carried out later if both sides are still what it is about.

The file has one JSON object a line: a header, an action in each line that follows, and the totals at the end. Names
that are not valid UTF-8 are written as escaped surrogates, so that every name survives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any, Final, Literal

import msgspec

from omnistorage.core.driver import Driver
from omnistorage.core.errors import InvalidPath, NotFound, SpecialFile, StorageError
from omnistorage.core.info import DIR, Kind, ObjectInfo
from omnistorage.storage import Storage

from .guards import GuardError
from .model import Action, Observer, Renamed, Result, Verb, as_told, origin_of, renamed
from .options import Options
from .run import Run

FORMAT: Final = 1

Recipe = Literal["sync", "copy", "move"]

_TOLD = 5
_CHUNK = 1000


class PlanError(StorageError, ValueError):
    """A file is no plan, or one that this version cannot read."""

    says = "is not a plan"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is about.

    Attributes:
        format: Version of the form of the file.
        recipe: What was planned.
        source: Address of the source, for people and for who applies the plan; may be empty.
        dest: Address of the destination, likewise.
        made: When, RFC 3339, UTC.
        settings: Options of the command that say how to act, by their names in ``Options``.
    """

    format: int = FORMAT
    recipe: Recipe = "sync"
    source: str = ""
    dest: str = ""
    made: str = ""
    settings: dict[str, Any] = {}


class Totals(msgspec.Struct, kw_only=True):
    """What a plan would do, in numbers.

    Attributes:
        actions: Verb to the number of actions.
        transfer_bytes: Size of what would be copied.
        delete_bytes: Size of what would be deleted.
        protected: Deletes that are left out, as a listing of the source failed.
        errors: Paths that cannot be dealt with; each is a line of its own.
    """

    actions: dict[str, int] = {}
    transfer_bytes: int = 0
    delete_bytes: int = 0
    protected: int = 0
    errors: int = 0


class SavedPlan:
    """A plan in a file.

    Attributes:
        header: What it is about.

    Raises:
        PlanError: The file is no plan, is cut off, or is of a later version.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        file.seek(0)
        found = _parsed(file.readline(), 1)
        if "omnistorage_plan" not in found:
            raise PlanError("is not a plan: the first line says nothing of one")
        if found["omnistorage_plan"] != FORMAT:
            raise PlanError(
                f"was written in form {found['omnistorage_plan']}, known is {FORMAT}; make the plan again"
            )
        settings = {name: found.get(name, default) for name, default in _header_facts(Header()).items()}
        self.header = msgspec.convert(settings, Header)
        self._start = file.tell()
        for _ in self:
            pass

    def __iter__(self) -> Iterator[Action]:
        """Yield the actions, as often as asked."""
        self._file.seek(self._start)
        for number, line in enumerate(iter(self._file.readline, ""), 2):
            found = _parsed(line, number)
            if "totals" in found:
                return
            try:
                yield _action(found)
            except (KeyError, TypeError, ValueError) as exc:
                raise PlanError(f"line {number} is not an action: {line.strip()[:80]!r}") from exc
        raise PlanError("is cut off: it does not end with the totals; make the plan again")


def write_plan(
    file: IO[str],
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    recipe: Recipe = "sync",
    source: str = "",
    dest: str = "",
    settings: dict[str, Any] | None = None,
) -> Totals:
    """Write what ``sync`` (or ``copy``, ``move``) would do to a text file, and return its totals; nothing is changed.

    Raises:
        NotFound: There is no source.
        GuardError: The run would be refused.
    """
    from datetime import UTC, datetime

    header = Header(
        recipe=recipe,
        source=source,
        dest=dest,
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        settings=settings or {},
    )
    _write(file, {"omnistorage_plan": FORMAT, **_header_facts(header)})
    totals = Totals()
    dry = msgspec.structs.replace(options, dry_run=True)
    run = Run.between(src, dst, dry, delete=recipe == "sync", move=recipe == "move")
    for outcome in run:
        action = outcome.action
        if outcome.error is not None:
            action = msgspec.structs.replace(
                action, verb=Verb.FAIL, reason=outcome.error.message or str(outcome.error)
            )
        elif action.verb is Verb.KEEP:
            if recipe != "move" or not outcome.verified:
                continue
            # It is there already; what is left to do is to prove it once more, and to delete the source.
            action = msgspec.structs.replace(action, verb=Verb.COMPARE)
        _count(totals, action)
        _write(file, _facts(action))
    totals.protected = run.totals.protected
    _write(file, {"totals": msgspec.to_builtins(totals)})
    return totals


def apply_plan(
    plan: SavedPlan,
    src: Storage,
    dst: Storage,
    options: Options = Options(),
    *,
    observer: Observer | None = None,
) -> Result:
    """Carry out a plan, if nothing that it is about has changed since.

    Raises:
        GuardError: Something has; nothing was done.
        PlanError: The file cannot be read.
    """
    return applying(plan, src, dst, options, observer=observer).result()


def applying(
    plan: SavedPlan, src: Storage, dst: Storage, options: Options = Options(), *, observer: Observer | None = None
) -> Run:
    """Return the run that carries out a plan, after looking at both sides; see ``apply_plan``."""
    refuse_outdated(plan, src.driver, dst.driver, workers=options.checkers)
    recipe = plan.header.recipe
    return Run.given(
        src.driver, dst.driver, options, plan, delete=recipe == "sync", move=recipe == "move", observer=observer
    )


def refuse_outdated(plan: Iterable[Action], src: Driver, dst: Driver, *, workers: int = 8) -> None:
    """Look at each path of a plan on both sides.

    A path matters if the plan reads, replaces, renames or deletes it: it has to be as it was, and what the plan
    deletes must still be absent from the source. What the plan does not name may change as it likes.

    Raises:
        GuardError: Some are not as they were when the plan was made; the message names the first ones.
    """

    def changed(action: Action) -> str | None:
        return _changed(action, src, dst)

    found: list[str] = []
    count = 0
    for words in _mapped(changed, plan, 1 if src.features.local and dst.features.local else workers):
        if words is not None:
            count += 1
            if len(found) < _TOLD:
                found.append(words)
    if count:
        more = f" and {count - len(found)} more" if count > len(found) else ""
        raise GuardError(f"the plan is out of date: {'; '.join(found)}{more}; nothing was changed, make it again")


def _mapped(call: Any, actions: Iterable[Action], workers: int) -> Iterator[str | None]:
    if workers == 1:
        yield from map(call, actions)
        return
    from concurrent.futures import ThreadPoolExecutor

    rest = iter(actions)
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(rest, _CHUNK)):
            yield from pool.map(call, chunk)


def _changed(action: Action, src: Driver, dst: Driver) -> str | None:
    """Say what is not as the plan has it, or None."""
    if action.verb in (Verb.FAIL, Verb.SKIP, Verb.KEEP, Verb.MKDIR, Verb.RMDIR):
        return None
    path = action.path
    if action.src is not None:
        now = _look(src, origin_of(action.src))
        if not _is_same(action.src, now):
            return f"{origin_of(action.src)!r} changed at the source"
    elif action.verb is Verb.DELETE and _look(src, path) is not None:
        return f"{path!r} is at the source again"
    if action.verb is Verb.RENAME and action.src is not None and _look(dst, path) is not None:
        return f"{path!r} is at the destination now"
    then = action.dst
    now = _look(dst, path if then is None else then.path)
    if action.verb is Verb.DELETE and now is None:
        return None
    return None if _is_same(then, now) else f"{path!r} changed at the destination"


def _look(driver: Driver, path: str) -> ObjectInfo | None:
    try:
        return driver.stat(path)
    except (NotFound, NotADirectoryError, InvalidPath, SpecialFile):
        # What cannot be there is not there; to store it is a failure of its own, which blocks nothing else.
        return None


def _is_same(then: ObjectInfo | None, now: ObjectInfo | None) -> bool:
    if then is None or now is None:
        return then is now
    if then.kind is DIR or now.kind is DIR:
        return then.kind is now.kind
    return as_told(then, now)


def _count(totals: Totals, action: Action) -> None:
    verb = action.verb
    totals.actions[verb.value] = totals.actions.get(verb.value, 0) + 1
    if verb is Verb.COPY and action.src is not None:
        totals.transfer_bytes += action.src.size or 0
    elif verb is Verb.DELETE and action.dst is not None:
        totals.delete_bytes += action.dst.size or 0
    elif verb is Verb.FAIL:
        totals.errors += 1


def _header_facts(header: Header) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(header)
    del facts["format"]
    return facts


def _facts(action: Action) -> dict[str, Any]:
    facts: dict[str, Any] = {"verb": action.verb.value, "path": action.path, "reason": action.reason}
    for side, info in (("src", action.src), ("dst", action.dst)):
        if info is not None:
            facts[side] = _info_facts(info, action.path)
    if action.exit_code != 1:
        facts["exit_code"] = action.exit_code
    return facts


def _info_facts(info: ObjectInfo, path: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"size": info.size, "mtime_ns": info.mtime_ns}
    if info.kind.value != "file":
        facts["kind"] = info.kind.value
    where = origin_of(info)
    if where != path:
        facts["path"] = where
    for name in ("etag", "version", "content_type"):
        if (value := getattr(info, name)) is not None:
            facts[name] = value
    for name in ("hashes", "metadata"):
        if held := getattr(info, name):
            facts[name] = dict(held)
    return facts


def _action(facts: dict[str, Any]) -> Action:
    path = facts["path"]
    src, dst = facts.get("src"), facts.get("dst")
    return Action(
        Verb(facts["verb"]),
        path,
        facts["reason"],
        None if src is None else _source(src, path),
        None if dst is None else _info(dst, dst.get("path", path)),
        facts.get("exit_code", 1),
    )


def _source(facts: dict[str, Any], path: str) -> ObjectInfo | Renamed:
    info = _info(facts, path)
    return renamed(info, path=path, origin=facts["path"]) if "path" in facts else info


def _info(facts: dict[str, Any], path: str) -> ObjectInfo:
    return ObjectInfo(
        path,
        Kind(facts.get("kind", "file")),
        facts["size"],
        facts["mtime_ns"],
        etag=facts.get("etag"),
        version=facts.get("version"),
        content_type=facts.get("content_type"),
        **{name: facts[name] for name in ("hashes", "metadata") if name in facts},
    )


def _write(file: IO[str], facts: dict[str, Any]) -> None:
    # The standard library's, as it can write half a surrogate pair and read it again.
    file.write(json.dumps(facts) + "\n")


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise PlanError(f"is not a plan: line {number} is no JSON object")
    return found
