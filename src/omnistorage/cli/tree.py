"""``omnistorage tree``: draw directories and objects as a tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from omnistorage.core.info import DIR, ObjectInfo

from . import _flags, _links, _places

if TYPE_CHECKING:
    from omnistorage.sync.filters import Filter

    from ._console import Console


class Node:
    """One directory or object, with what stands in it."""

    __slots__ = ("below", "info", "name", "size")

    def __init__(self, name: str, info: ObjectInfo | None) -> None:
        self.name = name
        self.info = info
        self.size = 0 if info is None else info.size or 0
        self.below: dict[str, Node] = {}

    @property
    def is_dir(self) -> bool:
        """True for a directory, also for one that no listing shows."""
        return self.info is None or self.info.kind is DIR


Order = Callable[[Node], Any]


@click.command("tree")
@click.argument("remote")
@click.option("-a", "--all", "hidden", is_flag=True, help="Draw names that begin with a dot, too.")
@click.option("-d", "--dirs-only", is_flag=True, help="Draw directories only.")
@click.option("-s", "--size", "sizes", is_flag=True, help="Print sizes in bytes; of directories, the sum.")
@click.option("-D", "--modtime", "times", is_flag=True, help="Print times of modification.")
@click.option("-Q", "--quote", is_flag=True, help="Print names in double quotes.")
@click.option("--level", type=int, default=0, metavar="N", help="Draw so many levels.")
@click.option("--full-path", is_flag=True, help="Print paths rather than names.")
@click.option("--noindent", is_flag=True, help="Draw no lines.")
@click.option("--noreport", is_flag=True, help="Print no sum at the end.")
@click.option("--dirsfirst", is_flag=True, help="Draw directories before objects.")
@click.option("--sort", type=click.Choice(["name", "size", "mtime"]), default="name", help="What to sort by.")
@click.option("-t", "--sort-modtime", is_flag=True, help="Sort by time of modification.")
@click.option("-r", "--sort-reverse", is_flag=True, help="Sort the other way round.")
@click.option("-U", "--unsorted", is_flag=True, help="Keep the order of the listing.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file.")
@_links.linking
@_flags.filtering
@_flags.common
def command(
    remote: str,
    hidden: bool,
    dirs_only: bool,
    output: str | None,
    noreport: bool,
    level: int,
    selection: Filter,
    console: Console,
    config: str | None,
    **look: Any,
) -> None:
    """Draw what is at REMOTE as a tree, as tree(1) does.

    \b
    omnistorage tree photos
    omnistorage tree -d photos --level 2
    omnistorage tree -s photos --include '*.jpg'
    """
    top = Node("/", None)
    if level > 0:
        depth = selection.depth
        selection = selection.max_depth(level if depth is None else min(level, depth))
    times = look["times"] or look["sort_modtime"] or look["sort"] == "mtime"
    with _places.pages(remote, selection, config, console, times=times, folders=True) as found:
        for infos in found:
            for info in infos:
                if hidden or not (info.path.startswith(".") or "/." in info.path):
                    _add(top, info)
        _add_up(top)
        lines = _lines(top, dirs_only, look)
        dirs, files = _count(top)
        report = [] if noreport else ["", f"{dirs} directories" + ("" if dirs_only else f", {files} files")]
        _write([*lines, *report], output)


def _add(top: Node, info: ObjectInfo) -> None:
    node = top
    folder, _, name = info.path.rpartition("/")
    for part in folder.split("/") if folder else ():
        node = node.below.setdefault(f"{part}/", Node(part, None))
    # Where objects are keys, one may have the name of a directory.
    key = f"{name}/" if info.kind is DIR else name
    here = node.below.get(key)
    if here is None:
        node.below[key] = Node(name, info)
    elif here.info is None:
        here.info = info


def _walk(top: Node) -> Iterator[Node]:
    """Yield all nodes, each before what stands in it; without recursion, as trees may be deep."""
    waiting = [top]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.below.values())


def _add_up(top: Node) -> None:
    for node in reversed(list(_walk(top))):
        node.size += sum(below.size for below in node.below.values())


def _count(top: Node) -> tuple[int, int]:
    dirs = sum(node.is_dir for node in _walk(top)) - 1
    return dirs, sum(not node.is_dir for node in _walk(top))


def _lines(top: Node, dirs_only: bool, look: dict[str, Any]) -> Iterator[str]:
    label, order = _label(look), _order(look)

    def below(node: Node) -> Iterator[tuple[Node, bool]]:
        chosen = [child for child in node.below.values() if child.is_dir or not dirs_only]
        chosen = chosen if order is None else sorted(chosen, key=order, reverse=look["sort_reverse"])
        if look["dirsfirst"]:
            chosen.sort(key=lambda child: not child.is_dir)
        return ((child, child is chosen[-1]) for child in chosen)

    yield label(top, "/")
    waiting = [("", "", below(top))]
    while waiting:
        folder, indent, children = waiting[-1]
        node, is_last = next(children, (None, False))
        if node is None:
            waiting.pop()
            continue
        path = f"{folder}/{node.name}"
        mark = "" if look["noindent"] else indent + ("└── " if is_last else "├── ")
        yield mark + label(node, path if look["full_path"] else node.name)
        waiting.append((path, indent + ("    " if is_last else "│   "), below(node)))


def _order(look: dict[str, Any]) -> Order | None:
    if look["unsorted"]:
        return None
    if look["sort_modtime"] or look["sort"] == "mtime":
        return lambda node: (0 if node.info is None else node.info.mtime_ns or 0, node.name)
    if look["sort"] == "size":
        return lambda node: (node.size, node.name)
    return lambda node: node.name


def _label(look: dict[str, Any]) -> Callable[[Node, str], str]:
    from ._times import formatter

    text = formatter("Jan _2 15:04")

    def label(node: Node, name: str) -> str:
        facts = [f"{node.size:11}"] if look["sizes"] else []
        if look["times"] and not node.is_dir and node.info is not None:
            facts.append(text(node.info.mtime_ns))
        shown = '"' + name.replace('"', '\\"') + '"' if look["quote"] else name
        return f"[{' '.join(facts)}]  {shown}" if facts else shown

    return label


def _write(lines: list[str], output: str | None) -> None:
    text = "\n".join(lines) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    with open(output, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
