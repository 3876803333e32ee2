"""From a binding to the chains of its device: what its filter says, or what goes until an address is known."""

from __future__ import annotations

from dataclasses import dataclass

from guesthouse.drivers.nwfilter.registry import Bound
from guesthouse.model.nwfilter import learning
from guesthouse.model.nwfilter.nft.chains import Chains, chains_of
from guesthouse.model.nwfilter.tree import Lookup, flatten, required
from guesthouse.model.nwfilter.variables import DHCP_SERVER, IP, LEARNING


@dataclass(frozen=True, slots=True)
class Plan:
    """The chains of a device, and how its guest's address has to be learned (`any`, `dhcp`), if it has."""

    chains: Chains
    watch: str | None


def plan(bound: Bound, lookup: Lookup) -> Plan:
    """What a binding comes to, with the filters that `lookup` finds.

    Raises `InternalError` for a missing filter or variable, `UnsupportedConfigError` for what nftables cannot do.
    """
    root = required(bound.root, lookup)
    values = bound.values
    placed = flatten(root, values, lookup)
    method = learning.method(placed, values, root.name)
    if method is None:
        given = {parameter.name for parameter in bound.binding.filter.parameters}
        method = values.get(LEARNING, ("",))[0].lower()
        goes_on = method == learning.DHCP and IP not in given and bool(bound.learned)
        return Plan(chains_of(bound.device, placed), learning.DHCP if goes_on else None)
    if method == learning.DHCP:
        until_then = learning.dhcp_only(servers=DHCP_SERVER in values)
    else:
        until_then = learning.BASIC
    return Plan(chains_of(bound.device, flatten(until_then, values, lookup)), method)


def closed(bound: Bound) -> Chains:
    """The chains of a device that nothing may pass."""
    return chains_of(bound.device, flatten(learning.DROP_ALL, bound.values, lambda _: None))
