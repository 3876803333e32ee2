"""Limits of a bridge of the host's own, with guaranteed rates for single ports: `tc` of iproute2.

What the host sends to the guests goes through a tree of HTB classes, whose numbers are libvirt's:

    1:1  all of it, at most the network's rate
    1:2  below it: what has no guarantee; its rate is what the guarantees leave
    1:N  below it, from 3: the packets for one MAC address, with a guaranteed rate

What the guests send is policed. The tree's root is there even without limits: a filter on it completes the checksums of
DHCP answers, which some guests refuse otherwise.

Source: tc(8), tc-htb(8), tc-csum(8); https://libvirt.org/formatnetwork.html#quality-of-service.
"""

from __future__ import annotations

from typing import Final

from guesthouse.host.child import ChildError
from guesthouse.host.tc import Limit, batch, orders

#: The class of what has no guarantee, and the first number that a guarantee can have.
COMMON: Final = 2
FIRST: Final = 3

_FRAME: Final = 1500
_FILTER_BASE: Final = 800
_DHCP_CLIENT: Final = 68


def _rate(bridge: str, verb: str, number: int, rate: int, limit: Limit) -> str:
    parent = "1:1" if number >= COMMON else "1:"
    ceiling = limit.peak or limit.average
    burst = f" burst {limit.burst}kb" if number == COMMON and limit.burst and verb == "add" else ""
    quantum = max(rate * 1024 // 8 // _FRAME, 1)
    place = f"parent {parent} classid 1:{number:x}" if verb == "add" else f"classid 1:{number:x}"
    return f"class {verb} dev {bridge} {place} htb rate {max(rate, 1)}kbps ceil {ceiling}kbps{burst} quantum {quantum}"


async def set_up(bridge: str, sent: Limit | None, received: Limit | None, *, serves: bool) -> None:
    """Set the limits of a bridge that has none; `serves` says that a DHCP server is on it.

    Raises `ChildError` with what `tc` said where they are not possible.
    """
    wanted, fairer = orders(bridge, None, received)
    root = f"qdisc add dev {bridge} root handle 1: htb default {COMMON}"
    if sent is not None:
        wanted += [root, *(_rate(bridge, "add", number, sent.average, sent) for number in (1, COMMON))]
        fairer += [
            f"qdisc add dev {bridge} parent 1:{COMMON} handle {COMMON}: sfq perturb 10",
            f"filter add dev {bridge} parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
        ]
    elif serves:
        fairer.append(root)
    if serves:
        fairer.append(
            f"filter add dev {bridge} prio 2 protocol ip parent 1: u32 match ip dport {_DHCP_CLIENT} ffff "
            "action csum ip and udp"
        )
    if wanted:
        await _must(wanted, f"cannot limit the rate of '{bridge}'")
    if fairer:
        await batch(fairer, "-force", "-batch", "-")


async def guarantee(bridge: str, limit: Limit, number: int, mac: str, floor: int, rest: int) -> None:
    """Give what is sent to a MAC address a rate of its own, in class `number`; `rest` is left for all others.

    `limit` is the network's. Raises `ChildError`, after having taken back what was done.
    """
    digits, own = mac.replace(":", ""), f"1:{number:x}"
    match = f"match u32 0x{digits[4:]} 0xffffffff at -12 match u16 0x{digits[:4]} 0xffff at -14"
    place = f"protocol ip prio 2 handle 800::{_FILTER_BASE + number} u32 match u16 0x0800 0xffff at -2"
    wanted = [
        _rate(bridge, "add", number, floor, limit),
        f"filter add dev {bridge} {place} {match} flowid {own}",
        _rate(bridge, "change", COMMON, rest, limit),
    ]
    try:
        await _must(wanted, f"cannot guarantee a rate on '{bridge}'")
    except ChildError:
        await forget(bridge, limit, number, rest + floor)
        raise
    fairer = f"qdisc add dev {bridge} parent {own} handle {number:x}: sfq perturb 10"
    await batch([fairer], "-force", "-batch", "-")


async def change(bridge: str, limit: Limit, number: int, floor: int, rest: int) -> None:
    """Change a guaranteed rate. Raises `ChildError`."""
    wanted = [_rate(bridge, "change", number, floor, limit), _rate(bridge, "change", COMMON, rest, limit)]
    await _must(wanted, f"cannot change a guaranteed rate on '{bridge}'")


async def forget(bridge: str, limit: Limit, number: int, rest: int) -> None:
    """Guarantee the rate of class `number` no longer; that there is none is no error."""
    lines = [
        f"qdisc del dev {bridge} handle {number:x}:",
        f"filter del dev {bridge} prio 2 handle 800::{_FILTER_BASE + number} u32",
        f"class del dev {bridge} classid 1:{number:x}",
        _rate(bridge, "change", COMMON, rest, limit),
    ]
    await batch(lines, "-force", "-batch", "-")


async def _must(lines: list[str], what: str) -> None:
    done, said = await batch(lines, "-batch", "-")
    if not done:
        raise ChildError(f"{what}: {said or 'tc failed'}")
