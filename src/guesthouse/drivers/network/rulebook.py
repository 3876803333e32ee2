"""Keeping the firewall's rules those of the networks that are active.

Rules are added for one network, or all are written anew; both are one transaction. Who is killed in between leaves the
old rules or the new ones, and the next daemon writes them anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from guesthouse.drivers.network import firewall
from guesthouse.errors import LibvirtError
from guesthouse.host import forwarding, links, nft
from guesthouse.host.nft import NftError
from guesthouse.model.network.definition import Network

log = logging.getLogger(__name__)


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
        return await forwarding.told(network.bridge.name or "")
    except LibvirtError as error:
        log.debug("%s", error.message)
        return []
