"""The main job, on real input: sync a tree of thousands of files, change it, sync again, and prove every step.

The tree is Python's own standard library. Each number that the command reports is compared with one that is counted
here, and each byte with what is read here: nothing is taken on trust. Ends with 1 at the first step whose result is
not exactly what it should be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

COMMAND: Final = Path(sys.executable).with_name("omnistorage")
"""The installed command, as a user has it."""

Tree = dict[bytes, "File"]


class File(NamedTuple):
    """What is compared of a file: size in bytes, nanoseconds of Unix time, SHA-256 of its content."""

    size: int
    mtime_ns: int
    digest: str


class Wrong(Exception):
    """A result is not what it should be."""


# -- what the operating system says, without the library -------------------------------------------------------


def look(root: Path) -> Tree:
    """Read all regular files below a folder: relative path, as bytes, to what is in it."""
    top = os.fsencode(root)
    found: Tree = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, "rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            about = os.stat(path)
            found[os.path.relpath(path, top)] = File(about.st_size, about.st_mtime_ns, digest)
    return found


def folders(root: Path) -> set[bytes]:
    """Return the relative paths of all folders below ``root``."""
    top = os.fsencode(root)
    return {os.path.relpath(folder, top) for folder, _, _ in os.walk(top)} - {b"."}


def total(files: Iterable[File]) -> int:
    """Return the number of bytes in files."""
    return sum(file.size for file in files)


# -- running and comparing -------------------------------------------------------------------------------------


def title(number: int, text: str) -> None:
    """Begin a step."""
    print(f"\n=== {number}. {text}", flush=True)


def run(*args: str | Path, quiet: bool = False, code: int = 0) -> str:
    """Run the command and return its output; progress and messages go to stderr, as always, unless ``quiet``."""
    shown = " ".join(str(arg) for arg in args)
    print(f"$ omnistorage {shown}", flush=True)
    done = subprocess.run(
        [str(COMMAND), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if quiet else None,
        text=True,
        errors="surrogateescape",
        # The demo must not depend on what this user has configured.
        env={**os.environ, "OMNISTORAGE_CONFIG": ""},
    )
    if done.returncode != code:
        raise Wrong(f"exit code {done.returncode}, expected {code}\n{done.stderr or ''}")
    return done.stdout if not quiet else done.stdout + done.stderr


def report_of(text: str) -> dict[str, Any]:
    """Return the JSON object that the command printed last."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Wrong(f"no report in: {text!r}")
    report: dict[str, Any] = json.loads(lines[-1])
    return report


def expect(report: dict[str, Any], **numbers: int) -> None:
    """Compare the counters of a report with what was counted here."""
    wrong = {name: (report.get(name), want) for name, want in numbers.items() if report.get(name) != want}
    if wrong:
        raise Wrong("; ".join(f"{name} is {got}, expected {want}" for name, (got, want) in wrong.items()))
    print("   as counted here: " + ", ".join(f"{name} {want:,}" for name, want in numbers.items()))


def same(one: Tree, two: Tree, what: str) -> None:
    """Compare two trees: names, sizes, times and every byte (by SHA-256)."""
    for path in sorted(one.keys() | two.keys()):
        if one.get(path) != two.get(path):
            raise Wrong(f"{what}: {path!r} is {one.get(path)} here and {two.get(path)} there")
    print(f"   {what}: {len(one):,} files, {total(one.values()):,} bytes, equal by SHA-256, name and time")


# -- the tree and what is done to it ---------------------------------------------------------------------------


def make_tree(root: Path) -> None:
    """Copy the standard library, without what was installed beside it or compiled from it."""
    library = sysconfig.get_path("stdlib")
    leave_out = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__")
    shutil.copytree(library, root, ignore=leave_out, ignore_dangling_symlinks=True)
    if sum(len(files) for _, _, files in os.walk(root)) < 2000:
        # Some systems ship the library in parts, without its own tests; then what is installed beside it comes along.
        beside = sysconfig.get_path("purelib")
        shutil.copytree(beside, root / "site-packages", ignore=shutil.ignore_patterns("__pycache__"))
    # As a user has them: writable, whatever the installation says.
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)


