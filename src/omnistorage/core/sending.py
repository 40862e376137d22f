"""Parts of an upload on their way: several at a time, while whoever makes them goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .errors import Cancelled

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

STREAMS: Final = 4
"""Parts side by side where no kill has to be thought of: nobody goes on with what was only written to."""

ROOM: Final = 64 << 20
"""Bytes of parts that are on their way at most, unless one alone is larger."""


class Sending:
    """Puts parts that are in memory, each in a thread, and hands back their failures.

    From the first failure on no other part is begun, and each call raises it.

    Args:
        put: Stores one part, from any thread.
        stop: Lets parts that are being put fail soon, as ``Upload.stop``.
        streams: Parts side by side; with 1 each is put where it is given.
        room: Bytes on their way at most, unless one part alone is larger.
    """

    def __init__(
        self,
        put: Callable[[int, bytes], object],
        stop: Callable[[], object],
        streams: int = STREAMS,
        room: int = ROOM,
    ) -> None:
        self._put = put
        self._stop = stop
        self._streams = streams
        self._room = room
        self._pool: ThreadPoolExecutor | None = None
        self._under_way: dict[Future[object], int] = {}
        self._failure: BaseException | None = None

    def send(self, number: int, data: bytes) -> None:
        """Put one part; wait until there is room for it.

        Raises:
            StorageError: This part, or one before, could not be stored.
        """
        if self._failure is not None:
            raise self._failure
        if self._streams == 1:
            self._put_here(number, data)
            return
        while len(self._under_way) >= self._streams or (
            self._under_way and sum(self._under_way.values()) + len(data) > self._room
        ):
            self._wait(all_of_them=False)
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self._streams, thread_name_prefix="omnistorage-part")
        self._under_way[self._pool.submit(self._put, number, data)] = len(data)

    def end(self) -> None:
        """Wait until all parts are stored.

        Raises:
            StorageError: One of them could not be stored.
        """
        while self._under_way:
            self._wait(all_of_them=True)
        if self._failure is not None:
            raise self._failure
        self._release()

    def close(self) -> None:
        """Begin no further part, stop those under way, and wait for them. Behind ``end`` it does nothing."""
        if self._pool is not None:
            self._failure = self._failure or Cancelled("this part is wanted no more")
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._stop()
            self._release()

    def _put_here(self, number: int, data: bytes) -> None:
        try:
            self._put(number, data)
        except BaseException as exc:
            self._failure = exc
            raise

    def _wait(self, *, all_of_them: bool) -> None:
        from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, wait

        ended, _ = wait(self._under_way, return_when=FIRST_EXCEPTION if all_of_them else FIRST_COMPLETED)
        for future in ended:
            del self._under_way[future]
            self._failure = self._failure or future.exception()
        if self._failure is not None:
            raise self._failure

    def _release(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None
        self._under_way.clear()
