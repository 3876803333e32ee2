"""What machine types bring along: one row a family, so that another architecture is another row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.errors import UnsupportedConfigError


@dataclass(frozen=True, slots=True)
class MachineFamily:
    """Facts about a family of machine types.

    `root` is the model of PCI bus 0. `usb` are models for the USB controller that every guest gets, best first; the
    last one is taken where QEMU has none of them ("" for no controller at all). `first_slot` is where the firmware
    looks for the first graphics card. `power` is the device that answers for ACPI's sleep states.
    """

    name: str
    root: str
    usb: tuple[tuple[str, str], ...]
    sata: bool
    ps2: bool
    watchdog: str
    balloon: bool
    video_slot: int
    power: str


Q35: Final = MachineFamily(
    name="q35",
    root="pcie-root",
    usb=(("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci")),
    sata=True,
    ps2=True,
    watchdog="itco",
    balloon=True,
    video_slot=1,
    power="ICH9-LPC",
)
I440FX: Final = MachineFamily(
    name="i440fx",
    root="pci-root",
    usb=(("piix3-usb-uhci", "piix3-uhci"),),
    sata=False,
    ps2=True,
    watchdog="",
    balloon=True,
    video_slot=2,
    power="PIIX4_PM",
)

#: Architecture to the families of its machine types: the words that a machine type of the family is, or begins with.
_PC: Final = ((("q35", "pc-q35-"), Q35), (("pc", "pc-0.", "pc-1.", "pc-i440", "rhel"), I440FX))
FAMILIES: Final[dict[str, tuple[tuple[tuple[str, ...], MachineFamily], ...]]] = {"i686": _PC, "x86_64": _PC}


def is_known(arch: str, machine: str) -> bool:
    """Whether a definition may name that machine type."""
    return any(machine == words[0] or machine.startswith(words[1:]) for words, _ in FAMILIES.get(arch, ()))


def family_of(arch: str, machine: str) -> MachineFamily:
    """The family of a machine type. Raises `UnsupportedConfigError` for one that Guesthouse does not know."""
    for words, family in FAMILIES.get(arch, ()):
        if machine == words[0] or machine.startswith(words[1:]):
            return family
    raise UnsupportedConfigError(
        f"machine type '{machine}' of architecture '{arch}' is not supported", hint="use q35 or pc on x86_64"
    )
