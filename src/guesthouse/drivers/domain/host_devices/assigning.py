"""Giving devices of the host to guests, and taking them back.

A device goes to one guest at a time. A PCI device that the definition says is `managed` is bound to a driver of VFIO
before QEMU gets it, and given back to its own driver when QEMU has let go of it; the status file says that it is taken
(`taken`) before anything is done, so that the next daemon gives it back too. One that is not managed must have been
detached.

Taking and giving back are under one lock: a guest that starts waits for the end of the one that had the device.

Source: https://libvirt.org/formatdomain.html#host-device-assignment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from guesthouse.drivers.domain.files import statusfile
from guesthouse.errors import LibvirtError, OperationInvalidError, OperationTimeoutError, Origin
from guesthouse.host import pci
from guesthouse.model.domain.devices.hostdev import Hostdev
from guesthouse.model.domain.devices.hostdev_pci import PciHostdev
from guesthouse.model.domain.devices.hostdev_scsi import ScsiHostdev
from guesthouse.model.domain.devices.interface.assigned import as_hostdev

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.definition import Domain
    from guesthouse.model.domain.devices.base import Device

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

#: How long the kernel may take to bind a device to another driver, in seconds: some reset their hardware.
_BIND_DEADLINE = 30.0
_WORDS = {"pci": "PCI", "usb": "USB", "scsi": "SCSI", "scsi_host": "SCSI_host", "mdev": "mediated"}


async def take(driver: Guests, run: Run, device: Device, note: Callable[[], None] | None = None) -> None:
    """Give a device of the host to the guest of `run`. Does nothing for other devices.

    `note` is called when the device is known as `taken`, before its driver loses it: `write_down`, or what ends in it.

    Raises `OperationInvalidError` where another guest has it or nobody detached it, and what `host.pci` raises.
    """
    if not isinstance(device, Hostdev):
        return
    async with driver.assigning:
        _check_free(driver, run, device)
        if isinstance(device, PciHostdev):
            await _take_pci(driver, device, note or (lambda: write_down(driver, run)))


def write_down(driver: Guests, run: Run) -> None:
    """Have the status file tell which devices a guest is about to have. Raises `StorageError`."""
    guest = driver.registry.with_id(run.live.id if run.live.id is not None else -1)
    guest.changed()
    statusfile.write(driver, guest, run)


def _check_free(driver: Guests, run: Run, device: Hostdev) -> None:
    if isinstance(device, ScsiHostdev) and device.shareable:
        return
    holder = other_holder(driver, run, device)
    if holder is not None:
        raise OperationInvalidError(
            f"{_WORDS[device.type]} device {device.label} is in use by driver QEMU, domain {holder}",
            domain=Origin.NONE,
        )


def other_holder(driver: Guests, run: Run, device: Hostdev) -> str | None:
    """The name of another running guest that has the device, or is about to have it; None where none has."""
    for guest in driver.registry:
        if guest.run is None or guest.run is run:
            continue
        if any(other.identity == device.identity for other in _assigned(guest.run.live)):
            return guest.name
    return None


def holder_of(driver: Guests, address: str) -> str | None:
    """The name of the running guest that has the PCI device at this address; None where none has."""
    for guest in driver.registry:
        for device in _assigned(guest.run.live) if guest.run is not None else ():
            if isinstance(device, PciHostdev) and str(device.source.address) == address:
                return guest.name
    return None


def _assigned(live: Domain) -> Iterator[Hostdev]:
    """All devices of the host that a running guest has, network cards among them."""
    yield from live.devices.hostdevs
    yield from (as_hostdev(interface) for interface in live.devices.interfaces if interface.is_assigned)


async def _take_pci(driver: Guests, device: PciHostdev, note: Callable[[], None]) -> None:
    address = str(device.source.address)
    held = await _in_time(pci.device, address)
    if not device.managed:
        if held.driver is None or not held.driver.startswith("vfio"):
            raise OperationInvalidError(
                f"Unmanaged PCI device {address} must be manually detached from the host",
                domain=Origin.NONE,
                hint="use managed='yes', or `virsh nodedev-detach`",
            )
        return
    wanted = device.driver.model if device.driver is not None else None
    if wanted is None:
        wanted = await _in_time(pci.vfio_driver, address)
    if held.driver == wanted:
        return
    device.source.taken = True
    try:
        note()
        await _in_time(pci.detach, address, wanted)
    except BaseException:  # also where the guest is destroyed meanwhile: the kernel may have begun
        give_back(driver, [device])
        raise


def give_back(driver: Guests, devices: Iterable[Device]) -> None:
    """Let the host's drivers have again what was taken from them, in the background."""
    taken = [device for device in devices if isinstance(device, PciHostdev) and device.source.taken]
    if taken:
        driver.farewell(_give_back(driver, taken))


async def _give_back(driver: Guests, devices: list[PciHostdev]) -> None:
    async with driver.assigning:
        for device in devices:
            if not device.source.taken:
                continue  # it was given back meanwhile, and may be another guest's by now
            model = device.driver.model if device.driver is not None else None
            try:
                await _in_time(pci.give_back, str(device.source.address), model)
                device.source.taken = None
            except LibvirtError as error:
                log.error("PCI device %s could not be given back: %s", device.source.address, error.message)


async def _in_time(work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Run what waits for the kernel, apart from the event loop. Raises `OperationTimeoutError`."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, *arguments, **keywords), _BIND_DEADLINE)
    except TimeoutError:
        raise OperationTimeoutError(
            f"the kernel did not finish with a PCI device within {_BIND_DEADLINE:g} seconds"
        ) from None
