"""What a definition hands to QEMU past libvirt: `<qemu:commandline>`, with arguments and environment variables.

Format: https://libvirt.org/drvqemu.html#pass-through-of-arbitrary-qemu-commands. It stands in a namespace of its own,
after everything else in `<domain>`. The other elements of that namespace are refused by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.binding import Reading
from guesthouse.model.xmltext import Lines, escape

NAMESPACE: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
DECLARATION: Final = f" xmlns:qemu='{NAMESPACE}'"

_COMMAND_LINE: Final = f"{{{NAMESPACE}}}commandline"
_ARGUMENT: Final = f"{{{NAMESPACE}}}arg"
_VARIABLE: Final = f"{{{NAMESPACE}}}env"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Arguments that follow QEMU's others, and environment variables; a variable without a value is set to nothing."""

    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()

    def write(self, lines: Lines) -> None:
        """Append the element."""
        lines.open("qemu:commandline")
        for argument in self.arguments:
            lines.leaf("qemu:arg", f" value='{escape(argument)}'")
        for name, value in self.environment:
            lines.leaf("qemu:env", f" name='{name}'" + ("" if value is None else f" value='{escape(value)}'"))
        lines.close("qemu:commandline")


def take(root: etree._Element, reading: Reading) -> PassThrough | None:
    """Take `<qemu:commandline>` out of `<domain>`. None where there is none, or nothing in it.

    Raises `LibvirtError` with libvirt's texts for a missing value or a bad name.
    """
    arguments: list[str] = []
    environment: list[tuple[str, str | None]] = []
    for section in root.findall(_COMMAND_LINE):
        root.remove(section)
        for child in section:
            if child.tag == _ARGUMENT:
                arguments.append(_value(child))
            elif child.tag == _VARIABLE:
                environment.append(_variable(child))
            else:
                raise reading.refuse(section, f"element '{child.tag}'")
    return PassThrough(tuple(arguments), tuple(environment)) if arguments or environment else None


def _value(node: etree._Element) -> str:
    value = node.get("value")
    if value is None:
        raise _wrong("No qemu command-line argument specified")
    return str(value)


def _variable(node: etree._Element) -> tuple[str, str | None]:
    name = str(node.get("name") or "")
    if not name:
        raise _wrong("No qemu environment name specified")
    if not _NAME.fullmatch(name):
        rule = "contain only alphanumerics and underscore"
        if not re.match("[A-Za-z_]", name, re.ASCII):
            rule = "begin with a letter or underscore"
        raise _wrong(f"Invalid environment name, it must {rule}")
    value = node.get("value")
    return name, None if value is None else str(value)


def _wrong(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.INTERNAL_ERROR, domain=Origin.QEMU)
