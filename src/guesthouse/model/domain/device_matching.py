"""Which device of a guest a document means: libvirt's rules for detach and update, one row a kind of device.

A disk is known by its target, an interface by its MAC address, its PCI address or its alias, a controller by type and
index; others by what they are made of. A device that has no row of its own is meant when everything that the document
says is true of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import DeviceElement
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import Alias, Device
from guesthouse.model.domain.devices.channel import Channel
from guesthouse.model.domain.devices.chardev import CharacterDevice
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.hostdev import Hostdev
from guesthouse.model.domain.devices.input import Input
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.memory_parts import DimmAddress
from guesthouse.model.domain.devices.rng import Rng
from guesthouse.model.domain.devices.watchdog import Watchdog

#: `matches(wanted, candidate)`.
Match = Callable[[Device, Device], bool]


def find(domain: Domain, wanted: DeviceElement, *, live: bool) -> Device:
    """The device of `domain` that `wanted` means; `live` says whose texts an error has.

    Raises `LibvirtError` with code 99 (device not found) where there is none, and `OperationFailedError` where several
    interfaces match.
    """
    device = wanted.device
    if isinstance(device, Interface):
        return _interface(domain, device)
    row = _ROWS.get(wanted.field, _PLAIN)
    for candidate in domain.devices.of(wanted.field):
        if row.matches(device, candidate):
            return candidate
    text = row.live if live else row.config
    raise LibvirtError(text(wanted), code=row.code if live else row.config_code, domain=Origin.QEMU)


def find_alias(domain: Domain, alias: str) -> Device:
    """The device of this alias. Raises `InternalError` where there is none."""
    for device in domain.devices.all():
        if device.alias is not None and device.alias.name == alias:
            return device
    raise InternalError(f"no device found with alias {alias}", domain=Origin.DOMAIN)


def address_of(device: Device) -> Address | None:
    """The device's address, if its kind has any."""
    return cast(Address | None, getattr(device, "address", None))


def at_address(wanted: Device, candidate: Device) -> bool:
    """Whether the candidate is where `wanted` says, if that says anything."""
    address = address_of(wanted)
    if address is None or (isinstance(address, PciAddress) and not address.assigned):
        return True
    found = address_of(candidate)
    if isinstance(address, PciAddress) and isinstance(found, PciAddress):
        return _place(address) == _place(found)
    if isinstance(address, DimmAddress) and isinstance(found, DimmAddress):
        return address.slot == found.slot  # where it lies is known to a running guest only
    return address == found


def _place(address: PciAddress) -> tuple[int | None, ...]:
    return address.domain, address.bus, address.slot, address.function


def alias_fits(wanted: Device, candidate: Device) -> bool:
    """Whether the candidate has the alias that `wanted` says, if that says any."""
    return wanted.alias is None or candidate.alias is None or wanted.alias.name == candidate.alias.name


