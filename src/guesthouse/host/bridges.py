"""The kernel's bridges: made and told what they do. Linux alone.

Every function raises OSError with the kernel's number, and may wait for the kernel's lock: call it in a thread.

Source: the kernel's `include/uapi/linux/{if_link,if_bridge,neighbour}.h`; bridge(8).
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import Final

from guesthouse.host.links import index, mac_bytes
from guesthouse.host.netlink import CREATE, EXCLUSIVE, NEWLINK, SETLINK, Attributes, Message, Netlink, link_message

_NAME, _ADDRESS, _MTU, _LINKINFO, _PROTINFO = 3, 1, 4, 18, 12
_INFO_KIND, _INFO_DATA = 1, 2
_FORWARD_DELAY, _STP_STATE, _VLAN_FILTERING = 1, 5, 7
_LEARNING, _UNICAST_FLOOD = 8, 9
_NEWNEIGH: Final = 28
_LLADDR: Final = 2
_REACHABLE_NO_ARP, _ON_MASTER = 0x02 | 0x40, 0x04
#: What the kernel counts the forwarding delay in, a second.
_TICKS: Final = 100


def create(name: str, *, mac: str | None, mtu: int | None, stp: bool, delay: int) -> None:
    """Make a bridge; it is down. `delay` is in seconds: how long a port listens and learns before it forwards.

    Raises OSError: EEXIST where there is a device of this name.
    """
    settings: Attributes = [(_FORWARD_DELAY, delay * _TICKS), (_STP_STATE, int(stp))]
    kind: Attributes = [(_INFO_KIND, "bridge"), (_INFO_DATA, settings)]
    attributes: Attributes = [(_NAME, name), (_LINKINFO, kind)]
    if mac is not None:
        attributes.append((_ADDRESS, mac_bytes(mac)))
    if mtu is not None:
        attributes.append((_MTU, mtu))
    with Netlink() as netlink:
        netlink.transact([link_message(NEWLINK, attributes, flags=CREATE | EXCLUSIVE)])


def filter_vlans(name: str) -> None:
    """Let the bridge keep the VLANs of its ports apart. Raises OSError: EOPNOTSUPP for a kernel that cannot."""
    settings: Attributes = [(_VLAN_FILTERING, b"\x01")]
    kind: Attributes = [(_INFO_KIND, "bridge"), (_INFO_DATA, settings)]
    with Netlink() as netlink:
        netlink.transact([link_message(NEWLINK, [(_LINKINFO, kind)], index=index(name))])


def teach(port: str, mac: str) -> None:
    """Let a port of a bridge learn no addresses and get nothing that is for unknown ones: behind it is `mac` alone."""
    settings: Attributes = [(_LEARNING, b"\x00"), (_UNICAST_FLOOD, b"\x00")]
    number = index(port)
    fixed = struct.pack("=BxxxiHBB", socket.AF_BRIDGE, number, _REACHABLE_NO_ARP, _ON_MASTER, 0)
    entry = Message(_NEWNEIGH, CREATE | EXCLUSIVE, fixed, [(_LLADDR, mac_bytes(mac))])
    with Netlink() as netlink:
        netlink.transact(
            [link_message(SETLINK, [(_PROTINFO, settings)], index=number, family=socket.AF_BRIDGE)],
        )
        try:
            netlink.transact([entry])
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