def hostile_names() -> list[bytes]:
    """Return names that programs stumble over; each is a legal name on this system."""
    texts = [
        "new\nline.txt",
        " leading and trailing ",
        "\ttab\t",
        "'single' \"double\" `back`",
        "-rf",
        "--delete",
        "*?[a-z]{x,y}",
        "$HOME;rm -rf ~ #|&<>(!)",
        "back\\slash",
        "%2F%00%0A",
        "a:b",
        "C:",
        "...",
        "~",
        ".hidden",
        "trailing.",
        "con",
        "NUL.txt",
        "bell\x07 escape\x1b[31m del\x7f",
        "\u00e9 composed",
        "e\u0301 decomposed",
        "Case",
        "case",
        "\U0001f4be emoji \U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\u202eright to left",
        "\ufeffmark",
        "full\uff0fwidth\uff05",
        "\u201b\u2400 quote and null sign",
        "n" * 255,
        "\u00fc" * 127,
        "name.rclonelink",
        "file.partial",
    ]
    return [text.encode() for text in texts] + [b"invalid \xff\xfe utf-8", b"\xed\xa0\x80 surrogate", b"\x80"]


class Changes(NamedTuple):
    """What was done to the tree: how many files."""

    edited: int
    touched: int
    renamed: int
    deleted: int
    added: int


def pick(paths: list[bytes], count: int, step: int) -> list[bytes]:
    """Take every ``step``-th path out of ``paths``, ``count`` in all; no path is picked twice."""
    chosen = paths[::step][:count]
    for path in chosen:
        paths.remove(path)
    return chosen


def change(root: Path) -> Changes:
    """Edit, touch, rename, delete and add files, as a week of work does."""
    top = os.fsencode(root)
    gone = b"email"
    all_paths = sorted(look(root))
    below = [path for path in all_paths if path.startswith(gone + b"/")]
    rest = [path for path in all_paths if path not in set(below)]
    grown, rewritten = pick(rest, 60, 17), pick(rest, 40, 13)
    touched, renamed, deleted = pick(rest, 25, 11), pick(rest, 50, 7), pick(rest, 80, 5)

    for path in grown:
        with open(os.path.join(top, path), "ab") as stream:
            stream.write(b"\n# one more line\n")
    for path in rewritten:
        place = os.path.join(top, path)
        with open(place, "rb") as stream:
            data = stream.read()
        # Of the same size: only the time and the content tell. An empty file would tell nothing.
        with open(place, "wb") as stream:
            stream.write(bytes(byte ^ 1 for byte in data) or b"!")
    for path in touched:
        os.utime(os.path.join(top, path), ns=(10**18, 10**18))
    for index, path in enumerate(renamed):
        os.rename(os.path.join(top, path), os.path.join(top, path + b".renamed %d" % index))
    for path in deleted:
        os.unlink(os.path.join(top, path))
    shutil.rmtree(os.path.join(top, gone))

    names = hostile_names()
    odd = os.path.join(top, b"hostile \xf0\x9f\x91\xbb\n")
    deep = os.path.join(odd, *[b"deep %d" % level for level in range(40)])
    os.makedirs(deep)
    for index, name in enumerate(names):
        for folder in (odd, deep):
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(b"content %d of " % index + name)
    # Neither can be copied, and neither may stop or hang the run.
    os.mkfifo(os.path.join(odd, b"fifo"))
    os.symlink(b"points/nowhere", os.path.join(odd, b"dangling"))
    return Changes(
        edited=len(grown) + len(rewritten),
        touched=len(touched),
        renamed=len(renamed),
        deleted=len(deleted) + len(below),
        added=2 * len(names),
    )


# -- the story -------------------------------------------------------------------------------------------------


