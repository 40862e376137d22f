"""Writes the table of docs/s3-services.md anew from src/omnistorage/drivers/presets.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from omnistorage.drivers._presets import Preset, preset, presets

PAGE: Final = Path(__file__).parent.parent / "docs" / "s3-services.md"
BEGIN: Final = "<!-- table: made by scripts/s3_services.py -->\n"
END: Final = "<!-- end of table -->\n"

_DEFAULTS: Final = Preset(name="", title="", sources=())


def table() -> str:
    """Return the table: one line for each service."""
    lines = ["| `provider` | service | endpoint | what is different there |", "|---|---|---|---|"]
    for name in presets():
        row = preset(name)
        lines.append(f"| `{name}` | {row.title} | {_endpoint(row)} | {'; '.join(_differences(row))} |")
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """Return the text of a page with its table replaced by the present one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return before + begin + table() + end + after


def _endpoint(row: Preset) -> str:
    if row.endpoint:
        return f"`{row.endpoint}`"
    return "one for each region" if row.endpoints else "`endpoint_url`"


def _differences(row: Preset) -> list[str]:
    said = [text for field, text in _WORDS.items() if getattr(row, field) != getattr(_DEFAULTS, field)]
    if row.max_copy != _DEFAULTS.max_copy:
        said.append("no copies on the server" if row.max_copy == 0 else "copies of any size in one go")
    if row.max_parts != _DEFAULTS.max_parts:
        said.append(f"at most {row.max_parts:,} parts")
    if row.min_part_size != _DEFAULTS.min_part_size:
        said.append(f"parts from {row.min_part_size >> 20} MiB on")
    if row.max_object_size != _DEFAULTS.max_object_size:
        said.append(f"objects up to {row.max_object_size / (1 << 40):.3g} TiB")
    if row.notes:
        said.append(row.notes.removesuffix("."))
    return said


_WORDS: Final = {
    "path_style": "bucket in the path",
    "list_v1": "lists by the old call",
    "no_url_encoding": "lists names unencoded",
    "no_ranges": "no ranges",
    "no_batch_delete": "deletes one by one",
    "no_if_none_match": "conditional writes",
    "if_match": "replaces on a condition",
    "no_multipart": "no uploads in parts",
    "no_part_copy": "no copies in parts",
    "no_forms": "no forms",
    "checks_sha256": "parts are signed by their SHA-256",
    "no_customer_keys": "no keys of one's own",
    "no_slash_keys": "no keys of slashes alone",
    "equal_parts": "parts of one size",
    "etag_is_md5": "ETag is no MD5",
    "etag_of_parts": "ETags of parts are its own",
    "object_lock": "object lock",
}


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
