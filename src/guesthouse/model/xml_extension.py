"""Options in a namespace of their own: what is handed past libvirt to dnsmasq, mount(8) or Ceph.

Formats: https://libvirt.org/formatnetwork.html#network-namespaces and
https://libvirt.org/formatstorage.html#storage-pool-namespaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lxml import etree

from guesthouse.errors import InternalError
from guesthouse.model.binding import Reading
from guesthouse.model.xmltext import Lines, escape

#: The values of an option's attributes, in the order of `Extension.attributes`.
Option: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extension:
    """An element `<prefix:block>` with any number of `<prefix:option>` (or `item`), each with these attributes.

    `first` tells where the namespace stands among the attributes of the document's root.
    """

    prefix: str
    namespace: str
    block: str
    attributes: tuple[str, ...]
    first: bool = False
    item: str = "option"

    def take(self, root: etree._Element, reading: Reading) -> tuple[Option, ...]:
        """Remove the options from the document and return them. Raises `LibvirtError` for what is none."""
        found: list[Option] = []
        for block in root.findall(f"{{{self.namespace}}}{self.block}"):
            for option in block:
                if option.tag != f"{{{self.namespace}}}{self.item}":
                    raise reading.refuse(block, f"element '{option.tag}'", option)
                found.append(self._values(option, reading))
            root.remove(block)
        return tuple(found)

    def _values(self, option: etree._Element, reading: Reading) -> Option:
        for name in option.keys():  # noqa: SIM118 - an element is no mapping: `in option` are its children
            if str(name) not in self.attributes:
                raise reading.refuse(option, f"attribute '{name!s}'")
        values = [option.get(name) for name in self.attributes]
        if None in values:
            missing = self.attributes[values.index(None)]
            raise InternalError(f"No {self.prefix} option {missing} specified (line {option.sourceline})")
        return tuple(str(value) for value in values)

    def add(self, options: tuple[Option, ...], lines: Lines) -> None:
        """Declare the namespace on the document's root, and write the options last."""
        if not options:
            return
        declaration = f" xmlns:{self.prefix}='{self.namespace}'"
        tail = lines.lines.pop()
        name, blank, attributes = lines.lines[0].removesuffix(">").partition(" ")
        rest = blank + attributes
        lines.lines[0] = f"{name}{declaration}{rest}>" if self.first else f"{name}{rest}{declaration}>"
        lines.indent = "  "
        lines.open(f"{self.prefix}:{self.block}")
        for option in options:
            values = zip(self.attributes, option, strict=True)
            lines.leaf(f"{self.prefix}:{self.item}", "".join(f" {name}='{escape(value)}'" for name, value in values))
        lines.close(f"{self.prefix}:{self.block}")
        lines.indent = ""
        lines.lines.append(tail)
