"""Listings of S3, page by page: keys become objects and directories, in path order."""

from __future__ import annotations

from typing import Final, NamedTuple

from omnistorage.core.errors import Corrupted, NotFound, StorageError, Unsupported
from omnistorage.core.info import DIR, FILE, ObjectInfo, Page, Usage

from ._s3answers import result_of
from ._s3client import Client
from ._s3errors import named
from ._s3metadata import is_md5, iso_time
from ._s3xml import Entry, Listing, buckets, listing

_LAST: Final = "\U0010ffff"


class Token(NamedTuple):
    """Where the next page of a listing begins.

    Attributes:
        query: What its request has to name beside the usual.
        within: It lists what stands below ``/``, among the objects of the root.
        last: The last key, or what keys have in common, of the page before.
    """

    query: tuple[tuple[str, str], ...] = ()
    within: bool = False
    last: str = ""


def page_of(
    client: Client, bucket: str, folder: str, *, recursive: bool, token: object, most: int, root: str = ""
) -> Page:
    """Return one page of the directory ``folder`` of a bucket; paths begin with ``root``.

    What begins with a slash has no directory that could be named: such objects are listed as those of the root. An
    empty object whose key ends with a slash is how others mark a directory, and is listed as one.
    """
    at = token if isinstance(token, Token) else Token()
    prefix = "/" if at.within else f"{folder}/" if folder else ""
    flat = recursive or at.within
    found = request(client, bucket, prefix, delimiter="" if flat else "/", most=most, query=at.query)
    last = _last(found)
    _refuse_circle(bucket, found, at, last)
    infos = _infos(found.entries, root, client.etag_is_md5)
    if flat:
        infos = [
            info if info.size else _marked(info, root) for info in infos if info.size or info.path != root + prefix
        ]
        return Page(infos, _next(found, last, within=at.within) or (_BEHIND if at.within else None))
    if prefix and infos and infos[0].path == root + prefix and not infos[0].size:
        del infos[0]
    if found.prefixes:
        slash = not prefix and "/" in found.prefixes
        infos += [ObjectInfo(root + common[:-1], DIR) for common in found.prefixes if common != "/" or prefix]
        infos.sort(key=_order)
        if slash and at != _BEHIND:
            # What comes before stands on this page, the rest comes again when what begins with a slash is listed.
            return Page([info for info in infos if info.order < root + "/"], Token(within=True))
    return Page(infos, _next(found, last))


def request(
    client: Client, bucket: str, prefix: str, *, delimiter: str, most: int, query: tuple[tuple[str, str], ...] = ()
) -> Listing:
    """Ask for some of the keys that begin with ``prefix``."""
    wanted = [("max-keys", str(most)), ("prefix", prefix), *query]
    if not client.preset.no_url_encoding:
        wanted.append(("encoding-type", "url"))
    old = client.preset.list_v1
    if old:
        wanted = [("marker" if name == "start-after" else name, value) for name, value in wanted]
    else:
        wanted.append(("list-type", "2"))
    if delimiter:
        wanted.append(("delimiter", delimiter))
    answer = client.request("GET", bucket, query=wanted)
    try:
        if b"<ListBucketResult" not in answer.data[:2000]:
            result_of(answer, bucket)
        found = listing(answer.data)
        _refuse_others(found, prefix)
        return found
    except StorageError as exc:
        raise named(exc, bucket, answer.headers)  # noqa: B904 -- it has its cause


def is_folder(client: Client, bucket: str, path: str) -> bool:
    """Say whether anything stands below ``path``."""
    found = request(client, bucket, f"{path}/" if path else "", delimiter="", most=1)
    return bool(found.entries or found.prefixes)


class _Bucket(NamedTuple):
    """A page within one bucket of several."""

    name: str
    token: Token


