"""The hash of an object that comes in parts, worked out while later parts still come."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from omnistorage.core.hashes import MultiHasher
from omnistorage.core.streams import CHUNK, Upload, fill


class Following:
    """Reads parts again, in their order, as soon as they are stored; in a thread of its own.

    Args:
        upload: Whose parts.
        count: How many there are.
        names: The hashes.
    """

    def __init__(self, upload: Upload, count: int, names: Iterable[str]) -> None:
        self._upload = upload
        self._count = count
        self._hashes = MultiHasher(names)
        self._stored: set[int] = set()
        self._changed = threading.Condition()
        self._over = self._is_blind = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._follow, name="omnistorage-following", daemon=True)
        self._thread.start()

    def stored(self, *numbers: int) -> None:
        """Hear that these parts are stored."""
        with self._changed:
            self._stored.update(numbers)
            self._changed.notify()

    def hexdigests(self) -> dict[str, str] | None:
        """Return the hashes of the whole, when all parts are stored; None if they cannot be read before the end.

        Raises:
            StorageError: A part could not be read.
        """
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return None if self._is_blind else self._hashes.hexdigests()

    def stop(self) -> None:
        """End the thread; it is over when this returns. A second call does nothing."""
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()

    def _follow(self) -> None:
        try:
            buffer = memoryview(bytearray(CHUNK))
            for number in range(1, self._count + 1):
                with self._changed:
                    while number not in self._stored and not self._over:
                        self._changed.wait()
                if self._over or not self._take(number, buffer):
                    return
        except BaseException as exc:
            # For whoever asks for the hashes.
            self._failure = exc

    def _take(self, number: int, buffer: memoryview) -> bool:
        stream = self._upload.stored_part(number)
        if stream is None:
            self._is_blind = True
            return False
        with stream:
            while count := fill(stream, buffer):
                if self._over:
                    return False
                self._hashes.update(buffer[:count])
        return True
