"""A network filter as a document: XML in, XML out.

Format: https://libvirt.org/formatnwfilter.html
"""

from __future__ import annotations

import re
import uuid as _uuid
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, XmlError
from guesthouse.model.binding import Reading, Style, read, write
from guesthouse.model.domain.devices.interface.filterref import FilterRef
from guesthouse.model.kinds import UUID
from guesthouse.model.noticed import noticed_by
from guesthouse.model.nwfilter.rule import HIGHEST_PRIORITY, LOWEST_PRIORITY, Rule, read_rule
from guesthouse.model.xmltext import Lines, escape, parse_document

ROOT: Final = "root"
#: The beginnings of names of chains, and the priority of each. Lower ones are run first.
CHAINS: Final = {"mac": -800, "vlan": -750, "stp": 0, "arp": -500, "rarp": -400, "ipv4": -700, "ipv6": -600}
_LONGEST_CHAIN: Final = 12
_CHAIN_LETTERS: Final = re.compile(r"[A-Za-z0-9_.:\-]*")
_OWN: Final = frozenset(("name", "chain", "priority"))


@dataclass(slots=True)
class Filter:
    """A filter: `entries` are rules and references to other filters, in their order."""

    name: str
    uuid: str
    chain: str = ROOT
    priority: int = 0
    entries: list[Rule | FilterRef] = field(default_factory=list)

    @property
    def references(self) -> list[str]:
        """The names of the filters that this one takes in."""
        return [entry.filter for entry in self.entries if isinstance(entry, FilterRef)]


def _wrong(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.INVALID_ARG, domain=Origin.NWFILTER)


def _chain(node: etree._Element) -> tuple[str, int]:
    """The name of the chain, and its priority where the document gives none."""
    name = str(node.get("chain", ROOT))
    if len(name) > _LONGEST_CHAIN:
        raise _wrong(f"Name of chain is longer than {_LONGEST_CHAIN} characters")
    if not _CHAIN_LETTERS.fullmatch(name):
        raise _wrong("Chain name contains invalid characters")
    if name == ROOT:
        return name, 0
    prefix = next((prefix for prefix in CHAINS if name.startswith(prefix)), None)
    if prefix is None:
        raise _wrong(
            f"Invalid chain name '{name}'. Please use a chain name called '{ROOT}' or any of the following prefixes: "
            + ", ".join(CHAINS)
        )
    return name, CHAINS[prefix]


def _priority(node: etree._Element, otherwise: int) -> int:
    text = node.get("priority")
    if text is None:
        return otherwise
    try:
        priority = int(text)
    except ValueError:
        raise _wrong(f"Could not parse chain priority '{text[:200]}'") from None
    if not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise _wrong(f"Priority '{priority}' is outside valid range of [{LOWEST_PRIORITY},{HIGHEST_PRIORITY}]")
    return priority


def _read_uuid(node: etree._Element | None) -> str:
    if node is None:
        return str(_uuid.uuid4())
    try:
        return UUID.parse((node.text or "").strip())
    except ValueError:
        raise XmlError("malformed uuid element", hint=f"line {node.sourceline}") from None


def root_of(xml: str, root: str, what: str) -> etree._Element:
    """The root element of a document about filters: `parse_document` with libvirt's origins of errors."""
    try:
        with noticed_by(Origin.XML):
            return parse_document(xml, root, what)
    except LibvirtError as error:
        if error.code == Code.XML_DETAIL:
            error.domain = Origin.NWFILTER
        raise


def parse_nwfilter(xml: str, *, validate: bool = False) -> Filter:
    """The filter that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes."""
    reading = Reading(validate=validate)
    node = root_of(xml, "filter", "nwfilter_definition")
    with noticed_by(Origin.NWFILTER):
        for name in node.keys():  # noqa: SIM118 - an element is no mapping: `in node` are its children
            if str(name) not in _OWN:
                raise reading.refuse(node, f"attribute '{name!s}'")
        if not node.get("name"):
            raise InternalError("filter has no name", domain=Origin.NWFILTER)
        chain, priority = _chain(node)
        made = Filter(str(node.get("name")), _read_uuid(node.find("uuid")), chain, _priority(node, priority))
        for child in node:
            if child.tag == "rule":
                made.entries.append(read_rule(child, reading))
            elif child.tag == "filterref":
                made.entries.append(read(FilterRef, child, reading))
            elif child.tag != "uuid":
                raise reading.refuse(node, f"element '{child.tag}'", child)
        return made


def format_nwfilter(shown: Filter) -> str:
    """The filter as libvirt writes it."""
    lines = Lines()
    priority = f" priority='{shown.priority}'" if shown.priority else ""
    lines.open("filter", f" name='{escape(shown.name)}' chain='{shown.chain}'{priority}")
    lines.leaf("uuid", text=shown.uuid)
    for entry in shown.entries:
        if isinstance(entry, Rule):
            entry.write(lines)
        else:
            write(entry, lines, Style())
    lines.close("filter")
    return lines.text()
