"""Who the guest is, on QEMU's command line: its UUID, its SMBIOS tables, its firmware's configuration, its generation.

Options: `-uuid`, `-smbios` and `-fw_cfg` in QEMU's manual page; generation: QEMU's `docs/specs/vmgenid.rst`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.host_parts import HostParts
from guesthouse.model.domain.sysinfo import TABLES, Sysinfo
from guesthouse.model.qemu_objects import Device, quoted
from guesthouse.model.sysinfo import HostSysinfo


def identity_arguments(domain: Domain, parts: HostParts) -> list[str]:
    """`-uuid`, the SMBIOS tables, what the firmware is told, and the generation id.

    Raises `UnsupportedConfigError` where the guest shall have the host's tables, and this host has none that can be
    read, or some that QEMU cannot show.
    """
    words = ["-uuid", domain.uuid]
    mode = domain.os.smbios.mode if domain.os.smbios is not None else "emulate"
    tables = next((info for info in domain.sysinfo if info.type == "smbios"), None)
    if mode == "sysinfo" and tables is not None:
        words += _smbios(tables)
    elif mode == "host":
        words += _smbios_of_host(parts.smbios())
    for info in domain.sysinfo:
        for item in info.items:
            source = f"file={quoted(item.file)}" if item.file is not None else f"string={quoted(item.value or '')}"
            words += ["-fw_cfg", f"name={item.name},{source}"]
    if domain.genid is not None:
        words += Device({"driver": "vmgenid", "guid": domain.genid, "id": "vmgenid0"}).arguments()
    return words


def _smbios(info: Sysinfo) -> list[str]:
    held = (("bios", info.bios), ("system", info.system), *(("baseBoard", board) for board in info.boards))
    tables = [
        (section, {entry.name: entry.value for entry in table.entries})
        for section, table in (*held, ("chassis", info.chassis))
        if table is not None
    ]
    return _words(tables, info.oem_strings.entries if info.oem_strings is not None else None)


def _smbios_of_host(host: HostSysinfo | None) -> list[str]:
    """The host's tables, without the host's UUID: the guest has its own."""
    if host is None:
        raise UnsupportedConfigError(
            "Host SMBIOS information is not available", hint="use <smbios mode='sysinfo'/> with <sysinfo>"
        )
    if len(host.base_boards) > 1:
        raise UnsupportedConfigError(
            "qemu does not support more than one entry to Type 2 in SMBIOS table",
            hint=f"the host has {len(host.base_boards)}: use <smbios mode='sysinfo'/> with <sysinfo>",
        )
    system = {name: value for name, value in host.system.items() if name != "uuid"}
    held = (("bios", host.bios), ("system", system), *(("baseBoard", board) for board in host.base_boards))
    tables = [(section, entries) for section, entries in (*held, ("chassis", host.chassis)) if entries]
    return _words(tables, host.oem_strings or None)


def _words(tables: Sequence[tuple[str, Mapping[str, str]]], texts: Sequence[str] | None) -> list[str]:
    words: list[str] = []
    for section, entries in tables:
        number, names = TABLES[section]
        parts = [f"type={number}", *(f"{names[name]}={quoted(value)}" for name, value in entries.items())]
        words += ["-smbios", ",".join(parts)]
    if texts is not None:
        words += ["-smbios", ",".join(["type=11", *(f"value={quoted(text)}" for text in texts)])]
    return words
