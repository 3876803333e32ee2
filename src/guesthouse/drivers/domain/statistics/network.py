"""Network traffic, counted by the devices of the host that guests' cards are connected to."""

from __future__ import annotations

import os
from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.typed import STRING, UINT, ULLONG, Param
from guesthouse.model.domain.devices.interface import Interface

_COUNTERS: Final = (
    ("rx.bytes", "rx_bytes"),
    ("rx.pkts", "rx_packets"),
    ("rx.errs", "rx_errors"),
    ("rx.drop", "rx_dropped"),
    ("tx.bytes", "tx_bytes"),
    ("tx.pkts", "tx_packets"),
    ("tx.errs", "tx_errors"),
    ("tx.drop", "tx_dropped"),
)


def card_counters(interface: Interface) -> list[int] | None:
    """The counters of a card's device on the host, in the order of `_COUNTERS`; None when it has none.

    What the host receives from a tap the guest has sent; a macvtap is the guest's own.
    """
    device = interface.host_device
    return device_counters(device, swapped=interface.type != "direct") if device is not None else None


def device_counters(device: str, *, swapped: bool = True) -> list[int] | None:
    """A host device's counters, sent and received `swapped`; None when it is not there."""
    numbers = []
    for _, name in _COUNTERS:
        mirrored = name
        if swapped:
            mirrored = name.replace("rx_", "tx_") if name.startswith("rx_") else name.replace("tx_", "rx_")
        try:
            with open(f"/sys/class/net/{os.path.basename(device)}/statistics/{mirrored}", "rb", buffering=0) as file:
                numbers.append(int(file.read(32)))
        except (OSError, ValueError):
            return None
    return numbers


def gather(guest: Guest, found: list[Param]) -> None:
    """`net.*`, for the cards that have a device of the host."""
    if guest.run is None:
        return
    interfaces = guest.run.live.devices.interfaces
    found.append(("net.count", UINT, len(interfaces)))
    for number, interface in enumerate(interfaces):
        if not interface.host_device:
            continue
        found.append((f"net.{number}.name", STRING, interface.host_device))
        counters = card_counters(interface)
        if counters is not None:
            found += [
                (f"net.{number}.{name}", ULLONG, value) for (name, _), value in zip(_COUNTERS, counters, strict=True)
            ]
