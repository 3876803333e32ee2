"""What shall follow when a guest powers off, reboots or crashes: `set-lifecycle-action`.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetLifecycleAction; QEMU's `set-action`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import InvalidArgumentError, UnsupportedConfigError
from guesthouse.model.domain.definition import Domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainLifecycle` to the definition's names.
EVENTS: Final = ("on_poweroff", "on_reboot", "on_crash")
_WORDS: Final = ("poweroff", "reboot", "crash")

#: `virDomainLifecycleAction`.
ACTIONS: Final = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")


async def set_(driver: Guests, guest: Guest, event: int, action: int, impact: int) -> None:
    """Have `ACTIONS[action]` follow `EVENTS[event]`. Raises `InvalidArgumentError`, `UnsupportedConfigError`."""
    name, word = EVENTS[event], ACTIONS[action]
    if word.startswith("coredump") and name != "on_crash":
        raise InvalidArgumentError(f"Lifecycle event '{_WORDS[event]}' doesn't support '{word}' action")
    async with changing(driver, guest, impact) as change:
        for domain in change.domains:
            _check(domain, name, word)
        if change.run is not None and name == "on_reboot":
            told = "shutdown" if word == "destroy" else "reset"
            await change.run.talk().execute("set-action", {"reboot": told})
        for domain in change.domains:
            setattr(domain, name, word)


def _check(domain: Domain, name: str, word: str) -> None:
    wanted = {field: getattr(domain, field) for field in EVENTS} | {name: word}
    if "rename-restart" in wanted.values():
        raise UnsupportedConfigError(
            "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'"
        )
    if "preserve" in (wanted["on_poweroff"], wanted["on_reboot"]):
        raise UnsupportedConfigError("qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'")
    if wanted["on_reboot"] == "destroy" and wanted["on_poweroff"] == "restart":
        raise UnsupportedConfigError(
            "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'"
        )
