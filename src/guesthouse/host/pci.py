"""PCI devices of the host: what they are, and taking them from their drivers for a guest.

A device is given to a guest by binding it to a driver of VFIO: the name of the driver is written to the device's
`driver_override`, the device is unbound from its own driver, and the kernel is asked to probe again. Giving it back is
the same with an empty override. All functions take the device's address as sysfs writes it, `0000:06:12.5`.

Source: https://docs.kernel.org/driver-api/vfio.html and Documentation/ABI/testing/sysfs-bus-pci.
"""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.host.sysfs import HostTree, read_int, read_text

HOST: Final = HostTree()
VFIO: Final = "vfio-pci"
#: The class of bridges, which are never given to guests.
_BRIDGE: Final = 6
#: The part of the configuration space that conventional devices have, in bytes; Express devices have more.
_CONVENTIONAL_SIZE: Final = 256
_CAPABILITIES_BIT: Final = 0x10
_EXPRESS: Final = 0x10
#: No device has more capabilities; a list that is longer goes round in circles.
_MOST_CAPABILITIES: Final = 48
#: Where the configuration space tells of its capabilities, and the end of its head.
_STATUS: Final = 0x06
_FIRST: Final = 0x34
_HEAD: Final = 0x40


@dataclass(frozen=True, slots=True)
class PciDevice:
    """One device. `driver` holds it; `group` is its IOMMU group, None on a host without an IOMMU."""

    address: str
    driver: str | None
    group: int | None
    express: bool


def device(address: str, tree: HostTree = HOST) -> PciDevice:
    """The device. Raises `InternalError` where the host has none of that address."""
    path = _path(address, tree)
    if not path.is_dir():
        raise InternalError(f"Device {address} not found: could not access {path}/config", domain=Origin.NONE)
    group = path / "iommu_group"
    return PciDevice(
        address,
        _link_name(path / "driver"),
        int(name) if (name := _link_name(group)) is not None and name.isdigit() else None,
        _is_express(path),
    )


def group_members(number: int, tree: HostTree = HOST) -> list[str]:
    """The addresses of the devices in an IOMMU group, in order."""
    try:
        return sorted(os.listdir(tree.sys / f"kernel/iommu_groups/{number}/devices"))
    except OSError:
        return []


def is_bridge(address: str, tree: HostTree = HOST) -> bool:
    """Whether the device is a bridge: those of a group need not be given to the guest with the rest."""
    klass = read_int(_path(address, tree) / "class", 16)
    return klass is not None and klass >> 16 == _BRIDGE


def vfio_driver(address: str, tree: HostTree = HOST) -> str:
    """The driver of VFIO that fits best: a variant whose alias matches the device's, else the one for all devices."""
    alias = read_text(_path(address, tree) / "modalias")
    if alias is None or not alias.startswith("pci:"):
        return VFIO
    return _best_variant("vfio_" + alias, tree) or VFIO


def detach(address: str, driver: str, tree: HostTree = HOST) -> bool:
    """Bind the device to a driver of VFIO; whether it was not yet.

    Raises a `LibvirtError` (38) where the kernel refuses, `InternalError` where the device then has another driver.
    """
    found = device(address, tree)
    if found.driver == driver:
        return False
    if is_bridge(address, tree):
        raise InternalError(f"PCI device {address} is not assignable", domain=Origin.NONE, hint="it is a bridge")
    _rebind(address, driver, tree)
    bound = device(address, tree).driver
    if bound != driver:
        _rebind(address, "", tree)
        raise InternalError(
            f"PCI device {address} could not be bound to driver '{driver}'",
            domain=Origin.NONE,
            hint=f"load the module '{driver}' and look at the kernel's log",
        )
    return True


def reattach(address: str, tree: HostTree = HOST) -> None:
    """Let the device's own driver have it again. Raises a `LibvirtError` (38)."""
    _rebind(address, "", tree)


def give_back(address: str, driver: str | None = None, tree: HostTree = HOST) -> None:
    """Undo `detach` with this driver, however far it came; a device that its own driver still has keeps it.

    Raises a `LibvirtError` (38).
    """
    held = device(address, tree).driver
    if held is None or held == driver or "vfio" in held:
        _rebind(address, "", tree)
    else:
        _override(address, "", tree)


def _rebind(address: str, driver: str, tree: HostTree) -> None:
    path = _path(address, tree)
    _override(address, driver, tree)
    if (path / "driver").exists():
        _write(path / "driver/unbind", address, "Failed to unbind from its driver")
    _write(tree.sys / "bus/pci/drivers_probe", address, "Failed to trigger a probe")


def _override(address: str, driver: str, tree: HostTree) -> None:
    what = f"Failed to add driver '{driver}' to driver_override interface"
    _write(_path(address, tree) / "driver_override", driver or "\n", what)


def _write(path: Path, text: str, what: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LibvirtError(f"{what} of PCI device: {path}: {error.strerror}", code=Code.SYSTEM_ERROR) from error


def _path(address: str, tree: HostTree) -> Path:
    return tree.sys / "bus/pci/devices" / address


def _link_name(path: Path) -> str | None:
    try:
        return os.path.basename(os.readlink(path))
    except OSError:
        return None


def _is_express(path: Path) -> bool:
    """By the extended part of its configuration space; who may not read that looks at the list of capabilities."""
    try:
        if (path / "config").stat().st_size > _CONVENTIONAL_SIZE:
            return True
        data = (path / "config").read_bytes()[:_CONVENTIONAL_SIZE]
    except OSError:
        return True
    if len(data) < _HEAD or not data[_STATUS] & _CAPABILITIES_BIT:
        return False
    place, seen = data[_FIRST] & 0xFC, 0
    while place and place + 1 < len(data) and seen < _MOST_CAPABILITIES:
        if data[place] == _EXPRESS:
            return True
        place, seen = data[place + 1] & 0xFC, seen + 1
    return False


def _best_variant(alias: str, tree: HostTree) -> str | None:
    """The module whose alias in `modules.alias` matches with the fewest wildcards."""
    release = read_text(tree.proc / "sys/kernel/osrelease") or ""
    try:
        lines = Path(f"/lib/modules/{release}/modules.alias").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    best: tuple[int, str] | None = None
    for line in lines.splitlines():
        if line.startswith("alias vfio_pci:"):
            _, pattern, module = line.split(None, 2)
            wildcards = pattern.count("*")
            if fnmatch.fnmatchcase(alias, pattern) and (best is None or wildcards < best[0]):
                best = (wildcards, module)
    return best[1].replace("_", "-") if best is not None else None