def page_of_buckets(client: Client, *, recursive: bool, token: object, most: int) -> Page:
    """Return the buckets as directories; if ``recursive``, a page of what stands in them."""
    found = dict(buckets(result_of(client.request("GET", ""), "")))
    names = sorted(found, key=lambda name: f"{name}/")
    if not recursive:
        return Page([ObjectInfo(name, DIR, None, iso_time(found[name])) for name in names])
    at = token if isinstance(token, _Bucket) else None
    left = [name for name in names if at is None or f"{name}/" >= f"{at.name}/"]
    if not left:
        return Page([])
    name = left[0]
    inner = at.token if at is not None and at.name == name else None
    page = page_of(client, name, "", recursive=True, token=inner, most=most, root=f"{name}/")
    infos = page.infos if inner else [ObjectInfo(name, DIR, None, iso_time(found[name])), *page.infos]
    if isinstance(page.next, Token):
        return Page(infos, _Bucket(name, page.next))
    return Page(infos, _Bucket(left[1], Token()) if len(left) > 1 else None)


def usage_of(client: Client, bucket: str) -> Usage:
    """Return how full a bucket is, as Ceph says it beside the answer to HEAD."""
    told = client.request("HEAD", bucket).headers

    def number(name: str) -> int | None:
        text = told.get(f"x-rgw-{name}", "")
        return int(text) if text.isdecimal() else None

    used, total = number("bytes-used"), number("quota-bucket-size")
    if used is None:
        raise Unsupported("this service does not tell; counting the objects does")
    # Behind the quota where it was set later than the objects.
    total = None if total is None else max(total, used)
    free = None if total is None else total - used
    return Usage(total=total, used=used, free=free, objects=number("object-count"))


def exists(client: Client, bucket: str) -> bool:
    """Say whether there is such a bucket; one that we may not look at is there."""
    try:
        client.request("HEAD", bucket, allow=(403,))
    except NotFound:
        return False
    return True


def _infos(entries: list[Entry], root: str, etag_is_md5: bool) -> list[ObjectInfo]:
    # The time in a listing is that of the storing, and not the one of the object that stat tells: it says nothing.
    infos = []
    for entry in entries:
        etag = entry.etag or None
        path = root + entry.key if root else entry.key
        if etag_is_md5 and etag and is_md5(etag):
            infos.append(ObjectInfo(path, FILE, entry.size, None, {"md5": etag}, etag))
        else:
            infos.append(ObjectInfo(path, FILE, entry.size, etag=etag))
    return infos


def _marked(info: ObjectInfo, root: str) -> ObjectInfo:
    if info.size or not info.path.endswith("/") or info.path == root + "/":
        return info
    return ObjectInfo(info.path[:-1], DIR)


def _next(found: Listing, last: str, *, within: bool = False) -> Token | None:
    if found.next is None:
        return None
    return Token(tuple(found.next.items()) or (("marker", last),), within, last)


def _last(found: Listing) -> str:
    return max([*(entry.key for entry in found.entries[-1:]), *found.prefixes[-1:]], default="")


def _refuse_circle(bucket: str, found: Listing, at: Token, last: str) -> None:
    """Look whether a page goes on behind the one before, and the next one behind it.

    Raises:
        Corrupted: It would go on for ever.
    """
    # Pages may be empty, but then the next one must be another one.
    behind = last > at.last if last else found.next != dict(at.query)
    if not behind or (found.next == {} and not last):
        raise named(Corrupted("the listing is cut, and does not say where it goes on"), bucket)


def _refuse_others(found: Listing, prefix: str) -> None:
    """Look whether a page is about what was asked for.

    Raises:
        Corrupted: It has other keys.
    """
    if prefix:
        for key in [*(entry.key for entry in found.entries), *found.prefixes]:
            if not key.startswith(prefix):
                raise Corrupted(f"what begins with {prefix!r} was asked for, and {key!r} came")


def _order(info: ObjectInfo) -> str:
    return info.order


_BEHIND: Final = Token((("start-after", "/" + _LAST),))
