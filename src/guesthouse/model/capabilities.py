"""The `<capabilities>` document: what the host is and which guests it can run.

Format: https://libvirt.org/formatcaps.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from guesthouse.model.cpu_definition import CpuDefinition, write_cpu
from guesthouse.model.xmltext import Lines, escape


@dataclass(frozen=True, slots=True)
class CellCpu:
    """A processor of a NUMA cell. `siblings` is a list of processors as `0-1,4`."""

    number: int
    socket: int
    die: int
    cluster: int
    core: int
    siblings: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A NUMA cell. `memory` and the sizes of pages are in KiB; `pages` leads from size to how many there are."""

    number: int
    memory: int
    pages: dict[int, int]
    distances: dict[int, int]
    cpus: Sequence[CellCpu]


@dataclass(frozen=True, slots=True)
class Bank:
    """A cache. `size` is in bytes, `cpus` a list of processors."""

    number: int
    level: int
    kind: str
    size: int
    cpus: str


@dataclass(frozen=True, slots=True)
class SecurityModel:
    """A way in which guests are kept apart; `base_labels` leads from guest type to label."""

    model: str
    doi: str = "0"
    base_labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Host:
    """The host. `migration` lists the transports of live migration; without any, the host offers none."""

    uuid: str | None
    cpu: CpuDefinition
    sleep_states: Sequence[str]
    iommu: bool
    cells: Sequence[Cell]
    banks: Sequence[Bank] = ()
    security: Sequence[SecurityModel] = ()
    migration: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine type; `canonical` is the name that it stands for, where it is an alias."""

    name: str
    max_cpus: int
    canonical: str | None = None
    deprecated: bool = False


@dataclass(frozen=True, slots=True)
class GuestFeature:
    """Something that guests of an architecture can have: whether by default, and whether that can be changed."""

    name: str
    default: bool | None = None
    toggle: bool | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """One kind of guest: an architecture, the emulator that runs it, and its machine types."""

    arch: str
    emulator: str
    machines: Sequence[Machine]
    domains: Sequence[str]
    features: Sequence[GuestFeature]
    os_type: str = "hvm"

    @property
    def word_size(self) -> int:
        """The architecture's word in bits."""
        return 32 if self.arch in _NARROW else 64


_NARROW: Final = frozenset(
    {
        "armv6l",
        "armv7b",
        "armv7l",
        "cris",
        "i686",
        "lm32",
        "m68k",
        "microblaze",
        "microblazeel",
        "mips",
        "mipsel",
        "or32",
        "parisc",
        "ppc",
        "ppcemb",
        "riscv32",
        "s390",
        "sh4",
        "sh4eb",
        "sparc",
        "unicore32",
        "xtensa",
        "xtensaeb",
    }
)
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def format_guest(guest: Guest) -> str:
    """One `<guest>` as it stands in the document; it is the long part, and seldom changes."""
    lines = Lines(1)
    _write_guest(lines, guest)
    return lines.text()


def format_capabilities(host: Host, guests: Sequence[str]) -> str:
    """The document; `guests` are made with `format_guest`."""
    lines = Lines()
    lines.open("capabilities")
    lines.lines.append("")
    _write_host(lines, host)
    lines.lines.append("")
    lines.lines.extend(guests)
    lines.close("capabilities")
    return lines.text()


def _write_host(lines: Lines, host: Host) -> None:
    lines.open("host")
    if host.uuid is not None:
        lines.leaf("uuid", text=host.uuid)
    write_cpu(lines, host.cpu)
    if host.sleep_states:
        lines.open("power_management")
        for state in host.sleep_states:
            lines.leaf(state)
        lines.close("power_management")
    else:
        lines.leaf("power_management")
    lines.leaf("iommu", f" support='{_yes_no(host.iommu)}'")
    if host.migration:
        _write_migration(lines, host.migration)
    _write_topology(lines, host.cells)
    if host.banks:
        lines.open("cache")
        for bank in host.banks:
            size, unit = _scaled(bank.size)
            where = f" id='{bank.number}' level='{bank.level}' type='{bank.kind}'"
            lines.leaf("bank", f"{where} size='{size}' unit='{unit}' cpus='{bank.cpus}'")
        lines.close("cache")
    for model in host.security:
        lines.open("secmodel")
        lines.leaf("model", text=escape(model.model))
        lines.leaf("doi", text=escape(model.doi))
        for kind, label in model.base_labels.items():
            lines.leaf("baselabel", f" type='{kind}'", escape(label))
        lines.close("secmodel")
    lines.close("host")


def _write_migration(lines: Lines, transports: Sequence[str]) -> None:
    lines.open("migration_features")
    lines.leaf("live")
    lines.open("uri_transports")
    for transport in transports:
        lines.leaf("uri_transport", text=transport)
    lines.close("uri_transports")
    lines.close("migration_features")


def _write_topology(lines: Lines, cells: Sequence[Cell]) -> None:
    lines.open("topology")
    lines.open("cells", f" num='{len(cells)}'")
    for cell in cells:
        lines.open("cell", f" id='{cell.number}'")
        if cell.memory:
            lines.leaf("memory", " unit='KiB'", str(cell.memory))
        for size, count in cell.pages.items():
            lines.leaf("pages", f" unit='KiB' size='{size}'", str(count))
        if cell.distances:
            lines.open("distances")
            for number, value in cell.distances.items():
                lines.leaf("sibling", f" id='{number}' value='{value}'")
            lines.close("distances")
        _write_cell_cpus(lines, cell.cpus)
        lines.close("cell")
    lines.close("cells")
    lines.close("topology")


def _write_cell_cpus(lines: Lines, cpus: Sequence[CellCpu]) -> None:
    if not cpus:
        lines.leaf("cpus", " num='0'")
        return
    lines.open("cpus", f" num='{len(cpus)}'")
    for cpu in cpus:
        place = f" socket_id='{cpu.socket}' die_id='{cpu.die}' cluster_id='{cpu.cluster}' core_id='{cpu.core}'"
        lines.leaf("cpu", f" id='{cpu.number}'{place} siblings='{cpu.siblings}'")
    lines.close("cpus")


def _write_guest(lines: Lines, guest: Guest) -> None:
    lines.open("guest")
    lines.leaf("os_type", text=guest.os_type)
    lines.open("arch", f" name='{guest.arch}'")
    lines.leaf("wordsize", text=str(guest.word_size))
    lines.leaf("emulator", text=escape(guest.emulator))
    for machine in guest.machines:
        canonical = f" canonical='{escape(machine.canonical)}'" if machine.canonical else ""
        max_cpus = f" maxCpus='{machine.max_cpus}'" if machine.max_cpus > 0 else ""
        deprecated = " deprecated='yes'" if machine.deprecated else ""
        lines.leaf("machine", canonical + max_cpus + deprecated, escape(machine.name))
    for domain in guest.domains:
        lines.leaf("domain", f" type='{domain}'")
    lines.close("arch")
    if guest.features:
        lines.open("features")
        for feature in guest.features:
            default = "" if feature.default is None else f" default='{'on' if feature.default else 'off'}'"
            toggle = "" if feature.toggle is None else f" toggle='{_yes_no(feature.toggle)}'"
            lines.leaf(feature.name, default + toggle)
        lines.close("features")
    lines.close("guest")


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def _scaled(size: int) -> tuple[int, str]:
    """`size` bytes in the largest unit that divides it."""
    unit = 0
    while size and size % 1024 == 0 and unit + 1 < len(_UNITS):
        size //= 1024
        unit += 1
    return size, _UNITS[unit]
