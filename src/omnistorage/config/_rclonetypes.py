"""Backends of rclone that we have, too: how each of their settings is said here."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from omnistorage.core.redact import is_reference, looks_secret, redacted_text
from omnistorage.core.units import parse_size

from .rclone import RcloneRemote


class Mapped:
    """What becomes of the settings of one remote.

    Attributes:
        type: Scheme of our driver.
        options: Settings of our driver.
        references: Those of them that are references to environment variables.
        left_out: Settings of rclone without a counterpart, as ``name=value``, or the name alone if it may be secret.
        needless: Settings of rclone whose effect is there without them.
    """

    def __init__(self, type: str) -> None:
        self.type = type
        self.options: dict[str, Any] = {}
        self.references: dict[str, str] = {}
        self.left_out: list[str] = []
        self.needless: list[str] = []


class _Type(NamedTuple):
    """How the settings of one backend of rclone are said here.

    Attributes:
        scheme: Our driver.
        same: Setting of rclone to ours, and how its text is read.
        needless: Settings that can be left out, since what they ask for is so anyway.
        tristate: Settings for which ``false`` says something.
        special: What cannot be said setting by setting; takes from the settings what it has dealt with.
    """

    scheme: str
    same: Mapping[str, tuple[str, Callable[[str], Any]]]
    needless: frozenset[str]
    tristate: frozenset[str] = frozenset()
    special: Callable[[RcloneRemote, dict[str, str], Mapped], None] | None = None


def mapped(remote: RcloneRemote) -> Mapped | None:
    """Return what becomes of the settings of a remote; None if we have nothing like its type."""
    kind = TYPES.get(remote.type)
    if kind is None:
        return None
    result = Mapped(kind.scheme)
    rest = {name: value for name, value in remote.options.items() if value and name != "type"}
    if kind.special is not None:
        kind.special(remote, rest, result)
    for name in list(rest):
        if name in kind.same:
            _take(remote, name, kind.same[name], rest.pop(name), result)
        elif rest[name] in (_NOTHING - {"false"} if name in kind.tristate else _NOTHING):
            del rest[name]
        elif name in kind.needless:
            result.needless.append(name)
            del rest[name]
    result.left_out += named(remote, rest)
    return result


def named(remote: RcloneRemote, names: Iterable[str]) -> list[str]:
    """Return settings for people to read, sorted, without values that may be secret."""
    return [name if looks_secret(name) else f"{name}={redacted_text(remote.options[name])}" for name in sorted(names)]


def _take(remote: RcloneRemote, name: str, ours: tuple[str, Callable[[str], Any]], text: str, result: Mapped) -> None:
    option, read = ours
    variable = remote.variables.get(name, "")
    reference = f"env:{variable}"
    if variable and read is str and looks_secret(option) and is_reference(reference):
        # It is kept where it is: whoever has secrets in the environment does not want them in a file.
        result.options[option] = result.references[option] = reference
        return
    try:
        result.options[option] = read(text)
    except ValueError:
        result.left_out += named(remote, [name])


def _bool(text: str) -> bool:
    if text in ("1", "t", "T", "true", "True", "TRUE"):
        return True
    if text in ("0", "f", "F", "false", "False", "FALSE"):
        return False
    raise ValueError(text)


def _opposite(text: str) -> bool:
    return not _bool(text)


def _size(text: str) -> int:
    size = parse_size(text)
    if size is None:
        raise ValueError(text)
    return size


def _local(remote: RcloneRemote, rest: dict[str, str], result: Mapped) -> None:
    for name, links in (("copy_links", "follow"), ("links", "keep")):
        if _says(rest.get(name, ""), True):
            result.options["links"] = links
            del rest[name]


def _memory(remote: RcloneRemote, rest: dict[str, str], result: Mapped) -> None:
    # In rclone, what one part of a command put there is seen by the others.
    result.options["name"] = remote.name


def _s3(remote: RcloneRemote, rest: dict[str, str], result: Mapped) -> None:
    from omnistorage.drivers._presets import by_rclone

    endpoint, provider = rest.get("endpoint", ""), rest.pop("provider", "")
    known = by_rclone(provider) if provider else None
    if known == "aws" and not endpoint and rest.get("region", "").startswith("cn-"):
        known = "aws-cn"
    if known is not None and not (known == "other" and endpoint):
        result.options["provider"] = known
    elif provider and known is None:
        result.left_out += named(remote, ["provider"])
    _path_style(known, endpoint, rest, result)
    _credentials(rest, result)
    _customer_key(remote, rest, result)
    if not _says(rest.get("no_check_bucket", ""), True):
        # As rclone does.
        result.options["make_bucket"] = True
    if rest.get("location_constraint") == rest.get("region"):
        _unneeded("location_constraint", rest, result)
    if rest.get("list_version") in ("0", "2"):
        _unneeded("list_version", rest, result)


def _path_style(known: str | None, endpoint: str, rest: dict[str, str], result: Mapped) -> None:
    """Name buckets where rclone does, whatever its setting says: it obeys that only where it can be either."""
    from omnistorage.drivers._presets import preset

    if endpoint and _is_ip(endpoint):
        _unneeded("force_path_style", rest, result)
    elif known is not None and not preset(known).path_style:
        _unneeded("force_path_style", rest, result)
        if endpoint:
            # Here, an endpoint of one's own otherwise counts as a server that has no names for its buckets.
            result.options["path_style"] = False


def _credentials(rest: dict[str, str], result: Mapped) -> None:
    keys = rest.get("access_key_id") or rest.get("secret_access_key")
    asked = _says(rest.pop("env_auth", ""), True)
    if keys:
        return
    if not asked:
        # Without keys, rclone signs nothing, unless it is told to look for some.
        result.options["anonymous"] = True
    elif profile := rest.pop("profile", ""):
        result.options["profile"] = profile


def _customer_key(remote: RcloneRemote, rest: dict[str, str], result: Mapped) -> None:
    if "sse_customer_key" in rest and "sse_customer_key_base64" not in rest:
        key = rest.pop("sse_customer_key").encode("utf-8", "surrogateescape")
        result.options["sse_customer_key"] = b64encode(key).decode()
    if rest.get("sse_customer_algorithm") == "AES256":
        _unneeded("sse_customer_algorithm", rest, result)


def _unneeded(name: str, rest: dict[str, str], result: Mapped) -> None:
    if rest.pop(name, ""):
        result.needless.append(name)


def _says(text: str, wanted: bool) -> bool:
    try:
        return _bool(text) is wanted
    except ValueError:
        return False


def _is_ip(endpoint: str) -> bool:
    from ipaddress import ip_address
    from urllib.parse import urlsplit

    try:
        ip_address(urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}").hostname or "")
    except ValueError:
        return False
    return True


_NOTHING: Final = frozenset({"", "false", "unset", "off"})
"""Values by which a setting that we do not know asks for nothing."""

_TEXTS: Final = (
    "access_key_id",
    "secret_access_key",
    "session_token",
    "region",
    "acl",
    "storage_class",
    "server_side_encryption",
    "sse_kms_key_id",
)

TYPES: Final[Mapping[str, _Type]] = {
    "local": _Type(
        scheme="file",
        same={"metadata_restore_special_bits": ("special_bits", _bool)},
        needless=frozenset({"hashes", "nounc", "skip_links", "unicode_normalization"}),
        special=_local,
    ),
    "memory": _Type(scheme="memory", same={}, needless=frozenset(), special=_memory),
    "s3": _Type(
        scheme="s3",
        same={
            **{name: (name, str) for name in _TEXTS},
            "endpoint": ("endpoint_url", str),
            "force_path_style": ("path_style", _bool),
            "requester_pays": ("requester_pays", _bool),
            "sse_customer_key_base64": ("sse_customer_key", str),
            "chunk_size": ("part_size", _size),
            "upload_cutoff": ("upload_cutoff", _size),
            "copy_cutoff": ("copy_cutoff", _size),
            "location_constraint": ("location_constraint", str),
            "disable_checksum": ("upload_md5", _opposite),
            "list_chunk": ("list_chunk", int),
        },
        needless=frozenset(
            {
                "disable_http2",
                "leave_parts_on_error",
                "memory_pool_flush_time",
                "memory_pool_use_mmap",
                "no_check_bucket",
                "no_head",
                "no_head_object",
                "sse_customer_key_md5",
            }
        ),
        tristate=frozenset(
            {
                "list_url_encode",
                "list_versions_oldest_first",
                "might_gzip",
                "object_lock_supported",
                "sign_accept_encoding",
                "use_accept_encoding_gzip",
                "use_already_exists",
                "use_data_integrity_protections",
                "use_multipart_etag",
                "use_multipart_uploads",
                "use_unsigned_payload",
                "use_x_id",
            }
        ),
        special=_s3,
    ),
}
"""Type of rclone to how it is said here; an alias is resolved before anybody looks here."""
