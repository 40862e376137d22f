"""What a file system keeps of a file beside its bytes: permissions, owner, times, attributes, access lists.

User metadata are extended attributes in the namespace ``user``, named without it, as rclone has them. Where a system
has no such calls, or a file system no such attributes, user metadata is not kept.
"""

from __future__ import annotations

import errno
import os
import stat as st
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from omnistorage.core.attributes import ACLS, MTIME, OWNERS, SPECIAL, SYSTEM, as_text, from_text, number
from omnistorage.core.errors import SpecialFile
from omnistorage.core.options import PutOptions

from . import _localtemp as temps

_USER: Final = "user."
_ACL: Final = {"posix-acl-access": "system.posix_acl_access", "posix-acl-default": "system.posix_acl_default"}
_POSIX: Final = os.name == "posix"

_REFUSED: Final = {
    errno.EPERM,
    errno.EACCES,
    errno.EINVAL,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.ENOSPC,
    errno.E2BIG,
    errno.ERANGE,
    errno.ENAMETOOLONG,
}
"""What a file system says that does not keep an attribute, or a system that does not let us."""

_OPEN: Final = os.O_RDONLY | temps.CLOEXEC | temps.BINARY | temps.NONBLOCK


def applies(*, special: bool) -> frozenset[str]:
    """Return the names of metadata that this process can set on files of this machine.

    Others may belong to files of its own, too; giving a file away takes root.
    """
    names = {"atime", MTIME}
    if _POSIX:
        names |= {"mode", *ACLS}
        names |= OWNERS if os.geteuid() == 0 else set()
        names |= {SPECIAL} if special else set()
    return frozenset(names)


def read(place: str, *, follow: bool) -> dict[str, str]:
    """Return the metadata of a file or folder; of a symbolic link itself, unless ``follow``.

    Raises:
        FileNotFoundError: There is none.
    """
    about = os.stat(place, follow_symlinks=follow)
    told = {"mode": f"{about.st_mode:o}", "uid": str(about.st_uid), "gid": str(about.st_gid)}
    times = {"atime": about.st_atime_ns, MTIME: about.st_mtime_ns, "btime": _born(place, about, follow)}
    for name, when in times.items():
        if when is not None and (text := as_text(when)):
            told[name] = text
    if st.S_ISCHR(about.st_mode) or st.S_ISBLK(about.st_mode):
        told["rdev"] = f"{about.st_rdev:x}"
    if not st.S_ISLNK(about.st_mode):
        told |= _attributes(place)
    return told


def mode_before(options: PutOptions) -> int:
    """Return the permissions of a temporary file: where it will get its own, nobody else may read it before."""
    return temps.PRIVATE_FILE if options.attributes and "mode" in options.metadata else temps.FILE_MODE


def folder_mode(options: PutOptions) -> int:
    """Return the permissions of folders that have to be made."""
    return temps.PRIVATE_FOLDER if options.private else temps.FOLDER_MODE


def finish(fd: int, options: PutOptions, *, special: bool) -> tuple[int, dict[str, str]]:
    """Give an open file, which has no name yet, what is to be kept beside its bytes.

    Returns its time of modification (nanoseconds of Unix time), and what of the metadata it has now.
    """
    if options.mode is not None:
        os.fchmod(fd, options.mode)
    kept: dict[str, str] = {}
    mtime_ns, atime_ns = options.mtime_ns, options.mtime_ns
    if options.attributes:
        kept = _set(fd, options.metadata, special=special)
        mtime_ns, atime_ns = _times(options.metadata, mtime_ns)
    if mtime_ns is None:
        return os.fstat(fd).st_mtime_ns, kept
    os.utime(fd, ns=(mtime_ns if atime_ns is None else atime_ns, mtime_ns))
    return mtime_ns, kept


def finish_link(link: str, options: PutOptions) -> dict[str, str]:
    """Give a symbolic link its times and owner, and return what of the metadata it has now."""
    kept: dict[str, str] = {}
    mtime_ns, atime_ns = options.mtime_ns, options.mtime_ns
    if options.attributes:
        kept = _set_of_link(link, options.metadata)
        mtime_ns, atime_ns = _times(options.metadata, mtime_ns)
    if mtime_ns is not None:
        os.utime(link, ns=(mtime_ns if atime_ns is None else atime_ns, mtime_ns), follow_symlinks=False)
    return kept


