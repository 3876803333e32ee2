"""The filters that every host has, under libvirt's names and with the same rules.

They are written when a host has no filters at all, and are the host's own from then on: changed or removed, they stay
so. Each gets a UUID when it is written.

Source: https://libvirt.org/formatnwfilter.html#pre-existing-network-filters
"""

from __future__ import annotations

from typing import Final

_DHCP: Final = "protocol='udp' srcportstart='67' dstportstart='68'"
_DHCPV6: Final = "protocol='udp' srcportstart='547' dstportstart='546'"
_ANNOUNCED: Final = (
    "dstmacaddr='ff:ff:ff:ff:ff:ff' arpsrcmacaddr='$MAC' arpdstmacaddr='$MAC' "
    "arpsrcipaddr='0.0.0.0' arpdstipaddr='0.0.0.0'"
)


def _rule(action: str, direction: str, match: str = "", priority: int | None = None) -> str:
    head = f"<rule action='{action}' direction='{direction}'"
    if priority is not None:
        head += f" priority='{priority}'"
    return f"{head}><{match}/></rule>" if match else f"{head}/>"


def _refer(*names: str) -> str:
    return "".join(f"<filterref filter='{name}'/>" for name in names)


#: An address that a client has before it has one.
_ASK_DHCP: Final = _rule(
    "accept",
    "out",
    "ip srcipaddr='0.0.0.0' dstipaddr='255.255.255.255' protocol='udp' srcportstart='68' dstportstart='67'",
    100,
)
_ASK_DHCPV6: Final = _rule(
    "accept",
    "out",
    "ipv6 srcipaddr='fe80::' srcipmask='10' dstipaddr='ff02::1:2' protocol='udp' srcportstart='546' dstportstart='547'",
    100,
)
_ARP: Final = _rule("accept", "inout", "mac protocolid='arp'", -500)

#: Name, attributes, rules and references.
_FILTERS: Final = (
    ("allow-arp", "chain='arp'", _rule("accept", "inout")),
    ("allow-dhcp", "chain='ipv4'", _ASK_DHCP + _rule("accept", "in", f"ip {_DHCP}", 100)),
    (
        "allow-dhcp-server",
        "chain='ipv4'",
        _ASK_DHCP + _rule("accept", "in", f"ip srcipaddr='$DHCPSERVER' {_DHCP}", 100),
    ),
    ("allow-dhcpv6", "chain='ipv6'", _ASK_DHCPV6 + _rule("accept", "in", f"ipv6 {_DHCPV6}", 100)),
    (
        "allow-dhcpv6-server",
        "chain='ipv6'",
        _ASK_DHCPV6 + _rule("accept", "in", f"ipv6 srcipaddr='$DHCPSERVER' {_DHCPV6}", 100),
    ),
    ("allow-incoming-ipv4", "chain='ipv4'", _rule("accept", "in")),
    ("allow-incoming-ipv6", "chain='ipv6'", _rule("accept", "in")),
    ("allow-ipv4", "chain='ipv4'", _rule("accept", "inout")),
    ("allow-ipv6", "chain='ipv6'", _rule("accept", "inout")),
    (
        "clean-traffic",
        "chain='root'",
        _refer("no-mac-spoofing", "no-ip-spoofing")
        + _rule("accept", "out", "mac protocolid='ipv4'", -650)
        + _refer("allow-incoming-ipv4", "no-arp-spoofing")
        + _ARP
        + _refer("no-other-l2-traffic", "qemu-announce-self"),
    ),
    (
        "clean-traffic-gateway",
        "chain='root'",
        _refer("no-mac-spoofing", "no-ip-spoofing", "no-arp-spoofing")
        + _ARP
        + _rule("accept", "in", "mac srcmacaddr='$GATEWAY_MAC'")
        + _rule("accept", "out", "mac dstmacaddr='$GATEWAY_MAC'")
        + _refer("no-other-l2-traffic", "qemu-announce-self"),
    ),
    (
        "no-arp-ip-spoofing",
        "chain='arp-ip' priority='-510'",
        _rule("return", "out", "arp arpsrcipaddr='$IP'", 400) + _rule("drop", "out", priority=1000),
    ),
    (
        "no-arp-mac-spoofing",
        "chain='arp-mac' priority='-520'",
        _rule("return", "out", "arp arpsrcmacaddr='$MAC'", 350) + _rule("drop", "out", priority=1000),
    ),
    ("no-arp-spoofing", "chain='root'", _refer("no-arp-mac-spoofing", "no-arp-ip-spoofing")),
    ("no-ip-multicast", "chain='ipv4'", _rule("drop", "out", "ip dstipaddr='224.0.0.0' dstipmask='4'")),
    (
        "no-ip-spoofing",
        "chain='ipv4-ip' priority='-710'",
        _rule("return", "out", "ip srcipaddr='0.0.0.0' protocol='udp'", 100)
        + _rule("return", "out", "ip srcipaddr='$IP'", 500)
        + _rule("drop", "out", priority=1000),
    ),
    ("no-ipv6-multicast", "chain='ipv6'", _rule("drop", "out", "ipv6 dstipaddr='ff00::' dstipmask='8'")),
    (
        "no-ipv6-spoofing",
        "chain='ipv6-ip' priority='-610'",
        _rule("return", "out", "ipv6 srcipaddr='fe80::' srcipmask='10' protocol='udp'", 100)
        + _rule("return", "out", "ipv6 srcipaddr='$IPV6'", 500)
        + _rule("drop", "out", priority=1000),
    ),
    ("no-mac-broadcast", "chain='ipv4'", _rule("drop", "out", "mac dstmacaddr='ff:ff:ff:ff:ff:ff'")),
    (
        "no-mac-spoofing",
        "chain='mac' priority='-800'",
        _rule("return", "out", "mac srcmacaddr='$MAC'") + _rule("drop", "out", "mac"),
    ),
    ("no-other-l2-traffic", "chain='root'", _rule("drop", "inout", priority=1000)),
    ("no-other-rarp-traffic", "chain='rarp'", _rule("drop", "inout", priority=1000)),
    (
        "qemu-announce-self",
        "chain='root'",
        # A QEMU of former times announced itself with a wrong number for RARP.
        _rule("accept", "out", "mac protocolid='0x835'") + _refer("qemu-announce-self-rarp", "no-other-rarp-traffic"),
    ),
    (
        "qemu-announce-self-rarp",
        "chain='rarp'",
        _rule("accept", "out", f"rarp opcode='Request_Reverse' srcmacaddr='$MAC' {_ANNOUNCED}", 500)
        + _rule("accept", "in", f"rarp opcode='Request_Reverse' {_ANNOUNCED}", 500),
    ),
)

#: The documents.
SHIPPED: Final = tuple(
    f"<filter name='{name}' {attributes}>{entries}</filter>" for name, attributes, entries in _FILTERS
)
