"""The network devices of the host with their addresses and routes, and the making of VLANs and bonds. Linux alone.

Every function raises OSError with the kernel's number, and may wait for the kernel's lock: call it in a thread.

Source: rtnetlink(7), and the kernel's `include/uapi/linux/{if_link,if_addr,rtnetlink}.h`.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from guesthouse.host.links import index
from guesthouse.host.netlink import (
    CREATE,
    DUMP,
    EXCLUSIVE,
    GETLINK,
    NEWLINK,
    UP,
    Attributes,
    Message,
    Netlink,
    decode_attributes,
    link_message,
    text_of,
)

_DELADDR, _GETADDR, _GETROUTE = 21, 22, 26
_LINK: Final = struct.Struct("=BxHiII")
_ADDRESS_PART: Final = struct.Struct("=BBBBI")
_ROUTE_PART: Final = struct.Struct("=BBBBBBBBI")
_MAC, _NAME, _MTU, _LOWER, _MASTER, _STATE, _INFO = 1, 3, 4, 5, 10, 16, 18
_KIND, _DATA = 1, 2
_MAIN_TABLE, _GLOBAL = 254, 0
#: `IF_OPER_*`, in sysfs' words.
STATES: Final = ("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")
_VLAN_ID: Final = 1

#: Settings of a bond, by the names of the kernel's driver: attribute and size in bytes.
BOND_SETTINGS: Final = {
    "mode": (1, 1),
    "miimon": (3, 4),
    "updelay": (4, 4),
    "downdelay": (5, 4),
    "use_carrier": (6, 1),
    "arp_interval": (7, 4),
    "arp_validate": (9, 4),
    "primary": (11, 4),
}
_ARP_TARGETS: Final = 8


@dataclass(slots=True)
class NetDevice:
    """A device. `kind` is empty for hardware; `settings` are those of its kind, by attribute.

    `addresses` are (address, prefix) of both families without the ones that only the wire knows; `gateways` those of
    its default routes.
    """

    name: str
    index: int
    up: bool
    kind: str = ""
    mac: str | None = None
    mtu: int = 0
    state: str = "unknown"
    master: int = 0
    lower: int = 0
    settings: Mapping[int, bytes] = field(default_factory=dict)
    addresses: list[tuple[str, int]] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)

    def number(self, attribute: int) -> int | None:
        """A setting of its kind that is a number."""
        data = self.settings.get(attribute)
        return int.from_bytes(data, "little") if data else None

    @property
    def vlan(self) -> int | None:
        """The tag of a VLAN."""
        return self.number(_VLAN_ID) if self.kind == "vlan" else None

    @property
    def arp_targets(self) -> list[str]:
        """The addresses that a bond asks for."""
        nested = decode_attributes(self.settings.get(_ARP_TARGETS, b""))
        return [socket.inet_ntoa(nested[key]) for key in sorted(nested) if len(nested[key]) == 4]


def devices() -> dict[int, NetDevice]:
    """All devices, by their numbers."""
    with Netlink() as netlink:
        found = {}
        for body in netlink.dump(link_message(GETLINK, [], flags=DUMP)):
            device = _device(body)
            found[device.index] = device
        for body in netlink.dump(Message(_GETADDR, DUMP, _ADDRESS_PART.pack(0, 0, 0, 0, 0), [])):
            _, prefix, _, scope, number = _ADDRESS_PART.unpack_from(body)
            attributes = decode_attributes(body[_ADDRESS_PART.size :])
            packed = attributes.get(2) or attributes.get(1)
            if packed is not None and number in found and scope == _GLOBAL:
                found[number].addresses.append((str(ipaddress.ip_address(packed)), prefix))
        for body in netlink.dump(Message(_GETROUTE, DUMP, _ROUTE_PART.pack(0, 0, 0, 0, 0, 0, 0, 0, 0), [])):
            _, bits, _, _, table, *_ = _ROUTE_PART.unpack_from(body)
            attributes = decode_attributes(body[_ROUTE_PART.size :])
            number = int.from_bytes(attributes.get(4, b""), "little")
            if bits == 0 and table == _MAIN_TABLE and 5 in attributes and number in found:
                found[number].gateways.append(str(ipaddress.ip_address(attributes[5])))
    return found


def _device(body: bytes) -> NetDevice:
    _, _, number, flags, _ = _LINK.unpack_from(body)
    attributes = decode_attributes(body[_LINK.size :])
    info = decode_attributes(attributes.get(_INFO, b""))
    mac, state = attributes.get(_MAC, b""), attributes.get(_STATE, b"\0")[0]
    return NetDevice(
        text_of(attributes.get(_NAME, b"")),
        number,
        bool(flags & UP),
        text_of(info.get(_KIND, b"")),
        mac.hex(":") if len(mac) == 6 else None,
        int.from_bytes(attributes.get(_MTU, b""), "little"),
        STATES[state] if state < len(STATES) else "unknown",
        int.from_bytes(attributes.get(_MASTER, b""), "little"),
        int.from_bytes(attributes.get(_LOWER, b""), "little"),
        decode_attributes(info.get(_DATA, b"")),
    )


def create_vlan(name: str, lower: str, tag: int) -> None:
    """Make a VLAN on a device; it is down. Raises OSError: EEXIST, or EOPNOTSUPP where the kernel has no VLANs."""
    _create(name, "vlan", [(_VLAN_ID, struct.pack("=H", tag))], [(_LOWER, index(lower))])


def create_bond(name: str, settings: Mapping[str, int], arp_target: str | None = None) -> None:
    """Make a bond with settings of `BOND_SETTINGS`; it is down."""
    _create(name, "bond", _bond_attributes(settings, arp_target), [])


def set_bond(name: str, settings: Mapping[str, int]) -> None:
    """Change settings of a bond."""
    info: Attributes = [(_KIND, "bond"), (_DATA, _bond_attributes(settings, None))]
    with Netlink() as netlink:
        netlink.transact([link_message(NEWLINK, [(_INFO, info)], index=index(name))])


def _bond_attributes(settings: Mapping[str, int], arp_target: str | None) -> Attributes:
    found: Attributes = []
    for name, value in settings.items():
        kind, size = BOND_SETTINGS[name]
        found.append((kind, value.to_bytes(size, "little")))
    if arp_target is not None:
        targets: Attributes = [(0, socket.inet_aton(arp_target))]
        found.append((_ARP_TARGETS, targets))
    return found


def _create(name: str, kind: str, settings: Attributes, attributes: Attributes) -> None:
    info: Attributes = [(_KIND, kind), (_DATA, settings)]
    wanted: Attributes = [(_NAME, name), *attributes, (_INFO, info)]
    with Netlink() as netlink:
        netlink.transact([link_message(NEWLINK, wanted, flags=CREATE | EXCLUSIVE)])


def remove_address(name: str, address: str, bits: int) -> None:
    """Take an address from a device."""
    own = ipaddress.ip_address(address)
    family = socket.AF_INET if own.version == 4 else socket.AF_INET6
    fixed = _ADDRESS_PART.pack(family, bits, 0, 0, index(name))
    with Netlink() as netlink:
        netlink.transact([Message(_DELADDR, 0, fixed, [(2, own.packed), (1, own.packed)])])
