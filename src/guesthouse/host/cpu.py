"""The host's processors: what they are, how they are laid out, what they have done.

Sources: `/proc/cpuinfo`, `/proc/stat` (proc(5)), `/sys/devices/system/cpu` (the kernel's
`Documentation/admin-guide/cputopology.rst`), the `cpuid` device (cpuid(4)) and the kernel's MSR list of KVM.
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from typing import Final

from guesthouse.host.sysfs import HostTree, format_list, numbered, read_int, read_list, read_text

#: `KVM_GET_MSRS`, `_IOWR(0xAE, 0x88, struct kvm_msrs)`, and `KVM_CHECK_EXTENSION` with `KVM_CAP_MAX_VCPUS`.
_KVM_GET_MSRS: Final = 0xC008AE88
_KVM_CHECK_EXTENSION: Final = 0xAE03
_KVM_CAP_NR_VCPUS: Final = 9
_KVM_CAP_MAX_VCPUS: Final = 66


@dataclass(frozen=True, slots=True)
class CpuInfo:
    """What `/proc/cpuinfo` says. Numbers are None and texts empty where the architecture has no such line.

    `mhz` is the last processor's frequency in whole MHz, `physical_bits` the width of a physical address.
    """

    vendor: str = ""
    family: int | None = None
    model: int | None = None
    stepping: int | None = None
    microcode: int | None = None
    mhz: int = 0
    physical_bits: int | None = None
    flags: frozenset[str] = frozenset()


def parse_cpuinfo(text: str) -> CpuInfo:
    """Read `/proc/cpuinfo`."""
    first: dict[str, str] = {}
    mhz = 0
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            continue
        first.setdefault(name, value)
        if name == "cpu MHz":
            mhz = _whole(value.partition(".")[0]) or mhz
    return CpuInfo(
        vendor=first.get("vendor_id", ""),
        family=_whole(first.get("cpu family")),
        model=_whole(first.get("model")),
        stepping=_whole(first.get("stepping")),
        microcode=_whole(first.get("microcode")),
        mhz=mhz,
        physical_bits=_whole(first.get("address sizes", "").partition(" ")[0]),
        flags=frozenset(first.get("flags", "").split()),
    )


def _whole(text: str | None) -> int | None:
    try:
        return int(text, 0) if text else None
    except ValueError:
        return None


def read_cpuinfo(tree: HostTree) -> CpuInfo:
    """`parse_cpuinfo` of the host's own."""
    return parse_cpuinfo(read_text(tree.proc / "cpuinfo") or "")