def demo(work: Path) -> str:
    """Do all steps in an empty folder; return the summary."""
    tree, store, backup = work / "tree", work / "store", work / "backup"
    began = time.monotonic()

    title(1, "a user's tree: the source of Python's standard library")
    make_tree(tree)
    first = look(tree)
    print(f"   {len(first):,} files, {total(first.values()):,} bytes, {len(folders(tree)):,} folders")

    title(2, "the first sync, with progress, into a local store")
    report = report_of(run("sync", "-P", "--json", tree, store))
    expect(report, transferred=len(first), bytes=total(first.values()), deleted=0, touched=0, errors=0)

    title(3, "is every byte there?")
    run("check", tree, store)
    same(first, look(store), "read by this script")

    title(4, "a week of work: edits, renames, deletes, and names that programs stumble over")
    did = change(tree)
    second = look(tree)
    print("   " + ", ".join(f"{count:,} {word}" for word, count in did._asdict().items()))
    news = {path: file for path, file in second.items() if path not in first}
    edits = {
        path: file
        for path, file in second.items()
        if path in first and (file.digest, file.size) != (first[path].digest, first[path].size)
    }
    touches = [path for path in second.keys() & first.keys() if path not in edits and second[path] != first[path]]
    gone = {path: file for path, file in first.items() if path not in second}
    extra_folders = folders(store) - folders(tree)
    if (len(edits), len(touches), len(news), len(gone)) != (
        did.edited,
        did.touched,
        did.added + did.renamed,
        did.deleted + did.renamed,
    ):
        raise Wrong("the tree is not changed as intended; the demo itself is wrong")
    moved = [*news.values(), *edits.values()]
    counts = {
        "transferred": len(moved),
        "bytes": total(moved),
        "touched": len(touches),
        "deleted": len(gone),
        "deleted_bytes": total(gone.values()),
        "deleted_dirs": len(extra_folders),
        "equal": len(second) - len(moved) - len(touches),
        "skipped": 2,
        "errors": 0,
    }

    title(5, "does check see what is different?")
    run("check", tree, store, quiet=True, code=1)
    print("   yes: exit code 1")

    title(6, "the plan (a dry run): shown, and nothing is changed")
    text = run("sync", "--dry-run", "--json", tree, store, quiet=True)
    report = report_of(text)
    plan = [line for line in text.splitlines() if not line.startswith("{")]
    for line in [*plan[:4], f"… {len(plan) - 8} more lines …", *plan[-4:]]:
        print("   " + line.encode("utf-8", "backslashreplace").decode()[:140])
    expect(report, **counts)
    same(first, look(store), "the store is as it was")

    title(7, "the second sync")
    report = report_of(run("sync", "-P", "--json", tree, store))
    expect(report, **counts)
    run("check", tree, store)
    same(second, look(store), "read by this script")
    left = folders(store) - folders(tree)
    if left:
        raise Wrong(f"folders that the source does not have: {sorted(left)}")

    title(8, "a third sync has nothing to do")
    report = report_of(run("sync", "--json", tree, store, quiet=True))
    expect(report, transferred=0, bytes=0, touched=0, deleted=0, deleted_dirs=0, equal=len(second), errors=0)

    title(9, "a source that is not mounted: refused, nothing is deleted")
    (work / "not mounted").mkdir()
    run("sync", work / "not mounted", store, quiet=True, code=7)
    same(second, look(store), "the store is as it was")

    title(10, "the same from Python, and with await")
    from_python(store, backup, second)
    same(second, look(backup), "the backup")

    title(11, "nothing is left behind")
    leftovers = list(work.rglob(".omnistorage-*"))
    if leftovers:
        raise Wrong(f"temporary files were left: {leftovers}")
    print("   no temporary file in any folder")

    return (
        f"{len(first):,} files ({total(first.values()) / 1e6:.0f} MB) synced and verified; then {did.edited} "
        f"edits, {did.touched} touches, {did.renamed} renames, {did.deleted} deletes and {did.added} hostile names: "
        f"planned, synced, verified; a third run did nothing; {time.monotonic() - began:.0f} s in all"
    )


def from_python(store: Path, backup: Path, expected: Tree) -> None:
    """Sync the store once more with the library, and read all of it with ``await``."""
    import omnistorage
    from omnistorage import aio
    from omnistorage.sync import sync

    with omnistorage.open(store) as src, omnistorage.open(backup) as dst:
        result = sync(src, dst)
    if not result.ok or result.transferred != len(expected):
        raise Wrong(f"the library's sync ended with {result}")
    print(f"   sync(src, dst): {result.transferred:,} files in {result.elapsed:.1f} s")

    async def read_all() -> int:
        right = 0
        async with aio.open(str(backup)) as storage:
            async for outcome in storage.get_many([os.fsdecode(path) for path in expected]):
                wanted = expected[os.fsencode(outcome.path)]
                right += outcome.data is not None and hashlib.sha256(outcome.data).hexdigest() == wanted.digest
        return right

    right = asyncio.run(read_all())
    if right != len(expected):
        raise Wrong(f"{len(expected) - right} files read with await are not what they should be")
    print(f"   await: {right:,} files read by name, each as expected")


def main() -> NoReturn:
    """Run the demo in a temporary folder, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="omnistorage-demo-", ignore_cleanup_errors=True) as work:
        try:
            summary = demo(Path(work))
        except Wrong as exc:
            sys.stdout.flush()
            text = str(exc).encode("utf-8", "backslashreplace").decode()
            sys.exit(f"\nWRONG: {text}")
    print(f"\nAll as it should be: {summary}")
    sys.exit(0)


if __name__ == "__main__":
    main()
