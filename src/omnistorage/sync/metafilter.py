"""Selecting objects by their metadata, with the rules of file filters on ``key=value``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .rules import FilterError, Rules, Source, read_lines

__all__ = ["MetadataFilter"]

_NONE = "\0=\0"
"""Stands for an object without metadata, so that rules which match everything match it, too."""


class MetadataFilter:
    """Says which objects are looked at, by what is kept beside their bytes.

    The first rule that matches any ``key=value`` of an object decides; what none matches passes, unless there are
    includes. Directories pass.

    Args:
        include: Globs of what to take; all else is left out.
        include_from: Files with such globs.
        exclude: Globs of what to leave out.
        exclude_from: Files with such globs.
        rules: ``+ GLOB`` and ``- GLOB``, in their order.
        rules_from: Files with such rules.
        ignore_case: Match in any case.

    Raises:
        FilterError: A rule is malformed, or includes and excludes are mixed, whose order is not known.
    """

    def __init__(
        self,
        *,
        include: Iterable[str] = (),
        include_from: Iterable[str] = (),
        exclude: Iterable[str] = (),
        exclude_from: Iterable[str] = (),
        rules: Iterable[str] = (),
        rules_from: Iterable[str] = (),
        ignore_case: bool = False,
    ) -> None:
        taken, left_out = _read(include, include_from, "include"), _read(exclude, exclude_from, "exclude")
        if taken and left_out:
            raise FilterError("--metadata-include and --metadata-exclude do not mix; use --metadata-filter")
        self._list = Rules(taken, left_out, _read(rules, rules_from, "filter"), bool(taken), ignore_case).files

    def allows(self, metadata: Mapping[str, str]) -> bool:
        """Tell whether an object with this metadata passes."""
        texts = [f"{name}={value}" for name, value in metadata.items()] or [_NONE]
        found = {id(rule): rule for rule in map(self._list.deciding, texts) if rule is not None}
        if not found:
            return True
        return next(rule for rule in self._list.rules if id(rule) in found).include


def _read(texts: Iterable[str], files: Iterable[str], step: str) -> list[tuple[str, Source]]:
    found = [(text, Source(f"metadata_{step}")) for text in texts]
    for lines in map(read_lines, files):
        source = f"metadata_{step}_from"
        found += [(text, Source(source, lines.file, at)) for text, at in zip(lines.texts, lines.numbers, strict=True)]
    return found
