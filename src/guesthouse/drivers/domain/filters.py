"""Which guests a listing is about: groups of flags, of which a guest must match one in each group that is given.

Flags: libvirt's `virConnectListAllDomainsFlags`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.states import State

ACTIVE = 1
INACTIVE = 2

_Test = Callable[[Guest], bool]

_GROUPS: Final[tuple[tuple[tuple[int, _Test], ...], ...]] = (
    ((ACTIVE, lambda guest: guest.active), (INACTIVE, lambda guest: not guest.active)),
    ((4, lambda guest: guest.persistent), (8, lambda guest: not guest.persistent)),
    (
        (16, lambda guest: guest.state is State.RUNNING),
        (32, lambda guest: guest.state is State.PAUSED),
        (64, lambda guest: guest.state is State.SHUTOFF),
        (128, lambda guest: guest.state not in (State.RUNNING, State.PAUSED, State.SHUTOFF)),
    ),
    ((256, lambda _: False), (512, lambda _: True)),  # managed save images: there are none yet
    ((1024, lambda guest: guest.autostart), (2048, lambda guest: not guest.autostart)),
    ((4096, lambda _: False), (8192, lambda _: True)),  # snapshots
    ((16384, lambda _: False), (32768, lambda _: True)),  # checkpoints
)

#: All flags of all groups.
FLAGS: Final = 0xFFFF


def select(guests: Iterable[Guest], flags: int) -> list[Guest]:
    """The guests that match; without flags all of them."""
    found = list(guests)
    for group in _GROUPS:
        tests = [test for flag, test in group if flags & flag]
        if 0 < len(tests) < len(group):
            found = [guest for guest in found if any(test(guest) for test in tests)]
    return found
