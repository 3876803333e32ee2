"""What a definition of a network leaves open and the host knows: the name of its bridge, and the bridge's address."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import count

from guesthouse.errors import InternalError, Origin
from guesthouse.host.sysfs import HostTree
from guesthouse.model.network.definition import Network

#: In the name of a bridge, a number that is free.
_NUMBER = "%d"
_DEFAULT = "virbr%d"


def complete(network: Network, others: Sequence[Network], tree: HostTree | None = None) -> None:
    """Name the bridge that the host would make for `network`; `others` are all networks that there are.

    Raises `InternalError` for a name that another network has.
    """
    bridge = network.bridge
    if not network.bridged or bridge is None:
        return
    taken = {
        other.bridge.name
        for other in others
        if other.uuid != network.uuid and other.bridge is not None and other.bridge.name is not None
    }
    if bridge.name is None or _NUMBER in bridge.name:
        own = next((one.bridge.name for one in others if one.uuid == network.uuid and one.bridge is not None), None)
        bridge.name = own or _free(bridge.name or _DEFAULT, taken | _devices(tree or HostTree()))
    elif bridge.name in taken:
        raise InternalError(f"bridge name '{bridge.name}' already in use.", domain=Origin.NETWORK)
    if network.mac is None:
        digits = os.urandom(3).hex()
        network.mac = f"52:54:00:{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def _free(template: str, taken: Iterable[str]) -> str:
    return next(name for name in (template.replace(_NUMBER, str(number)) for number in count()) if name not in taken)


def _devices(tree: HostTree) -> set[str]:
    folder = tree.sys / "class/net"
    return set(os.listdir(folder)) if folder.is_dir() else set()
