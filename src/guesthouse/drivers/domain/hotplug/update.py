"""A device that is there becomes another one, as far as it can: the rest is refused by name.

Kinds that can change in a running guest are the rows of `_LIVE`, those that can in a definition the rows of `_CONFIG`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, cast

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import comparing, contexts, media, update_card, update_display
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import (
    Code,
    InternalError,
    InvalidArgumentError,
    LibvirtError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement
from guesthouse.model.domain.device_matching import address_of, alias_fits, at_address, find
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.plugging import check_alone, check_boot_order, check_usb

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

Update = Callable[["Guests", Guest, Run, Device, str, bool], Awaitable[None]]


async def live(driver: Guests, guest: Guest, run: Run, wanted: DeviceElement, definition: str, *, force: bool) -> None:
    """Change a device of the running guest. Raises libvirt's refusals, and what QEMU says."""
    caps = await driver.emulators.capabilities(find_emulator(run.live, driver.settings.defaults))
    check_alone(run.live, wanted.device, caps, driver.settings.defaults)
    change = _LIVE.get(wanted.field)
    if change is None:
        raise UnsupportedConfigError(f"live update of device '{wanted.kind}' is not supported", domain=Origin.QEMU)
    await change(driver, guest, run, wanted.device, definition, force)
    guest.changed()
    statusfile.save(driver, guest, run)


async def in_definition(driver: Guests, definition: Domain, wanted: DeviceElement) -> Domain:
    """The definition with the device changed. Raises libvirt's refusals."""
    finder = _CONFIG.get(wanted.field)
    if finder is None:
        raise OperationUnsupportedError(f"persistent update of device '{wanted.kind}' is not supported")
    domain = copy(definition)
    old = finder(domain, wanted)
    check_boot_order(domain, wanted.device, old)
    check_usb(domain, wanted.device)
    held = domain.devices.of(wanted.field)
    held[:] = [wanted.device if device is old else device for device in held]
    domain = copy(domain)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults)
    return domain


async def _disk(driver: Guests, guest: Guest, run: Run, wanted: Device, definition: str, force: bool) -> None:
    disk = cast(Disk, wanted)
    old = next((item for item in run.live.devices.disks if item.target.dev == disk.target.dev), None)
    if old is None:
        raise InternalError(f"disk '{disk.target.dev}' not found", domain=Origin.QEMU)
    _check(run, old, disk)
    comparing.check_disk(old, disk)
    if _location(old) != _location(disk):
        if not disk.removable_medium:
            raise UnsupportedConfigError("disk source can be changed only in removable drives", domain=Origin.QEMU)
        await media.change(driver, guest, run, disk, definition, force=force)
        old = next(item for item in run.live.devices.disks if item.target.dev == disk.target.dev)
    if old.source is not None and disk.source is not None:
        old.source.startup_policy = disk.source.startup_policy
    old.snapshot = disk.snapshot


def _location(disk: Disk) -> tuple[object, ...]:
    """Where the disc comes from, for comparisons."""
    source = disk.source
    if source is None or (disk.path is None and disk.type in ("file", "block")):
        return ()
    return disk.type, *(comparing.value(source, name) for name in _LOCATION)


#: What of a source says where it is.
_LOCATION: Final = ("file", "dev", "dir", "protocol", "name", "pool", "volume", "hosts", "path")


async def _interface(driver: Guests, guest: Guest, run: Run, wanted: Device, _definition: str, _force: bool) -> None:
    old = find(run.live, DeviceElement("interface", "interfaces", wanted), live=True)
    _check(run, old, wanted)
    await update_card.change(driver, guest, run, old, wanted)


async def _graphics(driver: Guests, _guest: Guest, run: Run, wanted: Device, _definition: str, _force: bool) -> None:
    await update_display.change(driver, run, wanted)


async def _memory(driver: Guests, _guest: Guest, run: Run, wanted: Device, _definition: str, _force: bool) -> None:
    old = _memory_at(run.live, wanted)
    if old is None:
        name = wanted.alias.name if wanted.alias is not None else "(null)"
        raise UnsupportedConfigError(f"memory '{name}' not found", domain=Origin.QEMU)
    _check(run, old, wanted)
    comparing.check_memory(old, wanted)
    requested = comparing.value(wanted, "target.requested.kib")
    if not isinstance(requested, int):
        raise UnsupportedConfigError("memory device is missing <requested/>")
    await contexts.of(driver, run, run.live)
    await run.talk().execute(
        "qom-set",
        {"path": f"/machine/peripheral/{old.name}", "property": "requested-size", "value": requested * 1024},
    )
    held = comparing.value(old, "target.requested")
    if held is not None:
        held.kib = requested  # type: ignore[attr-defined] # it has it, as has the one that was read above


def _memory_at(domain: Domain, wanted: Device) -> Device | None:
    for device in domain.devices.of("memories"):
        placed = address_of(wanted) is None or at_address(wanted, device)
        if placed and alias_fits(wanted, device) and (address_of(wanted) is not None or wanted.alias is not None):
            return device
    return None


def _check(run: Run, old: Device, new: Device) -> None:
    comparing.check_common(old, new)
    check_usb(run.live, new)
    check_boot_order(run.live, new, old)


def _defined_disk(domain: Domain, wanted: DeviceElement) -> Device:
    name = cast(Disk, wanted.device).target.dev
    for disk in domain.devices.disks:
        if disk.target.dev == name:
            return disk
    raise InvalidArgumentError(f"target {name} doesn't exist.", domain=Origin.QEMU)


def _defined_graphics(domain: Domain, wanted: DeviceElement) -> Device:
    kind = comparing.value(wanted.device, "type")
    for device in domain.devices.graphics:
        if device.type == kind:
            return device
    raise InvalidArgumentError(f"cannot find existing graphics type '{kind}' device to modify", domain=Origin.QEMU)


def _defined_interface(domain: Domain, wanted: DeviceElement) -> Device:
    return find(domain, wanted, live=False)


def _defined_memory(domain: Domain, wanted: DeviceElement) -> Device:
    found = _memory_at(domain, wanted.device)
    if found is None:
        raise LibvirtError("memory not found", code=Code.INVALID_ARG, domain=Origin.QEMU)
    return found


_LIVE: Final[dict[str, Update]] = {
    "disks": _disk,
    "interfaces": _interface,
    "graphics": _graphics,
    "memories": _memory,
}
_CONFIG: Final[dict[str, Callable[[Domain, DeviceElement], Device]]] = {
    "disks": _defined_disk,
    "interfaces": _defined_interface,
    "graphics": _defined_graphics,
    "memories": _defined_memory,
}