def change(place: str, metadata: Mapping[str, str], *, follow: bool, special: bool) -> dict[str, str]:
    """Set the metadata of what is there, and return what of it is kept now; bytes and other names stay.

    The user's part is replaced. A symbolic link gets owner and times itself, unless ``follow``.

    Raises:
        FileNotFoundError: There is nothing.
        SpecialFile: It is neither file, folder nor symbolic link.
    """
    about = os.stat(place, follow_symlinks=follow)
    if st.S_ISLNK(about.st_mode):
        kept = _set_of_link(place, metadata)
        _set_times(place, metadata, follow_symlinks=False)
        return kept
    if not st.S_ISREG(about.st_mode) and not st.S_ISDIR(about.st_mode):
        raise SpecialFile
    try:
        # By its descriptor: a link that takes the place meanwhile must not lead root to another file.
        fd = os.open(place, _OPEN | (0 if follow else temps.NOFOLLOW))
    except PermissionError:
        # A file of ours that we cannot read. Who is not root has no power over others' files that a link could use.
        kept = _set(place, metadata, special=special)
        _set_times(place, metadata)
        return kept
    try:
        kept = _set(fd, metadata, special=special)
        _set_times(fd, metadata)
        return kept
    finally:
        os.close(fd)


def _times(metadata: Mapping[str, str], mtime_ns: int | None) -> tuple[int | None, int | None]:
    if mtime_ns is None and metadata.get(MTIME):
        mtime_ns = from_text(metadata[MTIME])
    return mtime_ns, from_text(metadata["atime"]) if metadata.get("atime") else None


def _set_times(target: int | str, metadata: Mapping[str, str], **follow: Any) -> None:
    mtime_ns, atime_ns = _times(metadata, None)
    if mtime_ns is None and atime_ns is None:
        return
    about = os.stat(target, **follow)
    times = about.st_atime_ns if atime_ns is None else atime_ns, about.st_mtime_ns if mtime_ns is None else mtime_ns
    os.utime(target, ns=times, **follow)


def _set(target: int | str, metadata: Mapping[str, str], *, special: bool) -> dict[str, str]:
    """Set all but the times.

    Attributes come before the mode, which may forbid them; the owner before it, too, as a change of owner clears
    bits; the access list behind it, because it is finer.
    """
    kept = _set_user(target, metadata)
    if not _POSIX:
        return kept
    owned = _set_owner(target, metadata)
    about = os.stat(target)
    bits = number(metadata, "mode", 8)
    if bits is not None:
        # A file that runs as its owner must not do so as somebody else.
        mask = 0o777 if not special else 0o7777 if owned else 0o1777
        mode = st.S_IMODE(about.st_mode)
        wanted = bits & mask | mode & ~mask & 0o7777
        if wanted != mode:
            os.chmod(target, wanted)
    kept |= _set_acls(target, metadata)
    about = os.stat(target)
    told = {"mode": f"{about.st_mode:o}", "uid": str(about.st_uid), "gid": str(about.st_gid)}
    return {name: value for name, value in told.items() if name in metadata} | kept


def _set_of_link(link: str, metadata: Mapping[str, str]) -> dict[str, str]:
    if not _POSIX:
        return {}
    _set_owner(link, metadata, follow_symlinks=False)
    about = os.lstat(link)
    told = {"mode": f"{about.st_mode:o}", "uid": str(about.st_uid), "gid": str(about.st_gid)}
    return {name: value for name, value in told.items() if name in metadata}


def _set_owner(target: int | str, metadata: Mapping[str, str], **follow: bool) -> bool:
    """Set owner and group as far as the system lets us; say whether they are what was wanted."""
    uid, gid = number(metadata, "uid"), number(metadata, "gid")
    about = os.stat(target, **follow)
    missed = False
    # The group first, which its owner may give to other groups of his.
    for user, group, same in ((-1, gid, gid in (None, about.st_gid)), (uid, -1, uid in (None, about.st_uid))):
        if same or user is None or group is None:
            continue
        missed |= not _tried(os.chown, target, user, group, **follow)
    return not missed


