"""What one QEMU binary can do on this host, as plain data: found by `guesthouse.qemu.probe`, read everywhere.

Nothing here runs QEMU or reads a file. `to_json` and `from_json` are for the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, TypeAlias

_Json: TypeAlias = bool | int | float | str | list["_Json"] | dict[str, "_Json"] | None

#: Accelerator names as QEMU has them.
KVM = "kvm"
TCG = "tcg"


#: Architecture of guests to the machine type that libvirt prefers, whatever QEMU's own default is.
_PREFERRED_MACHINES: Final = {
    "i686": "pc",
    "x86_64": "pc",
    "armv6l": "integratorcp",
    "armv7l": "virt",
    "aarch64": "virt",
    "s390x": "s390-ccw-virtio",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine type. `alias` is its short name (`q35`) or empty; `default_cpu` a CPU model's name or empty."""

    name: str
    alias: str = ""
    max_cpus: int = 1
    default_cpu: str = ""
    hotpluggable_cpus: bool = False
    numa: bool = False
    default_ram_id: str = ""
    deprecated: bool = False
    default: bool = False
    acpi: bool = False


@dataclass(frozen=True, slots=True)
class CpuModel:
    """A CPU model under one accelerator. `unavailable` names the features that keep it from running on this host.

    Where QEMU tells nothing of them, as it does for Arm, the model is not `judged`.
    """

    name: str
    unavailable: tuple[str, ...] = ()
    alias_of: str = ""
    deprecated: bool = False
    migratable: bool = True
    judged: bool = True

    @property
    def usable(self) -> bool:
        """Whether the host can run it as it is, for all that is known."""
        return not self.unavailable


