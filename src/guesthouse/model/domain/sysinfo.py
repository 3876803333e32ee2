"""What the guest reads in its SMBIOS tables, and in its firmware's configuration: `<sysinfo>`.

Format: https://libvirt.org/formatdomain.html#smbios-system-information
"""

from __future__ import annotations

import re
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, leaves, many, one, opt, opt_content
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


_DATE: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,4})/([0-9]{1,6})", re.ASCII)


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
        for entry in self.entries:
            if entry.name == "date" and not _is_date(entry.value):
                raise LibvirtError("Invalid BIOS 'date' format", code=Code.XML_DETAIL, domain=Origin.DOMAIN)


def _is_date(text: str) -> bool:
    """Whether it is month/day/year; years below 100 are those of the twentieth century."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    month, day, year = map(int, match.groups())
    return 1 <= month <= 12 and 1 <= day <= 31 and (year < 100 or year >= 1900)


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


@element("entry")
class FirmwareEntry:
    """An item of the firmware's configuration, which a guest reads as a file: a `value`, or the content of `file`."""

    name: str = attr(TEXT)
    file: str | None = opt(PROSE)
    value: str | None = opt_content(PROSE)

    def parsed(self) -> None:
        """One or the other."""
        self.value = self.value or None
        if self.value is None and self.file is None:
            raise XmlError("Firmware entry must have either value or 'file' attribute")
        if self.file is not None:
            self.value = None


#: Names below these QEMU and the firmware keep for themselves.
_RESERVED: Final = ("opt/ovmf/", "opt/org.qemu/")


@element("sysinfo")
class Sysinfo:
    """With type `smbios`, the tables that the guest shall see where `<smbios mode='sysinfo'/>` asks for them.

    With type `fwcfg`, `items` of the firmware's configuration.
    """

    type: str = default(one_of("smbios", "fwcfg"), "smbios")
    bios: BiosTable | None = one(BiosTable)
    system: SystemTable | None = one(SystemTable)
    boards: list[BoardTable] = many(BoardTable)
    chassis: ChassisTable | None = one(ChassisTable)
    oem_strings: OemStrings | None = one(OemStrings)
    items: list[FirmwareEntry] = many(FirmwareEntry)

    def parsed(self) -> None:
        """Each type has its own children."""
        tables = (self.bios, self.system, self.boards or None, self.chassis, self.oem_strings)
        if self.type == "fwcfg" and any(table is not None for table in tables):
            raise XmlError("SMBIOS tables do not belong to sysinfo of type 'fwcfg'")
        if self.type == "smbios" and self.items:
            raise XmlError("firmware entries do not belong to sysinfo of type 'smbios'")

    def entry(self, section: str, name: str) -> str | None:
        """The value of an entry of table 0 or 1."""
        table = self.bios if section == "bios" else self.system
        if table is None:
            return None
        return next((entry.value for entry in table.entries if entry.name == name), None)


def check(infos: list[Sysinfo], *, name: str, uuid: str, mode: str | None) -> None:
    """Check what a guest shall read; `mode` is that of `<smbios>`.

    Raises `XmlError` and `UnsupportedConfigError` with libvirt's texts.
    """
    tables = [info for info in infos if info.type == "smbios"]
    if mode == "sysinfo" and not tables:
        raise XmlError(f"Domain '{name}' sysinfo are not available")
    for info in infos:
        given = info.entry("system", "uuid")
        if given is not None and given.lower() != uuid:
            raise XmlError("UUID mismatch between <uuid> and <sysinfo>")
        for item in info.items:
            if not item.name.startswith("opt/"):
                raise UnsupportedConfigError("Invalid firmware name", hint=f"'{item.name}' must begin with opt/")
            if item.name.startswith(_RESERVED):
                raise UnsupportedConfigError("That firmware name is reserved", hint=item.name)
    if len(tables) > 1:
        raise UnsupportedConfigError("only one <sysinfo type='smbios'> is supported")
    if tables and len(tables[0].boards) > 1:
        raise UnsupportedConfigError("qemu does not support more than one entry to Type 2 in SMBIOS table")
