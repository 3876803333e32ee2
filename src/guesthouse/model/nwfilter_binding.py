"""Which filter a card's device on the host has: `<filterbinding>`.

Format: https://libvirt.org/formatnwfilterbinding.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import InternalError, Origin
from guesthouse.model.binding import Reading, Style, attr, element, must, opt, read, write
from guesthouse.model.domain.devices.interface.filterref import FilterRef
from guesthouse.model.kinds import MAC, TEXT
from guesthouse.model.noticed import noticed_by
from guesthouse.model.nwfilter.filter import root_of
from guesthouse.model.owner import Owner
from guesthouse.model.xmltext import Lines

#: Path of what a binding cannot do without, to the name of an attribute there, and libvirt's text.
_NEEDED: Final = (
    ("portdev", "name", "filter binding has no port dev name"),
    ("owner/name", "", "filter binding has no owner name"),
    ("owner/uuid", "", "filter binding has no owner UUID"),
    ("mac", "address", "filter binding has no MAC address"),
    ("filterref", "filter", "filter binding has no filter reference"),
)


@element("filterbinding")
class FilterBinding:
    """A binding: the guest, the `port` (a tap device), the device under a macvtap (`link`), and the card's address."""

    owner: Owner = must(Owner)
    port: str = attr(TEXT, "name", within="portdev")
    link: str | None = opt(TEXT, "name", within="linkdev")
    mac: str = attr(MAC, "address", within="mac")
    filter: FilterRef = must(FilterRef)


def parse_nwfilter_binding(xml: str, *, validate: bool = False) -> FilterBinding:
    """The binding that `xml` describes. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    node = root_of(xml, "filterbinding", "nwfilterbinding_definition")
    with noticed_by(Origin.NWFILTER):
        for path, name, text in _NEEDED:
            found = node.find(path)
            if found is None or (name and found.get(name) is None):
                raise InternalError(text, domain=Origin.NWFILTER)
        return read(FilterBinding, node, Reading(validate=validate))


def format_nwfilter_binding(binding: FilterBinding) -> str:
    """The binding as libvirt writes it."""
    lines = Lines()
    write(binding, lines, Style())
    return lines.text()
