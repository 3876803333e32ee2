"""Guests that exist only while they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller
from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import starting
from guesthouse.errors import OperationInvalidError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_FLAGS = starting.PAUSED | starting.AUTODESTROY | starting.BYPASS_CACHE | starting.VALIDATE | starting.RESET_NVRAM


async def create(driver: Guests, caller: Caller, xml: str, flags_: int) -> Guest:
    """Start a guest from XML; it is forgotten when it ends. One that is defined already runs with this XML once.

    Raises `OperationInvalidError` when it runs already, and `OperationFailedError` when name or UUID are taken.
    """
    flags.check(flags_, _FLAGS, "qemuDomainCreateXML")
    domain = await definitions.read(driver, xml, validate=bool(flags_ & starting.VALIDATE))
    async with driver.definitions:
        guest = driver.registry.match(domain)
        if guest is not None and (guest.active or not guest.persistent):
            raise OperationInvalidError(f"domain '{guest.name}' is already active")
        if guest is None:
            guest = Guest(domain, persistent=False)
            driver.registry.add(guest)
    try:
        async with guest.job.hold("start"):
            if guest.active:
                raise OperationInvalidError(f"domain '{guest.name}' is already active")
            await starting.start(driver, guest, domain, flags_, caller)
    finally:
        if not guest.active and not guest.persistent and not guest.removed:
            driver.registry.remove(guest)
    return guest
