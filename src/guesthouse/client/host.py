"""What a connection tells about the host and about the daemon's hypervisor.

The functions are libvirt's `virConnect…` and `virNode…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-host.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.client.domain import STRING_OKAY
from guesthouse.client.room import all_of
from guesthouse.rpc.procedures import connect as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.procedures.node import NodeGetInfoRet
    from guesthouse.rpc.types import TypedParam

    #: A machine that capabilities are asked for: emulator, architecture, machine type, virtualization type.
    Target = tuple[str | None, str | None, str | None, str | None]


def hypervisor_type(connection: Connection) -> str:
    """The driver's name, such as `QEMU`."""
    return connection.ask(rpc.ConnectGetTypeRet, rpc.CONNECT_GET_TYPE).type


def hypervisor_version(connection: Connection) -> int:
    """The hypervisor's version: major * 1,000,000 + minor * 1,000 + release; 0 where it cannot be told."""
    return connection.ask(rpc.ConnectGetVersionRet, rpc.CONNECT_GET_VERSION).hv_ver


def daemon_version(connection: Connection) -> int:
    """The libvirt release that the daemon speaks, in the same form."""
    return connection.ask(rpc.ConnectGetLibVersionRet, rpc.CONNECT_GET_LIB_VERSION).lib_ver


def hostname(connection: Connection) -> str:
    """The host's name."""
    return connection.ask(rpc.ConnectGetHostnameRet, rpc.CONNECT_GET_HOSTNAME).hostname


def sysinfo(connection: Connection) -> str:
    """What the firmware says about the host, as XML."""
    return connection.ask(rpc.ConnectGetSysinfoRet, rpc.CONNECT_GET_SYSINFO, rpc.ConnectGetSysinfoArgs(0)).sysinfo


def capabilities(connection: Connection) -> str:
    """The host's and the hypervisor's capabilities, as XML."""
    return connection.ask(rpc.ConnectGetCapabilitiesRet, rpc.CONNECT_GET_CAPABILITIES).capabilities


def to_native(connection: Connection, native_format: str, document: str) -> str:
    """A guest's definition in another program's form, such as `qemu-argv`."""
    args = rpc.ConnectDomainXmlToNativeArgs(native_format, document)
    return connection.ask(rpc.ConnectDomainXmlToNativeRet, rpc.CONNECT_DOMAIN_XML_TO_NATIVE, args).nativeConfig


def from_native(connection: Connection, native_format: str, config: str) -> str:
    """Another program's form of a guest as a definition, where the daemon can tell."""
    args = rpc.ConnectDomainXmlFromNativeArgs(native_format, config)
    return connection.ask(rpc.ConnectDomainXmlFromNativeRet, rpc.CONNECT_DOMAIN_XML_FROM_NATIVE, args).domainXml


def domain_capabilities(connection: Connection, target: Target, flags: int = 0) -> str:
    """What a guest on one kind of machine can have, as XML."""
    emulator, arch, machine, virt = target
    args = rpc.ConnectGetDomainCapabilitiesArgs(emulator, arch, machine, virt, flags)
    ret = connection.ask(rpc.ConnectGetDomainCapabilitiesRet, rpc.CONNECT_GET_DOMAIN_CAPABILITIES, args)
    return ret.capabilities


def max_vcpus(connection: Connection, virt: str | None) -> int:
    """How many vCPUs a guest can have at most."""
    args = rpc.ConnectGetMaxVcpusArgs(virt)
    return connection.ask(rpc.ConnectGetMaxVcpusRet, rpc.CONNECT_GET_MAX_VCPUS, args).max_vcpus


def cpu_models(connection: Connection, arch: str) -> list[str]:
    """The names of the CPU models of an architecture."""
    args = rpc.ConnectGetCpuModelNamesArgs(arch, 1, 0)
    return connection.ask(rpc.ConnectGetCpuModelNamesRet, rpc.CONNECT_GET_CPU_MODEL_NAMES, args).models


def compare_cpu(connection: Connection, cpu: str, flags: int) -> int:
    """Compare a CPU with the host's: 0 incompatible, 1 identical, 2 the host's is a superset."""
    args = rpc.ConnectCompareCpuArgs(cpu, flags)
    return connection.ask(rpc.ConnectCompareCpuRet, rpc.CONNECT_COMPARE_CPU, args).result


def compare_hypervisor_cpu(connection: Connection, target: Target, cpu: str, flags: int) -> int:
    """Compare a CPU with what the hypervisor can offer, as `compare_cpu`."""
    args = rpc.ConnectCompareHypervisorCpuArgs(*target, cpu, flags)
    ret = connection.ask(rpc.ConnectCompareHypervisorCpuRet, rpc.CONNECT_COMPARE_HYPERVISOR_CPU, args)
    return ret.result


def baseline_cpu(connection: Connection, cpus: list[str], flags: int) -> str:
    """The CPU that all of these have in common, as XML."""
    args = rpc.ConnectBaselineCpuArgs(cpus, flags)
    return connection.ask(rpc.ConnectBaselineCpuRet, rpc.CONNECT_BASELINE_CPU, args).cpu


def baseline_hypervisor_cpu(connection: Connection, target: Target, cpus: list[str], flags: int) -> str:
    """The CPU that all of these have in common and the hypervisor can offer, as XML."""
    args = rpc.ConnectBaselineHypervisorCpuArgs(*target, cpus, flags)
    ret = connection.ask(rpc.ConnectBaselineHypervisorCpuRet, rpc.CONNECT_BASELINE_HYPERVISOR_CPU, args)
    return ret.cpu


def node_info(connection: Connection) -> NodeGetInfoRet:
    """The host's CPUs and memory (KiB)."""
    from guesthouse.rpc.procedures import node

    return connection.ask(node.NodeGetInfoRet, node.NODE_GET_INFO)


