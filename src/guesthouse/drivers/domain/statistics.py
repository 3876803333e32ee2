"""What GET_ALL_DOMAIN_STATS tells of a guest, group by group, from memory and `/proc`.

What only QEMU knows is in the run's readings; `polling` brings them up to date before.

Names, types and groups: libvirt's `virDomainStatsTypes`
(https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectGetAllDomainStats).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.domain import facts
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Readings, Run
from guesthouse.drivers.domain.typed import INT, STRING, UINT, ULLONG, Param
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.interface import Interface

STATE, CPU_TOTAL, BALLOON, VCPU, INTERFACE, BLOCK = (1 << bit for bit in range(6))

#: Groups that no guest has anything in yet: perf, iothreads, memory bandwidth, dirty rate, vm.
_OTHERS = sum(1 << bit for bit in range(6, 11))

#: Groups that QEMU itself has to be asked for.
FROM_QEMU = BALLOON | BLOCK

#: Name of a balloon counter here, QEMU's name for it, and its unit in bytes.
_BALLOON: Final = (
    ("swap_in", "stat-swap-in", 1024),
    ("swap_out", "stat-swap-out", 1024),
    ("major_fault", "stat-major-faults", 1),
    ("minor_fault", "stat-minor-faults", 1),
    ("unused", "stat-free-memory", 1024),
    ("available", "stat-total-memory", 1024),
    ("usable", "stat-available-memory", 1024),
    ("disk_caches", "stat-disk-caches", 1024),
    ("hugetlb_pgalloc", "stat-htlb-pgalloc", 1),
    ("hugetlb_pgfail", "stat-htlb-pgfail", 1),
)

_NEVER_TOLD: Final = 2**64 - 1

#: `virDomainMemoryStatTags` by the names above.
MEMORY_TAGS: Final = {
    "swap_in": 0,
    "swap_out": 1,
    "major_fault": 2,
    "minor_fault": 3,
    "unused": 4,
    "available": 5,
    "actual": 6,
    "rss": 7,
    "usable": 8,
    "last-update": 9,
    "disk_caches": 10,
    "hugetlb_pgalloc": 11,
    "hugetlb_pgfail": 12,
}

#: Name of a block counter here, and QEMU's.
_BLOCK: Final = (
    ("rd.reqs", "rd_operations"),
    ("rd.bytes", "rd_bytes"),
    ("rd.times", "rd_total_time_ns"),
    ("wr.reqs", "wr_operations"),
    ("wr.bytes", "wr_bytes"),
    ("wr.times", "wr_total_time_ns"),
    ("fl.reqs", "flush_operations"),
    ("fl.times", "flush_total_time_ns"),
)

#: What QEMU says for a counter that the guest has not told.
_UNTOLD: Final = 2**64 - 1

_NETWORK: Final = (
    ("rx.bytes", "rx_bytes"),
    ("rx.pkts", "rx_packets"),
    ("rx.errs", "rx_errors"),
    ("rx.drop", "rx_dropped"),
    ("tx.bytes", "tx_bytes"),
    ("tx.pkts", "tx_packets"),
    ("tx.errs", "tx_errors"),
    ("tx.drop", "tx_dropped"),
)


def gather(guest: Guest, groups: int) -> list[Param]:
    """The statistics of these groups; 0 means all."""
    found: list[Param] = []
    for group, worker in _WORKERS:
        if not groups or groups & group:
            worker(guest, found)
    return found


def check(groups: int, *, enforce: bool) -> None:
    """With `enforce`, refuse groups that are not there."""
    unknown = groups & ~(_OTHERS | sum(group for group, _ in _WORKERS))
    if enforce and unknown:
        raise LibvirtError(
            f"Stats types bits 0x{unknown:x} are not supported by this daemon or QEMU",
            code=Code.ARGUMENT_UNSUPPORTED,
            domain=Origin.QEMU,
        )


def memory(guest: Guest, run: Run) -> list[tuple[int, int]]:
    """The tags and values of GET_MEMORY_STATS, in KiB or counts."""
    found = [(MEMORY_TAGS["actual"], facts.current_memory(guest))]
    found += [(MEMORY_TAGS[name], value) for name, value in _balloon(run.readings)]
    if run.readings.balloon_updated is not None:
        found.append((MEMORY_TAGS["last-update"], run.readings.balloon_updated))
    found.append((MEMORY_TAGS["rss"], facts.resident_kib(guest)))
    return found


def card_counters(interface: Interface) -> list[int] | None:
    """The counters of a card's device on the host, in the order of `_NETWORK`; None when it has none.

    What the host receives from a tap the guest has sent; a macvtap is the guest's own.
    """
    device = interface.host_device
    return network_counters(device, swapped=interface.type != "direct") if device is not None else None


def network_counters(device: str, *, swapped: bool = True) -> list[int] | None:
    """A host device's counters in the order of `_NETWORK`, sent and received `swapped`; None when it is not there."""
    numbers = []
    for _, name in _NETWORK:
        mirrored = name
        if swapped:
            mirrored = name.replace("rx_", "tx_") if name.startswith("rx_") else name.replace("tx_", "rx_")
        try:
            with open(f"/sys/class/net/{os.path.basename(device)}/statistics/{mirrored}", "rb", buffering=0) as file:
                numbers.append(int(file.read(32)))
        except (OSError, ValueError):
            return None
    return numbers


