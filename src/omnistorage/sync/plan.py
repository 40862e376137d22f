"""What makes the destination like the source: a pure function from pairs to actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from omnistorage.core.attributes import differing
from omnistorage.core.info import DIR, FILE, LINK, ObjectInfo

from .compare import BY_SIZE_ONLY, compare
from .model import METADATA_DECIDES, ONLY_METADATA, Action, Compare, Pair, Policy, Result, Verb


def plan(pairs: Iterable[Pair], policy: Policy, result: Result, *, every: bool = False) -> Iterator[Action]:
    """Decide what is to be done, path by path, as soon as a path is seen.

    Deletes are among the actions; whoever executes them puts them last. Objects that need nothing are only
    counted in ``result``, unless ``every`` asks for them as KEEP actions.
    """
    # The common case of a run, nothing has changed, must cost next to nothing: it is decided here, in one
    # expression, and only if that fails by the full rules.
    quick = _is_plain(policy) and not every
    window = policy.window_ns
    trail = _Trail(policy, every)
    checked = 0
    for src, dst in pairs:
        if src is not None and dst is not None:
            if (
                quick
                and src.kind is FILE
                and src.size == dst.size
                and dst.kind is FILE
                and src.mtime_ns is not None
                and dst.mtime_ns is not None
                and -window < src.mtime_ns - dst.mtime_ns < window
            ):
                checked += 1
                if trail.folders:
                    trail.keep(src.path)
                continue
            action = _both(src, dst, policy, trail, result, every)
            if action is not None:
                yield action
        elif src is not None:
            action = _new(src, policy, trail)
            if action is not None:
                yield action
        elif dst is not None:
            yield from trail.extra(dst)
    yield from trail.rest()
    result.checked += checked
    result.equal += checked


def _is_plain(policy: Policy) -> bool:
    special = policy.update or policy.ignore_times or policy.ignore_existing or policy.move or policy.metadata
    return policy.compare is Compare.MTIME and policy.has_times and not special


def _both(
    src: ObjectInfo, dst: ObjectInfo, policy: Policy, trail: _Trail, result: Result, every: bool
) -> Action | None:
    path = src.path
    if trail.blocks(path):
        return None
    trail.keep(path)
    if src.kind is DIR and dst.kind is DIR:
        if policy.metadata and policy.has_dirs:
            return Action(Verb.METADATA, path, METADATA_DECIDES, src, dst)
        return Action(Verb.KEEP, path, "directory", src, dst) if every else None
    if src.kind is not FILE and src.kind is not DIR:
        if dst.kind is DIR:
            trail.block(path)
        return _odd(src, dst, policy)
    if src.kind is not dst.kind and (src.kind is DIR or dst.kind is DIR):
        trail.block(path)
        here, there = ("directory", "file") if src.kind is DIR else ("file", "directory")
        return Action(Verb.FAIL, path, f"is a {here} at the source and a {there} at the destination", src, dst)
    if dst.kind is not FILE:
        return Action(Verb.COPY, path, f"replaces something else ({dst.kind.value})", src, dst)
    result.checked += 1
    verb, reason = verdict = compare(src, dst, policy)
    if policy.move and (verb is Verb.KEEP or verb is Verb.TOUCH):
        # Equal by what listings say is not proof enough to delete the source.
        verb, reason = Verb.COMPARE, "proof before the source is deleted"
    elif policy.metadata and verb is Verb.KEEP and not policy.immutable:
        verb, reason = _by_metadata(src, dst, policy)
    if verb is Verb.KEEP:
        result.equal += 1
        result.unverified += verdict is BY_SIZE_ONLY
        if not every:
            return None
    return Action(verb, path, reason, src, dst, exit_code=6 if verb is Verb.FAIL else 1)


def _new(src: ObjectInfo, policy: Policy, trail: _Trail) -> Action | None:
    if trail.blocks(src.path):
        return None
    trail.keep(src.path)
    if src.kind is FILE:
        return Action(Verb.COPY, src.path, "not there yet", src)
    if src.kind is not DIR:
        return _odd(src, None, policy)
    if policy.empty_dirs and policy.has_dirs:
        return Action(Verb.MKDIR, src.path, "not there yet", src)
    # It comes about with what is put into it, and gets what it is to have when that is done.
    return Action(Verb.METADATA, src.path, METADATA_DECIDES, src) if policy.metadata and policy.has_dirs else None


def _odd(src: ObjectInfo, dst: ObjectInfo | None, policy: Policy) -> Action:
    if policy.follows_links and src.kind is LINK:
        reason = "the symbolic link leads nowhere, or back to a folder above it"
        return Action(Verb.FAIL, src.path, reason, src, dst, exit_code=6)
    return Action(Verb.SKIP, src.path, f"not a regular file ({src.kind.value})", src, dst)


def _by_metadata(src: ObjectInfo, dst: ObjectInfo, policy: Policy) -> tuple[Verb, str]:
    if not policy.metadata_listed:
        return Verb.METADATA, METADATA_DECIDES
    if differing(src.metadata, dst.metadata):
        return Verb.METADATA, ONLY_METADATA
    return Verb.KEEP, "equal"


class _Trail:
    """What was passed on the way and still matters: directories only the destination has, and clashes."""

    def __init__(self, policy: Policy, every: bool = False) -> None:
        self.folders: list[ObjectInfo] = []
        self._every = every
        self._delete = policy.delete
        self._has_dirs = policy.has_dirs
        self._blocked = ""

    def blocks(self, path: str) -> bool:
        """Say whether ``path`` stands below a clash: whatever is done there cannot be right."""
        return bool(self._blocked) and path.startswith(self._blocked)

    def block(self, path: str) -> None:
        """Leave alone what stands below ``path``."""
        self._blocked = path + "/"

    def keep(self, path: str) -> None:
        """Keep the directories above ``path``: a flat listing of the source does not name them."""
        if self.folders:
            self.folders = [folder for folder in self.folders if not path.startswith(folder.path + "/")]

    def extra(self, dst: ObjectInfo) -> Iterator[Action]:
        """Take what only the destination has."""
        if not self._delete or self.blocks(dst.path):
            if self._every and dst.kind is FILE:
                yield Action(Verb.KEEP, dst.path, "not in the source", None, dst)
            return
        yield from self._leave(dst.path)
        if dst.kind is DIR:
            # Where there are no real ones, a directory goes with what is in it.
            if self._has_dirs:
                self.folders.append(dst)
        elif dst.kind is FILE:
            yield Action(Verb.DELETE, dst.path, "not in the source", None, dst)
        else:
            # Not something we could have put there, so not ours to take away.
            yield Action(Verb.SKIP, dst.path, f"not a regular file ({dst.kind.value})", None, dst)

    def rest(self) -> Iterator[Action]:
        """Yield the removal of directories that are left."""
        yield from self._leave(None)

    def _leave(self, path: str | None) -> Iterator[Action]:
        while self.folders and (path is None or not path.startswith(self.folders[-1].path + "/")):
            folder = self.folders.pop()
            yield Action(Verb.RMDIR, folder.path, "not in the source", None, folder)