def _set_user(target: int | str, metadata: Mapping[str, str]) -> dict[str, str]:
    """Make the user's attributes what ``metadata`` has of them, and return those that are kept."""
    wanted = {name: value for name, value in metadata.items() if name not in SYSTEM}
    held = {name: value for name, value in _attributes(target).items() if name not in SYSTEM}
    if wanted == held or not hasattr(os, "setxattr"):
        return held
    shut = None
    kept = {}
    for name in {**held, **wanted}:
        if (value := wanted.get(name)) == held.get(name):
            kept[name] = held[name]
            continue
        done = _tried(_write, target, name, value)
        if not done and shut is None and not (mode := st.S_IMODE(os.stat(target).st_mode)) & 0o200:
            # A file that its owner may not write takes no attributes either, until he may.
            shut = mode if _tried(os.chmod, target, mode | 0o200) else None
            done = shut is not None and _tried(_write, target, name, value)
        if value is not None and done:
            kept[name] = value
        elif value is None and not done:
            kept[name] = held[name]
    if shut is not None:
        os.chmod(target, shut)
    return kept


def _write(target: int | str, name: str, value: str | None) -> None:
    if value is None:
        os.removexattr(target, _USER + name)
    else:
        os.setxattr(target, _USER + name, os.fsencode(value))


def _set_acls(target: int | str, metadata: Mapping[str, str]) -> dict[str, str]:
    kept = {}
    for name in ACLS & metadata.keys():
        text, attribute = metadata[name], _ACL[name]
        if not hasattr(os, "setxattr"):
            break
        if text:
            if _tried(_write_acl, target, attribute, text):
                kept[name] = text
        elif attribute in _names(target):
            _tried(os.removexattr, target, attribute)
    return kept


def _write_acl(target: int | str, attribute: str, text: str) -> None:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise OSError(errno.EINVAL, "not an access list") from None
    os.setxattr(target, attribute, value)


def _attributes(target: int | str) -> dict[str, str]:
    """Return user metadata and access lists."""
    found = {}
    names = _names(target)
    for attribute in names:
        name = attribute.removeprefix(_USER)
        if name != attribute and name not in SYSTEM:
            value = _value(target, attribute)
            if value is not None:
                found[name] = os.fsdecode(value)
    for name, attribute in _ACL.items():
        if attribute in names and (value := _value(target, attribute)):
            found[name] = value.hex()
    return found


def _names(target: int | str) -> list[str]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(target)
    except OSError as exc:
        if exc.errno not in _REFUSED:
            raise
        return []


def _value(target: int | str, attribute: str) -> bytes | None:
    try:
        return os.getxattr(target, attribute)
    except OSError as exc:
        # Taken away meanwhile, or not for us to see.
        if exc.errno not in _REFUSED | {errno.ENODATA}:
            raise
        return None


def _tried(call: Callable[..., object], *args: Any, **options: Any) -> bool:
    """Do it, and say whether the system let us."""
    try:
        call(*args, **options)
    except OSError as exc:
        if exc.errno not in _REFUSED:
            raise
        return False
    return True


def _born(place: str, about: os.stat_result, follow: bool) -> int | None:
    """Return when a file was made, in nanoseconds of Unix time; None if the system does not say."""
    seconds: float | None = getattr(about, "st_birthtime", None)
    if seconds is not None:
        return round(seconds * 1_000_000_000)
    statx = _statx()
    if statx is None:
        return None
    import struct

    answer = bytearray(256)
    if statx(place, follow, answer) or not struct.unpack_from("=I", answer)[0] & _BTIME:
        return None
    whole, rest = struct.unpack_from("=qI", answer, 80)
    return int(whole) * 1_000_000_000 + int(rest)


_BTIME: Final = 0x800
_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100


@cache
def _statx() -> Callable[[str, bool, bytearray], int] | None:
    """Return the call of Linux that Python does not have yet, or None."""
    try:
        import ctypes

        call = ctypes.CDLL(None).statx
    except (ImportError, OSError, AttributeError):
        return None

    def statx(place: str, follow: bool, answer: bytearray) -> int:
        flags = 0 if follow else _AT_SYMLINK_NOFOLLOW
        into = (ctypes.c_char * len(answer)).from_buffer(answer)
        return int(call(_AT_FDCWD, os.fsencode(place), flags, _BTIME, into))

    return statx
