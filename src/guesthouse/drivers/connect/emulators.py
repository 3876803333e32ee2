"""The installed QEMUs: which program serves which architecture, and what each can do.

A program is probed when it is first asked about; callers that ask at the same time share one probe. The answer is kept
until the program's file changes (`guesthouse.qemu.probe` keeps it on disk as well).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.machines import FAMILIES, is_known
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, Machine, QemuCapabilities
from guesthouse.qemu.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

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

#: How long the file system of a program may take to answer.
_STAT_SECONDS: Final = 5.0

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
    """The installed QEMUs. `kvm_works` says whether KVM can really run a guest here."""

    def __init__(self, cache: Path | None, kvm_works: Callable[[], Awaitable[bool]], host_arch: str) -> None:
        self._cache = cache
        self._kvm_works = kvm_works
        self._host_arch = host_arch
        self._probes: dict[tuple[str, int], asyncio.Task[QemuCapabilities]] = {}

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

    async def capabilities(self, program: str) -> QemuCapabilities:
        """What `program` can do. Raises `LibvirtError` (38, 1) where it cannot be run or is no QEMU."""
        try:
            async with asyncio.timeout(_STAT_SECONDS):
                # In a thread, because a client names the path, and it may lead to a file system that hangs.
                changed = (await asyncio.to_thread(os.stat, program)).st_mtime_ns
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else str(error)) or "the file system does not answer"
            raise LibvirtError(
                f"Cannot check QEMU binary {program}: {reason}", code=Code.SYSTEM_ERROR, domain=Origin.QEMU
            ) from None
        key = (program, changed)
        task = self._probes.get(key)
        if task is None:
            self._probes = {other: known for other, known in self._probes.items() if other[0] != program}
            task = self._probes[key] = asyncio.create_task(self._probe(program), name=f"probe {program}")
            task.add_done_callback(lambda ended: self._forget_failed(key, ended))
        return await asyncio.shield(task)

    def _forget_failed(self, key: tuple[str, int], ended: asyncio.Task[QemuCapabilities]) -> None:
        """A program that could not be asked is asked again next time, and none of them piles up."""
        failed = ended.cancelled() or ended.exception() is not None
        if failed and self._probes.get(key) is ended:
            del self._probes[key]

    async def _probe(self, program: str) -> QemuCapabilities:
        return await probe(program, self._cache, kvm=await self._kvm_works())

    def forget(self) -> None:
        """Ask every program anew at the next question."""
        self._probes.clear()

    async def close(self) -> None:
        """Wait for probes that still run, so that no QEMU outlives the daemon for a question."""
        running = [task for task in self._probes.values() if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._probes.clear()

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
        capabilities = await self.capabilities(found)
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
