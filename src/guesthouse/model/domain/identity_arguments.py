"""Who the guest is, on QEMU's command line: its UUID, its SMBIOS tables, its firmware's configuration, its generation.

Options: `-uuid`, `-smbios` and `-fw_cfg` in QEMU's manual page; generation: QEMU's `docs/specs/vmgenid.rst`.
"""

from __future__ import annotations

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.sysinfo import TABLES, Entry, Sysinfo
from guesthouse.model.qemu_objects import Device, quoted


def identity_arguments(domain: Domain) -> list[str]:
    """`-uuid`, the SMBIOS tables, what the firmware is told, and the generation id."""
    words = ["-uuid", domain.uuid]
    mode = domain.os.smbios.mode if domain.os.smbios is not None else "emulate"
    tables = next((info for info in domain.sysinfo if info.type == "smbios"), None)
    if mode == "sysinfo" and tables is not None:
        words += _smbios(tables)
    for info in domain.sysinfo:
        for item in info.items:
            source = f"file={quoted(item.file)}" if item.file is not None else f"string={quoted(item.value or '')}"
            words += ["-fw_cfg", f"name={item.name},{source}"]
    if domain.genid is not None:
        words += Device({"driver": "vmgenid", "guid": domain.genid, "id": "vmgenid0"}).arguments()
    return words


def _smbios(info: Sysinfo) -> list[str]:
    tables: list[tuple[str, list[Entry]]] = []
    if info.bios is not None:
        tables.append(("bios", info.bios.entries))
    if info.system is not None:
        tables.append(("system", info.system.entries))
    tables += [("baseBoard", board.entries) for board in info.boards]
    if info.chassis is not None:
        tables.append(("chassis", info.chassis.entries))
    words: list[str] = []
    for section, entries in tables:
        number, names = TABLES[section]
        parts = [f"type={number}", *(f"{names[entry.name]}={quoted(entry.value)}" for entry in entries)]
        words += ["-smbios", ",".join(parts)]
    if info.oem_strings is not None:
        values = [f"value={quoted(text)}" for text in info.oem_strings.entries]
        words += ["-smbios", ",".join(["type=11", *values])]
    return words
