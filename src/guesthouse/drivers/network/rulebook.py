"""Keeping the firewall's rules those of the networks that are active.

Rules are added for one network, or all are written anew; both are one transaction. Who is killed in between leaves the
old rules or the new ones, and the next daemon writes them anew.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from guesthouse.drivers.network import firewall
from guesthouse.errors import LibvirtError
from guesthouse.host import links, nft
from guesthouse.host.child import run
from guesthouse.host.nft import BaseChain, NftError
from guesthouse.model.network.definition import Network

log = logging.getLogger(__name__)

_LEGACY: Final = "iptables-legacy"
_LEGACY_TABLES: Final = Path("/proc/net/ip_tables_names")
_DEADLINE: Final = 10.0
#: Who drops what is forwarded, by the name of its table, and where it wants to be told otherwise.
_DOCKER: Final = "DOCKER-USER"
_FIREWALLD: Final = "firewalld"


class Rulebook:
    """The rules of one daemon's networks."""

    def __init__(self) -> None:
        #: Whether our chains are there, as far as we know.
        self._chains = False

    async def add(self, network: Network, others: Iterable[Network]) -> None:
        """Add a network's rules; `others` have theirs already. Raises what `firewall.added` and `nft.apply` raise."""
        text = firewall.added(network)
        if not text:
            return
        if self._chains:
            try:
                await nft.apply(text)
                return
            except NftError:
                log.info("our chains are gone; all rules are written anew")
        await self.replace([*others, network])

    async def replace(self, networks: Iterable[Network]) -> None:
        """Let the rules be those of exactly these networks. Raises as `add`."""
        present = [network for network in networks if network.bridge is not None and _exists(network)]
        await nft.apply(firewall.whole(present))
        self._chains = True


def _exists(network: Network) -> bool:
    """A rule about a device that is gone would be refused, and all others with it."""
    return network.bridge is not None and network.bridge.name is not None and links.exists(network.bridge.name)


async def conflicts(network: Network) -> list[str]:
    """What else drops the packets that this network forwards, and the rule that mends it; a sentence each."""
    if network.mode not in ("nat", "route", "open") or network.bridge is None:
        return []
    try:
        chains = await nft.base_chains()
    except LibvirtError as error:
        log.debug("%s", error.message)
        return []
    bridge = network.bridge.name or ""
    found = [mending(chain, bridge) for chain in chains if drops_forwarded(chain)]
    if await _legacy_drops():
        found.append(
            f"the legacy iptables chain FORWARD drops what bridge '{bridge}' forwards; mend it with: "
            f"{_LEGACY} -I FORWARD -i {bridge} -j ACCEPT; {_LEGACY} -I FORWARD -o {bridge} -j ACCEPT"
        )
    return found


def drops_forwarded(chain: BaseChain) -> bool:
    """Whether a chain of somebody else's drops forwarded packets that it does not know."""
    ours = chain.table == firewall.TABLE
    return not ours and chain.hook == "forward" and chain.policy == "drop" and chain.family in ("ip", "ip6", "inet")


def mending(chain: BaseChain, bridge: str) -> str:
    """What a chain does to the packets of a bridge, and the rule that lets them pass."""
    said = f"chain '{chain.name}' of table '{chain.family} {chain.table}' drops what bridge '{bridge}' forwards"
    if chain.table == _FIREWALLD:
        order = f"firewall-cmd --permanent --zone=libvirt --add-interface={bridge}"
        return f"{said}; mend it with: {order} && firewall-cmd --reload"
    if chain.table == "filter" and chain.name == "FORWARD":
        program = "iptables" if chain.family == "ip" else "ip6tables"
        return (
            f"{said} (Docker sets this); mend it with: {program} -I {_DOCKER} -i {bridge} -j ACCEPT; "
            f"{program} -I {_DOCKER} -o {bridge} -j ACCEPT (or -I FORWARD where there is no {_DOCKER})"
        )
    insert = f"nft insert rule {chain.family} {chain.table} {chain.name}"
    return f"{said}; mend it with: {insert} iifname {bridge} accept; {insert} oifname {bridge} accept"


async def _legacy_drops() -> bool:
    """Whether the older iptables, which nft does not see, drops forwarded packets."""
    try:
        if "filter" not in _LEGACY_TABLES.read_text().split() or shutil.which(_LEGACY) is None:
            return False
        finished = await run([_LEGACY, "-S", "FORWARD"], deadline=_DEADLINE)
    except (OSError, LibvirtError):
        return False
    return b"-P FORWARD DROP" in finished.output
