"""What a card may do while the IP address of its guest is not known, as filters.

Source: https://libvirt.org/formatnwfilter.html#automatic-ip-address-detection
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.model.nwfilter.filter import Filter
from guesthouse.model.nwfilter.rule import Rule
from guesthouse.model.nwfilter.tree import Placed, unresolved
from guesthouse.model.nwfilter.variables import IP, LEARNING, Values

#: From any packet; from the answers of DHCP servers; not at all.
ANY, DHCP, NONE = "any", "dhcp", "none"

_ASK: Final = {"protocol": "udp", "srcportstart": "68", "dstportstart": "67"}
_ANSWER: Final = {"protocol": "udp", "srcportstart": "67", "dstportstart": "68"}
_EVERYBODY: Final = "ff:ff:ff:ff:ff:ff"
_NO_UUID: Final = "00000000-0000-0000-0000-000000000000"


def _filter(name: str, *rules: Rule) -> Filter:
    return Filter(name, _NO_UUID, entries=list(rules))


def _accept(direction: str, kind: str, /, **match: str) -> Rule:
    return Rule("accept", direction, protocol=kind, match=match)


#: Nothing at all.
DROP_ALL: Final = _filter("drop-all", Rule("drop", "inout"))
#: IPv4 and ARP from the guest's own MAC address, with any IP address.
BASIC: Final = _filter(
    "basic",
    Rule("drop", "out", protocol="mac", unmatch={"srcmacaddr": "$MAC"}),
    _accept("out", "mac", protocolid="ipv4"),
    _accept("out", "mac", protocolid="arp"),
    Rule("drop", "out"),
)


def dhcp_only(*, servers: bool) -> Filter:
    """Talking to DHCP servers; to those that `$DHCPSERVER` names, if `servers` says that it does."""
    known = {"srcipaddr": "$DHCPSERVER"} if servers else {}
    return _filter(
        "dhcp-only",
        _accept("out", "ip", srcmacaddr="$MAC", **_ASK),
        *(_accept("in", "ip", dstmacaddr=mac, **known, **_ANSWER) for mac in ("$MAC", _EVERYBODY)),
        Rule("drop", "inout"),
    )


def method(placed: list[Placed], values: Values, name: str) -> str | None:
    """How the address has to be learned; None where nothing has. `name` is the filter's, for errors.

    Raises `InternalError` where something else is missing, or nothing may be learned; error 32 for an unknown method.
    """
    unknown = unresolved(placed)
    if not unknown:
        return None
    given = values.get(LEARNING, (ANY,))[0].lower()
    if unknown == {IP} and given in (ANY, DHCP):
        return given
    if unknown == {IP} and given != NONE:
        raise LibvirtError(
            f"filter '{name}' learning value '{values[LEARNING][0]}' invalid.",
            code=Code.PARSE_FAILED,
            domain=Origin.NWFILTER,
            hint=f"{LEARNING} takes {ANY}, {DHCP} or {NONE}",
        )
    raise InternalError(
        "Cannot instantiate filter due to unresolvable variables or unavailable list elements: "
        + ", ".join(sorted(unknown)),
        domain=Origin.NWFILTER,
        hint="give them values: <filterref><parameter name= value=/></filterref>",
    )
