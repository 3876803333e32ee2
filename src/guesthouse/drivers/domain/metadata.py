"""A guest's title, description and the documents that applications keep in its `<metadata>`.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetMetadata
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.model import metadata as documents
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def chosen(guest: Guest, impact: int) -> tuple[bool, bool]:
    """Whether a change is for the running guest, and whether it is for its definition. 0 means what is current.

    Raises `OperationInvalidError` for the running state of a guest that is off, or the definition of one that has none.
    """
    live = bool(impact & flags.LIVE) or (not impact and guest.active)
    config = bool(impact & flags.CONFIG) or (not impact and not guest.active)
    if live and not guest.active:
        raise OperationInvalidError("domain is not running", domain=Origin.DOMAIN)
    if config and not guest.persistent:
        raise OperationInvalidError("transient domains do not have any persistent config")
    return live, config


def one_definition(guest: Guest, impact: int) -> Domain:
    """The definition that a query is about. Raises as `chosen`, and for a query about both at once."""
    flags.exclusive(impact, flags.LIVE, flags.CONFIG, ("VIR_DOMAIN_AFFECT_LIVE", "VIR_DOMAIN_AFFECT_CONFIG"))
    live, _ = chosen(guest, impact)
    return guest.current if live else guest.next_boot


def get(guest: Guest, kind: int, uri: str | None, impact: int) -> str:
    """The title, the description or a document. Raises error 80 when there is none."""
    text = documents.get(one_definition(guest, impact), kind, uri)
    if text is None:
        raise LibvirtError(
            "Requested metadata element is not present", code=Code.NO_DOMAIN_METADATA, domain=Origin.DOMAIN
        )
    return text


async def set_(
    driver: Guests, guest: Guest, kind: int, text: str | None, key: str | None, uri: str | None, impact: int
) -> None:
    """Set, or with None remove, a title, description or document of namespace `uri` (whose prefix becomes `key`)."""
    flags.check(impact, flags.LIVE | flags.CONFIG, "qemuDomainSetMetadata")
    document = documents.to_store(kind, text, key, uri)
    async with modifying(guest):
        live, config = chosen(guest, impact)
        if live:
            documents.store(guest.live().live, kind, document, uri)
            guest.changed()
            statusfile.save(driver, guest, guest.live())
        if config and guest.definition is not None:
            domain = copy(guest.definition)
            documents.store(domain, kind, document, uri)
            await definitions.replace(driver, guest, domain)
    driver.events.publish(EventId.METADATA_CHANGE, guest, kind, uri)
