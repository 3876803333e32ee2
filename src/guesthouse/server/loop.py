"""The event loop of the daemon: asyncio's own, but for its threads.

What may hang, such as a look at storage that does not answer, runs in `asyncio.to_thread`. asyncio has few threads for
that, which all calls share, and waits for them when it ends: a handful of looks at dead storage would then hold up
every guest, and the end of the daemon. Here each call has a thread of its own, within the limits of `looks`, for which
nobody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

from guesthouse.server.looks import Looks

if TYPE_CHECKING:
    from concurrent.futures import Executor

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Loop(asyncio.SelectorEventLoop):
    """asyncio's loop, with threads of its own for calls that may hang."""

    def __init__(self) -> None:
        super().__init__()
        self._looks = Looks(self)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As in asyncio; `executor` is always None here, since nobody gives one."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        return self._looks.begin(lambda: func(*args), func, *args)
