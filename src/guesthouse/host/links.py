"""Network devices of the host: what they are told, and what is asked of them. Linux alone.

Every function raises OSError with the kernel's number, and may wait for the kernel's lock: call it in a thread.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.host.netlink import (
    ALL_MULTICAST,
    CREATE,
    DELLINK,
    EXCLUSIVE,
    NEWADDR,
    NEWLINK,
    NEWROUTE,
    PROMISCUOUS,
    SETLINK,
    UP,
    Attributes,
    Message,
    Netlink,
    decode_attributes,
    link_message,
    text_of,
)

#: Modes of a macvlan or macvtap device.
MACVLAN_MODES: Final = {"private": 1, "vepa": 2, "bridge": 4, "passthrough": 8}

_ADDRESS, _NAME, _MTU, _LINK, _MASTER, _PROTINFO, _LINKINFO, _IFALIAS, _AF_SPEC = 1, 3, 4, 5, 10, 12, 18, 20, 26
_INFO_KIND, _INFO_DATA, _MACVLAN_MODE = 1, 2, 1
_INET6: Final = Path("/proc/self/net/if_inet6")
_BRPORT_ISOLATED: Final = 33
_BRIDGE_VLAN_INFO: Final = 2
_VLAN_PVID, _VLAN_UNTAGGED = 2, 4
_GET_MTU: Final = 0x8921
_GET_ADDRESS: Final = 0x8915
_GET_MAC: Final = 0x8927
_ETHTOOL: Final = 0x8946
_GET_COALESCE, _SET_COALESCE = 0xE, 0xF
#: Words of `struct ethtool_coalesce`, and the place of `rx_max_coalesced_frames` in it.
_COALESCE_WORDS, _RX_FRAMES = 23, 2


@dataclass(frozen=True, slots=True)
class VlanTags:
    """The VLANs of a port of a bridge: `native` is that of frames without a tag, left without one if `untagged`."""

    native: int | None
    untagged: bool
    others: tuple[int, ...] = ()


def mac_bytes(text: str) -> bytes:
    """A MAC address as six bytes."""
    return bytes.fromhex(text.replace(":", ""))


def index(name: str) -> int:
    """The number of a device."""
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise OSError(errno.ENODEV, f"'{name}': {os.strerror(errno.ENODEV)}") from error


def exists(name: str) -> bool:
    """Whether there is such a device."""
    with contextlib.suppress(OSError):
        return index(name) > 0
    return False


def mtu(name: str) -> int:
    """The largest packet that a device takes, in bytes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        request = struct.pack("16si12x", os.fsencode(name), 0)
        return int(struct.unpack("16si12x", fcntl.ioctl(control, _GET_MTU, request))[1])


def change(
    name: str,
    *,
    mac: str | None = None,
    mtu: int | None = None,
    master: str | None = None,
    alias: str | None = None,
    up: bool | None = None,
    promiscuous: bool | None = None,
    all_multicast: bool | None = None,
) -> None:
    """Set what is given, in one order: nothing is changed if the kernel refuses any of it before it begins.

    `master` is the bridge that the device becomes a port of; empty for none. The last two say what it receives beside
    what is for it.
    """
    attributes: Attributes = []
    if mac is not None:
        attributes.append((_ADDRESS, mac_bytes(mac)))
    if mtu is not None:
        attributes.append((_MTU, mtu))
    if alias is not None:
        attributes.append((_IFALIAS, alias))
    if master is not None:
        attributes.append((_MASTER, index(master) if master else 0))
    wishes = {UP: up, PROMISCUOUS: promiscuous, ALL_MULTICAST: all_multicast}
    state = {bit: wish for bit, wish in wishes.items() if wish is not None}
    with Netlink() as netlink:
        netlink.transact([link_message(SETLINK, attributes, index=index(name), state=state)])


def isolate(name: str, *, isolated: bool) -> None:
    """Keep a port of a bridge from the other isolated ones, or no longer."""
    attributes: Attributes = [(_PROTINFO, [(_BRPORT_ISOLATED, bytes((isolated,)))])]
    with Netlink() as netlink:
        netlink.transact([link_message(SETLINK, attributes, index=index(name), family=socket.AF_BRIDGE)])


def set_vlans(name: str, tags: VlanTags) -> None:
    """Give a port of a bridge its VLANs, instead of VLAN 1 in which every new port is."""
    number = index(name)
    flags = _VLAN_PVID | (_VLAN_UNTAGGED if tags.untagged else 0)
    wanted = [(tags.native, flags)] if tags.native is not None else []
    wanted += [(tag, 0) for tag in tags.others]
    keeps_first = any(tag == 1 for tag, _ in wanted)
    messages = [] if keeps_first else [_vlan_message(DELLINK, number, 1, 0)]
    messages += [_vlan_message(SETLINK, number, tag, flag) for tag, flag in wanted]
    with Netlink() as netlink:
        netlink.transact(messages)


def _vlan_message(kind: int, number: int, tag: int, flags: int) -> Message:
    info: Attributes = [(_AF_SPEC, [(_BRIDGE_VLAN_INFO, struct.pack("=HH", flags, tag))])]
    return link_message(kind, info, index=number, family=socket.AF_BRIDGE)


