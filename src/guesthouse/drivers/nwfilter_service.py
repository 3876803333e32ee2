"""What the domain driver asks of the network filter driver: a filter for the device of a guest's card.

The two may live in one daemon or in two; the domain driver knows this interface alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from guesthouse.errors import OperationUnsupportedError, Origin
from guesthouse.model.nwfilter_binding import FilterBinding


@dataclass(frozen=True, slots=True)
class CardFilter:
    """A filter on a card's device. `run` tells one life of a guest from the next, whose device may have the same name.

    The binding names the device, the guest, the card's address and the filter with its parameters.
    """

    binding: FilterBinding
    run: str

    @property
    def device(self) -> str:
        """The name of the device."""
        return self.binding.port


class FilterService(Protocol):
    """Filters on devices of guests' cards."""

    async def bind(self, wanted: CardFilter) -> None:
        """Filter what passes the device from now on, instead of what was bound to it before.

        Raises what is wrong with the filter or what the kernel refuses; what was before then stays.
        """

    async def unbind(self, device: str, run: str) -> None:
        """The device is no longer that of this run; where it has no filter, or another's, nothing is done."""

    async def keep_only(self, wanted: Collection[CardFilter]) -> None:
        """Make the filters of guests exactly these: some ended while no daemon ran."""


class NoFilters:
    """A host without a network filter driver."""

    async def bind(self, wanted: CardFilter) -> None:
        """There is none. Raises `OperationUnsupportedError`."""
        raise OperationUnsupportedError(
            f"network filter '{wanted.binding.filter.filter}' cannot be applied: this daemon has no network filter "
            "driver",
            domain=Origin.NWFILTER,
            hint="leave <filterref> out",
        )

    async def unbind(self, device: str, run: str) -> None:
        """Nothing was bound."""

    async def keep_only(self, wanted: Collection[CardFilter]) -> None:
        """Nothing was bound."""