def cpu_map(connection: Connection) -> tuple[int, int, bytes]:
    """How many CPUs the host has, how many are online, and a bit map of those."""
    from guesthouse.rpc.procedures import node

    ret = connection.ask(node.NodeGetCpuMapRet, node.NODE_GET_CPU_MAP, node.NodeGetCpuMapArgs(1, 1, 0))
    return ret.ret, ret.online, ret.cpumap


def cpu_count(connection: Connection) -> int:
    """How many CPUs the host has."""
    from guesthouse.rpc.procedures import node

    return connection.ask(node.NodeGetCpuMapRet, node.NODE_GET_CPU_MAP, node.NodeGetCpuMapArgs(0, 0, 0)).ret


def cpu_stats(connection: Connection, cpu: int) -> dict[str, int]:
    """Nanoseconds that the host's CPUs (-1) or one of them spent in each kind of work."""
    from guesthouse.rpc.procedures import node

    def ask(room: int) -> node.NodeGetCpuStatsRet:
        args = node.NodeGetCpuStatsArgs(cpu, room, 0)
        return connection.ask(node.NodeGetCpuStatsRet, node.NODE_GET_CPU_STATS, args)

    return {stat.field: stat.value for stat in all_of(ask)}


def memory_stats(connection: Connection, cell: int) -> dict[str, int]:
    """The host's memory (-1) or that of one NUMA cell, in KiB."""
    from guesthouse.rpc.procedures import node

    def ask(room: int) -> node.NodeGetMemoryStatsRet:
        args = node.NodeGetMemoryStatsArgs(room, cell, 0)
        return connection.ask(node.NodeGetMemoryStatsRet, node.NODE_GET_MEMORY_STATS, args)

    return {stat.field: stat.value for stat in all_of(ask)}


def free_memory(connection: Connection) -> int:
    """The host's free memory in bytes."""
    from guesthouse.rpc.procedures import node

    return connection.ask(node.NodeGetFreeMemoryRet, node.NODE_GET_FREE_MEMORY).freeMem


def cell_free_memory(connection: Connection, cell: int) -> int:
    """The free memory of one NUMA cell in bytes."""
    from guesthouse.rpc.procedures import node

    args = node.NodeGetCellsFreeMemoryArgs(cell, 1)
    return connection.ask(node.NodeGetCellsFreeMemoryRet, node.NODE_GET_CELLS_FREE_MEMORY, args).cells[0]


def security_model(connection: Connection) -> tuple[str, str]:
    """The host's security model and its domain of interpretation; empty where there is none."""
    from guesthouse.rpc.procedures import node

    ret = connection.ask(node.NodeGetSecurityModelRet, node.NODE_GET_SECURITY_MODEL)
    return ret.model.rstrip(b"\0").decode(), ret.doi.rstrip(b"\0").decode()


def sev_info(connection: Connection) -> list[TypedParam]:
    """What the host offers of AMD SEV."""
    from guesthouse.rpc.procedures import node

    def ask(room: int) -> node.NodeGetSevInfoRet:
        args = node.NodeGetSevInfoArgs(room, STRING_OKAY)
        return connection.ask(node.NodeGetSevInfoRet, node.NODE_GET_SEV_INFO, args)

    return all_of(ask)


def free_pages(connection: Connection, sizes: list[int], cell: int) -> list[int]:
    """How many pages of these sizes (KiB) are free in a NUMA cell (-1: in all together)."""
    from guesthouse.rpc.procedures import node

    args = node.NodeGetFreePagesArgs(sizes, cell, 1, 0)
    return connection.ask(node.NodeGetFreePagesRet, node.NODE_GET_FREE_PAGES, args).counts


def all_stats(
    connection: Connection, domains: list[Domain], stats: int, flags: int
) -> list[tuple[Domain, list[TypedParam]]]:
    """Statistics of some guests, or of all that pass the filter in `flags` (`virDomainStatsTypes`; 0 takes all)."""
    from guesthouse.rpc.procedures import domain_stats as family

    args = family.ConnectGetAllDomainStatsArgs([domain.handle for domain in domains], stats, flags)
    ret = connection.ask(family.ConnectGetAllDomainStatsRet, family.CONNECT_GET_ALL_DOMAIN_STATS, args)
    return [(connection.domain(record.dom), record.params) for record in ret.retStats]


def define(connection: Connection, xml: str, flags: int) -> Domain:
    """Store a guest's definition (flag 1: after validating it against the schema)."""
    from guesthouse.rpc.procedures import domain as family

    if flags:
        args = family.DomainDefineXmlFlagsArgs(xml, flags)
        return connection.domain(
            connection.ask(family.DomainDefineXmlFlagsRet, family.DOMAIN_DEFINE_XML_FLAGS, args).dom
        )
    plain = family.DomainDefineXmlArgs(xml)
    return connection.domain(connection.ask(family.DomainDefineXmlRet, family.DOMAIN_DEFINE_XML, plain).dom)


def adopt(connection: Connection, pid: int) -> Domain:
    """Have the daemon manage a QEMU that somebody else started, where it can."""
    from guesthouse.rpc.procedures import qemu as family

    return connection.domain(
        connection.ask(family.DomainAttachRet, family.DOMAIN_ATTACH, family.DomainAttachArgs(pid, 0)).dom
    )


def create(connection: Connection, xml: str, flags: int) -> Domain:
    """Start a guest without storing its definition."""
    from guesthouse.rpc.procedures import domain as family

    args = family.DomainCreateXmlArgs(xml, flags)
    return connection.domain(connection.ask(family.DomainCreateXmlRet, family.DOMAIN_CREATE_XML, args).dom)
