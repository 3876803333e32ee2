"""Displays of running guests: connecting a client through a descriptor without the network, changing passwords."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InternalError, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.qemu.json_value import Sendable

_NAME = "graphicsfd"
#: Type of display to QEMU's word for what its clients speak.
_PROTOCOLS = {"vnc": "vnc", "spice": "spice", "dbus": "@dbus-display"}


def pair() -> tuple[int, int]:
    """The two ends of a connection."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return ours.detach(), theirs.detach()


def close(descriptors: Sequence[int]) -> None:
    """Let go of descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


async def hand_over(guest: Guest, index: int, descriptor: int, *, skip: bool) -> None:
    """As `connect`, and close the descriptor."""
    try:
        await connect(guest, index, descriptor, skip=skip)
    finally:
        os.close(descriptor)


async def connect(guest: Guest, index: int, descriptor: int, *, skip: bool) -> None:
    """Make `descriptor` a client of the display with this index; `skip` its authentication."""
    guest.live()
    async with modifying(guest):
        run = guest.live()
        protocol = _protocol(run.live.devices.graphics, index)
        monitor = run.talk()
        await monitor.execute("getfd", {"fdname": _NAME}, fd=descriptor)
        arguments: dict[str, Sendable] = {"protocol": protocol, "fdname": _NAME, "skipauth": skip}
        try:
            await monitor.execute("add_client", arguments)
        except LibvirtError:
            await monitor.execute("closefd", {"fdname": _NAME})
            raise


async def set_password(run: Run, graphics: Graphics, settings: HostSettings) -> None:
    """Make a display's password and its end known to the running QEMU; nothing is sent where it has none."""
    for command in graphics.password_commands(settings, datetime.now(UTC)):
        await run.talk().execute(command.name, command.arguments)


def _protocol(displays: Sequence[Graphics], index: int) -> str:
    if index >= len(displays):
        raise InternalError(f"No graphics backend with index {index}", domain=Origin.QEMU)
    kind = displays[index].type
    if kind not in _PROTOCOLS:
        raise UnsupportedConfigError(
            f"Can only open VNC, SPICE or D-Bus p2p graphics backends, not {kind}", domain=Origin.QEMU
        )
    return _PROTOCOLS[kind]


#: `virDomainGraphicsReloadType`: any display that has certificates, or VNC's.
_ANY, _VNC = range(2)


async def reload_certificates(guest: Guest, kind: int) -> None:
    """Have QEMU read the certificates of its VNC display again. Raises libvirt's refusals."""
    if kind not in (_ANY, _VNC):
        raise InvalidArgumentError(f"type must be less than {_VNC + 1}", domain=Origin.QEMU)
    guest.live()
    async with modifying(guest):
        run = guest.live()
        displays = [one for one in run.live.devices.graphics if one.type == "vnc"]
        if not displays:
            if kind == _VNC:
                raise InvalidArgumentError("No VNC graphics device found in the guest", domain=Origin.QEMU)
            return
        await run.talk().execute("display-reload", {"type": "vnc", "tls-certs": True})