def create_macvtap(name: str, lower: str, mode: str, mac: str, alias: str) -> None:
    """Make a macvtap on the device `lower`; it is down. `mode` is of `MACVLAN_MODES`.

    The alias says whose it is: the device outlives whoever made it. It is given afterwards, so that a name that
    somebody else took first is left alone.
    """
    data: Attributes = [(_MACVLAN_MODE, MACVLAN_MODES[mode])]
    kind: Attributes = [(_INFO_KIND, "macvtap"), (_INFO_DATA, data)]
    attributes: Attributes = [(_NAME, name), (_LINK, index(lower)), (_ADDRESS, mac_bytes(mac)), (_LINKINFO, kind)]
    made = link_message(NEWLINK, attributes, flags=CREATE | EXCLUSIVE)
    named = link_message(SETLINK, [(_NAME, name), (_IFALIAS, alias)])
    try:
        with Netlink() as netlink:
            netlink.transact([made])
            netlink.transact([named])
    except OSError as error:
        raise OSError(error.errno, f"cannot create '{name}' on '{lower}': {error.strerror}") from error


def delete(name: str) -> None:
    """Remove a device; one that is not there has gone already."""
    with contextlib.suppress(OSError):
        number = index(name)
        with Netlink() as netlink:
            netlink.transact([link_message(DELLINK, [], index=number)])


def aliases() -> dict[str, str]:
    """The devices that have an alias, by their names."""
    with Netlink() as netlink:
        return {
            text_of(found[_NAME]): text_of(found[_IFALIAS])
            for _, found in netlink.links()
            if _IFALIAS in found and _NAME in found
        }


def kind(name: str) -> str:
    """What a device is: `bridge`, `tun`, `macvtap`, …; empty for hardware and what is not there."""
    with Netlink() as netlink:
        for _, found in netlink.links():
            if text_of(found.get(_NAME, b"")) == name:
                return text_of(decode_attributes(found.get(_LINKINFO, b"")).get(_INFO_KIND, b""))
    return ""


def add_address(name: str, address: str, bits: int, peer: str | None = None) -> None:
    """Give a device an address of the host's."""
    own = ipaddress.ip_address(address)
    family = socket.AF_INET if own.version == 4 else socket.AF_INET6
    fixed = struct.pack("=BBBBI", family, bits, 0, 0, index(name))
    other = ipaddress.ip_address(peer).packed if peer is not None else own.packed
    attributes: Attributes = [(1, other), (2, own.packed)]
    if own.version == 4 and peer is None and bits < 31:
        attributes.append((4, ipaddress.ip_network(f"{address}/{bits}", strict=False).broadcast_address.packed))
    with Netlink() as netlink:
        netlink.transact([Message(NEWADDR, CREATE | EXCLUSIVE, fixed, attributes)])


def add_route(name: str, address: str, bits: int, gateway: str, metric: int | None = None) -> None:
    """Lead a network's packets to a gateway on a device."""
    network = ipaddress.ip_address(address)
    family = socket.AF_INET if network.version == 4 else socket.AF_INET6
    main_table, by_administrator, everywhere, unicast = 254, 4, 0, 1
    fixed = struct.pack("=BBBBBBBBI", family, bits, 0, 0, main_table, by_administrator, everywhere, unicast, 0)
    attributes: Attributes = [(1, network.packed), (4, index(name)), (5, ipaddress.ip_address(gateway).packed)]
    if metric is not None:
        attributes.append((6, metric))
    with Netlink() as netlink:
        netlink.transact([Message(NEWROUTE, CREATE | EXCLUSIVE, fixed, attributes)])


def alias_of(name: str) -> str:
    """The alias of a device; empty for none."""
    return aliases().get(name, "")


def mac(name: str) -> str:
    """A device's MAC address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        answer = fcntl.ioctl(control, _GET_MAC, struct.pack("16s24x", os.fsencode(name)))
    return ":".join(f"{byte:02x}" for byte in answer[18:24])


def address(name: str) -> str | None:
    """An IP address of a device: its first one, else that of `ipv6_address`, else None. Source: netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        try:
            answer = fcntl.ioctl(control, _GET_ADDRESS, struct.pack("16sH22x", os.fsencode(name), socket.AF_INET))
            return socket.inet_ntoa(answer[20:24])
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
    return ipv6_address(name)


def ipv6_address(name: str, table: Path = _INET6) -> str | None:
    """The first IPv6 address of a device that is of use beyond the wire, or None. Source: `if_inet6` of proc(5)."""
    lines = table.read_text().splitlines() if table.exists() else []
    for digits, _, _, _, _, device in (line.split() for line in lines):
        found = ipaddress.IPv6Address(bytes.fromhex(digits))
        if device == name and not found.is_link_local:
            return str(found)
    return None


def coalesce(name: str, frames: int) -> None:
    """Let so many received frames wait for one interrupt; 0 is the driver's own way. Source: `linux/ethtool.h`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        words = array.array("I", [_GET_COALESCE, *([0] * (_COALESCE_WORDS - 1))])
        request = struct.pack("16sP16x", os.fsencode(name), words.buffer_info()[0])
        fcntl.ioctl(control, _ETHTOOL, request)
        words[0], words[_RX_FRAMES] = _SET_COALESCE, frames
        fcntl.ioctl(control, _ETHTOOL, request)


def names_of(pattern: str, numbers: Iterator[int]) -> Iterator[str]:
    """Names such as `vnet0` of no device that is there, for those who then try to make one."""
    taken = {name for _, name in socket.if_nameindex()}
    for number in numbers:
        if (name := f"{pattern}{number}") not in taken:
            yield name


def leftovers(mark: str, kept: Sequence[str]) -> list[str]:
    """The devices whose alias begins with `mark`, but for those of these names."""
    return [name for name, alias in aliases().items() if alias.startswith(mark) and name not in kept]
