"""The event loop of the daemon: asyncio's own, but for its threads.

What may hang, such as a look at storage that does not answer, runs in `asyncio.to_thread`. asyncio has few threads for
that, which all calls share, and waits for them when it ends: a handful of looks at dead storage would then hold up
every guest, and the end of the daemon. Here each call has a thread of its own, for which nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")
V = TypeVar("V")
Ts = TypeVarTuple("Ts")


class Loop(asyncio.SelectorEventLoop):
    """asyncio's loop, which starts a thread for each call that may hang."""

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As in asyncio; `executor` is always None here, since nobody gives one."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        answer: asyncio.Future[T] = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except BaseException as error:  # whatever it is, it is the caller's
                self._tell(_fail, answer, error)
            else:
                self._tell(_fulfil, answer, result)

        threading.Thread(target=work, name="storage", daemon=True).start()
        return answer

    def _tell(self, how: Callable[[asyncio.Future[T], V], None], answer: asyncio.Future[T], what: V) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and with it whoever waited
            self.call_soon_threadsafe(how, answer, what)


def _fulfil(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[T], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
