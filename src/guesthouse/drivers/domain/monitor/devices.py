"""What QEMU tells of a guest's memory, cards and images, and what follows from it.

Source: QEMU's `qapi/run-state.json` (`MEMORY_FAILURE`), `net.json` (`NIC_RX_FILTER_CHANGED`), `block-core.json`
(`BLOCK_WRITE_THRESHOLD`).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.block_jobs.chains import copied_to
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.interfaces import change
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.qemu.json_value import JsonObject, as_int, as_object, objects, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

#: QEMU's words to `virDomainMemoryFailureRecipientType`, `…ActionType` and `…Flags`.
_RECIPIENTS: Final = {"hypervisor": 0, "guest": 1}
_ACTIONS: Final = {"ignore": 0, "inject": 1, "fatal": 2, "reset": 3}
_FLAGS: Final = {"action-required": 1, "recursive": 2}


def memory_failed(driver: Guests, guest: Guest, _run: Run, data: JsonObject) -> None:
    """The host's memory has a fault where the guest's lies."""
    recipient, action = text_of(data, "recipient"), text_of(data, "action")
    told = data.get("flags")
    found = as_object(told, "flags") if told is not None else {}
    bits = sum(bit for name, bit in _FLAGS.items() if found.get(name) is True)
    log.warning("memory of domain '%s' failed: %s, %s", guest.name, recipient, action)
    driver.events.publish(EventId.MEMORY_FAILURE, guest, _RECIPIENTS.get(recipient, 0), _ACTIONS.get(action, 0), bits)


def threshold_reached(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    """The guest has written beyond the threshold of an image. Told of it, and of the disk if it is the first."""
    node = text_of(data, "node-name")
    threshold = as_int(data.get("write-threshold", 0), "write-threshold")
    excess = as_int(data.get("amount-exceeded", 0), "amount-exceeded")
    for disk in run.live.devices.disks:
        for depth, image in enumerate([*disk.layers(), *copied_to(disk)]):
            if node not in (image.storage_node, image.node):
                continue
            target = disk.target.dev
            for name in (*([target] if depth == 0 else []), f"{target}[{image.index}]"):
                driver.events.publish(EventId.BLOCK_THRESHOLD, guest, name, image.source.path, threshold, excess)
            return


def filter_changed(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    """The guest has changed what a card receives, its address perhaps. QEMU tells again only after it was asked."""
    alias = text_of(data, "name")
    if any(card.alias is not None and card.alias.name == alias for card in run.live.devices.interfaces):
        run.keep(driver.background(_ask_address(driver, guest, run, alias)))


async def _ask_address(driver: Guests, guest: Guest, run: Run, alias: str) -> None:
    try:
        answer = await run.talk().execute("query-rx-filter", {"name": alias})
    except LibvirtError as error:
        log.warning("the address of card %s of domain '%s' is not known: %s", alias, guest.name, error.message)
        return
    told = next(iter(objects(answer, "the reply of query-rx-filter")), {})
    now = text_of(told, "main-mac")
    card = next((c for c in run.live.devices.interfaces if c.alias is not None and c.alias.name == alias), None)
    if card is None or card.mac is None or not now:
        return
    await _follow(driver, guest, card, told)
    before = card.mac.current_address or card.mac.address
    if now.lower() == before.lower():
        return
    card.mac.current_address = None if now.lower() == card.mac.address.lower() else now
    guest.changed()
    statusfile.save(driver, guest, run)
    driver.events.publish(EventId.NIC_MAC_CHANGE, guest, alias, before, now)


async def _follow(driver: Guests, guest: Guest, card: Interface, told: JsonObject) -> None:
    """What the guest wants to receive, its device on the host has to let through."""
    try:
        await change.follow_filter(
            driver,
            card,
            text_of(told, "main-mac"),
            promiscuous=told.get("promiscuous") is True,
            all_multicast=text_of(told, "multicast") == "all",
        )
    except LibvirtError as error:
        log.warning("card %s of domain '%s': %s", card.name, guest.name, error.message)
