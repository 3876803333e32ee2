"""Limits of a network device's rate, by the kernel's traffic control: `tc` of iproute2.

What the host sends on the device goes through an HTB class, in which an SFQ is fair to the connections; what the host
receives is policed. Those are libvirt's orders, so that its tools show what they know.

Source: tc(8), tc-htb(8), tc-police(8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.host.child import ChildError, run

PROGRAM: Final = "tc"

_DEADLINE: Final = 10.0
_FRAME: Final = 1500
_QUANTUM_LIMIT: Final = 2**32 - 1
_BURST_LIMIT: Final = (2**32 - 1) // 1024


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate in KiB a second, what it may rise to, and for how many KiB."""

    average: int
    peak: int | None = None
    burst: int | None = None


def orders(device: str, sent: Limit | None, received: Limit | None) -> tuple[list[str], list[str]]:
    """The orders that set the limits, and those after them that only make it fairer: not every kernel has both."""
    wanted, fairer = [], []
    if sent is not None:
        quantum = min(max(sent.average * 1024 // 8 // _FRAME, 1), _QUANTUM_LIMIT)
        shape = f"rate {sent.average}kbps"
        shape += f" ceil {sent.peak}kbps" if sent.peak else ""
        shape += f" burst {sent.burst}kb" if sent.burst else ""
        wanted += [
            f"qdisc add dev {device} root handle 1: htb default 1",
            f"class add dev {device} parent 1: classid 1:1 htb {shape} quantum {quantum}",
        ]
        fairer += [
            f"qdisc add dev {device} parent 1:1 handle 2: sfq perturb 10",
            f"filter add dev {device} parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
        ]
    if received is not None:
        burst = received.burst or min(received.average, _BURST_LIMIT)
        police = f"police rate {received.average}kbps burst {burst}kb mtu 64kb drop"
        wanted += [
            f"qdisc add dev {device} ingress",
            f"filter add dev {device} parent ffff: protocol all u32 match u32 0 0 {police} flowid :1",
        ]
    return wanted, fairer


async def limit(device: str, sent: Limit | None, received: Limit | None) -> None:
    """Set these limits instead of those that are there; None for none. Raises `ChildError` with what `tc` said."""
    await clear(device)
    wanted, fairer = orders(device, sent, received)
    if not wanted:
        return
    try:
        finished = await batch(wanted, "-batch", "-")
        if not finished[0]:
            raise ChildError(f"cannot limit the rate of '{device}': {finished[1] or 'tc failed'}")
    except BaseException:  # also where nobody waits any more: the card has no limits rather than half of them
        await clear(device)
        raise
    await batch(fairer, "-force", "-batch", "-")


async def clear(device: str) -> None:
    """Remove all limits of a device; that there were none is no error."""
    await batch([f"qdisc del dev {device} root", f"qdisc del dev {device} ingress"], "-force", "-batch", "-")


async def batch(lines: list[str], *options: str) -> tuple[bool, str]:
    """Give `tc` these orders. Returns whether all went well, and the first line of what it said."""
    finished = await run([PROGRAM, *options], deadline=_DEADLINE, data="\n".join(lines).encode() + b"\n")
    said = finished.error_text.splitlines()
    return finished.ok, said[0][-200:] if said else ""
