"""What QEMU says of the processor that it made, and what that means for the definition of the running guest.

QEMU leaves out what it cannot give and adds what its machine brings along. The running guest's definition names both,
so that the same processor can be made again elsewhere; `check='full'` refuses such differences instead.

Rules: https://libvirt.org/formatdomain.html#cpu-model-and-topology
"""

from __future__ import annotations

from dataclasses import dataclass

from guesthouse.errors import OperationFailedError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.cpu_matching import features_of
from guesthouse.model.cpu_models import X86, table
from guesthouse.model.domain.cpu import Cpu, CpuFeature
from guesthouse.model.domain.cpu_resolving import definition_of
from guesthouse.model.domain.definition import Domain

#: Where a guest is told that KVM can wake a processor that waits for a lock: CPUID leaf, register, bit.
_PV_UNHALT = (0x40000001, "eax", 7)


@dataclass(frozen=True, slots=True)
class CpuReport:
    """QEMU's words about one processor of a guest.

    `cpuid` is by leaf and subleaf, then by register; `unavailable` are features, in QEMU's names, that were asked for
    and are not there.
    """

    cpuid: dict[tuple[int, int], dict[str, int]]
    unavailable: tuple[str, ...]


def is_wanted(domain: Domain) -> bool:
    """Whether a report would change or refuse anything."""
    cpu = domain.cpu
    if domain.os.arch not in X86 or cpu is None:
        return False
    return cpu.mode == "custom" or cpu.check == "full" or can_refuse(domain)


def can_refuse(domain: Domain) -> bool:
    """Whether a report may show that the guest must not run."""
    cpu = domain.cpu
    if domain.os.arch not in X86 or cpu is None:
        return False
    return cpu.check == "full" or _wants_spinlocks(domain) or any(feature.name == "invtsc" for feature in cpu.features)


def apply(domain: Domain, report: CpuReport) -> None:
    """Check what must hold, and write what is there into the running guest's definition.

    Raises `UnsupportedConfigError` for what the host cannot give, `OperationFailedError` for differences that
    `check='full'` rules out.
    """
    cpu = domain.cpu
    if cpu is None:
        return
    leaf, register, bit = _PV_UNHALT
    if _wants_spinlocks(domain) and not report.cpuid.get((leaf, 0), {}).get(register, 0) >> bit & 1:
        raise UnsupportedConfigError("host doesn't support paravirtual spinlocks", domain=Origin.QEMU)
    cpus = table()
    enabled = cpus.decode_registers(report.cpuid, {})
    unavailable = frozenset(map(cpus.canonical, report.unavailable))
    expected = features_of(definition_of(cpu))
    if "invtsc" in expected and "invtsc" not in enabled:
        raise UnsupportedConfigError("host doesn't support invariant TSC", domain=Origin.QEMU)
    if cpu.mode != "custom" and cpu.check != "full":
        return
    # CPUID does not show model specific registers: what is asked for there is there, unless QEMU says otherwise.
    enabled |= {name for name in expected - unavailable if cpus.without_report(name, enabled)}
    extra, missing = _differences(cpu, expected, enabled, unavailable)
    if cpu.check == "full":
        _refuse(extra, missing)
    else:
        _note(cpu, extra, missing)
    model = cpus.models.get(cpu.model.name or "") if cpu.model is not None else None
    if model is not None:
        listed = {feature.name for feature in cpu.features}
        cpu.features += [new(CpuFeature, name=name, policy="disable") for name in model.removed if name not in listed]
    cpu.check = "full"


def _wants_spinlocks(domain: Domain) -> bool:
    return domain.features is not None and domain.features.pvspinlock is True


def _differences(
    cpu: Cpu, expected: frozenset[str], enabled: frozenset[str], unavailable: frozenset[str]
) -> tuple[list[str], list[str]]:
    """What is there though it should not be, and the other way round, both in the table's order.

    Modes that QEMU settles may have any feature that they do not disable.
    """
    both = enabled & unavailable
    if both:
        raise OperationFailedError(
            f"hypervisor provided conflicting CPU data: feature '{min(both)}' is both enabled and disabled at the same "
            "time",
            domain=Origin.CPU,
        )
    extra = enabled - expected
    if cpu.mode != "custom":
        extra &= {feature.name for feature in cpu.features if feature.policy == "disable"}
    cpus = table()
    return cpus.ordered(extra), cpus.ordered((expected - enabled) | unavailable)


def _refuse(extra: list[str], missing: list[str]) -> None:
    parts = [f"extra features: {','.join(extra)}"] if extra else []
    parts += [f"missing features: {','.join(missing)}"] if missing else []
    if parts:
        raise OperationFailedError(f"guest CPU doesn't match specification: {', '.join(parts)}", domain=Origin.CPU)


def _note(cpu: Cpu, extra: list[str], missing: list[str]) -> None:
    policies = dict.fromkeys(extra, "require") | dict.fromkeys(missing, "disable")
    listed = {feature.name: feature for feature in cpu.features}
    for name in table().ordered(policies):
        if name in listed:
            listed[name].policy = policies[name]
        else:
            cpu.features.append(new(CpuFeature, name=name, policy=policies[name]))
