"""The zone of firewalld that a network's bridge is in, where firewalld runs.

Source: https://libvirt.org/firewall.html#firewalld-and-the-virtual-network-driver; firewall-cmd(1).
"""

from __future__ import annotations

import shutil
from typing import Final

from guesthouse.errors import InternalError, Origin
from guesthouse.host.child import Finished, run
from guesthouse.model.network.definition import Network

_PROGRAM: Final = "firewall-cmd"
_DEADLINE: Final = 20.0
#: The zones that networks are in by themselves.
_ZONE, _ROUTED_ZONE = "libvirt", "libvirt-routed"


async def set_zone(network: Network) -> None:
    """Put the bridge into the zone that the network names, or into libvirt's.

    Raises `InternalError` where the zone is asked for and cannot be had, or firewalld does not know libvirt's.
    """
    bridge = network.bridge
    if bridge is None or bridge.name is None:
        return
    active = await _active()
    if bridge.zone is not None:
        if not active:
            raise InternalError(
                f"zone {bridge.zone} requested for network {network.name} but firewalld is not active",
                domain=Origin.NETWORK,
            )
        await _put(bridge.name, bridge.zone)
    elif active and network.mode != "open":
        await _put(bridge.name, await _own_zone(network))


async def leave_zone(network: Network) -> None:
    """Take the bridge out of its zone: firewalld would remember it by its name."""
    bridge = network.bridge
    if bridge is None or bridge.name is None or (network.mode == "open" and bridge.zone is None):
        return
    if await _active():
        await _run(f"--remove-interface={bridge.name}")


async def _own_zone(network: Network) -> str:
    zones = (await _run("--get-zones")).output.decode("utf-8", "replace").split()
    if network.mode == "route" and _ROUTED_ZONE in zones:
        return _ROUTED_ZONE
    if _ZONE in zones:
        return _ZONE
    raise InternalError(
        "firewalld can't find the 'libvirt' zone that should have been installed with libvirt",
        domain=Origin.NETWORK,
        hint=f"{_PROGRAM} --permanent --new-zone=libvirt --set-target=ACCEPT && {_PROGRAM} --reload",
    )


async def _put(bridge: str, zone: str) -> None:
    finished = await _run(f"--zone={zone}", f"--change-interface={bridge}")
    if not finished.ok:
        raise InternalError(
            f"cannot put bridge '{bridge}' into zone '{zone}': {finished.error_text[-300:]}", domain=Origin.NETWORK
        )


async def _active() -> bool:
    return shutil.which(_PROGRAM) is not None and (await _run("--state")).ok


async def _run(*words: str) -> Finished:
    return await run([_PROGRAM, *words], deadline=_DEADLINE)
