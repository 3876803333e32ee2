"""Lines for dnsmasq's configuration that libvirt knows nothing of: `<dnsmasq:options>`, in a namespace of its own.

Format: https://libvirt.org/formatnetwork.html#network-namespaces.
"""

from __future__ import annotations

from typing import Final

from lxml import etree

from guesthouse.errors import InternalError
from guesthouse.model.binding import Reading
from guesthouse.model.xmltext import Lines, escape

NAMESPACE: Final = "http://libvirt.org/schemas/network/dnsmasq/1.0"
DECLARATION: Final = f" xmlns:dnsmasq='{NAMESPACE}'"


def take(root: etree._Element, reading: Reading) -> list[str]:
    """Remove the options from the document and return them. Raises `InternalError` for one without value."""
    options: list[str] = []
    for block in root.findall(f"{{{NAMESPACE}}}options"):
        for option in block:
            if option.tag != f"{{{NAMESPACE}}}option":
                raise reading.refuse(block, f"element '{option.tag}'", option)
            value = option.get("value")
            if value is None:
                raise InternalError(f"No dnsmasq options value specified (line {option.sourceline})")
            options.append(str(value))
        root.remove(block)
    return options


def add(options: list[str], lines: Lines) -> None:
    """Declare the namespace on the document's root, and write the options last."""
    head, tail = lines.lines[0], lines.lines.pop()
    lines.lines[0] = f"{head.removesuffix('>')}"
    name, _, attributes = lines.lines[0].partition(" ")
    lines.lines[0] = f"{name}{DECLARATION}{' ' if attributes else ''}{attributes}>"
    lines.indent = "  "
    lines.open("dnsmasq:options")
    for option in options:
        lines.leaf("dnsmasq:option", f" value='{escape(option)}'")
    lines.close("dnsmasq:options")
    lines.indent = ""
    lines.lines.append(tail)
