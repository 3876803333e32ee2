"""Limits of an interface's rate, from the guest's point of view: `inbound` is what it receives.

Rates are in KiB a second, a burst is in KiB.

Source: https://libvirt.org/formatnetwork.html#quality-of-service.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import element, one, opt
from guesthouse.model.kinds import ULL

#: The greatest values that traffic control takes.
_RATE_LIMIT: Final = 1 << 54
_BURST_LIMIT: Final = (2**32 - 1) >> 10


@element("inbound", omit_empty=True)
class Inbound:
    """What the guest receives; `floor` is guaranteed."""

    average: int | None = opt(ULL)
    peak: int | None = opt(ULL)
    floor: int | None = opt(ULL)
    burst: int | None = opt(ULL)

    def parsed(self) -> None:
        """A rate is there for the rest to count; 0 is none."""
        _require_rate(self, floor=self.floor)
        self.floor = self.floor or None
        _leave_out_zeros(self)


@element("outbound", omit_empty=True)
class Outbound:
    """What the guest sends: nothing of it is guaranteed."""

    average: int | None = opt(ULL)
    peak: int | None = opt(ULL)
    burst: int | None = opt(ULL)

    def parsed(self) -> None:
        """A rate is there for the rest to count; 0 is none."""
        _require_rate(self, floor=None)
        _leave_out_zeros(self)


Rate: TypeAlias = Inbound | Outbound


def _require_rate(rate: Rate, *, floor: int | None) -> None:
    if rate.average is not None:
        return
    if floor is None:
        raise LibvirtError("Missing mandatory average or floor attributes", code=Code.XML_DETAIL, domain=Origin.DOMAIN)
    if rate.peak is not None or rate.burst is not None:
        raise UnsupportedConfigError("'peak' and 'burst' require 'average' attribute")


def _leave_out_zeros(rate: Rate) -> None:
    rate.average = rate.average or None
    rate.peak = rate.peak or None if rate.average else None
    rate.burst = rate.burst or None if rate.average else None


@element("bandwidth", omit_empty=True)
class Bandwidth:
    """The limits in both directions."""

    inbound: Inbound | None = one(Inbound)
    outbound: Outbound | None = one(Outbound)

    def check(self) -> None:
        """Raise error 82 for a value that is too big."""
        for rate in (self.inbound, self.outbound):
            if rate is not None:
                _check_limits(rate)


def _check_limits(rate: Rate) -> None:
    floor = rate.floor if isinstance(rate, Inbound) else None
    values = (("average", rate.average), ("peak", rate.peak), ("burst", rate.burst), ("floor", floor))
    for name, value in values:
        limit = _BURST_LIMIT if name == "burst" else _RATE_LIMIT
        if value is not None and value > limit:
            raise LibvirtError(
                f"value '{value}' is too big for '{name}' parameter, maximum is '{limit}'",
                code=Code.OVERFLOW,
                domain=Origin.DOMAIN,
            )
