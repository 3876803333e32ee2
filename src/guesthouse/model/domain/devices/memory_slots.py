"""A guest's memory devices together: their numbers, their slots, their places, and what the machine is told of them.

Source: https://libvirt.org/formatdomain.html#memory-devices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count, pairwise

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.memory import IN_SLOTS, MemoryDevice
from guesthouse.model.domain.devices.memory_parts import DimmAddress
from guesthouse.model.domain.memory_objects import NVDIMM, SGX_EPC, GuestMemory


def numbered(devices: Iterable[MemoryDevice]) -> Iterator[tuple[int, MemoryDevice]]:
    """The devices, each with its number among those of its model."""
    counts: dict[str, int] = {}
    for device in devices:
        yield counts.setdefault(device.model, 0), device
        counts[device.model] += 1


def assign_slots(devices: Iterable[MemoryDevice], memory: GuestMemory) -> None:
    """Give modules without an address the lowest free slots. Nothing is done where the guest has none."""
    if not memory.hotpluggable:
        return
    modules = [device for device in devices if device.model in IN_SLOTS]
    taken = {device.address.slot for device in modules if isinstance(device.address, DimmAddress)}
    free = (number for number in count() if number not in taken)
    for device in modules:
        if device.address is None:
            device.address = new(DimmAddress, slot=next(free))


def check_together(devices: list[MemoryDevice], memory: GuestMemory, *, needs_cells: bool) -> None:
    """Raise `UnsupportedConfigError` where the devices have no place, alone or beside each other.

    `needs_cells` says that the guest must have nodes of its own to have such devices.
    """
    if not memory.hotpluggable:
        if devices:
            raise UnsupportedConfigError("cannot use/hotplug a memory device when domain 'maxMemory' is not defined")
        return
    if needs_cells and not memory.cells:
        raise UnsupportedConfigError("At least one numa node has to be configured when enabling memory hotplug")
    modules = [device for device in devices if device.model in IN_SLOTS]
    if len(modules) > memory.slots:
        raise UnsupportedConfigError(
            f"count of memory devices requiring memory slots '{len(modules)}' exceeds slots count '{memory.slots}'"
        )
    _check_places(devices)


def _check_places(devices: list[MemoryDevice]) -> None:
    slots: set[int] = set()
    for device in devices:
        if isinstance(device.address, DimmAddress):
            if device.address.slot in slots:
                raise UnsupportedConfigError(
                    f"memory device slot '{device.address.slot}' is already being used by another memory device"
                )
            slots.add(device.address.slot)
    placed = sorted((span, number) for number, device in enumerate(devices) if (span := device.span) is not None)
    for lower, upper in pairwise(placed):
        if upper[0][0] < lower[0][1]:
            ((start, end), _), ((other, _), _) = sorted((lower, upper), key=lambda entry: entry[1])
            raise UnsupportedConfigError(
                f"memory device address [0x{start:x}:0x{end:x}] overlaps with other memory device (0x{other:x})"
            )


def machine_words(devices: Iterable[MemoryDevice]) -> list[str]:
    """What `-machine` says of the devices, whose aliases must be assigned."""
    words: list[str] = []
    enclaves = 0
    for device in devices:
        if device.model == NVDIMM and "nvdimm=on" not in words:
            words.append("nvdimm=on")
        elif device.model == SGX_EPC:
            words.append(f"sgx-epc.{enclaves}.memdev={device.backend}")
            words.append(f"sgx-epc.{enclaves}.node={device.target.node or 0}")
            enclaves += 1
    return words
