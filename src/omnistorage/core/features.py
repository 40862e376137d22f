"""What a storage can do, as a value that callers can ask before they try."""

from __future__ import annotations

import msgspec


class Features(msgspec.Struct, frozen=True):
    """The abilities of a storage.

    The first group follows from the verbs that a driver overrides and is never written by hand; the second
    group are facts that the driver states about its service. The conformance suite proves both.

    Attributes:
        copy: Copies an object without moving its bytes through us.
        move: Renames an object, replacing what is at the target.
        mkdir: Has real directories, which can be empty.
        set_modified: Can change the time of modification of an object that is there.
        upload: Takes objects in parts (``begin_upload``).
        resume_upload: Another process can go on with an upload by its token.
        abort_begun: Finds and aborts an upload of which nothing is known but when it was begun.
        delete_many: Deletes several objects with one request.
        hash: Computes hashes at the service.
        presign: Makes links that work without credentials.
        post_form: Makes forms by which browsers store without credentials.
        versions: Keeps earlier versions of an object, to be read and restored.
        about: Says how full it is.
        set_metadata: Can change metadata of an object that is there.
        watch: Reports changes as they happen.
        attributes: ``metadata`` tells more of an object or directory than listings do.

        recursive: ``list(recursive=True)`` answers with all below a prefix in one go.
        ordered: Pages come in path order (see ``ObjectInfo.order``).
        ranges: ``get`` with an offset or a length reads only these bytes.
        atomic_put: A reader sees the old or the new object, never a part of one.
        if_absent: ``put`` can refuse to replace, without a race.
        if_match: ``put`` can refuse to replace anything but the object with a certain ETag, without a race.
        mtime: Keeps the time of modification that ``put`` is given.
        listed_mtime: A listing tells that time, too, as ``stat`` does; else it tells none.
        precision: Step of the kept time of modification in nanoseconds.
        metadata: Keeps user metadata.
        listed_metadata: A listing gives the whole user metadata for free.
        applies: Names of the system (see ``core.attributes``) that the metadata of an object can set, rather than
            being kept as text.
        content_type: Keeps the MIME type.
        hashes: Names of hashes that a listing or ``stat`` gives for free.
        computes: Names of hashes that ``hash`` computes.
        case_insensitive: ``A`` and ``a`` are the same object.
        max_name: Longest part of a path in bytes of UTF-8, or None.
        max_path: Longest path in bytes of UTF-8, or None.
        local: Objects are files of this machine.
        finds_uploads: ``begin_upload`` goes on with what a killed run left, if ``PutOptions.origin`` is the same.
        upload_hashes: Names of hashes that ``begin_upload`` is to know (``PutOptions.hashes``), also if a file of
            this machine has to be read once more for that.
        any_key: Keys are opaque: ``a//b``, ``./`` and ``../x`` are ordinary keys.
    """

    copy: bool = False
    move: bool = False
    mkdir: bool = False
    set_modified: bool = False
    upload: bool = False
    resume_upload: bool = False
    abort_begun: bool = False
    delete_many: bool = False
    hash: bool = False
    presign: bool = False
    post_form: bool = False
    versions: bool = False
    about: bool = False
    set_metadata: bool = False
    watch: bool = False
    attributes: bool = False

    recursive: bool = False
    ordered: bool = False
    ranges: bool = False
    atomic_put: bool = False
    if_absent: bool = False
    if_match: bool = False
    mtime: bool = False
    listed_mtime: bool = True
    precision: int = 1
    metadata: bool = False
    listed_metadata: bool = False
    applies: frozenset[str] = frozenset()
    content_type: bool = False
    hashes: frozenset[str] = frozenset()
    computes: frozenset[str] = frozenset()
    case_insensitive: bool = False
    max_name: int | None = None
    max_path: int | None = None
    local: bool = False
    finds_uploads: bool = False
    upload_hashes: frozenset[str] = frozenset()
    any_key: bool = False


DERIVED: dict[str, str] = {
    "copy": "copy",
    "move": "move",
    "mkdir": "mkdir",
    "set_modified": "set_modified",
    "upload": "begin_upload",
    "resume_upload": "resume_upload",
    "abort_begun": "abort_begun",
    "delete_many": "delete_many",
    "hash": "hash",
    "presign": "presign",
    "post_form": "post_form",
    "versions": "versions",
    "about": "about",
    "set_metadata": "set_metadata",
    "watch": "watch",
    "attributes": "metadata",
}
"""Feature to the verb that a driver overrides to have it."""
