"""Answers of S3 taken apart: listings by their marks, which is several times as fast as a parser; the rest by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_plus, urlencode

from omnistorage.core.errors import Corrupted, Truncated

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Asked = Mapping[str, str] | None
"""The parameters by which a request went on where another page had ended."""


class Entry(NamedTuple):
    """One object of a listing.

    Attributes:
        key: Its key, decoded.
        size: Bytes.
        etag: Its mark, without quotes.
        changed: When it was stored, as the service writes it.
        version: Its version, in listings of versions.
        marker: It is the mark of a deletion, not an object.
    """

    key: str
    size: int
    etag: str
    changed: str
    version: str | None = None
    marker: bool = False


class Listing(NamedTuple):
    """One answer to a list request.

    Attributes:
        entries: The objects.
        prefixes: What several keys have in common up to the delimiter.
        next: What the next request has to name, as parameters; None at the end.
    """

    entries: list[Entry]
    prefixes: list[str]
    next: dict[str, str] | None


def listing(data: bytes) -> Listing:
    """Read the answer to ListObjects, of either version.

    Raises:
        StorageError: It is no such answer, or was cut: a short page must never look like a full one.
    """
    if b"<![CDATA[" in data or b"<!--" in data or b"<ListBucketResult" not in data:
        return _listing_by_parser(data)
    text = data.decode()
    if "</ListBucketResult>" not in text[-2000:]:
        raise Truncated("the listing ends before its end")
    first = text.find("<Contents>")
    if first < 0:
        found, about = [], text
    else:
        found = _ENTRY.findall(text, first)
        last = text.rindex("</Contents>")
        if len(found) != text.count("<Contents>") or text.find("<CommonPrefixes>", first, last) > 0:
            # Other services have another order.
            return _listing_by_parser(data)
        about = text[:first] + text[last:]
    encoded = "<EncodingType>" in about
    entries: list[Entry] = []
    for key, changed, etag, size in found:
        key = _unescaped(key)
        if encoded and ("%" in key or "+" in key):
            key = unquote_plus(key)
        entries.append(Entry(key, int(size), _plain(etag), changed))
    prefixes = [_decoded(_unescaped(prefix), encoded) for prefix in _PREFIX.findall(about)]
    fields = {name: _unescaped(value) for name, value in _FIELD.findall(about)}
    return Listing(entries, prefixes, _next(fields, encoded))


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    from html import unescape

    return unescape(text)


def _plain(etag: str) -> str:
    # As AWS writes it, as others do, and the rest.
    if etag[:6] == "&quot;":
        return etag[6:-6]
    return etag.replace("&#34;", "").strip('"')


def tree(data: bytes) -> Element:
    """Parse an answer; its tags lose their namespace.

    Raises:
        Corrupted: It is no XML, or was cut.
    """
    from xml.etree import ElementTree

    try:
        # Some send blanks while they work, also before the answer begins.
        root = ElementTree.fromstring(data.lstrip())
    except ElementTree.ParseError as exc:
        raise Corrupted(f"the answer cannot be understood: {exc}") from exc
    for node in root.iter():
        node.tag = node.tag.rpartition("}")[2]
    return root


def text_of(node: Element, name: str) -> str:
    """Return the text of a child; empty if there is none."""
    return (node.findtext(name) or "").strip()


def escaped(text: str) -> str:
    """Return text as XML has it; control characters that XML knows are written as references."""
    for plain, code in _ESCAPES:
        text = text.replace(plain, code)
    return text


def fits_xml(text: str) -> bool:
    """Say whether a text can be written as XML at all."""
    return _UNFIT.search(text) is None


def deletion(keys: Iterable[str]) -> bytes:
    """Return the body of a request that deletes objects, and wants to hear of failures only."""
    objects = "".join(f"<Object><Key>{escaped(key)}</Key></Object>" for key in keys)
    return f'<Delete xmlns="{NAMESPACE}"><Quiet>true</Quiet>{objects}</Delete>'.encode()


def completion(parts: Iterable[tuple[int, str]]) -> bytes:
    """Return the body of a request that makes an object of parts, given by number and ETag."""
    found = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escaped(etag)}</ETag></Part>" for number, etag in parts
    )
    return f'<CompleteMultipartUpload xmlns="{NAMESPACE}">{found}</CompleteMultipartUpload>'.encode()


def versions(root: Element, asked: Asked = None) -> Listing:
    """Read the answer to ListObjectVersions; ``asked`` is what its request named to go on."""
    encoded = root.find("EncodingType") is not None
    entries = [
        Entry(
            _decoded(node.findtext("Key") or "", encoded),
            int(text_of(node, "Size") or 0),
            text_of(node, "ETag").strip('"'),
            text_of(node, "LastModified"),
            text_of(node, "VersionId") or None,
            node.tag == "DeleteMarker",
        )
        for node in root
        if node.tag in ("Version", "DeleteMarker")
    ]
    return Listing(entries, [], _markers(root, encoded, asked, "KeyMarker", "VersionIdMarker"))


def uploads(root: Element, asked: Asked = None) -> tuple[list[tuple[str, str, str]], dict[str, str] | None]:
    """Read the answer to ListMultipartUploads: key, id and begin of each, and how to ask for the next ones."""
    encoded = root.find("EncodingType") is not None
    found = [
        (_decoded(node.findtext("Key") or "", encoded), text_of(node, "UploadId"), text_of(node, "Initiated"))
        for node in root.iterfind("Upload")
    ]
    return found, _markers(root, encoded, asked, "KeyMarker", "UploadIdMarker")


def parts(root: Element, asked: Asked = None) -> tuple[list[tuple[int, int, str]], dict[str, str] | None]:
    """Read the answer to ListParts: number, size and ETag of each, and how to ask for the next ones."""
    found = [
        (int(text_of(node, "PartNumber")), int(text_of(node, "Size")), text_of(node, "ETag"))
        for node in root.iterfind("Part")
    ]
    return found, _markers(root, False, asked, "PartNumberMarker")


def tagging(root: Element) -> str:
    """Read the answer to GetObjectTagging: the tags as a header names them."""
    # Sorted: services give them in any order.
    tags = sorted((node.findtext("Key") or "", node.findtext("Value") or "") for node in root.iter("Tag"))
    return urlencode(tags, quote_via=quote)


def tagging_body(text: str) -> bytes:
    """Return the body of a request that tags an object, from the tags as a header names them."""
    tags = "".join(
        f"<Tag><Key>{escaped(name)}</Key><Value>{escaped(value)}</Value></Tag>"
        for name, value in parse_qsl(text, keep_blank_values=True)
    )
    return f'<Tagging xmlns="{NAMESPACE}"><TagSet>{tags}</TagSet></Tagging>'.encode()


def buckets(root: Element) -> Iterator[tuple[str, str]]:
    """Yield name and time of making of each bucket."""
    for node in root.iter("Bucket"):
        yield text_of(node, "Name"), text_of(node, "CreationDate")


def _listing_by_parser(data: bytes) -> Listing:
    root = tree(data)
    if root.tag != "ListBucketResult":
        raise Corrupted(f"a listing was asked for, and {root.tag} came")
    encoded = root.find("EncodingType") is not None
    entries = [
        Entry(
            _decoded(node.findtext("Key") or "", encoded),
            int(text_of(node, "Size")),
            text_of(node, "ETag").strip('"'),
            text_of(node, "LastModified"),
        )
        for node in root.iterfind("Contents")
    ]
    prefixes = [_decoded(node.findtext("Prefix") or "", encoded) for node in root.iterfind("CommonPrefixes")]
    fields = {node.tag: node.text or "" for node in root if not len(node)}
    return Listing(entries, prefixes, _next(fields, encoded))


def _next(fields: dict[str, str], encoded: bool) -> dict[str, str] | None:
    if "IsTruncated" not in fields:
        # With a part of it gone, it would look like the last page.
        raise Corrupted("the listing does not say whether it is all")
    if fields["IsTruncated"] != "true":
        return None
    if token := fields.get("NextContinuationToken"):
        return {"continuation-token": token}
    if marker := fields.get("NextMarker"):
        return {"marker": _decoded(marker, encoded)}
    # Version 1 without delimiter: it goes on behind the last key.
    return {}


def _markers(root: Element, encoded: bool, asked: Asked, *names: str) -> dict[str, str] | None:
    if text_of(root, "IsTruncated") != "true":
        return None
    key, *others = names
    found = {_MARKERS[key]: _decoded(root.findtext(f"Next{key}") or "", encoded)}
    for other in others:
        if mark := text_of(root, f"Next{other}"):
            found[_MARKERS[other]] = mark
    if not found[_MARKERS[key]] or found == asked:
        # It would go on for ever.
        raise Corrupted("the listing is cut, and does not say where it goes on")
    return found


def _decoded(text: str, encoded: bool) -> str:
    return unquote_plus(text) if encoded else text


NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MARKERS = {
    "KeyMarker": "key-marker",
    "PartNumberMarker": "part-number-marker",
    "VersionIdMarker": "version-id-marker",
    "UploadIdMarker": "upload-id-marker",
}
_ENTRY = re.compile(
    r"<Contents>\s*<Key>([^<]*)</Key>\s*<LastModified>([^<]*)</LastModified>\s*<ETag>([^<]*)</ETag>\s*"
    r"(?:<Checksum\w+>[^<]*</Checksum\w+>\s*)*<Size>([0-9]+)</Size>"
)
_PREFIX = re.compile(r"<CommonPrefixes>\s*<Prefix>([^<]*)</Prefix>\s*</CommonPrefixes>")
_FIELD = re.compile(r"<(IsTruncated|NextContinuationToken|NextMarker)>([^<]*)<")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = (
    ("&", "&amp;"),
    ("<", "&lt;"),
    (">", "&gt;"),
    ("\r", "&#13;"),
    ("\n", "&#10;"),
    ("\t", "&#9;"),
)
