"""What machine types bring along: one row a family, so that another architecture is another row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from guesthouse.errors import UnsupportedConfigError

PCI: Final = "pci"
MMIO: Final = "mmio"
CCW: Final = "ccw"

#: So many processors a PC can have without an IOMMU that has wide interrupt destinations.
WITHOUT_IOMMU: Final = 255


@dataclass(frozen=True, slots=True)
class MachineFamily:
    """Facts about a family of machine types.

    `root` is the model of PCI bus 0, empty where there is no PCI. `usb` are pairs of QEMU's device and its model for
    the USB controller that every guest gets, best first; none where guests get none. `transport` is how virtio devices
    are attached that have no address: `pci`, `mmio` or `ccw`. `panic` is the model of the panic device that the
    machine always has. `video_slot` is where the firmware looks for the first graphics card. `power` is the device
    that answers for ACPI's sleep states.
    """

    name: str
    root: str
    usb: tuple[tuple[str, str], ...] = ()
    transport: str = PCI
    sata: bool = False
    ps2: bool = False
    watchdog: str = ""
    balloon: bool = True
    panic: str = ""
    video_slot: int = 0
    power: str = ""


Q35: Final = MachineFamily(
    name="q35",
    root="pcie-root",
    usb=(("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci"), ("ich9-usb-ehci1", "ich9-ehci1")),
    sata=True,
    ps2=True,
    watchdog="itco",
    video_slot=1,
    power="ICH9-LPC",
)
I440FX: Final = MachineFamily(
    name="i440fx",
    root="pci-root",
    usb=(("piix3-usb-uhci", "piix3-uhci"),),
    ps2=True,
    video_slot=2,
    power="PIIX4_PM",
)
ISAPC: Final = MachineFamily(name="isapc", root="", ps2=True)
#: QEMU's own board for Arm guests; the others are copies of boards that were sold.
VIRT: Final = MachineFamily(name="virt", root="pcie-root", balloon=False)
VEXPRESS: Final = MachineFamily(name="vexpress", root="", transport=MMIO, balloon=False)
REALVIEW: Final = MachineFamily(name="realview", root="", usb=(("pci-ohci", "pci-ohci"),), balloon=False)
VERSATILE: Final = MachineFamily(name="versatilepb", root="pci-root", usb=(("pci-ohci", "pci-ohci"),), balloon=False)
ARM_BOARD: Final = MachineFamily(name="board", root="", balloon=False)
S390: Final = MachineFamily(name="s390-ccw", root="pci-root", transport=CCW, panic="s390")

#: The words that a machine type is, or begins with, and its family.
_Families: TypeAlias = tuple[tuple[tuple[str, ...], MachineFamily], ...]
_PC: Final[_Families] = (
    (("q35", "pc-q35-"), Q35),
    (("pc", "pc-0.", "pc-1.", "pc-i440", "rhel"), I440FX),
    (("isapc",), ISAPC),
)
_ARM: Final[_Families] = (
    (("virt", "virt-"), VIRT),
    (("vexpress", "vexpress-"), VEXPRESS),
    (("realview", "realview-"), REALVIEW),
    (("versatilepb",), VERSATILE),
    (("borzoi", "borzoi-"), ARM_BOARD),
)
_S390: Final[_Families] = ((("s390-ccw-virtio", "s390-ccw-virtio-"), S390),)

#: Architecture to the families of its machine types.
FAMILIES: Final[dict[str, _Families]] = {
    "i686": _PC,
    "x86_64": _PC,
    "aarch64": _ARM,
    "armv7l": _ARM,
    "armv6l": _ARM,
    "s390x": _S390,
}


#: Guests' architectures that a QEMU runs besides its own.
_SMALLER: Final = {"x86_64": ("i686",), "aarch64": ("armv7l",)}


def runs(qemu: str, arch: str) -> bool:
    """Whether the QEMU of an architecture runs guests of another."""
    return arch == qemu or arch in _SMALLER.get(qemu, ())


def is_known(arch: str, machine: str) -> bool:
    """Whether a definition may name that machine type."""
    return _find(arch, machine) is not None


def family_of(arch: str, machine: str) -> MachineFamily:
    """The family of a machine type. Raises `UnsupportedConfigError` for one that Guesthouse does not know."""
    family = _find(arch, machine)
    if family is None:
        raise UnsupportedConfigError(
            f"machine type '{machine}' of architecture '{arch}' is not supported",
            hint="use q35 or pc on x86_64, virt on aarch64, s390-ccw-virtio on s390x",
        )
    return family


def _find(arch: str, machine: str) -> MachineFamily | None:
    for words, family in FAMILIES.get(arch, ()):
        if machine == words[0] or machine.startswith(words[1:]):
            return family
    return None
