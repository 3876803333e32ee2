"""The installed QEMUs: which program serves which architecture, and what a client's question about one stands for."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.errors import InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.machines import FAMILIES, is_known
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, Machine, QemuCapabilities
from guesthouse.qemu.catalogue import Catalogue

if TYPE_CHECKING:
    pass

#: Every architecture that libvirt knows.
_NAMES: Final = """
    aarch64 alpha armv6l armv7b armv7l cris i686 ia64 itanium lm32 loongarch64 m68k microblaze microblazeel mips mips64
    mips64el mipsel or32 parisc parisc64 ppc ppc64 ppc64le ppcemb riscv32 riscv64 s390 s390x sh4 sh4eb sparc sparc64
    unicore32 x86_64 xtensa xtensaeb
"""
ARCHITECTURES: Final = frozenset(_NAMES.split())

#: Guest types that libvirt knows; `GUEST_TYPES` are those that QEMU can be.
_TYPES: Final = "none qemu kqemu kvm xen lxc uml openvz test vmware hyperv vbox phyp parallels bhyve vz hvf"
_ALL_TYPES: Final = frozenset(_TYPES.split())
GUEST_TYPES: Final = {"qemu": TCG, "kvm": KVM}

#: The end of a program's name, where it is not the architecture.
_PROGRAM_SUFFIX: Final = {"i686": "i386", "armv6l": "arm", "armv7l": "arm", "ppc64le": "ppc64", "mipsel": "mipsel"}

_FAMILIES: Final = (frozenset({"i686", "x86_64"}), frozenset({"armv6l", "armv7l", "aarch64"}))


@dataclass(frozen=True, slots=True)
class Choice:
    """What a client asked about: an emulator, and which of its guests. `accelerator` is QEMU's name of `guest_type`."""

    capabilities: QemuCapabilities
    arch: str
    guest_type: str
    machine: Machine

    @property
    def accelerator(self) -> str:
        """QEMU's name of the guest type."""
        return GUEST_TYPES[self.guest_type]

    @property
    def cpu_models(self) -> tuple[CpuModel, ...]:
        """The processor models of that type."""
        return self.capabilities.cpu_models.get(self.accelerator, ())

    @property
    def best_cpu(self) -> dict[str, bool | int | str]:
        """The properties of the best processor of that type; empty where QEMU does not tell."""
        return self.capabilities.cpu_expansions.get(self.accelerator, {})


class Emulators:
    """The installed QEMUs, by what they are good for; `catalogue` asks them."""

    def __init__(self, catalogue: Catalogue, host_arch: str) -> None:
        self.catalogue = catalogue
        self._host_arch = host_arch

    def installed(self) -> dict[str, str]:
        """Architecture to program, of every architecture whose guests can be described and that has one."""
        found = {arch: self.program(arch) for arch in FAMILIES}
        return {arch: program for arch, program in found.items() if program is not None}

    def program(self, arch: str) -> str | None:
        """The program for guests of `arch`: a 64 bit x86 program also serves 32 bit guests."""
        names = [f"qemu-system-{_PROGRAM_SUFFIX.get(arch, arch)}"]
        if arch == "i686":
            names.append("qemu-system-x86_64")
        if arch == self._host_arch:
            names += ["/usr/libexec/qemu-kvm", "qemu-kvm"]
        return next((program for name in names if (program := shutil.which(name))), None)

    async def choose(
        self, program: str | None, arch: str | None, guest_type: str | None, machine: str | None
    ) -> Choice:
        """What these arguments of a client stand for; every one may be left out.

        Raises `LibvirtError`: 8 for a wrong argument or combination, 67 where nothing serves the architecture, 38 or 1
        where the program cannot be asked.
        """
        if guest_type is not None and guest_type not in _ALL_TYPES:
            raise _invalid(f"unknown virttype: {guest_type}")
        if arch is not None and arch not in ARCHITECTURES:
            raise _invalid(f"unknown architecture: {arch}")
        wanted = arch or self._host_arch
        found = program or self.program(wanted)
        if found is None:
            raise UnsupportedConfigError(
                f"unable to find any emulator to serve '{wanted}' architecture", domain=Origin.QEMU
            )
        capabilities = await self.catalogue.capabilities(found)
        _check_architecture(capabilities, wanted)
        kind = guest_type or ("kvm" if capabilities.kvm else "qemu")
        if kind not in GUEST_TYPES:
            raise _invalid(f"Emulator '{found}' does not support virt type '{kind}'")
        if kind == "kvm" and not capabilities.kvm:
            raise _invalid(f"the accel 'kvm' is not supported by '{found}' on this host")
        return Choice(capabilities, wanted, kind, _machine(capabilities, wanted, machine))


def _check_architecture(capabilities: QemuCapabilities, wanted: str) -> None:
    own = capabilities.guest_arch
    if own == wanted:
        return
    if not any(own in family and wanted in family for family in _FAMILIES):
        raise _invalid(f"architecture from emulator '{own}' doesn't match given architecture '{wanted}'")
    if (own, wanted) != ("x86_64", "i686"):
        raise _invalid(f"Emulator '{capabilities.binary}' does not support arch '{wanted}'")


def _machine(capabilities: QemuCapabilities, arch: str, name: str | None) -> Machine:
    if name is None:
        name = capabilities.default_machine or next(iter(capabilities.machines), "")
    found = capabilities.machine(name)
    if found is None or not is_known(arch, found.name):
        raise _invalid(f"the machine '{name}' is not supported by emulator '{capabilities.binary}'")
    return found


def _invalid(detail: str) -> LibvirtError:
    return InvalidArgumentError(detail, domain=Origin.QEMU)
