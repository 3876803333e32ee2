"""Where a guest's displays are: their addresses in networks, their ports, the host's graphics card."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.displays import ports
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.model.domain.host_places import no_network, no_rendernode
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.domain.launch import LaunchContext

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.model.domain.definition import Domain

_CARDS = Path("/dev/dri")


async def located(driver: Guests, domain: Domain, context: LaunchContext) -> LaunchContext:
    """`context` with the host's addresses in the networks that the guest's displays listen on.

    Raises what `NetworkService.address` raises.
    """
    listens = (listen for graphics in domain.devices.graphics for listen in graphics.listens)
    names = {listen.network for listen in listens if listen.type == "network" and listen.network}
    if not names:
        return context
    found = {name: await driver.networks.address(name) for name in sorted(names)}
    return dataclasses.replace(context, network_address=lambda name: found.get(name) or no_network(name))


def prepare(known: ports.Ports, run: Run, settings: HostSettings) -> None:
    """Make room for the displays of a guest that starts. Raises `LibvirtError` when all ports are in use."""
    for graphics in run.live.devices.graphics:
        _choose_ports(known, run, graphics, settings)
        socket = graphics.own_bus
        if socket is not None:
            Path(socket).parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            Path(socket).unlink(missing_ok=True)  # of a guest whose bus was killed


def _choose_ports(known: ports.Ports, run: Run, graphics: Graphics, settings: HostSettings) -> None:
    def free(name: str) -> int:
        address = graphics.listens[0].address or "127.0.0.1"
        port = known.acquire(ports.WEBSOCKET if name == "websocket" else ports.DISPLAY, address)
        run.ports.append(port)
        return port

    graphics.choose_ports(free, settings)


def rendernode() -> str:
    """The first graphics card of the host that draws without a screen. Raises `InternalError` where there is none."""
    cards = sorted(_CARDS.glob("renderD*"), key=lambda path: int(path.name.removeprefix("renderD") or 0))
    return str(cards[0]) if cards else no_rendernode()
