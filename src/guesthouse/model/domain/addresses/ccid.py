"""Slots of smartcard readers."""

from __future__ import annotations

from guesthouse.model.binding import new
from guesthouse.model.domain import controllers
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.address import CcidAddress


def assign(domain: Domain) -> None:
    """Give every smartcard a slot, those that have none in the first reader, and add the readers that are missing."""
    cards = domain.devices.smartcards
    for card in cards:
        if card.address is None:
            taken = [other.address for other in cards if isinstance(other.address, CcidAddress)]
            slots = [address.slot for address in taken if address.controller == 0]
            card.address = new(CcidAddress, controller=0, slot=max(slots, default=-1) + 1)
        if isinstance(card.address, CcidAddress):
            controllers.ensure(domain.devices, "ccid", card.address.controller)
