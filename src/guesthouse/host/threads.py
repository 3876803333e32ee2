"""Threads that wait for local disks, so that the event loop need not.

`asyncio.to_thread` does the same for any work, but its two kinds of futures cost as much time as the rest of a small
write. It stays the right thing for what may hang: the threads here are few, and shared by the whole process.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

#: More waits for the disk than this are not under way at once; others queue.
MOST: Final = 8


class DiskThreads:
    """At most `MOST` threads, started as they are needed. They end with the process and do not keep it alive."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._started = 0
        self._busy = 0

    async def run(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """What `function` returns or raises. Where the caller is cancelled it runs on, and nobody hears of it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = function(*arguments, **keywords)
            except BaseException as error:  # whatever it is, it is the caller's
                loop.call_soon_threadsafe(self._failed, answer, error)
            else:
                loop.call_soon_threadsafe(self._done, answer, result)

        self._busy += 1
        if self._busy > self._started and self._started < MOST:
            self._started += 1
            threading.Thread(target=self._serve, name=f"disk-{self._started}", daemon=True).start()
        self._work.put(work)
        return await answer

    def _serve(self) -> None:
        while True:
            work = self._work.get()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and with it whoever waited
                work()
            del work

    def _done(self, answer: asyncio.Future[T], result: T) -> None:
        self._busy -= 1
        if not answer.done():
            answer.set_result(result)

    def _failed(self, answer: asyncio.Future[T], error: BaseException) -> None:
        self._busy -= 1
        if not answer.done():
            answer.set_exception(error)


#: The threads of this process.
DISK: Final = DiskThreads()
