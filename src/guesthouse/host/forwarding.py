"""Firewall rules that drop what virtual networks forward: those of Docker, of firewalld, and of people.

A packet passes only where every chain of the forward hook lets it, so that accepting it in our own is not enough.

Source: nft(8); https://docs.docker.com/engine/network/packet-filtering-firewalls/.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError
from guesthouse.host import nft
from guesthouse.host.child import run
from guesthouse.host.nft import BaseChain

#: The table of virtual networks, which drops nothing of theirs.
OWN_TABLE: Final = "libvirt_network"

_LEGACY: Final = "iptables-legacy"
_LEGACY_TABLES: Final = Path("/proc/net/ip_tables_names")
_DEADLINE: Final = 10.0
#: Who drops what is forwarded, by the name of its table, and where it wants to be told otherwise.
_DOCKER: Final = "DOCKER-USER"
_FIREWALLD: Final = "firewalld"


async def told(bridge: str) -> list[str]:
    """What drops the packets that a bridge forwards, and the rule that mends it; a sentence each.

    Raises `NftError` and `ChildError` where nobody can tell.
    """
    found = [mending(chain, bridge) for chain in await nft.base_chains() if drops_forwarded(chain)]
    if await _legacy_drops():
        found.append(
            f"the legacy iptables chain FORWARD drops what bridge '{bridge}' forwards; mend it with: "
            f"{_LEGACY} -I FORWARD -i {bridge} -j ACCEPT; {_LEGACY} -I FORWARD -o {bridge} -j ACCEPT"
        )
    return found


def drops_forwarded(chain: BaseChain) -> bool:
    """Whether a chain of somebody else's drops forwarded packets that it does not know."""
    ours = chain.table == OWN_TABLE
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
