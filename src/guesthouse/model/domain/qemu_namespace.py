"""What a definition hands to QEMU past libvirt: the elements of libvirt's own namespace for that.

Format: https://libvirt.org/drvqemu.html#pass-through-of-arbitrary-qemu-commands and the sections that follow. They
stand in a namespace of their own, after everything else in `<domain>`:

- `<qemu:commandline>`: arguments and environment variables.
- `<qemu:capabilities>`: what this guest is to take for present, or for missing, in QEMU. Here it is the name of a
  device or of an object type; libvirt's other names are kept, and mean nothing.
- `<qemu:override>`: properties of devices, by the device's alias.
- `<qemu:deprecation>`: what QEMU does where something deprecated is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import Reading
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_objects import Device, Json, Props, QemuObject, compact
from guesthouse.model.xmltext import Lines, escape

NAMESPACE: Final = "http://libvirt.org/schemas/domain/qemu/1.0"
DECLARATION: Final = f" xmlns:qemu='{NAMESPACE}'"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_TRUTH: Final = {"true": True, "false": False}
#: Behaviour to what QEMU is to do with deprecated input; deprecated output is hidden by each of them.
_BEHAVIOURS: Final[dict[str, str | None]] = {"omit": None, "reject": "reject", "crash": "crash"}


@dataclass(frozen=True, slots=True)
class Override:
    """One property that a device is given, or that is taken away from it (type `remove`, without a value)."""

    name: str
    type: str
    value: str | None = None

    def apply(self, props: Props) -> None:
        """Change a device's properties."""
        props.pop(self.name, None)
        if self.type != "remove":
            props[self.name] = _TYPES[self.type](self.value or "")


@dataclass(frozen=True, slots=True)
class PassThrough:
    """What goes to QEMU past libvirt.

    `arguments` follow QEMU's others. A variable of the `environment` without a value is set to nothing. `present` and
    `missing` are names of `<qemu:capabilities>`, `overrides` pairs of a device's alias and its properties.
    """

    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str | None], ...] = ()
    present: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    overrides: tuple[tuple[str, tuple[Override, ...]], ...] = ()
    deprecation: str | None = None

    def write(self, lines: Lines) -> None:
        """Append the elements."""
        if self.arguments or self.environment:
            lines.open("qemu:commandline")
            for argument in self.arguments:
                lines.leaf("qemu:arg", f" value='{escape(argument)}'")
            for name, value in self.environment:
                lines.leaf("qemu:env", f" name='{name}'" + ("" if value is None else f" value='{escape(value)}'"))
            lines.close("qemu:commandline")
        if self.present or self.missing:
            lines.open("qemu:capabilities")
            for tag, names in (("qemu:add", self.present), ("qemu:del", self.missing)):
                for name in names:
                    lines.leaf(tag, f" capability='{escape(name)}'")
            lines.close("qemu:capabilities")
        if self.overrides:
            self._write_overrides(lines)
        if self.deprecation is not None:
            lines.leaf("qemu:deprecation", f" behavior='{escape(self.deprecation)}'")

    def _write_overrides(self, lines: Lines) -> None:
        lines.open("qemu:override")
        for alias, properties in self.overrides:
            if not properties:
                lines.leaf("qemu:device", f" alias='{escape(alias)}'")
                continue
            lines.open("qemu:device", f" alias='{escape(alias)}'")
            lines.open("qemu:frontend")
            for item in properties:
                value = "" if item.value is None else f" value='{escape(item.value)}'"
                lines.leaf("qemu:property", f" name='{escape(item.name)}' type='{item.type}'{value}")
            lines.close("qemu:frontend")
            lines.close("qemu:device")
        lines.close("qemu:override")

    def compat_arguments(self) -> list[str]:
        """`-compat`: what QEMU does where something deprecated is used."""
        if self.deprecation is None or self.deprecation == "none":
            return []
        policy: Props = {"deprecated-output": "hide"}
        refusal = _BEHAVIOURS[self.deprecation]
        if refusal is not None:
            policy["deprecated-input"] = refusal
        return ["-compat", compact(policy)]

    def override(self, objects: Iterable[QemuObject]) -> list[QemuObject]:
        """The same objects, the devices with the properties that the definition gives them."""
        table = dict(self.overrides)
        return [_overridden(made, table) for made in objects]


def _overridden(made: QemuObject, table: dict[str, tuple[Override, ...]]) -> QemuObject:
    properties = table.get(str(made.props.get("id"))) if isinstance(made, Device) else None
    if not isinstance(made, Device) or not properties:
        return made
    props = dict(made.props)
    for item in properties:
        item.apply(props)
    return replace(made, props=props)


