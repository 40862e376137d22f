"""Every example in README and docs is run, in order, page by page, in an empty folder.

``python`` blocks of a page share their names. In ``console`` blocks, lines that begin with ``$ `` are commands for
bash; lines below one are what it must print (``...`` stands for anything), and each must end with 0. What a reader
need not see stands in a comment ``<!-- hidden``. Installing is the one thing that is not done.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")) if "```" in path.read_text("utf-8")
)

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$|^<!-- hidden\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
_NOT_RUN = frozenset({"text", "toml", "json"})
_INSTALLING = ("pip install", "scripts/")


class Block(NamedTuple):
    """One example: its language, its text, and the line of the page it begins at."""

    kind: str
    text: str
    line: int


def blocks(page: str) -> Iterator[Block]:
    """Yield the examples of a page."""
    for match in _BLOCK.finditer(page):
        line = page.count("\n", 0, match.start()) + 2
        if match[3] is not None:
            yield Block("hidden", match[3], line)
        elif match[1] not in _NOT_RUN:
            yield Block(match[1], match[2], line)


def run_page(page: str, name: str, home: Path) -> int:
    """Run the examples of a page in the folder ``home`` and return how many there were."""
    names: dict[str, object] = {"__name__": "__main__"}
    count = 0
    for block in blocks(page):
        where = f"{name}:{block.line}"
        if block.kind == "python":
            _python(block, names, where)
        elif block.kind == "console":
            for command, output in _commands(block.text):
                _shell(command, output, where, home)
        elif block.kind == "hidden":
            _shell(block.text, "", where, home)
        else:
            raise AssertionError(f"{where}: nobody knows how to run {block.kind!r}")
        count += 1
    return count


def _python(block: Block, names: dict[str, object], where: str) -> None:
    if ">>> " in block.text:
        parsed = doctest.DocTestParser().get_doctest(block.text, names, where, where, block.line)
        report = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        runner.run(parsed, out=report.write, clear_globs=False)
        names.update(parsed.globs)
        assert not report.getvalue(), report.getvalue()
        return
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile("\n" * block.line + block.text, where, "exec"), names)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        end = 1
        while lines[end - 1].endswith("\\\n"):
            end += 1
        yield "".join(lines[:end]), "".join(lines[end:])


def _shell(command: str, output: str, where: str, home: Path) -> None:
    if command.startswith(_INSTALLING):
        return
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "HOME": str(home),
        "OMNISTORAGE_CONFIG": str(home / "config.toml"),
        "OMNISTORAGE_STATE": str(home / ".state"),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{where}: {command}ended with {done.returncode}: {done.stdout}"
    if output:
        fits = doctest.OutputChecker().check_output(output, done.stdout, doctest.ELLIPSIS)
        assert fits, f"{where}: {command}printed:\n{done.stdout}\ninstead of:\n{output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the page does what the page says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMNISTORAGE_CONFIG", "")
    monkeypatch.setenv("OMNISTORAGE_STATE", str(tmp_path / ".state"))
    count = run_page(page.read_text("utf-8"), str(page.relative_to(ROOT)), tmp_path)

    assert count or page.parent.name == "decisions"


def test_readme_has_examples() -> None:
    """What the harness finds in README is what a reader sees there."""
    kinds = [block.kind for block in blocks((ROOT / "README.md").read_text("utf-8"))]

    assert kinds.count("python") >= 3
    assert kinds.count("console") >= 2


PLANTED = {
    "wrong output": "```console\n$ echo one\ntwo\n```\n",
    "failing command": "```console\n$ false\n```\n",
    "raising python": "```python\nraise ValueError\n```\n",
    "wrong value": "```python\n>>> 1 + 1\n3\n```\n",
    "unknown language": "```cobol\nDISPLAY 'x'.\n```\n",
}


@pytest.mark.parametrize("fault", PLANTED)
def test_harness_sees_faults(fault: str, tmp_path: Path) -> None:
    """An example that does not do what it says fails."""
    with pytest.raises((AssertionError, ValueError)):
        run_page(PLANTED[fault], "page", tmp_path)


def _links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))


def test_links_lead_somewhere() -> None:
    """Every link to a file of ours leads to one."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = [f"{page.name}: {link}" for page in pages for link in _links(page) if not (page.parent / link).exists()]

    assert broken == []