@dataclass(frozen=True, slots=True)
class StaticModel:
    """The best processor of an accelerator in terms of a model that never changes, with the features on top of it.

    Only s390x has such models. `deprecated` are features that the host's maker will take away.
    """

    name: str
    features: tuple[str, ...]
    deprecated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QemuCapabilities:
    """All that was found about one binary.

    `version` is (major, minor, micro), `package` the distribution's name for the build, `arch` QEMU's target
    (`x86_64`). `machines` is by full name. `devices` are QOM types that `-device` takes; `device_properties` is
    known for the devices that the model uses; `objects` are types for `-object`, `object_properties` likewise.
    `options` are the command line's options with their parameters, where QEMU tells.
    `cpu_models` is by accelerator; `cpu_expansions` the properties of the best CPU of each accelerator
    (`host` with KVM, `max` with TCG), and `static_models` the same in other words. `features` are paths into QMP's
    schema that exist. `gic_versions` are those of Arm's interrupt controller that KVM has, `gic_emulated` those that
    QEMU has without it; `sev_bits` are a host's with encrypted memory: which bit of an address says so, and how many
    are lost.
    """

    binary: str
    version: tuple[int, int, int]
    package: str
    arch: str
    kvm: bool
    machines: dict[str, Machine]
    devices: frozenset[str]
    device_properties: dict[str, frozenset[str]]
    objects: frozenset[str]
    object_properties: dict[str, frozenset[str]]
    options: dict[str, frozenset[str]]
    cpu_models: dict[str, tuple[CpuModel, ...]]
    cpu_expansions: dict[str, dict[str, bool | int | str]]
    features: frozenset[str] = frozenset()
    migration_capabilities: frozenset[str] = frozenset()
    tpm_models: tuple[str, ...] = ()
    tpm_backends: tuple[str, ...] = ()
    static_models: dict[str, StaticModel] = field(default_factory=dict)
    gic_versions: tuple[int, ...] = ()
    gic_emulated: tuple[int, ...] = ()
    sev_bits: tuple[int, int] | None = None
    aliases: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.aliases.update({machine.alias: machine.name for machine in self.machines.values() if machine.alias})

    @property
    def version_number(self) -> int:
        """The version as libvirt counts it: 10.0.2 is 10000002."""
        major, minor, micro = self.version
        return major * 1_000_000 + minor * 1000 + micro

    @property
    def guest_arch(self) -> str:
        """The architecture of its guests in libvirt's words: QEMU's `i386` is `i686`."""
        return {"i386": "i686", "arm": "armv7l"}.get(self.arch, self.arch)

    def canonical_machine(self, name: str) -> str | None:
        """The full name of a machine type given by name or alias (`q35`); None when there is none."""
        full = self.aliases.get(name, name)
        return full if full in self.machines else None

    def machine(self, name: str) -> Machine | None:
        """A machine type by name or alias; None when there is none."""
        return self.machines.get(self.aliases.get(name, name))

    @property
    def default_machine(self) -> str | None:
        """The full name of the machine type of guests that name none: libvirt's choice, else QEMU's own."""
        preferred = self.canonical_machine(_PREFERRED_MACHINES.get(self.guest_arch, ""))
        return preferred or next((machine.name for machine in self.machines.values() if machine.default), None)

    def has_device(self, name: str) -> bool:
        """Whether `-device NAME` exists."""
        return name in self.devices

    def has_property(self, device: str, name: str) -> bool:
        """Whether a device has a property. False for devices whose properties were not asked for."""
        return name in self.device_properties.get(device, ())

    def has_object(self, name: str) -> bool:
        """Whether `-object NAME` exists."""
        return name in self.objects

    def has_object_property(self, type_: str, name: str) -> bool:
        """Whether an object type has a property. False for types whose properties were not asked for."""
        return name in self.object_properties.get(type_, ())

    def has_option(self, option: str, parameter: str = "") -> bool:
        """Whether the command line has an option (without its `-`), and with that parameter if one is given."""
        found = self.options.get(option)
        return found is not None and (not parameter or parameter in found)

    @property
    def has_spice(self) -> bool:
        """Whether it has SPICE, built in or as a module that is installed."""
        return self.has_option("spice")

    def has_feature(self, path: str) -> bool:
        """Whether QMP's schema has `path`; paths are those of `guesthouse.qemu.schema.FEATURES`."""
        return path in self.features

    def to_json(self) -> dict[str, _Json]:
        """As plain JSON values; a set of names is one text, sorted."""
        return {
            "binary": self.binary,
            "version": list(self.version),
            "package": self.package,
            "arch": self.arch,
            "kvm": self.kvm,
            "machines": [asdict(machine) for machine in self.machines.values()],
            "devices": _joined(self.devices),
            "device_properties": _joined_map(self.device_properties),
            "objects": _joined(self.objects),
            "object_properties": _joined_map(self.object_properties),
            "options": _joined_map(self.options),
            "cpu_models": {
                accel: [_model_to_json(model) for model in models] for accel, models in self.cpu_models.items()
            },
            "cpu_expansions": {accel: dict(props) for accel, props in self.cpu_expansions.items()},
            "features": _joined(self.features),
            "migration_capabilities": _joined(self.migration_capabilities),
            "tpm_models": list(self.tpm_models),
            "tpm_backends": list(self.tpm_backends),
            "static_models": {
                accel: [model.name, list(model.features), list(model.deprecated)]
                for accel, model in self.static_models.items()
            },
            "gic_versions": list(self.gic_versions),
            "gic_emulated": list(self.gic_emulated),
            "sev_bits": list(self.sev_bits or ()),
        }

    @classmethod
    def from_json(cls, data: dict[str, _Json]) -> QemuCapabilities:
        """From what `to_json` wrote. Raises KeyError, TypeError, ValueError or AttributeError for anything else."""
        machines = [_machine_from_json(item) for item in _list(data["machines"])]
        major, minor, micro = _list(data["version"])
        return cls(
            binary=_text(data["binary"]),
            version=(_int(major), _int(minor), _int(micro)),
            package=_text(data["package"]),
            arch=_text(data["arch"]),
            kvm=data["kvm"] is True,
            machines={machine.name: machine for machine in machines},
            devices=_names(data["devices"]),
            device_properties=_name_map(data["device_properties"]),
            objects=_names(data["objects"]),
            object_properties=_name_map(data["object_properties"]),
            options=_name_map(data["options"]),
            cpu_models={
                accel: tuple(_model_from_json(item) for item in _list(models))
                for accel, models in _fields(data["cpu_models"]).items()
            },
            cpu_expansions={
                accel: {name: _scalar(value) for name, value in _fields(props).items()}
                for accel, props in _fields(data["cpu_expansions"]).items()
            },
            features=_names(data["features"]),
            migration_capabilities=_names(data["migration_capabilities"]),
            tpm_models=tuple(_text(item) for item in _list(data["tpm_models"])),
            tpm_backends=tuple(_text(item) for item in _list(data["tpm_backends"])),
            static_models={accel: _static_from_json(item) for accel, item in _fields(data["static_models"]).items()},
            gic_versions=tuple(_int(item) for item in _list(data["gic_versions"])),
            gic_emulated=tuple(_int(item) for item in _list(data["gic_emulated"])),
            sev_bits=_pair([_int(item) for item in _list(data["sev_bits"])]),
        )


