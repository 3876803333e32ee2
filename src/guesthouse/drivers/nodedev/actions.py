"""Taking PCI devices from their drivers, giving them back, and resetting them.

Texts and codes are libvirt's. The rules of who may have a device are those of `drivers.domain.assigning`: one that a
guest has stays with it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from guesthouse.errors import (
    Code,
    InternalError,
    InvalidArgumentError,
    LibvirtError,
    OperationInvalidError,
    OperationTimeoutError,
    Origin,
)
from guesthouse.host import pci
from guesthouse.host.sysfs import HostTree
from guesthouse.model.nodedev.pci import PciDevice

if TYPE_CHECKING:
    from guesthouse.drivers.nodedev.driver import NodeDeviceDriver

P = ParamSpec("P")
T = TypeVar("T")

#: How long the kernel may take with a device, in seconds: some reset their hardware.
_DEADLINE: Final = 30.0
#: Drivers that hold a device for guests, by the beginnings of their names.
_STUBS: Final = ("vfio", "pci-stub")


async def detach(driver: NodeDeviceDriver, name: str, wanted: str | None) -> None:
    """Bind the device to a driver of VFIO: the one named, or the best there is for None and `vfio`.

    Raises a `LibvirtError` (74) where the host cannot do that, (53) for an unknown device, `InvalidArgumentError` for
    one that is not on PCI, `OperationInvalidError` for one that a guest has, and what `host.pci` raises.
    """
    if wanted == "kvm":
        raise _unsupported("'legacy KVM' device assignment is no longer supported on this system")
    if not await _in_time(_has_vfio, driver.tree):
        raise _unsupported(
            "VFIO device assignment is currently not supported on this system",
            hint="it needs an IOMMU that is switched on, and the kernel module 'vfio'",
        )
    address = await _address(driver, name)
    if wanted not in (None, "vfio") and "vfio" not in (wanted or ""):
        raise InvalidArgumentError(f"driver '{wanted}' is not a VFIO driver", hint="such as vfio-pci")
    async with driver.assigning:
        _check_free(driver, address)
        best = wanted if wanted not in (None, "vfio") else await _in_time(pci.vfio_driver, address, driver.tree)
        await _in_time(pci.detach, address, best or pci.VFIO, driver.tree)


async def reattach(driver: NodeDeviceDriver, name: str) -> None:
    """Let the device's own driver have it again; one that it has is left alone. Raises as `detach` does."""
    address = await _address(driver, name)
    async with driver.assigning:
        _check_free(driver, address)
        held = (await _in_time(pci.device, address, driver.tree)).driver
        if held is None or held.startswith(_STUBS) or held.endswith("vfio_pci"):
            await _in_time(pci.reattach, address, driver.tree)


async def reset(driver: NodeDeviceDriver, name: str) -> None:
    """Reset the device. Raises as `detach` does, and `InternalError` where the kernel cannot."""
    address = await _address(driver, name)
    async with driver.assigning:
        _check_free(driver, address)
        await _in_time(_reset, address, driver.tree)


async def _address(driver: NodeDeviceDriver, name: str) -> str:
    definition = (await driver.current(name)).definition
    for capability in definition.capabilities:
        if isinstance(capability, PciDevice):
            return f"{capability.domain:04x}:{capability.bus:02x}:{capability.slot:02x}.{capability.function:x}"
    raise InvalidArgumentError(f"device {name} is not a PCI device", domain=Origin.DOMAIN)


def _check_free(driver: NodeDeviceDriver, address: str) -> None:
    guest = driver.holder(address)
    if guest is not None:
        raise OperationInvalidError(
            f"PCI device {address} is in use by driver QEMU, domain {guest}", domain=Origin.NONE
        )


def _has_vfio(tree: HostTree) -> bool:
    try:
        return bool(os.listdir(tree.sys / "kernel/iommu_groups")) and (tree.dev / "vfio/vfio").exists()
    except OSError:
        return False


def _reset(address: str, tree: HostTree) -> None:
    path = tree.sys / "bus/pci/devices" / address / "reset"
    if pci.is_bridge(address, tree):
        raise InternalError(f"PCI device {address} is not assignable", domain=Origin.NONE, hint="it is a bridge")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"1")
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise InternalError(
            f"Unable to reset PCI device {address}: no FLR, PM reset or bus reset available", domain=Origin.NONE
        ) from None
    except OSError as error:
        raise InternalError(f"Unable to reset PCI device {address}: {error.strerror}", domain=Origin.NONE) from error


def _unsupported(text: str, hint: str = "") -> LibvirtError:
    return LibvirtError(text, code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU, hint=hint)


async def _in_time(work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Run what waits for the kernel, apart from the event loop. Raises `OperationTimeoutError`."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, *arguments, **keywords), _DEADLINE)
    except TimeoutError:
        raise OperationTimeoutError(
            f"the kernel did not finish with a PCI device within {_DEADLINE:g} seconds"
        ) from None
