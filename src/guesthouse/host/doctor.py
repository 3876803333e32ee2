"""What a host needs to run guests, looked up in its files: hardware, kernel, devices, programs.

The checks are those of libvirt's virt-host-validate(1) and a few of our own. Each finding says what to do about what is
missing. Nothing here runs a program; whether KVM really runs a guest is `guesthouse.qemu.accel`'s to try.
"""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"

#: Flags in /proc/cpuinfo that say that the CPU can run guests by itself, and the kernel module that uses it.
VIRTUALIZATION_FLAGS = {"vmx": "kvm_intel", "svm": "kvm_amd"}

#: cgroup controllers that limit guests; what is on by default in version 1 under another name.
CONTROLLERS = ("cpu", "cpuset", "memory", "io")
VERSION_1_NAMES = {"io": "blkio"}

#: Program, whether guests cannot run without it, what it is for, and the Debian package that has it.
PROGRAMS = (
    ("qemu-img", FAIL, "to make and read disk images", "qemu-utils"),
    ("dnsmasq", WARN, "to give guests of virtual networks their addresses", "dnsmasq-base"),
    ("nft", WARN, "to let guests of virtual networks out, and for network filters", "nftables"),
)

#: Machine of the host to the name that QEMU has for it, where they differ.
QEMU_NAMES = {"i686": "i386", "arm64": "aarch64", "armv7l": "arm", "ppc64le": "ppc64"}
QEMU_PACKAGES = {"x86_64": "qemu-system-x86", "i386": "qemu-system-x86", "aarch64": "qemu-system-arm"}

#: Directories of QEMU's firmware descriptors (QEMU's docs/interop/firmware.json).
FIRMWARE = ("etc/qemu/firmware", "usr/share/qemu/firmware")

VIRTUAL_HINT = "switch on VT-x or AMD-V in the firmware's settings; in a virtual machine, ask its host for nesting"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, `PASS`, `WARN` or `FAIL`, what was found, and what to do about it."""

    name: str
    outcome: str
    found: str
    hint: str = ""


def examine(root: Path = Path("/"), machine: str = "", path: str | None = None) -> list[Finding]:
    """Look at the host whose file system is `root`. `machine` is its architecture, `path` where programs are."""
    machine = machine or platform.machine()
    return [
        cpu(root, machine),
        *kvm_device(root),
        nesting(root),
        device(root, "dev/vhost-net", "vhost_net", "virtio network cards are slower"),
        device(root, "dev/net/tun", "tun", "guests can only be on user-mode networks"),
        *controllers(root),
        iommu(root),
        secure_guests(root),
        emulator(machine, path),
        *(program(*row, path) for row in PROGRAMS),
        firmware(root),
    ]


def _read(path: Path) -> str:
    """The text of a small file; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def cpu(root: Path, machine: str) -> Finding:
    """Whether the CPU can run guests by itself."""
    name = "hardware virtualization"
    if machine not in ("x86_64", "i686", "i386"):
        return Finding(name, PASS, f"assumed on {machine}; the trial of KVM tells")
    flags = next((line for line in _read(root / "proc/cpuinfo").splitlines() if line.startswith("flags")), "").split()
    present = [flag for flag in VIRTUALIZATION_FLAGS if flag in flags]
    if present:
        return Finding(name, PASS, f"the CPU has {present[0]}")
    return Finding(name, FAIL, "the CPU shows neither vmx nor svm; guests run emulated and slowly", VIRTUAL_HINT)


def kvm_device(root: Path) -> list[Finding]:
    """Whether /dev/kvm is there and may be used."""
    path = root / "dev/kvm"
    if not path.exists():
        hint = "load the module kvm_intel or kvm_amd (modprobe); " + VIRTUAL_HINT
        return [Finding("/dev/kvm exists", FAIL, "it does not", hint)]
    there = Finding("/dev/kvm exists", PASS, "it does")
    if os.access(path, os.R_OK | os.W_OK):
        return [there, Finding("/dev/kvm is accessible", PASS, "it is")]
    return [there, Finding("/dev/kvm is accessible", FAIL, "this user may not open it", "join the group 'kvm'")]


