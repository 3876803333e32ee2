"""Figures of one guest: its disks, interfaces and memory.

The functions are libvirt's under shorter names (https://libvirt.org/html/libvirt-libvirt-domain.html).
"""

from __future__ import annotations

from guesthouse.client.domain import STRING_OKAY
from guesthouse.client.room import all_of
from guesthouse.rpc.procedures import domain_stats as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.types import TypedParam

#: What `memory` may tell (`virDomainMemoryStatTags`), by number.
MEMORY_TAGS = (
    "swap_in",
    "swap_out",
    "major_fault",
    "minor_fault",
    "unused",
    "available",
    "actual",
    "rss",
    "usable",
    "last_update",
    "disk_caches",
    "hugetlb_pgalloc",
    "hugetlb_pgfail",
)


def disk(found: Domain, device: str) -> list[TypedParam]:
    """What one disk has done; of all disks together where `device` is empty."""

    def ask(room: int) -> rpc.DomainBlockStatsFlagsRet:
        args = rpc.DomainBlockStatsFlagsArgs(found.handle, device, room, STRING_OKAY)
        return found.connection.ask(rpc.DomainBlockStatsFlagsRet, rpc.DOMAIN_BLOCK_STATS_FLAGS, args)

    return all_of(ask)


def disk_size(found: Domain, device: str) -> tuple[int, int, int]:
    """Capacity, allocation and physical size of a disk in bytes."""
    args = rpc.DomainGetBlockInfoArgs(found.handle, device, 0)
    ret = found.connection.ask(rpc.DomainGetBlockInfoRet, rpc.DOMAIN_GET_BLOCK_INFO, args)
    return ret.capacity, ret.allocation, ret.physical


def disk_errors(found: Domain) -> list[tuple[str, int]]:
    """The disks that QEMU met errors on, with `virDomainDiskErrorCode`."""
    connection = found.connection
    first = rpc.DomainGetDiskErrorsArgs(found.handle, 0, 0)
    count = connection.ask(rpc.DomainGetDiskErrorsRet, rpc.DOMAIN_GET_DISK_ERRORS, first).nerrors
    if not count:
        return []
    args = rpc.DomainGetDiskErrorsArgs(found.handle, count, 0)
    ret = connection.ask(rpc.DomainGetDiskErrorsRet, rpc.DOMAIN_GET_DISK_ERRORS, args)
    return [(one.disk, one.error) for one in ret.errors]


def interface(found: Domain, device: str) -> dict[str, int]:
    """What one network interface has done; what cannot be counted is left out."""
    args = rpc.DomainInterfaceStatsArgs(found.handle, device)
    ret = found.connection.ask(rpc.DomainInterfaceStatsRet, rpc.DOMAIN_INTERFACE_STATS, args)
    values = {name: getattr(ret, name) for name in type(ret).fields}
    return {name: value for name, value in values.items() if value >= 0}


def addresses(found: Domain, source: int) -> list[tuple[str, str | None, list[tuple[str, int]]]]:
    """The guest's interfaces: name, MAC address, and IP addresses with their prefix.

    `source` says who is asked: 0 the DHCP leases, 1 the guest agent, 2 the host's ARP table.
    """
    from guesthouse.rpc.procedures import domain_agent as family

    args = family.DomainInterfaceAddressesArgs(found.handle, source, 0)
    ret = found.connection.ask(family.DomainInterfaceAddressesRet, family.DOMAIN_INTERFACE_ADDRESSES, args)
    return [(one.name, one.hwaddr, [(ip.addr, ip.prefix) for ip in one.addrs]) for one in ret.ifaces]


def memory(found: Domain) -> dict[str, int]:
    """The guest's memory as the balloon driver sees it (KiB, faults and seconds), in the daemon's order."""
    args = rpc.DomainMemoryStatsArgs(found.handle, len(MEMORY_TAGS), 0)
    stats = found.connection.ask(rpc.DomainMemoryStatsRet, rpc.DOMAIN_MEMORY_STATS, args).stats
    return {MEMORY_TAGS[one.tag]: one.val for one in stats if 0 <= one.tag < len(MEMORY_TAGS)}


def set_memory_period(found: Domain, seconds: int, flags: int) -> None:
    """How often the balloon driver reports; 0 turns it off."""
    from guesthouse.rpc.procedures import domain_tuning as family

    args = family.DomainSetMemoryStatsPeriodArgs(found.handle, seconds, flags)
    found.connection.call(family.DOMAIN_SET_MEMORY_STATS_PERIOD, args)
