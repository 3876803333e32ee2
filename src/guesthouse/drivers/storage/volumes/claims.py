"""Who is at which volume of a pool: what is being made, and what is being read or changed.

Nobody waits for a volume. Who comes to one that is being made, or changed, is told so; who reads one lets others read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from guesthouse.drivers.storage.backend import VolumeFacts, Work
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin


class Claims:
    """The claims on the volumes of one pool. `making` are those that are being made, with what is known of them."""

    def __init__(self) -> None:
        self.making: dict[str, tuple[VolumeFacts, Work]] = {}
        self._working: dict[str, list[Work]] = {}

    @property
    def busy(self) -> int:
        """How many works are under way."""
        return len(self.making) + sum(len(works) for works in self._working.values())

    def work(self, name: str) -> Work | None:
        """What is done to a volume, the eldest first; None where nothing is."""
        if name in self.making:
            return self.making[name][1]
        works = self._working.get(name)
        return works[0] if works else None

    def check_made(self, name: str) -> None:
        """Raise `OperationInvalidError` for a volume that is being made."""
        if name in self.making:
            raise OperationInvalidError(f"volume '{name}' is still being allocated.", domain=Origin.STORAGE)

    def check_free(self, name: str) -> None:
        """Raise `OperationInvalidError` for a volume that somebody is at."""
        if self._working.get(name):
            raise OperationInvalidError(f"volume '{name}' is still in use.", domain=Origin.STORAGE)
        self.check_made(name)

    @contextlib.contextmanager
    def make(self, facts: VolumeFacts, work: Work, *, copying: bool) -> Iterator[None]:
        """Reserve a name while a volume is made. Raises error 90 where it is taken, in libvirt's words for copies."""
        if facts.name in self.making:
            raise taken(facts.name, copying=copying)
        self.making[facts.name] = facts, work
        try:
            yield
        finally:
            self.making.pop(facts.name, None)

    @contextlib.contextmanager
    def use(self, name: str, work: Work, *, alone: bool) -> Iterator[None]:
        """Be at a volume, `alone` or beside other readers. Raises `OperationInvalidError` where that cannot be."""
        release = self.claim(name, work, alone=alone)
        try:
            yield
        finally:
            release()

    def claim(self, name: str, work: Work, *, alone: bool) -> _Release:
        """The same without a block: the answer is called when it is over."""
        if alone:
            self.check_free(name)
        else:
            self.check_made(name)
            if any(other.exclusive for other in self._working.get(name, ())):
                self.check_free(name)
        work.exclusive = alone
        self._working.setdefault(name, []).append(work)
        return _Release(self._working, name, work)


class _Release:
    """Ends a claim, once."""

    def __init__(self, working: dict[str, list[Work]], name: str, work: Work) -> None:
        self._working = working
        self._name = name
        self._work = work

    def __call__(self) -> None:
        works = self._working.get(self._name, [])
        if self._work in works:
            works.remove(self._work)
        if not works:
            self._working.pop(self._name, None)


def taken(name: str, *, copying: bool) -> LibvirtError:
    """The error for a name that is another volume's."""
    if copying:
        return LibvirtError(
            f"storage volume name '{name}' already in use.", code=Code.INTERNAL_ERROR, domain=Origin.STORAGE
        )
    return LibvirtError(f"'{name}'", code=Code.STORAGE_VOL_EXIST, domain=Origin.STORAGE)
