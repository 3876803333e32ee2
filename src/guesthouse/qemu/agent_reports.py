"""What a guest says of itself through its agent, as typed values: network interfaces, file systems, operating system.

Every function takes the value of the agent's reply and raises `UnexpectedJsonError` when it has another shape.
Source: QEMU's `docs/interop/qemu-ga-ref.rst`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from guesthouse.qemu.json_value import Json, JsonObject, UnexpectedJsonError, objects, text_of


@dataclass(frozen=True, slots=True)
class GuestAddress:
    """An address of a guest's interface: `family` is 4 or 6, `prefix` the length of its network part."""

    family: int
    address: str
    prefix: int


@dataclass(frozen=True, slots=True)
class GuestInterface:
    """A network interface in the guest; `mac` is empty for one that has none."""

    name: str
    mac: str
    addresses: tuple[GuestAddress, ...]


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """A disk that a file system lies on: `pci` is the controller's (domain, bus, slot, function), -1 when unknown."""

    bus_type: str
    bus: int
    target: int
    unit: int
    pci: tuple[int, int, int, int]
    serial: str
    device: str


@dataclass(frozen=True, slots=True)
class GuestFilesystem:
    """A mounted file system; sizes in bytes, None when the agent does not tell."""

    name: str
    mountpoint: str
    type: str
    total: int | None
    used: int | None
    disks: tuple[GuestDisk, ...]


def interfaces(answer: Json) -> list[GuestInterface]:
    """The reply of `guest-network-get-interfaces`."""
    return [
        GuestInterface(
            text_of(item, "name"),
            text_of(item, "hardware-address"),
            tuple(_address(address) for address in objects(item.get("ip-addresses", []), "the addresses")),
        )
        for item in objects(answer, "the interfaces")
    ]


def filesystems(answer: Json) -> list[GuestFilesystem]:
    """The reply of `guest-get-fsinfo`."""
    return [
        GuestFilesystem(
            text_of(item, "name"),
            text_of(item, "mountpoint"),
            text_of(item, "type"),
            _number(item, "total-bytes"),
            _number(item, "used-bytes"),
            tuple(disk(one) for one in objects(item.get("disk", []), "the disks")),
        )
        for item in objects(answer, "the file systems")
    ]


def _address(item: JsonObject) -> GuestAddress:
    text = text_of(item, "ip-address")
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise UnexpectedJsonError(f"unexpected answer: the guest names an address '{text[:64]}'") from error
    prefix = _number(item, "prefix")
    return GuestAddress(address.version, text, address.max_prefixlen if prefix is None else prefix)


def disk(item: JsonObject) -> GuestDisk:
    """A `GuestDiskAddress`: where the guest sees a disk."""
    place = item.get("pci-controller")
    place = place if isinstance(place, dict) else {}
    domain, bus, slot, function = (_or_unknown(place, key) for key in ("domain", "bus", "slot", "function"))
    return GuestDisk(
        text_of(item, "bus-type"),
        _or_unknown(item, "bus"),
        _or_unknown(item, "target"),
        _or_unknown(item, "unit"),
        (domain, bus, slot, function),
        text_of(item, "serial"),
        text_of(item, "dev"),
    )


def _number(item: JsonObject, key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _or_unknown(item: JsonObject, key: str) -> int:
    value = _number(item, key)
    return -1 if value is None else value