def adjusted(launch: LaunchContext, extra: PassThrough | None) -> LaunchContext:
    """The launch with a QEMU that has what `<qemu:capabilities>` adds, and lacks what it removes."""
    if extra is None or not (extra.present or extra.missing):
        return launch
    present, missing = frozenset(extra.present), frozenset(extra.missing)
    caps = launch.caps
    caps = replace(
        caps,
        devices=(caps.devices | present) - missing,
        objects=(caps.objects | present) - missing,
        aliases=dict(caps.aliases),
    )
    return replace(launch, caps=caps)


def take(root: etree._Element, reading: Reading) -> PassThrough | None:
    """Take the elements of the namespace out of `<domain>`. None where there are none, or nothing in them.

    Raises `LibvirtError` with libvirt's texts for what is missing or wrong.
    """
    found: dict[str, list[etree._Element]] = {}
    for section in root.findall(f"{{{NAMESPACE}}}*"):
        name = etree.QName(section).localname
        if name not in _SECTIONS:
            raise reading.refuse(root, f"element 'qemu:{name}'")
        for child in section:
            if child.tag not in _SECTIONS[name]:
                raise reading.refuse(section, f"element '{child.tag}'")
        found.setdefault(name, []).append(section)
        root.remove(section)
    extra = PassThrough(
        arguments=tuple(_value(node) for node in _children(found, "commandline", "arg")),
        environment=tuple(_variable(node) for node in _children(found, "commandline", "env")),
        present=tuple(_capability(node) for node in _children(found, "capabilities", "add")),
        missing=tuple(_capability(node) for node in _children(found, "capabilities", "del")),
        overrides=tuple(_device(node) for node in _children(found, "override", "device")),
        deprecation=_deprecation(found.get("deprecation", [])),
    )
    return None if extra == PassThrough() else extra


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


#: The elements of the namespace, with what may stand in them.
_SECTIONS: Final = {
    "commandline": (_tag("arg"), _tag("env")),
    "capabilities": (_tag("add"), _tag("del")),
    "override": (_tag("device"),),
    "deprecation": (),
}


def _children(found: dict[str, list[etree._Element]], section: str, name: str) -> list[etree._Element]:
    return [child for node in found.get(section, []) for child in node.findall(_tag(name))]


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


def _capability(node: etree._Element) -> str:
    name = node.get("capability")
    if name is None:
        raise _wrong("missing capability name")
    return str(name)


def _device(node: etree._Element) -> tuple[str, tuple[Override, ...]]:
    alias = node.get("alias")
    if alias is None:
        raise XmlError("missing 'alias' attribute for qemu:device")
    properties = [child for front in node.findall(_tag("frontend")) for child in front.findall(_tag("property"))]
    return str(alias), tuple(_property(child) for child in properties)


def _property(node: etree._Element) -> Override:
    name, kind, value = node.get("name"), node.get("type"), node.get("value")
    if name is None:
        raise XmlError("missing 'name' attribute for qemu:property")
    if kind == "remove":
        return Override(str(name), "remove")
    if kind is None or kind not in _TYPES:
        raise XmlError(f"invalid type '{kind}' of qemu:property '{name}'", hint=", ".join((*_TYPES, "remove")))
    if value is None:
        raise XmlError(f"missing 'value' attribute for 'qemu:property' '{name}'")
    try:
        _TYPES[str(kind)](str(value))
    except (ValueError, KeyError):
        raise XmlError(f"invalid value '{value}' of qemu:property '{name}' of type '{kind}'") from None
    return Override(str(name), str(kind), str(value))


def _signed(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return int(text)


def _unsigned(text: str) -> int:
    value = _signed(text)
    if value < 0:
        raise ValueError
    return value


#: What the value of an overriding property is for QEMU.
_TYPES: Final[dict[str, Callable[[str], Json]]] = {
    "string": str,
    "signed": _signed,
    "unsigned": _unsigned,
    "bool": _TRUTH.__getitem__,
}


def _deprecation(nodes: list[etree._Element]) -> str | None:
    behaviour = nodes[0].get("behavior") if nodes else None
    if behaviour is not None and behaviour != "none" and behaviour not in _BEHAVIOURS:
        raise UnsupportedConfigError(
            f"Unsupported deprecation behavior '{behaviour}'", hint=", ".join(("none", *_BEHAVIOURS))
        )
    return None if behaviour is None else str(behaviour)


def _wrong(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.INTERNAL_ERROR, domain=Origin.QEMU)