@dataclass(frozen=True, slots=True)
class LogicalCpu:
    """One processor of the kernel's, and where it sits. `siblings` are the threads of its core, itself included."""

    number: int
    socket: int
    die: int
    cluster: int
    core: int
    siblings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CpuSet:
    """Which processors there are. `online` is a subset of `present`, both in ascending order."""

    present: tuple[int, ...]
    online: tuple[int, ...]

    @property
    def bitmap(self) -> bytes:
        """The online ones, as the protocol wants them: processor `n` is bit `n % 8` of byte `n // 8`."""
        data = bytearray(max(self.online, default=0) // 8 + 1)
        for number in self.online:
            data[number // 8] |= 1 << number % 8
        return bytes(data)


def read_cpu_set(tree: HostTree) -> CpuSet:
    """The host's processors; a kernel that does not list them is asked for how many there are."""
    present = read_list(tree.cpus / "present")
    online = read_list(tree.cpus / "online")
    if present is None:
        present = list(range(os.cpu_count() or 1))
    return CpuSet(tuple(present), tuple(online if online is not None else present))


def read_logical_cpu(tree: HostTree, number: int) -> LogicalCpu:
    """Where processor `number` sits. What the kernel does not tell is 0."""
    directory = tree.cpus / f"cpu{number}" / "topology"

    def position(name: str) -> int:
        return max(read_int(directory / name) or 0, 0)

    siblings = read_list(directory / "thread_siblings_list") or [number]
    return LogicalCpu(
        number,
        position("physical_package_id"),
        position("die_id"),
        position("cluster_id"),
        position("core_id"),
        tuple(siblings),
    )


@dataclass(frozen=True, slots=True)
class CpuCounts:
    """The processors in `virNodeInfo`'s terms; `sockets` are per node, `cores` per socket, `threads` per core."""

    cpus: int
    nodes: int
    sockets: int
    cores: int
    threads: int


def count_cpus(online: list[list[LogicalCpu]], offline: int) -> CpuCounts:
    """Count processors that are grouped by NUMA node. A layout that is not regular is told as one socket, flat.

    The rule is libvirt's (`virNodeInfo` in https://libvirt.org/html/libvirt-libvirt-host.html).
    """
    cpus = sum(len(node) for node in online)
    sockets = max((len({cpu.socket for cpu in node}) for node in online), default=0)
    cores = max(
        (
            len({cpu.core for cpu in node if cpu.socket == socket})
            for node in online
            for socket in {cpu.socket for cpu in node}
        ),
        default=0,
    )
    threads = max((len(cpu.siblings) for node in online for cpu in node), default=0)
    if len(online) * sockets * cores * threads != cpus + offline:
        return CpuCounts(cpus, 1, 1, cpus + offline, 1)
    return CpuCounts(cpus, len(online), sockets, cores, threads)


def read_counts(tree: HostTree) -> CpuCounts:
    """The host's `CpuCounts`."""
    cpus = read_cpu_set(tree)
    nodes = [{number for number, _ in numbered(path, "cpu")} for _, path in numbered(tree.nodes, "node")]
    if not any(nodes):
        nodes = [set(cpus.present)]
    online = [[read_logical_cpu(tree, number) for number in cpus.online if number in node] for node in nodes]
    offline = len(set(cpus.present) - set(cpus.online))
    return count_cpus(online, offline)


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Time that a processor spent, in nanoseconds since the host booted. `kernel` includes interrupts."""

    kernel: int
    user: int
    idle: int
    iowait: int


def parse_stat(text: str, ticks_per_second: int) -> dict[int, CpuTimes]:
    """Read `/proc/stat`: processor to its times; -1 is the sum of all."""
    tick = 1_000_000_000 // ticks_per_second
    times: dict[int, CpuTimes] = {}
    for line in text.splitlines():
        name, *fields = line.split()[:11] or [""]
        if not name.startswith("cpu") or len(fields) < 4:
            continue
        number = name.removeprefix("cpu")
        user, nice, system, idle, iowait, irq, softirq = (int(field) * tick for field in (*fields, *"000")[:7])
        times[int(number) if number else -1] = CpuTimes(system + irq + softirq, user + nice, idle, iowait)
    return times


def read_times(tree: HostTree) -> dict[int, CpuTimes]:
    """`parse_stat` of the host's own."""
    return parse_stat(read_text(tree.proc / "stat") or "", os.sysconf("SC_CLK_TCK"))


@dataclass(frozen=True, slots=True)
class CacheBank:
    """One cache. `kind` is `both`, `data` or `code`; `size` is in bytes."""

    number: int
    level: int
    kind: str
    size: int
    cpus: tuple[int, ...]


_CACHE_KINDS: Final = {"Unified": "both", "Data": "data", "Instruction": "code"}


def read_caches(tree: HostTree) -> list[CacheBank]:
    """The caches from the second level up, by level, kind and number; those without a number are left out."""
    banks: set[CacheBank] = set()
    for cpu in read_cpu_set(tree).online:
        for _, path in numbered(tree.cpus / f"cpu{cpu}" / "cache", "index"):
            level, number = read_int(path / "level"), read_int(path / "id")
            size, cpus = _cache_size(read_text(path / "size")), read_list(path / "shared_cpu_list")
            kind = _CACHE_KINDS.get(read_text(path / "type") or "")
            if level is None or level < 2 or number is None or size is None or cpus is None or kind is None:
                continue
            banks.add(CacheBank(number, level, kind, size, tuple(cpus)))
    kinds = list(_CACHE_KINDS.values())
    return sorted(
        banks, key=lambda bank: (bank.level, kinds.index(bank.kind), bank.number, format_list(list(bank.cpus)))
    )


def _cache_size(text: str | None) -> int | None:
    if not text or not text[:-1].isdigit():
        return None
    scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1])
    return int(text[:-1]) * scale if scale else None


def read_cpuid(tree: HostTree, leaves: set[tuple[int, int]], cpu: int = 0) -> dict[tuple[int, int], dict[str, int]]:
    """The registers of these leaves and subleaves, of the processor `cpu`, from the kernel's `cpuid` device.

    Leaves beyond the processor's highest are left out, because reading them gives the highest one's. Empty where the
    device is absent or not ours to read.
    """
    try:
        device = os.open(tree.dev / f"cpu/{cpu}/cpuid", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        highest = {base: _cpuid(device, base, 0)["eax"] for base in (0, 0x80000000)}
        return {
            (leaf, subleaf): _cpuid(device, leaf, subleaf)
            for leaf, subleaf in leaves
            if leaf <= highest[leaf & 0x80000000]
        }
    except OSError:
        return {}
    finally:
        os.close(device)


def _cpuid(device: int, leaf: int, subleaf: int) -> dict[str, int]:
    data = os.pread(device, 16, subleaf << 32 | leaf)
    return dict(zip(("eax", "ebx", "ecx", "edx"), struct.unpack("<4I", data), strict=True))


def read_msrs(tree: HostTree, numbers: set[int]) -> dict[int, int]:
    """The model specific registers of these numbers that KVM lets guests read, 64 bits each.

    Empty where KVM is absent or not ours to open; what KVM does not know is left out.
    """
    try:
        kvm = os.open(tree.dev / "kvm", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return {}
    values: dict[int, int] = {}
    try:
        for number in sorted(numbers):
            request = bytearray(struct.pack("<IIIIQ", 1, 0, number, 0, 0))
            try:
                if fcntl.ioctl(kvm, _KVM_GET_MSRS, request) == 1:
                    values[number] = struct.unpack("<IIIIQ", request)[4]
            except OSError:
                continue
    finally:
        os.close(kvm)
    return values


def kvm_max_vcpus(tree: HostTree) -> int:
    """How many virtual processors KVM gives one guest. Raises OSError where KVM is absent."""
    kvm = os.open(tree.dev / "kvm", os.O_RDWR | os.O_CLOEXEC)
    try:
        limit = fcntl.ioctl(kvm, _KVM_CHECK_EXTENSION, _KVM_CAP_MAX_VCPUS)
        return limit if limit > 0 else fcntl.ioctl(kvm, _KVM_CHECK_EXTENSION, _KVM_CAP_NR_VCPUS)
    finally:
        os.close(kvm)
