"""Rates as networks define them, and the guaranteed ones of the places on them.

Source: https://libvirt.org/formatnetwork.html#quality-of-service; texts are libvirt's.
"""

from __future__ import annotations

from collections.abc import Iterable

from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import OperationInvalidError, OperationUnsupportedError, Origin
from guesthouse.host import tc_bridge
from guesthouse.host.tc import Limit
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Inbound, Rate
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import NetworkPort


def limit_of(rate: Rate | None) -> Limit | None:
    """A rate as traffic control has it; None for none."""
    return Limit(rate.average, rate.peak, rate.burst) if rate is not None and rate.average else None


def floor_of(bandwidth: Bandwidth | None) -> int:
    """The guaranteed rate; 0 for none."""
    return (bandwidth.inbound.floor or 0) if bandwidth is not None and bandwidth.inbound is not None else 0


def sum_of(ports: Iterable[NetworkPort], but: str = "") -> int:
    """The rates that are guaranteed to places, but to the one with this id."""
    return sum(floor_of(port.bandwidth) for port in ports if port.uuid != but and port.bandwidth is not None)


def check(network: VirtualNetwork, wanted: Bandwidth | None, port: str, mac: str) -> None:
    """Raise `LibvirtError` where a guaranteed rate is not possible: the network has none to give, or no more."""
    floor, live = floor_of(wanted), network.running()
    if not floor:
        return
    where = f"Invalid use of 'floor' on interface with MAC address {mac} - "
    if not live.bridged:
        raise OperationUnsupportedError(
            f"{where}'floor' is only supported for interface type 'network' with forward type 'nat', 'route', 'open' "
            "or none",
            domain=Origin.NETWORK,
        )
    inbound = live.bandwidth.inbound if live.bandwidth is not None else None
    if inbound is None:
        text = f"{where}network '{live.name}' has no inbound QoS set"
        raise OperationUnsupportedError(text, domain=Origin.NETWORK)
    total = sum_of(network.ports.values(), port) + floor
    if total > _capacity(inbound):
        kind = "peak" if inbound.peak else "average"
        bridge = live.bridge.name if live.bridge is not None else ""
        raise OperationInvalidError(
            f"Cannot plug '{mac}' interface into '{bridge}' because new combined inbound floor={total} would "
            f"overcommit {kind}={_capacity(inbound)} on network '{live.name}'",
            domain=Origin.NETWORK,
        )


def _capacity(inbound: Inbound) -> int:
    return inbound.peak or inbound.average or 0


def free_class(ports: Iterable[NetworkPort]) -> int:
    """The lowest number of a traffic class that no place has."""
    taken = {port.bandwidth.class_id for port in ports if port.bandwidth is not None}
    return next(number for number in range(tc_bridge.FIRST, tc_bridge.FIRST + len(taken) + 1) if number not in taken)


async def plug(network: VirtualNetwork, port: NetworkPort) -> None:
    """Guarantee the rate of a place that is not among the network's yet; its class is noted in it. Raises `ChildError`.

    `check` comes before.
    """
    live, bandwidth = network.running(), port.bandwidth
    limit, floor = _limit(live), floor_of(bandwidth)
    if limit is None or bandwidth is None or not floor or live.bridge is None or live.bridge.name is None:
        return
    others = [one for one in network.ports.values() if one.uuid != port.uuid]
    number = free_class(others)
    rest = (limit.peak or limit.average) - sum_of(others) - floor
    await tc_bridge.guarantee(live.bridge.name, limit, number, port.mac, floor, rest)
    bandwidth.class_id = number


async def unplug(network: VirtualNetwork, port: NetworkPort) -> None:
    """Guarantee the rate of a place no longer."""
    live, bandwidth = network.running(), port.bandwidth
    limit = _limit(live)
    if limit is None or bandwidth is None or bandwidth.class_id is None or live.bridge is None:
        return
    rest = (limit.peak or limit.average) - sum_of(network.ports.values(), port.uuid)
    await tc_bridge.forget(live.bridge.name or "", limit, bandwidth.class_id, rest)
    bandwidth.class_id = None


def _limit(live: Network) -> Limit | None:
    return limit_of(live.bandwidth.inbound) if live.bandwidth is not None else None
