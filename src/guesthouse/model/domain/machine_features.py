"""The machine's features on QEMU's command line, and those that this guest cannot have.

Properties: `qemu-system-x86_64 -machine TYPE,help`; rules: https://libvirt.org/formatdomain.html#hypervisor-features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.features import Features, Gic
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_capabilities import KVM, TCG, QemuCapabilities

_MIB: Final = 1 << 20
_X86: Final = ("i686", "x86_64")
_ARM: Final = ("aarch64", "armv7l", "armv6l")

#: Features of POWER machines, which Guesthouse does not run.
_PSERIES: Final[dict[str, Callable[[Features], object]]] = {
    "hpt": lambda features: features.hpt,
    "htm": lambda features: features.htm,
    "nested-hv": lambda features: features.nested_hv,
    "ccf-assist": lambda features: features.ccf_assist,
    "cfpc": lambda features: features.cfpc,
    "sbbc": lambda features: features.sbbc,
    "ibs": lambda features: features.ibs,
}


def complete(domain: Domain, qemu: QemuCapabilities, *, kept: bool) -> None:
    """Name the interrupt controller of an Arm guest: the newest that KVM has, else version 2, which suits PCIe best.

    A definition that was `kept` may have what no machine of its architecture has.
    """
    features = domain.features
    if kept and features is not None and features.acpi and domain.os.arch == "s390x":
        features.acpi = False  # which libvirt once took there without a word
    virt = domain.os.arch in _ARM and _is_virt_machine(domain.os.machine)
    given = features.gic if features is not None else None
    if (given is None and not virt) or (given is not None and given.version is not None):
        return
    features = domain.features = features or new(Features)
    features.gic = given or new(Gic)
    features.gic.version = str(max(qemu.gic_versions, default=2)) if domain.type == "kvm" else "2"


def machine_words(features: Features | None, launch: LaunchContext) -> list[str]:
    """The features among the properties of `-machine`."""
    if features is None:
        return []
    words: list[str] = []
    if features.vmport is not None:
        words.append(f"vmport={_on_off(features.vmport)}")
    if features.smm is not None:
        words.append(f"smm={_on_off(features.smm.state)}")
    if features.gic is not None and features.gic.version is not None and launch.caps.guest_arch == "aarch64":
        words.append(f"gic-version={features.gic.version}")
    if features.ioapic is not None and features.ioapic.driver is not None:
        words.append("kernel_irqchip=" + ("split" if features.ioapic.driver == "qemu" else "on"))
    if features.ras is not None:
        words.append(f"ras={_on_off(features.ras)}")
    if features.ps2 is not None:
        words.append(f"i8042={_on_off(features.ps2)}")
    return words


def accelerator_words(features: Features | None, accel: str) -> list[str]:
    """What follows the accelerator's name in `-accel`."""
    if features is None:
        return []
    if accel == TCG and features.tcg is not None and features.tcg.cache is not None:
        return [f"tb-size={features.tcg.cache.kib >> 10}"]
    ring = features.kvm.dirty_ring if features.kvm is not None else None
    return [f"dirty-ring-size={ring.size}"] if accel == KVM and ring is not None and ring.size else []


def teardown_arguments(features: Features | None) -> list[str]:
    """Whether a helper of QEMU's frees the guest's memory."""
    teardown = features.async_teardown if features is not None else None
    return [] if teardown is None else ["-run-with", f"async-teardown={_on_off(teardown.enabled)}"]


def tseg_arguments(features: Features | None) -> list[str]:
    """The memory of system management mode."""
    smm = features.smm if features is not None else None
    if smm is None or smm.tseg is None or not smm.state:
        return []
    return ["-global", f"mch.extended-tseg-mbytes={smm.tseg.bytes >> 20}"]


def check(features: Features | None, ctx: DeviceContext) -> None:
    """Refuse what this machine does not have. Raises `UnsupportedConfigError` with libvirt's texts."""
    if features is None:
        return
    for name, find in _PSERIES.items():
        if find(features) is not None:
            raise _not_here(name, ctx)
    _check_x86(features, ctx)
    _check_arm(features, ctx)
    _check_emulation(features, ctx)
    _check_smm(features, ctx)


def _check_x86(features: Features, ctx: DeviceContext) -> None:
    if ctx.arch not in _X86:
        if features.ioapic is not None and features.ioapic.driver is not None:
            raise _not_here("ioapic", ctx)
        if features.pvspinlock is not None:
            raise _not_here("pvspinlock", ctx)
        if features.apic is not None and features.apic.eoi is not None:
            raise UnsupportedConfigError(f"The 'eoi' attribute of {_where('apic', ctx)}")
        if features.hyperv is not None and not _is_virt(ctx):
            raise UnsupportedConfigError(
                f"Hyperv features are not supported for architecture '{ctx.arch}' or machine type '{ctx.machine}'"
            )
        if features.vmport is not None:
            raise UnsupportedConfigError("vmport is not available with this QEMU binary")
        if features.ps2 is not None:
            raise UnsupportedConfigError("ps2 feature is not available with this QEMU binary")
    if features.vmport and features.ps2 is False:
        raise UnsupportedConfigError("vmport feature requires the ps2 feature not to be disabled")


def _check_arm(features: Features, ctx: DeviceContext) -> None:
    if features.gic is not None and not _is_virt(ctx):
        raise _not_here("gic", ctx)
    if features.ras is not None and not _is_virt(ctx):
        raise UnsupportedConfigError("ras feature is only supported with ARM Virt machines")
    if features.aia is not None and features.aia.value is not None:
        raise UnsupportedConfigError("aia feature is only supported with RISC-V Virt machines")


def _check_emulation(features: Features, ctx: DeviceContext) -> None:
    if features.tcg is not None and features.tcg.cache is not None:
        if ctx.accel != TCG:
            raise UnsupportedConfigError(f"TCG features are incompatible with domain type '{ctx.accel}'")
        if features.tcg.cache.kib % 1024:
            raise UnsupportedConfigError("tb-cache size must be an integer multiple of MiB")
    if features.vmcoreinfo and not ctx.qemu.has_device("vmcoreinfo"):
        raise UnsupportedConfigError("vmcoreinfo is not available with this QEMU binary")
    teardown = features.async_teardown
    if teardown is not None and teardown.enabled and not ctx.qemu.has_option("run-with", "async-teardown"):
        raise UnsupportedConfigError("asynchronous teardown is not available with this QEMU binary")


def _check_smm(features: Features, ctx: DeviceContext) -> None:
    smm = features.smm
    if smm is not None and smm.state and smm.tseg is not None:
        if not ctx.q35:
            raise UnsupportedConfigError("SMM TSEG is only supported with q35 machine type")
        if smm.tseg.bytes % _MIB:
            raise UnsupportedConfigError("SMM TSEG size must be divisible by 1 MiB")


def _is_virt(ctx: DeviceContext) -> bool:
    return ctx.arch in _ARM and _is_virt_machine(ctx.machine)


def _is_virt_machine(name: str) -> bool:
    return name == "virt" or name.startswith("virt-")


def _where(name: str, ctx: DeviceContext) -> str:
    where = f"architecture '{ctx.arch}' or machine type '{ctx.machine}'"
    return f"the '{name}' feature is not supported for {where}"


def _not_here(name: str, ctx: DeviceContext) -> UnsupportedConfigError:
    return UnsupportedConfigError(_where(name, ctx).replace("the", "The", 1))


def _on_off(state: bool) -> str:
    return "on" if state else "off"
