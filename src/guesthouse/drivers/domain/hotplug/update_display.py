"""What of a graphical console can change while the guest runs: its password, and what becomes of who is connected."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from guesthouse.drivers.domain.hotplug.comparing import value
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, InternalError, LibvirtError, OperationUnsupportedError, Origin
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.qemu.json_value import Sendable

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_CHANGING: Final = ("vnc", "spice")


async def change(_driver: Guests, run: Run, wanted: Device) -> None:
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
        await _set_password(run, new)
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


async def _set_password(run: Run, new: Graphics) -> None:
    if new.passwd is None:
        return
    arguments: dict[str, Sendable] = {"protocol": new.type, "password": new.passwd}
    if new.connected is not None:
        arguments["connected"] = new.connected
    await run.talk().execute("set_password", arguments)
    await run.talk().execute("expire_password", {"protocol": new.type, "time": _expiry(new)})


def _expiry(new: Graphics) -> str:
    """QEMU's word for the time from which the password is void."""
    if new.passwd == "":
        return "now"
    if new.valid_to is None:
        return "never"
    until = new.valid_to if new.valid_to.tzinfo is not None else new.valid_to.replace(tzinfo=UTC)
    return "now" if until <= datetime.now(UTC) else str(int(until.timestamp()))
