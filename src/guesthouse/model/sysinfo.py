"""The host's `<sysinfo type='smbios'>` document.

Format: https://libvirt.org/formatdomain.html#smbios-system-information, which this document shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from guesthouse.model.xmltext import Lines, escape

Entries = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HostSysinfo:
    """The parts of the document: each leads from an entry's name to its value. An empty part is left out."""

    bios: Entries
    system: Entries
    base_boards: Sequence[Entries]
    chassis: Entries
    processors: Sequence[Entries]
    memory_devices: Sequence[Entries]
    oem_strings: Sequence[str]


def format_sysinfo(info: HostSysinfo) -> str:
    """The document."""
    lines = Lines()
    lines.open("sysinfo", " type='smbios'")
    _part(lines, "bios", info.bios)
    _part(lines, "system", info.system)
    for board in info.base_boards:
        _part(lines, "baseBoard", board)
    _part(lines, "chassis", info.chassis)
    for processor in info.processors:
        _part(lines, "processor", processor)
    for device in info.memory_devices:
        _part(lines, "memory_device", device)
    if info.oem_strings:
        lines.open("oemStrings")
        for text in info.oem_strings:
            lines.leaf("entry", text=escape(text))
        lines.close("oemStrings")
    lines.close("sysinfo")
    return lines.text()


def _part(lines: Lines, tag: str, entries: Entries) -> None:
    if not entries:
        return
    lines.open(tag)
    for name, value in entries.items():
        lines.leaf("entry", f" name='{name}'", escape(value))
    lines.close(tag)
