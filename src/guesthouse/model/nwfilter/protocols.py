"""The protocols of filter rules: which attributes each has, in the order in which they are printed.

Format: https://libvirt.org/formatnwfilter.html#supported-protocols
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.kinds import Kind
from guesthouse.model.nwfilter import values as v

Attributes = dict[str, Kind[str]]

_SOURCE_MAC: Final[Attributes] = {"srcmacaddr": v.MAC_ADDRESS, "srcmacmask": v.MAC_MASK}
_MACS: Final[Attributes] = {**_SOURCE_MAC, "dstmacaddr": v.MAC_ADDRESS, "dstmacmask": v.MAC_MASK}
_PORTS: Final[Attributes] = {
    "srcportstart": v.U16, "srcportend": v.U16, "dstportstart": v.U16, "dstportend": v.U16,
}  # fmt: skip
_COMMENT: Final[Attributes] = {"comment": v.COMMENT}
_STP_NUMBERS: Final[Attributes] = {"type": v.U8, "flags": v.U8}


def _with_high(name: str, kind: Kind[str]) -> Attributes:
    return {name: kind, f"{name}-hi": kind}


def _masked(name: str) -> Attributes:
    return {name: v.MAC_ADDRESS, f"{name}-mask": v.MAC_MASK}


def _addresses(address: Kind[str], mask: Kind[str]) -> Attributes:
    return {"srcipaddr": address, "srcipmask": mask, "dstipaddr": address, "dstipmask": mask}


def _above_ip(address: Kind[str], mask: Kind[str], own: Attributes) -> Attributes:
    """What every protocol above IP has, with its `own` attributes."""
    return {
        "srcmacaddr": v.MAC_ADDRESS,
        **_addresses(address, mask),
        "srcipfrom": address, "srcipto": address, "dstipfrom": address, "dstipto": address,
        "dscp": v.DSCP, "connlimit-above": v.COUNT, "state": v.STATE, "ipset": v.SET_NAME, "ipsetflags": v.SET_FLAGS,
        **own,
        **_COMMENT,
    }  # fmt: skip


_ARP: Final[Attributes] = {
    **_MACS, "hwtype": v.U16, "protocoltype": v.U16, "opcode": v.ARP_OPCODE, "arpsrcmacaddr": v.MAC_ADDRESS,
    "arpdstmacaddr": v.MAC_ADDRESS, "arpsrcipaddr": v.IPV4, "arpsrcipmask": v.IPV4_MASK, "arpdstipaddr": v.IPV4,
    "arpdstipmask": v.IPV4_MASK, "gratuitous": v.TRUTH, **_COMMENT,
}  # fmt: skip

_TCP: Final[Attributes] = {**_PORTS, "option": v.U8, "flags": v.FLAGS}
_ICMP: Final[Attributes] = {"type": v.U8, "code": v.U8}
#: Protocol above IPv4 to the attributes of its own; the names over IPv6 have `-ipv6` after them.
_OWN: Final[dict[str, Attributes]] = {
    "tcp": _TCP, "udp": _PORTS, "udplite": {}, "esp": {}, "ah": {}, "sctp": _PORTS, "all": {},
}  # fmt: skip

PROTOCOLS: Final[dict[str, Attributes]] = {
    "mac": {**_MACS, "protocolid": v.ETHERTYPE, **_COMMENT},
    "vlan": {**_MACS, "vlanid": v.VLAN_ID, "encap-protocol": v.ENCAPSULATED, **_COMMENT},
    "stp": {
        **_SOURCE_MAC, **_STP_NUMBERS, **_with_high("root-priority", v.U16), **_masked("root-address"),
        **_with_high("root-cost", v.U32), **_with_high("sender-priority", v.U16), **_masked("sender-address"),
        **_with_high("port", v.U16), **_with_high("age", v.U16), **_with_high("max-age", v.U16),
        **_with_high("hello-time", v.U16), **_with_high("forward-delay", v.U16), **_COMMENT,
    },
    "arp": _ARP,
    "rarp": _ARP,
    "ip": {
        **_MACS, **_addresses(v.IPV4, v.IPV4_MASK), "protocol": v.IP_PROTOCOL, **_PORTS, "dscp": v.DSCP, **_COMMENT,
    },
    "ipv6": {
        **_MACS, **_addresses(v.IPV6, v.IPV6_MASK), "protocol": v.IP_PROTOCOL, **_PORTS, "type": v.U8,
        "typeend": v.U8, "code": v.U8, "codeend": v.U8, **_COMMENT,
    },
    **{name: _above_ip(v.IPV4, v.IPV4_MASK, own) for name, own in _OWN.items()},
    "icmp": _above_ip(v.IPV4, v.IPV4_MASK, _ICMP),
    "igmp": _above_ip(v.IPV4, v.IPV4_MASK, {}),
    **{f"{name}-ipv6": _above_ip(v.IPV6, v.IPV6_MASK, own) for name, own in _OWN.items()},
    "icmpv6": _above_ip(v.IPV6, v.IPV6_MASK, _ICMP),
}  # fmt: skip

#: Attribute to the one whose sign it has: a range or a masked address is matched or not matched as a whole.
LEADERS: Final[dict[str, str]] = {
    "srcmacmask": "srcmacaddr", "dstmacmask": "dstmacaddr", "srcipmask": "srcipaddr", "dstipmask": "dstipaddr",
    "srcipto": "srcipfrom", "dstipto": "dstipfrom", "srcportend": "srcportstart", "dstportend": "dstportstart",
    "code": "type", "typeend": "type", "codeend": "type",
    **{f"{name}-mask": name for name in ("root-address", "sender-address")},
    **{
        f"{name}-hi": name
        for name in (
            "root-priority", "root-cost", "sender-priority", "port", "age", "max-age", "hello-time", "forward-delay",
        )
    },
}  # fmt: skip