def _balloon(readings: Readings) -> list[tuple[str, int]]:
    """What the guest has reported. Counters that it never told have the value -1, as QEMU's unsigned number."""
    told = readings.balloon
    return [(name, told[key] // unit) for name, key, unit in _BALLOON if 0 <= told.get(key, -1) < _NEVER_TOLD]


def _state(guest: Guest, found: list[Param]) -> None:
    found.append(("state.state", INT, guest.state.value))
    found.append(("state.reason", INT, guest.reason))


def _cpu(guest: Guest, found: list[Param]) -> None:
    if guest.active:
        user, system = facts.cpu_times(guest)
        found += (
            ("cpu.time", ULLONG, user + system),
            ("cpu.user", ULLONG, user),
            ("cpu.system", ULLONG, system),
        )


def _memory(guest: Guest, found: list[Param]) -> None:
    found.append(("balloon.current", ULLONG, facts.current_memory(guest)))
    found.append(("balloon.maximum", ULLONG, guest.current.memory.kib))
    if guest.run is None:
        return
    found += [(f"balloon.{name}", ULLONG, value) for name, value in _balloon(guest.run.readings)]
    if guest.run.readings.balloon_updated is not None:
        found.append(("balloon.last-update", ULLONG, guest.run.readings.balloon_updated))
    found.append(("balloon.rss", ULLONG, facts.resident_kib(guest)))


def _vcpu(guest: Guest, found: list[Param]) -> None:
    vcpu = guest.current.vcpu
    found.append(("vcpu.current", UINT, vcpu.online))
    found.append(("vcpu.maximum", UINT, vcpu.maximum))
    if guest.run is None:
        return
    for number, thread in enumerate(facts.threads(guest.run)):
        found += (
            (f"vcpu.{number}.state", INT, facts.VCPU_RUNNING),
            (f"vcpu.{number}.time", ULLONG, thread.cpu_time),
            (f"vcpu.{number}.wait", ULLONG, thread.wait),
            (f"vcpu.{number}.delay", ULLONG, thread.delay),
        )


def _interface(guest: Guest, found: list[Param]) -> None:
    if guest.run is None:
        return
    interfaces = guest.run.live.devices.interfaces
    found.append(("net.count", UINT, len(interfaces)))
    for number, interface in enumerate(interfaces):
        if not interface.host_device:
            continue
        found.append((f"net.{number}.name", STRING, interface.host_device))
        counters = card_counters(interface)
        if counters is not None:
            found += [
                (f"net.{number}.{name}", ULLONG, value) for (name, _), value in zip(_NETWORK, counters, strict=True)
            ]


def _blocks(guest: Guest, found: list[Param]) -> None:
    disks = guest.current.devices.disks
    found.append(("block.count", UINT, len(disks)))
    for number, disk in enumerate(disks):
        prefix = f"block.{number}."
        found.append((f"{prefix}name", STRING, disk.target.dev))
        if disk.path:
            found.append((f"{prefix}path", STRING, disk.path))
        if disk.source is not None and disk.source.index:
            found.append((f"{prefix}backingIndex", UINT, disk.source.index))
        if guest.run is not None:
            found += [(prefix + name, ULLONG, value) for name, value in _disk_counters(guest.run, disk)]


def _disk_counters(run: Run, disk: Disk) -> list[tuple[str, int]]:
    counters = disk_counters(run, disk)
    found = [(name, counters[key]) for name, key in _BLOCK if key in counters]
    image = run.readings.nodes.get(disk.node() or "", {})
    if counters and disk.path:
        found.append(("allocation", counters.get("wr_highest_offset", 0)))
    found += [
        (name, image[key]) for name, key in (("capacity", "virtual-size"), ("physical", "actual-size")) if key in image
    ]
    return found


def disk_counters(run: Run, disk: Disk) -> dict[str, int]:
    """QEMU's counters of a disk; empty before QEMU told any."""
    return run.readings.blocks.get(disk.alias.name, {}) if disk.alias is not None else {}


_Worker = Callable[[Guest, list[Param]], None]

_WORKERS: Final[tuple[tuple[int, _Worker], ...]] = (
    (STATE, _state),
    (CPU_TOTAL, _cpu),
    (BALLOON, _memory),
    (VCPU, _vcpu),
    (INTERFACE, _interface),
    (BLOCK, _blocks),
)
