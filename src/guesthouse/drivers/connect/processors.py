"""Processors: the host's own by name, the best that a QEMU can offer, and the calls that compare and join them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guesthouse.drivers.connect.emulators import ARCHITECTURES
from guesthouse.errors import LibvirtError, OperationUnsupportedError, Origin, UnsupportedConfigError
from guesthouse.host.cpu import read_cpuid, read_cpuinfo, read_msrs
from guesthouse.host.memory import page_sizes
from guesthouse.model.cpu_definition import (
    CpuDefinition,
    PhysicalAddress,
    Topology,
    format_cpu,
    parse_cpu,
)
from guesthouse.model.cpu_from_qemu import blockers, host_model, known_features
from guesthouse.model.cpu_matching import (
    Processor,
    baseline,
    compare,
    decode,
    expand,
)
from guesthouse.model.cpu_models import X86, Signature, table
from guesthouse.model.cpu_usability import NOT_IN_QEMU, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.drivers.connect.emulators import Choice
    from guesthouse.drivers.connect.node import Node
    from guesthouse.host.sysfs import HostTree


def read_processor(tree: HostTree) -> tuple[Processor, int | None, int | None]:
    """The host's x86 processor, its microcode's version, and the width of its physical addresses in bits.

    Features come from the processor itself where the kernel offers its `cpuid` device, else from the kernel's list,
    which lacks some. Model specific registers come from KVM.
    """
    cpus, info = table(), read_cpuinfo(tree)
    leaves, msrs = cpus.registers()
    cpuid = read_cpuid(tree, leaves)
    features = cpus.decode_registers(cpuid, read_msrs(tree, msrs)) if cpuid else frozenset[str]()
    signature = None
    if info.family is not None and info.model is not None:
        signature = Signature(info.family, info.model, info.stepping or 0)
    processor = Processor(features | cpus.from_kernel_flags(info.flags), cpus.vendor_of(info.vendor), signature)
    return processor, info.microcode, info.physical_bits


def host_cpu(node: Node) -> CpuDefinition:
    """The host's processor, as `<capabilities>` shows it. Its model is None where nothing is known of it."""
    counts = node.counts()
    cpu = CpuDefinition(arch=node.arch)
    if node.arch in X86:
        processor, cpu.microcode, bits = read_processor(node.tree)
        try:
            cpu = replace(decode(processor, host=True), arch=node.arch, microcode=cpu.microcode)
        except LibvirtError:
            cpu.signature = processor.signature
        cpu.physical_address = PhysicalAddress("emulate", bits=bits) if bits else None
    cpu.topology = Topology(counts.sockets, 1, 1, counts.cores, counts.threads)
    cpu.pages = tuple(page_sizes(node.tree))
    return cpu


def compare_with_host(host: CpuDefinition, xml: str, *, fail: bool, validate: bool) -> int:
    """How the host's processor serves a guest that asks for `xml`: 0 incompatible, 1 identical, 2 superset."""
    return compare(host, _parse(xml, validate=validate), fail=fail)


def compare_with_emulator(choice: Choice, xml: str, *, fail: bool, validate: bool) -> int:
    """How an emulator on this host serves a guest that asks for `xml`. A model that QEMU calls usable is a superset."""
    own = host_model(choice.capabilities, choice.accelerator)
    if own is None:
        raise OperationUnsupportedError(
            f"QEMU '{choice.capabilities.binary}' does not support reporting CPU model "
            f"for virttype '{choice.guest_type}'"
        )
    cpu = _parse(xml, validate=validate)
    return serve(choice.capabilities, choice.accelerator, own, cpu, fail=fail)


def _parse(xml: str, *, host: bool | None = None, validate: bool = False) -> CpuDefinition:
    """A processor to compare or join. Raises what `parse_cpu` raises, and error 67 for an architecture that is none."""
    cpu = parse_cpu(xml, host=host, validate=validate)
    if cpu.arch is not None and cpu.arch not in ARCHITECTURES:
        raise UnsupportedConfigError(f"Unknown architecture {cpu.arch}", domain=Origin.CPU)
    return cpu


def join(xmls: Sequence[str], *, expanded: bool, migratable: bool) -> str:
    """The guest processor that all of these hosts can run, as a document."""
    result = baseline([_parse(xml, host=True) for xml in xmls], migratable=migratable)
    result.features = {name: policy for name, policy in result.features.items() if name not in NOT_IN_QEMU}
    return format_cpu(expand(result) if expanded else result)


def join_for_emulator(choice: Choice, xmls: Sequence[str], *, expanded: bool, migratable: bool) -> str:
    """The guest processor that an emulator can run on all of these hosts, as a document."""
    cpus = [_parse(xml) for xml in xmls]
    known = blockers(choice.capabilities, choice.accelerator)
    if not known or choice.arch not in X86:
        raise OperationUnsupportedError(
            f"QEMU '{choice.capabilities.binary}' does not support any CPU models for virttype '{choice.guest_type}'"
        )
    available = known_features(choice.capabilities, choice.accelerator)
    result = baseline(cpus, usable=known, available=available or None, migratable=migratable)
    result.fallback = "forbid"
    if expanded:
        result = expand(result)
    limits = [cpu.physical_address.limit if cpu.physical_address else None for cpu in cpus]
    if all(limits):
        result.physical_address = PhysicalAddress("passthrough", limit=min(limit for limit in limits if limit))
    return format_cpu(result)
