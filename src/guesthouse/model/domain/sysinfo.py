"""What the guest reads in its SMBIOS tables: `<sysinfo type='smbios'>`.

Format: https://libvirt.org/formatdomain.html#smbios-system-information
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, content, default, element, leaves, many, one
from guesthouse.model.kinds import PROSE, TEXT, one_of

#: Section to QEMU's number of the table, and libvirt's name of each entry to QEMU's, in libvirt's order.
TABLES: Final[dict[str, tuple[int, dict[str, str]]]] = {
    "bios": (0, {"vendor": "vendor", "version": "version", "date": "date", "release": "release"}),
    "system": (
        1,
        {
            "manufacturer": "manufacturer",
            "product": "product",
            "version": "version",
            "serial": "serial",
            "uuid": "uuid",
            "sku": "sku",
            "family": "family",
        },
    ),
    "baseBoard": (
        2,
        {
            "manufacturer": "manufacturer",
            "product": "product",
            "version": "version",
            "serial": "serial",
            "asset": "asset",
            "location": "location",
        },
    ),
    "chassis": (
        3,
        {"manufacturer": "manufacturer", "version": "version", "serial": "serial", "asset": "asset", "sku": "sku"},
    ),
}


@element("entry")
class Entry:
    """One value of a table."""

    name: str = attr(TEXT)
    value: str = content(PROSE)


def _arrange(section: str, entries: list[Entry]) -> None:
    names = list(TABLES[section][1])
    for entry in entries:
        if entry.name not in names:
            raise XmlError(f"unknown entry '{entry.name}' in sysinfo section '{section}'", hint=", ".join(names))
    entries.sort(key=lambda entry: names.index(entry.name))


@element("bios", omit_empty=True)
class BiosTable:
    """Table 0."""

    entries: list[Entry] = many(Entry)

    def parsed(self) -> None:
        """Known names only, in libvirt's order."""
        _arrange("bios", self.entries)


@element("system", omit_empty=True)
class SystemTable:
    """Table 1. Its `uuid` must be the guest's own."""

    entries: list[Entry] = many(Entry)

    def parsed(self) -> None:
        """Known names only, in libvirt's order."""
        _arrange("system", self.entries)


@element("baseBoard", omit_empty=True)
class BoardTable:
    """Table 2."""

    entries: list[Entry] = many(Entry)

    def parsed(self) -> None:
        """Known names only, in libvirt's order."""
        _arrange("baseBoard", self.entries)


@element("chassis", omit_empty=True)
class ChassisTable:
    """Table 3."""

    entries: list[Entry] = many(Entry)

    def parsed(self) -> None:
        """Known names only, in libvirt's order."""
        _arrange("chassis", self.entries)


@element("oemStrings", omit_empty=True)
class OemStrings:
    """Table 11: free texts."""

    entries: list[str] = leaves(PROSE, "entry")


@element("sysinfo")
class Sysinfo:
    """The tables that the guest shall see where `<smbios mode='sysinfo'/>` asks for them."""

    type: str = default(one_of("smbios"), "smbios")
    bios: BiosTable | None = one(BiosTable)
    system: SystemTable | None = one(SystemTable)
    boards: list[BoardTable] = many(BoardTable)
    chassis: ChassisTable | None = one(ChassisTable)
    oem_strings: OemStrings | None = one(OemStrings)

    def entry(self, section: str, name: str) -> str | None:
        """The value of an entry of table 0 or 1."""
        table = self.bios if section == "bios" else self.system
        if table is None:
            return None
        return next((entry.value for entry in table.entries if entry.name == name), None)
