"""A glob becomes the same regular expression that rclone prints with ``--dump filters``.

Globs differ from those of a shell: ``*`` stops at a slash and ``**`` does not, ``{a,b}`` are alternatives,
``{{..}}`` is a regular expression, ``[..]`` is copied as it is (so ``[!a]`` does not negate, ``[^a]`` does), and
a backslash is passed on (so ``\\d`` is a digit).
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["directories", "to_regex"]

_SPECIAL = frozenset(".+^$()|")


def to_regex(glob: str, ignore_case: bool = False) -> str:
    """Translate a glob; the result is meant to be searched for in a path without a leading slash.

    Raises:
        ValueError: Brackets or braces do not close, or there are three stars.
    """
    body, begin = (glob[1:], "^") if glob.startswith("/") else (glob, "(^|/)")
    return f"{'(?i)' if ignore_case else ''}{begin}{''.join(_translate(body))}$"


def _translate(glob: str) -> Iterator[str]:
    at = braces = 0
    while at < len(glob):
        char = glob[at]
        end = at + 1
        if char == "*":
            end = _run(glob, at)
            if end - at > 2:
                raise ValueError("too many stars: want * (up to a slash) or ** (beyond)")
            yield ".*" if end - at == 2 else "[^/]*"
        elif char == "?":
            yield "[^/]"
        elif char == "[":
            end = _bracket(glob, at)
            yield glob[at:end]
        elif glob.startswith("{{", at):
            end = _double_brace(glob, at)
            yield f"({glob[at + 2 : end - 2]})"
        elif char == "{":
            braces += 1
            yield "("
        elif char == "}" and braces:
            braces -= 1
            yield ")"
        elif char in "]}":
            raise ValueError(f'"{char}" without "{"[" if char == "]" else "{"}": want \\{char} for the character')
        elif char == "," and braces:
            yield "|"
        elif char == "\\":
            end = at + 2
            yield glob[at:end]
        else:
            yield "\\" + char if char in _SPECIAL else char
        at = end
    if braces:
        raise ValueError('missing "}"')


def _run(glob: str, at: int) -> int:
    """Return where the run of equal characters ends."""
    end = at
    while glob[end : end + 1] == glob[at]:
        end += 1
    return end


def _bracket(glob: str, at: int) -> int:
    """Return where the class ends; brackets inside count, as in ``[[:digit:]]``."""
    depth = 0
    for end in range(at, len(glob)):
        depth += (glob[end] == "[") - (glob[end] == "]")
        if depth == 0:
            return end + 1
    raise ValueError('missing "]"')


def _double_brace(glob: str, at: int) -> int:
    """Return where the regular expression ends: of ``}}}`` the first belongs to it, as in ``{{a{2}}}``."""
    end = glob.find("}}", at + 2)
    if end < 0:
        raise ValueError('missing "}}"')
    return _run(glob, end)


def directories(glob: str) -> list[str]:
    """Return globs of the directories that have to be walked to find what ``glob`` matches.

    Each ends with a slash, the deepest comes first. ``/**``, any directory, is the answer when it cannot be
    told, as braces hold a slash, ``**`` or other braces.
    """
    import re

    # Escaped braces count like others, as in rclone.
    if "}}" in glob or any(
        end == "{" or "/" in inside or "**" in inside for inside, end in re.findall(r"\{([^{}]*)([{}])", glob)
    ):
        return ["/**"]
    glob = re.sub(r"//+", "/", glob)
    found: list[str] = []
    # Of three the first is escaped, and a star as such.
    for cut in re.finditer(r"/|\*\*(?!\*)", glob):
        parent = glob[: cut.end()].removesuffix("/") + "/"
        if parent not in found[-1:]:
            found.append(parent)
    # Without a slash the name may be anywhere; the slash of "/name" is the root, which is always walked.
    return [parent for parent in reversed(found) if parent != "/"] if found else ["/**"]
