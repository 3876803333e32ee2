"""What of a graphical console can change while the guest runs: its password, and what becomes of who is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from guesthouse.drivers.domain.displays import graphics
from guesthouse.drivers.domain.hotplug.comparing import value
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InternalError, LibvirtError, OperationUnsupportedError, Origin
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.graphics import Graphics

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_CHANGING: Final = ("vnc", "spice")


async def change(driver: Guests, run: Run, wanted: Device) -> None:
    """Give the console of the same type another password. Raises libvirt's refusals."""
    new = cast(Graphics, wanted)
    old = next((item for item in run.live.devices.graphics if item.type == new.type), None)
    if old is None:
        raise LibvirtError(
            f"cannot find existing graphics device to modify of type '{new.type}'",
            code=Code.DEVICE_MISSING,
            domain=Origin.QEMU,
        )
    _check_listens(old, new)
    if new.type not in _CHANGING:
        raise InternalError(f"unable to change config on '{new.type}' graphics type", domain=Origin.QEMU)
    _check_ports(old, new)
    if old.keymap != new.keymap:
        raise OperationUnsupportedError(f"cannot change keymap setting on {new.type} graphics")
    if _must_be_set(old, new):
        await graphics.set_password(run, new, driver.settings.defaults.settings)
        old.passwd, old.valid_to, old.connected = new.passwd, new.valid_to, new.connected


def _check_listens(old: Graphics, new: Graphics) -> None:
    if not new.listens and (new.listen is None or (old.listens and new.listen == old.listens[0].address)):
        return  # as it was
    if len(old.listens) != len(new.listens):
        raise OperationUnsupportedError(f"cannot change the number of listen addresses on '{new.type}' graphics")
    for before, after in zip(old.listens, new.listens, strict=True):
        if before.type != after.type:
            raise OperationUnsupportedError(f"cannot change the type of listen address on '{new.type}' graphics")
        if after.type == "socket" and before.socket != after.socket:
            raise OperationUnsupportedError(f"cannot change listen socket setting on '{new.type}' graphics")
        if after.type == "address" and before.address != after.address:
            raise OperationUnsupportedError(f"cannot change listen address setting on '{new.type}' graphics")
        if after.type == "network" and before.network != after.network:
            raise OperationUnsupportedError(f"cannot change listen address setting on '{new.type}' graphics")


def _check_ports(old: Graphics, new: Graphics) -> None:
    moved = bool(old.autoport) != bool(new.autoport)
    if not new.autoport:
        moved = moved or old.port != new.port or (new.type == "spice" and value(old, "tls_port") != new.tls_port)
    if moved:
        raise OperationUnsupportedError(f"cannot change port settings on {new.type} graphics")


def _must_be_set(old: Graphics, new: Graphics) -> bool:
    return (
        old.valid_to is not None
        or new.valid_to is not None
        or old.connected != new.connected
        or (new.type == "spice" and new.connected == "disconnect")
        or old.passwd != new.passwd
    )
