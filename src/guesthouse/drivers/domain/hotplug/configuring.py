"""The same changes in a guest's definition: on a copy, completed and checked as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.hotplug import kinds
from guesthouse.errors import LibvirtError, OperationInvalidError, OperationUnsupportedError
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement, element_of
from guesthouse.model.domain.device_matching import find, find_alias
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.plugging import check_alone, plug_into_definition, remove, resize

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Fields whose devices only come and go with the whole definition.
_FIXED: Final = frozenset(
    {
        "videos",
        "graphics",
        "hubs",
        "smartcards",
        "memballoon",
        "nvram",
        "tpms",
        "panics",
        "audios",
        "cryptos",
        "pstore",
    }
)

#: Devices of which there cannot be two that are alike.
_UNIQUE: Final = ("hostdevs", "shmems", "watchdogs")


async def with_device(driver: Guests, definition: Domain, wanted: DeviceElement) -> Domain:
    """The definition with one more device. Raises libvirt's refusals."""
    caps = await driver.emulators.capabilities(find_emulator(definition, driver.settings.defaults))
    check_alone(definition, wanted.device, caps, driver.settings.defaults)
    if wanted.field in _FIXED:
        raise OperationUnsupportedError(f"persistent attach of device '{wanted.kind}' is not supported")
    if wanted.kind == "chr":
        kinds.KINDS[wanted.field].attach(definition, wanted)
    if wanted.field in _UNIQUE and _has(definition, wanted):
        raise OperationInvalidError("device is already in the domain configuration")
    return plug_into_definition(definition, wanted, caps, driver.settings.defaults)


def _has(definition: Domain, wanted: DeviceElement) -> bool:
    try:
        find(definition, wanted, live=False)
    except LibvirtError:
        return False
    return True


async def without_device(driver: Guests, definition: Domain, wanted: DeviceElement) -> Domain:
    """The definition without the device that `wanted` means. Raises libvirt's refusals."""
    _check_removable(wanted)
    domain = copy(definition)
    return await _without(driver, domain, find(domain, wanted, live=False))


async def without_alias(driver: Guests, definition: Domain, alias: str) -> Domain:
    """The definition without the device of this alias. Raises libvirt's refusals."""
    domain = copy(definition)
    device = find_alias(domain, alias)
    _check_removable(element_of(device))
    return await _without(driver, domain, device)


def _check_removable(wanted: DeviceElement) -> None:
    if wanted.field in _FIXED:
        raise OperationUnsupportedError(f"persistent detach of device '{wanted.kind}' is not supported")
    if wanted.field == "consoles" and getattr(wanted.device, "is_serial", False):
        raise OperationInvalidError("detaching serial console is not supported")


async def _without(driver: Guests, domain: Domain, device: Device) -> Domain:
    devices = domain.devices
    if devices.serials and devices.serials[0] is device and devices.consoles and devices.consoles[0].is_serial:
        del devices.consoles[0]
    remove(domain, element_of(device).field, device)
    resize(domain, device, -1)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults)
    return domain