def _model_to_json(model: CpuModel) -> list[_Json]:
    flags: list[_Json] = [model.deprecated, model.migratable, model.judged]
    return [model.name, list(model.unavailable), model.alias_of, *flags]


def _model_from_json(item: _Json) -> CpuModel:
    name, unavailable, alias_of, *flags = _list(item)
    deprecated, migratable, judged = (flag is True for flag in flags)
    features = tuple(_text(feature) for feature in _list(unavailable))
    return CpuModel(_text(name), features, _text(alias_of), deprecated, migratable, judged)


def _machine_from_json(item: _Json) -> Machine:
    fields = _fields(item)
    return Machine(
        name=_text(fields["name"]),
        alias=_text(fields["alias"]),
        max_cpus=_int(fields["max_cpus"]),
        default_cpu=_text(fields["default_cpu"]),
        hotpluggable_cpus=fields["hotpluggable_cpus"] is True,
        numa=fields["numa"] is True,
        default_ram_id=_text(fields["default_ram_id"]),
        deprecated=fields["deprecated"] is True,
        default=fields["default"] is True,
        acpi=fields["acpi"] is True,
    )


def _static_from_json(item: _Json) -> StaticModel:
    name, features, deprecated = _list(item)
    return StaticModel(
        _text(name),
        tuple(_text(feature) for feature in _list(features)),
        tuple(_text(feature) for feature in _list(deprecated)),
    )


def _pair(numbers: list[int]) -> tuple[int, int] | None:
    return (numbers[0], numbers[1]) if numbers else None


def _joined(names: frozenset[str]) -> str:
    """A set of names as one text: read four times as fast as a JSON list. QEMU's names hold no blanks."""
    return " ".join(sorted(names))


def _joined_map(table: Mapping[str, frozenset[str]]) -> dict[str, _Json]:
    return {key: _joined(names) for key, names in table.items()}


def _list(value: _Json) -> list[_Json]:
    if not isinstance(value, list):
        raise TypeError("a list was expected")
    return value


def _fields(value: _Json) -> dict[str, _Json]:
    if not isinstance(value, dict):
        raise TypeError("an object was expected")
    return value


def _text(value: _Json) -> str:
    if not isinstance(value, str):
        raise TypeError("a string was expected")
    return value


def _int(value: _Json) -> int:
    if not isinstance(value, int):
        raise TypeError("a number was expected")
    return value


def _scalar(value: _Json) -> bool | int | str:
    if not isinstance(value, bool | int | str):
        raise TypeError("a boolean, a number or a string was expected")
    return value


def _names(value: _Json) -> frozenset[str]:
    return frozenset(_text(value).split())


def _name_map(value: _Json) -> dict[str, frozenset[str]]:
    return {key: _names(names) for key, names in _fields(value).items()}