def _interface(domain: Domain, wanted: Interface) -> Device:
    found = [
        candidate
        for candidate in domain.devices.interfaces
        if (wanted.mac is None or (candidate.mac is not None and candidate.mac.address == wanted.mac.address))
        and (not isinstance(wanted.address, PciAddress) or at_address(wanted, candidate))
        and alias_fits(wanted, candidate)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        text = f"multiple devices matching MAC address {wanted.mac.address} found" if wanted.mac else ""
        raise LibvirtError(text or "multiple matching devices found", code=Code.OPERATION_FAILED, domain=Origin.DOMAIN)
    address = wanted.address
    place = "(<null>)"
    if isinstance(address, PciAddress) and address.assigned:
        place = f"{address.domain:04x}:{address.bus:02x}:{address.slot:02x}.{address.function or 0}"
    mac = wanted.mac.address if wanted.mac is not None else "(<null>)"
    alias = wanted.alias.name if wanted.alias is not None else "(<null>)"
    raise LibvirtError(
        f"no device found at address '{place}' matching MAC address '{mac}' and alias '{alias}'",
        code=Code.DEVICE_MISSING,
        domain=Origin.DOMAIN,
    )


def _disk(wanted: Device, candidate: Device) -> bool:
    return cast(Disk, wanted).target.dev == cast(Disk, candidate).target.dev


def _controller(wanted: Device, candidate: Device) -> bool:
    one, other = cast(Controller, wanted), cast(Controller, candidate)
    return one.index is not None and (one.type, one.index) == (other.type, other.index or 0)


def _rng(wanted: Device, candidate: Device) -> bool:
    one, other = cast(Rng, wanted), cast(Rng, candidate)
    return (one.model, one.backend, one.rate) == (other.model, other.backend, other.rate) and at_address(one, other)


def _input(wanted: Device, candidate: Device) -> bool:
    one, other = cast(Input, wanted), cast(Input, candidate)
    alike = one.type == other.type and one.bus in (None, other.bus)
    return alike and (one.source is None or one.source == other.source) and at_address(one, other)


def _watchdog(wanted: Device, candidate: Device) -> bool:
    one, other = cast(Watchdog, wanted), cast(Watchdog, candidate)
    return (one.model, one.action) == (other.model, other.action) and at_address(one, other) and alias_fits(one, other)


def _character(wanted: Device, candidate: Device) -> bool:
    """The host's end is the same, as far as it was chosen by the definition, and so is the guest's."""
    one, other = cast(CharacterDevice, wanted), cast(CharacterDevice, candidate)
    if one.type != other.type:
        return False
    lasting = [source for source in one.sources if not source.transient]
    if lasting and not says_nothing_else(lasting[0], other.sources[0] if other.sources else None):
        return False
    mine, theirs = getattr(one, "target", None), getattr(other, "target", None)
    if isinstance(one, Channel) and isinstance(other, Channel):
        return (one.target.type, one.target.name) == (other.target.type, other.target.name) and says_nothing_else(
            dataclasses.replace(one.target, state=None), other.target
        )
    return says_nothing_else(mine, theirs) and alias_fits(one, other)


def _same(wanted: Device, candidate: Device) -> bool:
    return says_nothing_else(wanted, candidate) and at_address(wanted, candidate) and alias_fits(wanted, candidate)


def says_nothing_else(wanted: object, candidate: object) -> bool:
    """Whether everything that `wanted` says is true of `candidate`; addresses and aliases are left out."""
    if wanted is None or wanted == [] or wanted is False:
        return True
    if isinstance(wanted, list):
        return (
            isinstance(candidate, list)
            and len(wanted) == len(candidate)
            and all(says_nothing_else(one, other) for one, other in zip(wanted, candidate, strict=True))
        )
    if dataclasses.is_dataclass(wanted) and not isinstance(wanted, type):
        if type(wanted) is not type(candidate):
            return False
        return all(
            says_nothing_else(getattr(wanted, field.name), getattr(candidate, field.name))
            for field in dataclasses.fields(wanted)
            if not isinstance(getattr(wanted, field.name), Address | Alias)
        )
    return wanted == candidate


@dataclass(frozen=True, slots=True)
class _Row:
    """How devices of a kind are found, and what is said and with which code where none is."""

    matches: Match
    live: Callable[[DeviceElement], str]
    config: Callable[[DeviceElement], str]
    code: int = Code.DEVICE_MISSING
    config_code: int = Code.DEVICE_MISSING


def _text(text: str) -> Callable[[DeviceElement], str]:
    return lambda _wanted: text


def _disk_text(text: str) -> Callable[[DeviceElement], str]:
    return lambda wanted: text.format(cast(Disk, wanted.device).target.dev)


def _controller_text(wanted: DeviceElement) -> str:
    device = cast(Controller, wanted.device)
    return f"controller {device.type}:{-1 if device.index is None else device.index} not found"


def _model_text(text: str) -> Callable[[DeviceElement], str]:
    return lambda wanted: text.format(getattr(wanted.device, "model", ""))


def _not_present(wanted: DeviceElement) -> str:
    return f"{wanted.tag} device not present in domain configuration"


_NOT_THERE: Final = _text("device not present in domain configuration")
_PLAIN: Final = _Row(_same, _not_present, _NOT_THERE)
_CHARACTER: Final = _Row(
    _character,
    lambda wanted: f"chr type '{wanted.tag}' device not present in domain configuration",
    _NOT_THERE,
    config_code=Code.INVALID_ARG,
)
_ROWS: Final[dict[str, _Row]] = {
    "disks": _Row(_disk, _disk_text("disk {} not found"), _disk_text("no target device {}")),
    "controllers": _Row(_controller, _controller_text, _NOT_THERE),
    "rngs": _Row(
        _rng,
        lambda wanted: (
            f"model '{cast(Rng, wanted.device).backend.model}' RNG device not present in domain configuration"
        ),
        _text("no matching RNG device was found"),
    ),
    "inputs": _Row(_input, _text("matching input device not found"), _text("matching input device not found")),
    "watchdogs": _Row(
        _watchdog,
        _text("no matching watchdog was found"),
        _text("no matching watchdog was found"),
        code=Code.OPERATION_INVALID,
    ),
    "memories": _Row(
        _same,
        _model_text("model '{}' memory device not present in the domain configuration"),
        _text("matching memory device was not found"),
    ),
    "shmems": _Row(
        _same,
        _model_text("model '{}' shmem device not present in domain configuration"),
        _text("matching shmem device was not found"),
    ),
    "hostdevs": _Row(
        lambda wanted, candidate: cast(Hostdev, wanted).means(cast(Hostdev, candidate)),
        lambda wanted: cast(Hostdev, wanted.device).not_found,
        _NOT_THERE,
    ),
    "redirdevs": _Row(
        _same,
        _text("no matching redirdev was not found"),
        _text("no matching redirdev was not found"),
        code=Code.OPERATION_INVALID,
    ),
    "filesystems": _Row(
        _same, _text("matching filesystem not found"), _text("no matching filesystem device was found")
    ),
    "vsock": _Row(
        _same,
        _text("matching vsock device not found"),
        _text("matching vsock device not found"),
        config_code=Code.OPERATION_FAILED,
    ),
    "iommu": _Row(
        _same,
        _not_present,
        _text("matching iommu device not found"),
        config_code=Code.OPERATION_FAILED,
    ),
    "serials": _CHARACTER,
    "parallels": _CHARACTER,
    "consoles": _CHARACTER,
    "channels": _CHARACTER,
}
