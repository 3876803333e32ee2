"""Threads of QEMU that serve a guest's disks and its main loop: `<iothreads>`, `<iothreadids>`, `<defaultiothread>`.

A document gives a number, ids, or both; `settle` makes the one follow from the other, as libvirt does: ids that are
missing are the lowest free ones from 1.

Format: https://libvirt.org/formatdomain.html#iothreads-allocation
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from guesthouse.errors import InvalidArgumentError, OperationInvalidError, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, one, opt, unbound
from guesthouse.model.kinds import INT, ULL, integer
from guesthouse.model.qemu_objects import Object, Props, QemuObject, without_none

IOTHREAD_ID: Final = integer(1, 2**32 - 1)
_THREADS: Final = integer(0, 2**31 - 1)
#: More than anybody has; a number from a document is not to fill memory.
_MOST: Final = 16384


@element("poll")
class Poll:
    """For how long a thread looks for work before it sleeps: nanoseconds at most, and by what it grows and shrinks."""

    max: int | None = opt(ULL)
    grow: int | None = opt(ULL)
    shrink: int | None = opt(ULL)


def check_pool(minimum: int | None, maximum: int | None) -> None:
    """Raise `UnsupportedConfigError` for the bounds of a thread pool that contradict each other; None is no bound."""
    if maximum == 0:
        raise UnsupportedConfigError("thread_pool_max must be a positive integer")
    if minimum is not None and minimum > (-1 if maximum is None else maximum):
        raise UnsupportedConfigError(
            "thread_pool_min must be smaller or equal to thread_pool_max",
            hint="give thread_pool_max too" if maximum is None else "",
        )


@element("iothread")
class Iothread:
    """One thread, the bounds of its pool of workers, and how it polls. `autofill`: no document named its id."""

    id: int = attr(IOTHREAD_ID)
    thread_pool_min: int | None = opt(_THREADS)
    thread_pool_max: int | None = opt(_THREADS)
    poll: Poll | None = one(Poll, show=lambda poll: (poll.max, poll.grow, poll.shrink) != (None, None, None))
    autofill: bool = unbound(False)

    @property
    def name(self) -> str:
        """The id of QEMU's object, to which devices refer."""
        return f"iothread{self.id}"

    @property
    def tells(self) -> bool:
        """Whether it says more than its number."""
        return not (self.autofill and self.poll is None and self.thread_pool_min is self.thread_pool_max is None)

    def objects(self) -> list[QemuObject]:
        """QEMU's `iothread` (`IothreadProperties`)."""
        poll = self.poll
        props: Props = {"qom-type": "iothread", "id": self.name}
        props |= without_none(
            {
                "thread-pool-min": self.thread_pool_min,
                "thread-pool-max": self.thread_pool_max,
                "poll-max-ns": poll.max if poll else None,
                "poll-grow": poll.grow if poll else None,
                "poll-shrink": poll.shrink if poll else None,
            }
        )
        return [Object(props)]


@element("iothreadids", omit_empty=True)
class IothreadIds:
    """All threads, in the order of the document."""

    threads: list[Iothread] = many(Iothread)


def tells(ids: IothreadIds) -> bool:
    """Whether libvirt writes the ids down: not if they are what the number alone gives."""
    return any(thread.tells for thread in ids.threads)


@element("defaultiothread", omit_empty=True)
class DefaultIothread:
    """The pool of workers of QEMU's main loop, which serves what has no thread of its own."""

    thread_pool_min: int | None = opt(INT)
    thread_pool_max: int | None = opt(INT)

    def parsed(self) -> None:
        """The numbers cannot be negative."""
        for name in ("thread_pool_min", "thread_pool_max"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise XmlError(f"Invalid value for attribute '{name}' in element 'defaultiothread': '{value}'")

    def objects(self) -> list[QemuObject]:
        """QEMU's `main-loop` (`MainLoopProperties`)."""
        props: Props = {"qom-type": "main-loop", "id": "main-loop"}
        props |= without_none({"thread-pool-min": self.thread_pool_min, "thread-pool-max": self.thread_pool_max})
        return [Object(props)]


class HasIothreads(Protocol):
    """What a guest's definition has of this page."""

    iothreads: int | None
    iothread_ids: IothreadIds | None


def settle(domain: HasIothreads) -> None:
    """Give every thread an id. Raises `XmlError` for an id that is there twice."""
    threads = domain.iothread_ids.threads if domain.iothread_ids is not None else []
    taken: set[int] = set()
    for thread in threads:
        if thread.id in taken:
            raise XmlError(f"duplicate iothread id '{thread.id}' found")
        taken.add(thread.id)
    wanted = max(domain.iothreads or 0, len(threads))
    if wanted > _MOST:
        raise XmlError(f"invalid iothreads count '{wanted}'", hint=f"the most is {_MOST}")
    free = (number for number in range(1, wanted + len(taken) + 1) if number not in taken)
    threads.extend(new(Iothread, id=next(free), autofill=True) for _ in range(wanted - len(threads)))
    _set(domain, threads)


def iothreads_of(domain: HasIothreads) -> list[Iothread]:
    """The guest's threads; empty where it has none."""
    return domain.iothread_ids.threads if domain.iothread_ids is not None else []


def find(domain: HasIothreads, number: int) -> Iothread | None:
    """The thread with that id."""
    return next((thread for thread in iothreads_of(domain) if thread.id == number), None)


def add(domain: HasIothreads, thread: Iothread) -> None:
    """Add a thread. Raises `OperationInvalidError` where its id is taken."""
    if find(domain, thread.id) is not None:
        raise OperationInvalidError(f"an IOThread is already using iothread_id '{thread.id}'")
    _set(domain, [*iothreads_of(domain), thread])


def remove(domain: HasIothreads, number: int) -> None:
    """Take a thread away. Raises `InvalidArgumentError` where there is none of that id.

    Those after it are then written down by their ids, even where they had been numbered by count alone.
    """
    thread = find(domain, number)
    if thread is None:
        raise InvalidArgumentError(f"cannot find IOThread '{number}' in iothreadids list")
    threads = iothreads_of(domain)
    place = threads.index(thread)
    for later in threads[place + 1 :]:
        later.autofill = False
    _set(domain, threads[:place] + threads[place + 1 :])


def _set(domain: HasIothreads, threads: list[Iothread]) -> None:
    domain.iothreads = len(threads) or None
    domain.iothread_ids = new(IothreadIds, threads=threads) if threads else None


def check(threads: Iterable[Iothread], main: DefaultIothread | None) -> None:
    """Raise `UnsupportedConfigError` for pools whose bounds contradict each other."""
    for thread in threads:
        check_pool(thread.thread_pool_min, thread.thread_pool_max)
    if main is not None:
        check_pool(main.thread_pool_min, main.thread_pool_max)
