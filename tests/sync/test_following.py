"""The hash of an object is known as soon as its last part is stored, in whatever order they come."""

from __future__ import annotations

import hashlib
import io
import random
import threading

import pytest

from omnistorage.core.errors import Unreachable
from omnistorage.core.streams import ByteStream, Upload
from omnistorage.sync.following import Following
from omnistorage.testing.bodies import pattern

PARTS = {number: pattern(300_000 + number, seed=number) for number in range(1, 9)}
MD5 = {"md5": hashlib.md5(b"".join(PARTS.values())).hexdigest()}


class Readable(Upload):
    """Parts that can be read, or not; one of them may fail."""

    done = PARTS  # type: ignore[assignment]
    put_part = finish = abort = None  # type: ignore[assignment]

    def __init__(self, *, blind: bool = False, failing: int = 0) -> None:
        self.read: list[int] = []
        self._blind = blind
        self._failing = failing

    def stored_part(self, number: int) -> ByteStream | None:
        if number == self._failing:
            raise Unreachable("gone")
        self.read.append(number)
        return None if self._blind else io.BytesIO(PARTS[number])


@pytest.mark.parametrize("seed", range(5))
def test_parts_in_any_order(seed: int) -> None:
    """Each is read once, in the order of the numbers; some were there before."""
    upload = Readable()
    numbers = random.Random(seed).sample([*PARTS], len(PARTS))
    following = Following(upload, len(PARTS), ["md5"])
    following.stored(*numbers[:3])
    for number in numbers[3:]:
        following.stored(number)

    assert following.hexdigests() == MD5
    assert upload.read == [*PARTS]


def test_what_cannot_be_read_has_no_hash() -> None:
    """An upload whose parts nobody can read before its end is asked once."""
    upload = Readable(blind=True)
    following = Following(upload, len(PARTS), ["md5"])
    following.stored(*PARTS)

    assert following.hexdigests() is None
    assert upload.read == [1]


def test_failure_is_told() -> None:
    """A part that cannot be read is a failure for whoever asks for the hash."""
    following = Following(Readable(failing=4), len(PARTS), ["md5"])
    following.stored(*PARTS)
    with pytest.raises(Unreachable, match="gone"):
        following.hexdigests()


def test_it_can_be_stopped() -> None:
    """Where parts fail to come, nothing is left running."""
    upload = Readable()
    following = Following(upload, len(PARTS), ["md5"])
    following.stored(2, 3)
    following.stop()
    following.stop()

    assert upload.read == []
    assert [one for one in threading.enumerate() if one.name == "omnistorage-following"] == []
