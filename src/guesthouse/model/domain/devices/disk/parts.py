"""What stands in a `<disk>` beside its source: the target, and what limits the disk or makes it forget.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, element, many, opt
from guesthouse.model.domain.devices.disk.names import PREFIXES
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, YES_NO, Kind, integer, matching, one_of

_BUSES: Final = ("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd")
_PREFIX: Final = "|".join(PREFIXES)
#: How old Xen guests wrote the name.
_NAME: Final = matching(rf"(?:ioemu:)?(?:{_PREFIX})[a-z]{{1,64}}[0-9]{{0,4}}", "a disk name such as vda")
_TARGET: Final = Kind(_NAME.name, lambda text: _NAME.parse(text).removeprefix("ioemu:"), str)


@element("target")
class DiskTarget:
    """What the disk is called, and the bus it is on. The name gives the order on the bus, not the guest's name."""

    dev: str = attr(_TARGET)
    bus: str | None = opt(one_of(*_BUSES))
    tray: str | None = opt(one_of("closed", "open"))
    removable: bool | None = opt(ON_OFF)
    rotation_rate: int | None = opt(integer(0, 65534))


@element("transient")
class Transient:
    """What is written is gone when the guest ends. With `share_backing` several guests may have the image."""

    share_backing: bool | None = opt(YES_NO, "shareBacking")

    def parsed(self) -> None:
        """To share nothing is what is done anyhow."""
        self.share_backing = self.share_backing or None


@element("throttlefilter")
class ThrottleFilter:
    """A group of `<throttlegroups>` whose limits hold for the disk too. `number` is that of its node in QEMU."""

    group: str = attr(TEXT)
    number: int | None = opt(UINT, "index", status=True)


@element("throttlefilters", omit_empty=True)
class ThrottleFilters:
    """All groups, the first nearest to the image."""

    filters: list[ThrottleFilter] = many(ThrottleFilter)

    def parsed(self) -> None:
        """Each is there once."""
        seen: set[str] = set()
        for item in self.filters:
            if item.group in seen:
                raise XmlError(f"duplicate filter name '{item.group}' found")
            seen.add(item.group)
