"""A guest's XML as clients see it, formatted once and kept until something changes.

Flags: libvirt's `virDomainXMLFlags`.
"""

from __future__ import annotations

from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import InvalidArgumentError
from guesthouse.model.binding import Style
from guesthouse.model.domain.document import format_domain

SECURE = 1
INACTIVE = 2
UPDATE_CPU = 4
MIGRATABLE = 8


def describe(guest: Guest, flags: int) -> str:
    """The guest's XML. Without flags that of the running guest, where it runs. Raises for unknown flags."""
    known = guest.texts.get(flags)
    if known is not None:
        return known
    if flags & ~(SECURE | INACTIVE | UPDATE_CPU | MIGRATABLE):
        raise InvalidArgumentError(f"unsupported flags (0x{flags & ~15:x}) in function virDomainGetXMLDesc")
    live = guest.active and not flags & INACTIVE
    domain = guest.current if live else guest.next_boot
    style = Style(live=live, secure=bool(flags & SECURE), migratable=bool(flags & MIGRATABLE))
    text = format_domain(domain, style)
    guest.texts[flags] = text
    return text
