"""What of a network card can change while the guest runs: its link, and what the host does with its traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import comparing, contexts
from guesthouse.drivers.domain.interfaces import change as network_change
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationUnsupportedError
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.interface import Interface

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Types of networks of which nothing at all can change.
_FROZEN: Final = ("hostdev", "vdpa")


async def change(driver: Guests, guest: Guest, run: Run, old: Device, wanted: Device) -> None:
    """Change what can be changed. Raises `OperationUnsupportedError` for the rest, by name."""
    if not isinstance(old, Interface) or not isinstance(wanted, Interface):
        raise OperationUnsupportedError("only a network card can take the place of a network card")
    kind = old.type
    if kind in _FROZEN:
        raise OperationUnsupportedError(f"cannot change config of '{kind}' network interface type")
    wanted.defaults(await contexts.of(driver, run, run.live))
    comparing.check_interface(old, wanted)
    try:
        await network_change.change(driver, run, old, wanted)
        if old.link != wanted.link:
            await run.talk().execute("set_link", {"name": old.name, "up": wanted.link != "down"})
            old.link = wanted.link
    finally:
        guest.changed()
