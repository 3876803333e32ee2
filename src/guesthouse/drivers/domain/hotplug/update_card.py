"""What of a network card can change while the guest runs: its link, and what the host does with its traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import comparing, contexts
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationUnsupportedError
from guesthouse.model.domain.devices.base import Device

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Types of networks of which nothing at all can change.
_FROZEN: Final = ("hostdev", "vdpa")

#: What is the other end of the card: a change would be another connection, which QEMU cannot make.
_ENDS: Final = ("type", "source", "virtual_port", "tune.sndbuf")


async def change(driver: Guests, guest: Guest, run: Run, old: Device, wanted: Device) -> None:
    """Change what can be changed. Raises `OperationUnsupportedError` for the rest, by name."""
    kind = comparing.value(old, "type")
    if kind in _FROZEN:
        raise OperationUnsupportedError(f"cannot change config of '{kind}' network interface type")
    wanted.defaults(await contexts.of(driver, run, run.live))
    comparing.check_interface(old, wanted)
    for path in _ENDS:
        if comparing.value(old, path) != comparing.value(wanted, path):
            raise OperationUnsupportedError(
                f"unable to change config on '{comparing.value(wanted, 'type')}' network type"
            )
    link = comparing.value(wanted, "link")
    if comparing.value(old, "link") != link:
        await run.talk().execute("set_link", {"name": old.name, "up": link != "down"})
        old.link = link  # type: ignore[attr-defined] # both are interfaces
    guest.changed()
