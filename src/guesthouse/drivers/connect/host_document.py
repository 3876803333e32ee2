"""The `<capabilities>` document of this host, put together from the kernel's and QEMU's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.host.identity import has_iommu, sleep_states
from guesthouse.host.sysfs import format_list
from guesthouse.model.capabilities import (
    Bank,
    Cell,
    CellCpu,
    Guest,
    GuestFeature,
    Host,
    Machine,
    SecurityModel,
    format_capabilities,
    format_guest,
)
from guesthouse.model.cpu_models import X86
from guesthouse.model.domain.machines import is_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.drivers.connect.node import Node
    from guesthouse.host.memory import NumaCell
    from guesthouse.model.cpu_definition import CpuDefinition
    from guesthouse.model.qemu_capabilities import QemuCapabilities

#: How guests are kept apart: nothing labels them. The first entry is what `virNodeGetSecurityModel` answers.
SECURITY: Final = (SecurityModel("none", "0"),)


def host_document(node: Node, cpu: CpuDefinition, uuid: str | None, guests: Sequence[str]) -> str:
    """The document; `cpu` is the host's, `guests` are sections made with `guest_section`."""
    tree = node.tree
    host = Host(
        uuid=uuid,
        cpu=cpu,
        sleep_states=sleep_states(tree),
        iommu=has_iommu(tree),
        cells=[_cell(cell) for cell in node.cells()],
        banks=[
            Bank(bank.number, bank.level, bank.kind, bank.size, format_list(list(bank.cpus))) for bank in node.caches()
        ],
        security=SECURITY,
    )
    return format_capabilities(host, guests)


def _cell(cell: NumaCell) -> Cell:
    cpus = [
        CellCpu(cpu.number, cpu.socket, cpu.die, cpu.cluster, cpu.core, format_list(list(cpu.siblings)))
        for cpu in cell.cpus
    ]
    return Cell(cell.number, cell.memory, {pool.size: pool.total for pool in cell.pages}, cell.distances, cpus)


def guest_section(arch: str, emulator: QemuCapabilities) -> str:
    """What an emulator offers to guests of an architecture."""
    return format_guest(
        Guest(
            arch=arch,
            emulator=emulator.binary,
            machines=_machines(arch, emulator),
            domains=["qemu", "kvm"] if emulator.kvm else ["qemu"],
            features=_features(arch),
        )
    )


def _machines(arch: str, emulator: QemuCapabilities) -> list[Machine]:
    """Each machine by its full name, then by its alias; the default machine first, because tools take that.

    Machines that a definition cannot name are left out.
    """
    ordered = sorted(emulator.machines.values(), key=lambda machine: not machine.default)
    machines: list[Machine] = []
    for machine in ordered:
        if not is_known(arch, machine.name):
            continue
        machines.append(Machine(machine.name, machine.max_cpus, deprecated=machine.deprecated))
        if machine.alias:
            machines.append(Machine(machine.alias, machine.max_cpus, machine.name, machine.deprecated))
    return machines


def _features(arch: str) -> list[GuestFeature]:
    features = [GuestFeature("cpuselection"), GuestFeature("deviceboot")]
    if arch in X86:
        features[:0] = [GuestFeature("acpi", True, True), GuestFeature("apic", True, False)]
    if arch == "i686":
        features[:0] = [GuestFeature("pae"), GuestFeature("nonpae")]
    return features
