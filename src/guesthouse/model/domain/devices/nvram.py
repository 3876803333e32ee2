"""The persistent memory of pSeries machines, which no guest here has.

Source: https://libvirt.org/formatdomain.html#nvram-device.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import element, one, opt
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext, alias_slot
from guesthouse.model.kinds import hexadecimal, one_of


@element("address")
class SpaprVioAddress:
    """A place on the virtual bus of a pSeries machine."""

    type: str | None = opt(one_of("spapr-vio"))
    reg: int | None = opt(hexadecimal(8, 2**64 - 1))


@element("nvram")
class Nvram(Device):
    """The device, so that it is refused by name."""

    alias: Alias | None = alias_slot()
    place: SpaprVioAddress | None = one(SpaprVioAddress)

    def check(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError`: there are no pSeries guests here."""
        self.prepare(ctx)

    def prepare(self, ctx: DeviceContext) -> None:
        """As `check`, for a definition that another daemon left."""
        raise UnsupportedConfigError("nvram device is only supported for PPC64")
