"""Limits of an interface's rate, from the guest's point of view: `inbound` is what it receives.

Rates are in KiB a second, a burst is in KiB.

Source: https://libvirt.org/formatnetwork.html#quality-of-service.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import element, one, opt
from guesthouse.model.kinds import ULL

#: The greatest values that traffic control takes.
_RATE_LIMIT: Final = 1 << 54
_BURST_LIMIT: Final = (2**32 - 1) >> 10


class Rate:
    """What both directions have: `average` and `peak` rates, and the size of a `burst`."""

    __slots__ = ()

    average: int | None
    peak: int | None
    burst: int | None

    def parsed(self) -> None:
        """A rate is there for the rest to count; 0 is none."""
        if self.average is None and getattr(self, "floor", None) is None:
            raise LibvirtError(
                "Missing mandatory average or floor attributes", code=Code.XML_DETAIL, domain=Origin.DOMAIN
            )
        if self.average is None and (self.peak is not None or self.burst is not None):
            raise UnsupportedConfigError("'peak' and 'burst' require 'average' attribute")
        self.average, self.peak, self.burst = self.average or None, self.peak or None, self.burst or None
        if self.average is None:
            self.peak = self.burst = None

    def check(self) -> None:
        """Raise error 81 for a value that is too big."""
        limits = {"average": _RATE_LIMIT, "peak": _RATE_LIMIT, "burst": _BURST_LIMIT, "floor": _RATE_LIMIT}
        for name, limit in limits.items():
            value: int | None = getattr(self, name, None)
            if value is not None and value > limit:
                raise LibvirtError(
                    f"value '{value}' is too big for '{name}' parameter, maximum is '{limit}'",
                    code=Code.OVERFLOW,
                    domain=Origin.DOMAIN,
                )


@element("inbound", omit_empty=True)
class Inbound(Rate):
    """What the guest receives; `floor` is guaranteed."""

    average: int | None = opt(ULL)
    peak: int | None = opt(ULL)
    floor: int | None = opt(ULL)
    burst: int | None = opt(ULL)

    def parsed(self) -> None:
        """As in both directions."""
        Rate.parsed(self)
        self.floor = self.floor or None


@element("outbound", omit_empty=True)
class Outbound(Rate):
    """What the guest sends: nothing of it is guaranteed."""

    average: int | None = opt(ULL)
    peak: int | None = opt(ULL)
    burst: int | None = opt(ULL)


@element("bandwidth", omit_empty=True)
class Bandwidth:
    """The limits in both directions."""

    inbound: Inbound | None = one(Inbound)
    outbound: Outbound | None = one(Outbound)

    def check(self) -> None:
        """Raise error 81 for a value that is too big."""
        for rate in (self.inbound, self.outbound):
            if rate is not None:
                rate.check()
