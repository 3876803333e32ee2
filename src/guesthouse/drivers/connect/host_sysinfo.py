"""What the host's firmware says of the host, in the model's terms."""

from __future__ import annotations

from guesthouse.host.dmi import Smbios, read_identity
from guesthouse.host.sysfs import HostTree
from guesthouse.model.sysinfo import HostSysinfo


def of_tables(found: Smbios) -> HostSysinfo:
    """The same, part by part."""
    return HostSysinfo(
        bios=found.bios,
        system=found.system,
        base_boards=found.base_boards,
        chassis=found.chassis,
        processors=found.processors,
        memory_devices=found.memory_devices,
        oem_strings=found.oem_strings,
    )


def read_host_sysinfo(tree: HostTree) -> HostSysinfo | None:
    """What a guest with the host's tables shall see; None where nothing can be read."""
    found = read_identity(tree)
    return None if found is None else of_tables(found)