def nesting(root: Path) -> Finding:
    """Whether guests can run guests of their own."""
    name = "nested virtualization"
    for module in VIRTUALIZATION_FLAGS.values():
        value = _read(root / "sys/module" / module / "parameters/nested")
        if value in ("1", "Y", "y"):
            return Finding(name, PASS, f"{module} allows it")
        if value:
            hint = f"write 'options {module} nested=1' to a file in /etc/modprobe.d and load the module anew"
            return Finding(name, WARN, f"{module} has it off; guests cannot run guests of their own", hint)
    return Finding(name, WARN, "no KVM module is loaded", "load kvm_intel or kvm_amd, if guests are to run guests")


def device(root: Path, place: str, module: str, loss: str) -> Finding:
    """Whether a device that a kernel module makes is there."""
    name = f"/{place} exists"
    if (root / place).exists():
        return Finding(name, PASS, "it does")
    return Finding(name, WARN, f"it does not; {loss}", f"modprobe {module}")


def controllers(root: Path) -> list[Finding]:
    """Which cgroup controllers there are to limit guests with."""
    unified = root / "sys/fs/cgroup/cgroup.controllers"
    if unified.exists():
        present = set(_read(unified).split())
        hint = "let the parent group hand it down (systemd: Delegate=yes), or boot with it switched on"
    else:
        rows = [line.split() for line in _read(root / "proc/cgroups").splitlines() if not line.startswith("#")]
        present = {row[0] for row in rows if len(row) == 4 and row[3] == "1"}
        present |= {new for new, old in VERSION_1_NAMES.items() if old in present}
        hint = "boot a kernel with it; on Debian, memory needs cgroup_enable=memory"
    return [
        Finding(f"cgroup controller '{one}'", PASS, "it is there")
        if one in present
        else Finding(f"cgroup controller '{one}'", WARN, "it is not; guests cannot be limited by it", hint)
        for one in CONTROLLERS
    ]


def iommu(root: Path) -> Finding:
    """Whether host devices can be handed to guests."""
    name = "IOMMU for device assignment"
    groups = root / "sys/kernel/iommu_groups"
    if groups.is_dir() and any(groups.iterdir()):
        return Finding(name, PASS, "the kernel has IOMMU groups")
    hint = "switch on VT-d or AMD-Vi in the firmware's settings, and boot with intel_iommu=on on Intel hosts"
    return Finding(name, WARN, "the kernel has no IOMMU groups; host devices cannot be assigned", hint)


def secure_guests(root: Path) -> Finding:
    """Whether guests can be encrypted against the host."""
    name = "secure guests"
    for module, parameter, what in (("kvm_amd", "sev", "AMD SEV"), ("kvm_intel", "tdx", "Intel TDX")):
        if _read(root / "sys/module" / module / "parameters" / parameter) in ("1", "Y", "y"):
            return Finding(name, PASS, f"{what} is on")
    if _read(root / "sys/firmware/uv/prot_virt_host") == "1":
        return Finding(name, PASS, "IBM Secure Execution is on")
    hint = "needs AMD SEV, Intel TDX or IBM Secure Execution, switched on in firmware and kernel; else leave it be"
    return Finding(name, WARN, "none of the known ways is on", hint)


def emulator(machine: str, path: str | None) -> Finding:
    """Whether QEMU for the host's own architecture is installed."""
    arch = QEMU_NAMES.get(machine, machine)
    name = f"qemu-system-{arch}"
    found = shutil.which(name, path=path) or shutil.which("qemu-kvm", path=path)
    if found:
        return Finding(name, PASS, found)
    package = QEMU_PACKAGES.get(arch, "qemu-system")
    return Finding(name, FAIL, "not installed; no guest can run", f"install the package {package}")


def program(name: str, outcome: str, purpose: str, package: str, path: str | None) -> Finding:
    """Whether a program is installed; system directories count even where `PATH` leaves them out."""
    found = shutil.which(name, path=path) or shutil.which(name, path="/usr/sbin:/sbin" if path else None)
    if found:
        return Finding(name, PASS, found)
    return Finding(name, outcome, f"not installed; needed {purpose}", f"install the package {package}")


def firmware(root: Path) -> Finding:
    """Whether there is UEFI firmware for guests."""
    name = "UEFI firmware"
    for place in FIRMWARE:
        count = len(list((root / place).glob("*.json")))
        if count:
            return Finding(name, PASS, f"{count} descriptors in /{place}")
    return Finding(name, WARN, "no firmware descriptors; guests can only boot with BIOS", "install the package ovmf")
