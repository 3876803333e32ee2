"""The firmware descriptors of the host: which files make a guest boot with which firmware, and which one is taken.

Rules, from QEMU's `docs/interop/firmware.json` and libvirt's documentation of `<os firmware=...>`:

1. Descriptors lie in `/usr/share/qemu/firmware`, `/etc/qemu/firmware`, and for a session in
   `$XDG_CONFIG_HOME/qemu/firmware`. A file in a later directory replaces its namesake in an earlier one; an empty one
   hides it.
2. They are tried in the order of their file names; the first that fits is taken.
3. A descriptor that cannot be understood is passed over: one broken package must not keep guests from starting.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from guesthouse.errors import LibvirtError
from guesthouse.host.files import read_limited
from guesthouse.model.domain.defaults import FirmwareImage, FirmwareWish
from guesthouse.qemu.json_value import Json, JsonObject, as_list, as_object, as_text, objects, text_of

SYSTEM_DIRECTORIES = (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))

_DESCRIPTOR_LIMIT = 1024 * 1024

_INTERFACES: Mapping[str, str] = MappingProxyType({"efi": "uefi", "bios": "bios", "pflash": "uefi", "rom": "bios"})
_KINDS: Mapping[str, str] = MappingProxyType({"uefi": "efi", "bios": "bios"})
_ARCHITECTURES: Mapping[str, str] = MappingProxyType({"i386": "i686", "arm": "armv7l"})
_LOADER_TYPES: Mapping[str, str] = MappingProxyType({"flash": "pflash", "memory": "rom"})
_FORMATS = ("raw", "qcow2")

#: Features that a definition may ask for by name.
SELECTABLE = ("enrolled-keys", "secure-boot")


@dataclass(frozen=True, slots=True)
class Firmware:
    """One descriptor. `device` is `flash` or `memory`; `mode` is `split`, `combined` or `stateless` (flash only).

    `template` is where the variables of a new guest are copied from, None without. `targets` are pairs of libvirt's
    architecture name and patterns of machine types.
    """

    name: str
    interfaces: tuple[str, ...]
    device: str
    executable: str
    targets: tuple[tuple[str, tuple[str, ...]], ...]
    features: frozenset[str]
    mode: str = "split"
    format: str = "raw"
    template: str | None = None
    template_format: str = "raw"

    def runs_on(self, arch: str, machine: str) -> bool:
        """Whether it is meant for a machine type (its full name, not an alias)."""
        return any(
            arch == target and any(fnmatchcase(machine, pattern) for pattern in patterns)
            for target, patterns in self.targets
        )

    def image(self) -> FirmwareImage:
        """As a definition's completion wants it."""
        smm = "requires-smm" in self.features
        return FirmwareImage(
            path=self.executable,
            format=self.format,
            template=self.template if self.mode == "split" else None,
            template_format=self.template_format,
            secure=smm,
            stateless=self.mode == "stateless",
            smm=smm,
            type=_LOADER_TYPES[self.device],
            kind=next((_KINDS[name] for name in self.interfaces if name in _KINDS), "efi"),
            features={name: name in self.features for name in SELECTABLE},
        )


def directories(session_config: Path | None) -> tuple[Path, ...]:
    """Where descriptors lie, least specific first. `session_config` is a session's `$XDG_CONFIG_HOME`, else None."""
    own = () if session_config is None else (session_config / "qemu/firmware",)
    return (*SYSTEM_DIRECTORIES, *own)


def read(places: Iterable[Path] = SYSTEM_DIRECTORIES) -> tuple[Firmware, ...]:
    """All descriptors that are in force, in the order in which they are tried. Reads a handful of small files."""
    files: dict[str, Path] = {}
    for place in places:
        with contextlib.suppress(OSError):
            files |= {path.name: path for path in place.iterdir() if path.suffix == ".json"}
    found = []
    for name in sorted(files):
        with contextlib.suppress(OSError, LibvirtError):
            firmware = parse(name, read_limited(files[name], _DESCRIPTOR_LIMIT))
            if firmware is not None:
                found.append(firmware)
    return tuple(found)


