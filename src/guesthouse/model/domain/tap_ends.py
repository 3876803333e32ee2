"""The open ends of a card's device on the host, by the names under which QEMU gets them.

At the start of a guest the names are numbers of descriptors that QEMU inherits; for a card that is plugged in later
they are the names under which the monitor was given the descriptors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from guesthouse.model.qemu_objects import NamedDescriptor


@dataclass(frozen=True, slots=True)
class TapEnds:
    """One end of the tap for each pair of queues, and of the kernel's `vhost` as many, or none."""

    taps: tuple[str, ...]
    vhosts: tuple[str, ...] = ()
    #: What a running QEMU has to be given before, under these names.
    handed_over: tuple[NamedDescriptor, ...] = ()


#: Tells the ends of a card by its alias, its number of queues, and whether the kernel may move its packets.
TapLookup: TypeAlias = "Callable[[str, int, bool], TapEnds | None]"


def _no_taps(_alias: str, _queues: int, _vhost: bool) -> TapEnds | None:
    return None


no_taps: Final[TapLookup] = _no_taps
