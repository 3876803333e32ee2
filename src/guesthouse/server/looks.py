"""Threads for what may hang, so many and no more: a look at storage that does not answer holds up no other.

A thread that waits for the kernel cannot be ended. So each call has a thread of its own, as long as there are not too
many: altogether, at one path, and in one directory, since what hangs is a device or a mount. Whoever comes after that
waits for one of them to end, and is refused when none has for `PATIENCE`. Most callers give up sooner by themselves.

A path is recognised among the arguments; calls without one count altogether only.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Generic, TypeVar

from guesthouse.errors import OperationTimeoutError, Origin

log = logging.getLogger(__name__)

T = TypeVar("T")
V = TypeVar("V")

#: How many threads there are at most, and of these at one path and in one directory.
MOST: Final = 64
MOST_AT_PATH: Final = 4
MOST_IN_DIRECTORY: Final = 16

#: How long a call waits until it may begin, in seconds.
PATIENCE: Final = 30.0


@dataclass(slots=True, eq=False)
class _Look(Generic[T]):
    """One call: its work, where it looks, with the limit there, and who waits."""

    work: Callable[[], T]
    places: dict[str, int]
    answer: asyncio.Future[T]
    expiry: asyncio.TimerHandle | None = None


class Looks:
    """The calls of one event loop. `patience` is `PATIENCE`, but for tests."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float = PATIENCE) -> None:
        self._loop = loop
        self._patience = patience
        self._under_way: Counter[str] = Counter()
        self._waiting: dict[_Look[object], None] = {}

    def begin(self, work: Callable[[], T], *arguments: object) -> asyncio.Future[T]:
        """What `work` returns or raises, or an `OperationTimeoutError` where it could not begin.

        `arguments` are looked through for a path. A call whose caller has gone runs on, and nobody hears of it.
        """
        places = {_EVERYWHERE: MOST, **_places(arguments)}
        look = _Look(work, places, self._loop.create_future())
        if self._may_begin(look):
            self._start(look)
        else:
            self._waiting[look] = None
            look.expiry = self._loop.call_later(self._patience, self._refuse, look)
        return look.answer

    def _may_begin(self, look: _Look[T]) -> bool:
        return all(self._under_way[place] < most for place, most in look.places.items())

    def _start(self, look: _Look[T]) -> None:
        self._under_way.update(look.places.keys())
        if look.expiry is not None:
            look.expiry.cancel()

        def run() -> None:
            try:
                result = look.work()
            except BaseException as error:  # whatever it is, it is the caller's
                self._tell(_fail, look, error)
            else:
                self._tell(_fulfil, look, result)

        try:
            threading.Thread(target=run, name="storage", daemon=True).start()
        except RuntimeError as error:  # the host lets us have no more threads
            self._ended(_fail, look, error)

    def _tell(self, how: Callable[[asyncio.Future[T], V], None], look: _Look[T], what: V) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and with it whoever waited
            self._loop.call_soon_threadsafe(self._ended, how, look, what)

    def _ended(self, how: Callable[[asyncio.Future[T], V], None], look: _Look[T], what: V) -> None:
        self._under_way.subtract(look.places.keys())
        self._under_way += Counter()  # forgets the places where nothing is under way
        how(look.answer, what)
        for waiting in list(self._waiting):
            if waiting.answer.done():  # its caller has gone
                self._leave(waiting)
            elif self._may_begin(waiting):
                del self._waiting[waiting]
                self._start(waiting)

    def _leave(self, look: _Look[object]) -> None:
        self._waiting.pop(look, None)
        if look.expiry is not None:
            look.expiry.cancel()

    def _refuse(self, look: _Look[object]) -> None:
        full = [place for place, most in look.places.items() if self._under_way[place] >= most]
        self._leave(look)
        if look.answer.done():
            return
        place = full[-1] if full else _EVERYWHERE
        text = f"{place} does not answer: {self._under_way[place]} calls have waited for it for {self._patience:g} s"
        log.warning("%s", text)
        _fail(look.answer, OperationTimeoutError(text, domain=Origin.NONE, hint="look what the host's storage does"))


#: What stands for all places together.
_EVERYWHERE: Final = "the host's storage"


def _places(arguments: tuple[object, ...]) -> dict[str, int]:
    """The path that a call is about and its directory, with their limits; nothing where it names none."""
    for word in _words(arguments):
        if isinstance(word, str | PurePath) and (path := os.fspath(word)).startswith("/"):
            return {f"the storage of '{os.path.dirname(path)}'": MOST_IN_DIRECTORY, f"'{path}'": MOST_AT_PATH}
    return {}


def _words(arguments: tuple[object, ...]) -> Iterator[object]:
    """The arguments, those that `functools.partial` hides and the objects of methods among them."""
    for word in arguments:
        if isinstance(word, functools.partial):  # which is what `asyncio.to_thread` makes
            yield from _words((word.func, *word.args, *word.keywords.values()))
        else:
            yield getattr(word, "__self__", word)


def _fulfil(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[T], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
