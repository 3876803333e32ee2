"""Guests on the wire: how a call finds its guest, and replies that are encoded once and kept."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from guesthouse.drivers.domain.guest import Guest
from guesthouse.rpc.types import Encoded, NonnullDomain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_COUNT = struct.Struct(">I")


def find(driver: Guests, dom: NonnullDomain) -> Guest:
    """The guest that a call is about. Raises `NoSuchDomainError`."""
    found = driver.registry.by_uuid.get(dom.uuid)
    return found if found is not None else driver.registry.with_uuid(dom.uuid, dom.name)


def handle(guest: Guest) -> NonnullDomain:
    """The guest's name on the wire."""
    known = guest.wire.get("dom")
    if known is None:
        known = guest.wire["dom"] = NonnullDomain(guest.name, guest.uuid, guest.id)
    return cast(NonnullDomain, known)


def handle_bytes(guest: Guest) -> bytes:
    """The guest's name on the wire, encoded."""
    known = guest.wire.get("bytes")
    if known is None:
        known = guest.wire["bytes"] = handle(guest).encode()
    return cast(bytes, known)


def counted(parts: Iterable[bytes], tail: bytes = b"") -> Encoded:
    """A counted array of elements that are encoded already, and what follows it."""
    elements = list(parts)
    return Encoded(b"".join((_COUNT.pack(len(elements)), *elements, tail)))


def uint(value: int) -> bytes:
    """An unsigned integer."""
    return _COUNT.pack(value)