def parse(name: str, data: bytes) -> Firmware | None:
    """One descriptor; None for an empty one, a broken one, or one of a kind that libvirt does not use either."""
    if not data.strip():
        return None
    try:
        content: Json = json.loads(data)
        return _firmware(name, as_object(content, "the descriptor"))
    except (ValueError, RecursionError, LibvirtError):
        return None


def choose(known: Sequence[Firmware], wish: FirmwareWish) -> Firmware | None:
    """The first descriptor that fits; None when none does."""
    return next((firmware for firmware in known if fits(firmware, wish)), None)


def chooser(known: Sequence[Firmware]) -> Callable[[FirmwareWish], FirmwareImage | None]:
    """`choose` in the form that `guesthouse.model.domain.defaults.Defaults` takes."""

    def pick(wish: FirmwareWish) -> FirmwareImage | None:
        firmware = choose(known, wish)
        return None if firmware is None else firmware.image()

    return pick


def fits(firmware: Firmware, wish: FirmwareWish) -> bool:
    """Whether a firmware is what a definition asks for."""
    interface = _INTERFACES.get(wish.kind or wish.loader_type or "")
    return (
        interface in firmware.interfaces
        and firmware.runs_on(wish.arch, wish.machine)
        and _fits_loader(firmware, wish)
        and all((name in firmware.features) == wanted for name, wanted in wish.features.items())
        and wish.needs <= firmware.features
        and _fits_smm(firmware, wish)
    )


def supported(known: Sequence[Firmware], arch: str, machine: str) -> list[Firmware]:
    """What a guest of this machine type may choose from, for the domain capabilities."""
    return [firmware for firmware in known if firmware.runs_on(arch, machine)]


def _fits_loader(firmware: Firmware, wish: FirmwareWish) -> bool:
    if wish.loader is not None and wish.loader != firmware.executable:
        return False
    if wish.loader_type is not None and wish.loader_type != _LOADER_TYPES[firmware.device]:
        return False
    if wish.readonly is False:
        return False
    if firmware.device != "flash":
        return True
    if wish.template is not None and wish.template != firmware.template:
        return False
    wanted_mode = "stateless" if wish.stateless else "split"
    return firmware.mode == wanted_mode and wish.format in (None, firmware.format)


def _fits_smm(firmware: Firmware, wish: FirmwareWish) -> bool:
    """`secure` restricts writes to the variables to system management mode; firmware that needs it must get it."""
    if "requires-smm" in firmware.features:
        return wish.smm is not False and wish.secure is not False
    return wish.secure is not True


def _firmware(name: str, content: JsonObject) -> Firmware | None:
    mapping = as_object(content.get("mapping"), "mapping")
    device = text_of(mapping, "device")
    if device not in _LOADER_TYPES:
        return None
    targets = tuple(_target(item) for item in objects(content.get("targets"), "targets"))
    interfaces = tuple(as_text(item, "an interface") for item in as_list(content.get("interface-types"), "types"))
    features = frozenset(as_text(item, "a feature") for item in as_list(content.get("features"), "features"))
    if device == "memory":
        path = as_text(mapping.get("filename"), "filename")
        return Firmware(name, interfaces, device, path, targets, features, mode="")
    mode = text_of(mapping, "mode", "split")
    path, format_ = _flash_file(mapping.get("executable"))
    template, template_format = _flash_file(mapping.get("nvram-template")) if mode == "split" else (None, "raw")
    return Firmware(name, interfaces, device, path, targets, features, mode, format_, template, template_format)


def _flash_file(value: Json) -> tuple[str, str]:
    content = as_object(value, "a flash file")
    format_ = as_text(content.get("format"), "format")
    if format_ not in _FORMATS:
        raise LibvirtError(f"unsupported format '{format_}' of a firmware's file")
    return as_text(content.get("filename"), "filename"), format_


def _target(item: JsonObject) -> tuple[str, tuple[str, ...]]:
    arch = as_text(item.get("architecture"), "architecture")
    patterns = tuple(as_text(pattern, "a machine") for pattern in as_list(item.get("machines"), "machines"))
    return _ARCHITECTURES.get(arch, arch), patterns
