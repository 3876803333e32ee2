"""The `<domainCapabilities>` document: what a guest of one emulator, architecture, machine and type can be given.

A feature that has choices is a `Choices`: an element with `supported` and one `<enum>` a choice. Tools take their
defaults from here, so the document must name only what a definition may really contain.

Format: https://libvirt.org/formatdomaincaps.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from guesthouse.model.cpu_definition import CpuDefinition, write_cpu_body
from guesthouse.model.xmltext import Lines, escape


@dataclass(frozen=True, slots=True)
class Choices:
    """An element with `supported`, and, where it is, the values of each of its enumerations.

    `values` stand directly in the element, before the enumerations.
    """

    supported: bool = True
    enums: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A processor model of mode `custom`. `usable` is None where QEMU does not tell.

    `canonical` is the versioned name of an alias; `blockers` the features that this host lacks for it.
    """

    name: str
    usable: bool | None
    vendor: str | None = None
    canonical: str | None = None
    deprecated: bool = False
    blockers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CpuModes:
    """The modes of `<cpu>`; `host_model` is None where the mode is not supported.

    `passthrough_migratable` says whether a guest with the host's processor can do without what cannot be migrated.
    """

    host_passthrough: bool
    passthrough_migratable: bool
    maximum: bool
    host_model: CpuDefinition | None
    custom: Sequence[NamedModel]


@dataclass(frozen=True, slots=True)
class DomainCapabilities:
    """The whole. `features` holds plain yes or no, or choices, in the document's order."""

    path: str
    domain: str
    machine: str
    arch: str
    max_vcpus: int
    iothreads: bool
    firmware: Sequence[str]
    loader: Choices
    cpu: CpuModes
    memory_backing: Choices
    devices: Mapping[str, Choices]
    features: Mapping[str, Choices]


def format_domain_capabilities(caps: DomainCapabilities) -> str:
    """The document."""
    lines = Lines()
    lines.open("domainCapabilities")
    lines.leaf("path", text=escape(caps.path))
    lines.leaf("domain", text=caps.domain)
    lines.leaf("machine", text=escape(caps.machine))
    lines.leaf("arch", text=caps.arch)
    if caps.max_vcpus:
        lines.leaf("vcpu", f" max='{caps.max_vcpus}'")
    _write_choices(lines, "iothreads", Choices(caps.iothreads))
    lines.open("os", " supported='yes'")
    _write_enum(lines, "firmware", caps.firmware)
    _write_choices(lines, "loader", caps.loader)
    lines.close("os")
    _write_modes(lines, caps.cpu)
    _write_choices(lines, "memoryBacking", caps.memory_backing)
    lines.open("devices")
    for tag, choices in caps.devices.items():
        _write_choices(lines, tag, choices)
    lines.close("devices")
    lines.open("features")
    for tag, choices in caps.features.items():
        _write_choices(lines, tag, choices)
    lines.close("features")
    lines.close("domainCapabilities")
    return lines.text()


def _write_choices(lines: Lines, tag: str, choices: Choices) -> None:
    if not choices.supported:
        lines.leaf(tag, " supported='no'")
        return
    if not choices.enums and not choices.values:
        lines.leaf(tag, " supported='yes'")
        return
    lines.open(tag, " supported='yes'")
    for value in choices.values:
        lines.leaf("value", text=escape(value))
    for name, values in choices.enums.items():
        _write_enum(lines, name, values)
    lines.close(tag)


def _write_enum(lines: Lines, name: str, values: Sequence[str]) -> None:
    if not values:
        lines.leaf("enum", f" name='{name}'")
        return
    lines.open("enum", f" name='{name}'")
    for value in values:
        lines.leaf("value", text=escape(value))
    lines.close("enum")


def _write_modes(lines: Lines, cpu: CpuModes) -> None:
    lines.open("cpu")
    passthrough = ("on", "off") if cpu.passthrough_migratable else ("off",)
    _write_simple_mode(lines, "host-passthrough", cpu.host_passthrough, ("hostPassthroughMigratable", passthrough))
    _write_simple_mode(lines, "maximum", cpu.maximum, ("maximumMigratable", ("on", "off")))
    if cpu.host_model is None:
        lines.leaf("mode", " name='host-model' supported='no'")
    else:
        lines.open("mode", " name='host-model' supported='yes'")
        write_cpu_body(lines, cpu.host_model)
        lines.close("mode")
    if not cpu.custom:
        lines.leaf("mode", " name='custom' supported='no'")
    else:
        lines.open("mode", " name='custom' supported='yes'")
        for model in cpu.custom:
            _write_named_model(lines, model)
        lines.close("mode")
    lines.close("cpu")


def _write_simple_mode(lines: Lines, name: str, supported: bool, enum: tuple[str, Sequence[str]]) -> None:
    if not supported:
        lines.leaf("mode", f" name='{name}' supported='no'")
        return
    lines.open("mode", f" name='{name}' supported='yes'")
    _write_enum(lines, *enum)
    lines.close("mode")


def _write_named_model(lines: Lines, model: NamedModel) -> None:
    usable = "unknown" if model.usable is None else "yes" if model.usable else "no"
    deprecated = " deprecated='yes'" if model.deprecated else ""
    canonical = f" canonical='{escape(model.canonical)}'" if model.canonical else ""
    lines.leaf(
        "model", f" usable='{usable}'{deprecated} vendor='{model.vendor or 'unknown'}'{canonical}", escape(model.name)
    )
    if model.blockers:
        lines.open("blockers", f" model='{escape(model.name)}'")
        for feature in model.blockers:
            lines.leaf("feature", f" name='{escape(feature)}'")
        lines.close("blockers")
