"""What cannot be honoured: checks that span a guest's sections, after everything is filled in. Codes and texts are
libvirt's where it has them.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.qemu_capabilities import KVM

_MIB = 1 << 20


def check(domain: Domain, ctx: DeviceContext) -> None:
    """Check a completed definition.

    Raises `UnsupportedConfigError` or `XmlError` that says which setting is wrong.
    """
    _check_processors(domain, ctx)
    _check_machine_features(domain, ctx)
    _check_firmware(domain)
    _check_timers(domain, ctx)
    _check_sysinfo(domain)
    if len(domain.sysinfo) > 1:
        raise UnsupportedConfigError("only one <sysinfo type='smbios'> is supported")
    aliases: set[str] = set()
    for device in domain.devices.all():
        device.check(ctx)
        if device.alias is not None and device.alias.of_user:
            if device.alias.name in aliases:
                raise XmlError(f"non unique alias detected: {device.alias.name}")
            aliases.add(device.alias.name)


def _check_processors(domain: Domain, ctx: DeviceContext) -> None:
    machine = ctx.qemu.machine(ctx.machine)
    if machine is not None and domain.vcpu.maximum > machine.max_cpus:
        raise UnsupportedConfigError(f"Maximum CPUs greater than specified machine type limit {machine.max_cpus}")
    cpu = domain.cpu
    if cpu is None:
        return
    if cpu.topology is not None and cpu.topology.total != domain.vcpu.maximum:
        raise UnsupportedConfigError("CPU topology doesn't match maximum vcpu count")
    if cpu.mode == "host-passthrough" and ctx.accel != KVM:
        raise UnsupportedConfigError(
            f"CPU mode 'host-passthrough' for {ctx.arch} {domain.type} domain on {ctx.arch} host is not supported by "
            "hypervisor",
            hint="use mode='maximum'",
        )
    if cpu.maxphysaddr is not None and cpu.maxphysaddr.limit is not None and cpu.maxphysaddr.mode == "emulate":
        raise UnsupportedConfigError("attribute 'limit' is only supported for maxphysaddr mode 'passthrough'")
    if cpu.cache is not None and cpu.cache.mode == "passthrough" and cpu.mode not in ("host-passthrough", "maximum"):
        raise UnsupportedConfigError(
            "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPU mode"
        )


def _check_machine_features(domain: Domain, ctx: DeviceContext) -> None:
    features = domain.features
    if features is None:
        return
    if features.hap is not None:
        raise UnsupportedConfigError("feature 'hap' is not supported by QEMU guests", hint="remove <hap>")
    if features.ioapic is not None and ctx.accel != KVM:
        raise UnsupportedConfigError("I/O APIC tuning is not supported for this guest", hint="it needs KVM")
    smm = features.smm
    if smm is not None and smm.state and smm.tseg is not None:
        if not ctx.q35:
            raise UnsupportedConfigError("SMM TSEG is only supported with q35 machine type")
        if smm.tseg.bytes % _MIB:
            raise UnsupportedConfigError("SMM TSEG size must be divisible by 1 MiB")


def _check_firmware(domain: Domain) -> None:
    loader = domain.os.loader
    if loader is None:
        return
    acpi = domain.features is not None and domain.features.acpi
    if loader.type == "pflash" and not acpi:
        raise UnsupportedConfigError("ACPI must be enabled in order to use UEFI", hint="add <acpi/> to <features>")
    if loader.secure:
        smm = domain.features.smm if domain.features is not None else None
        if smm is None or not smm.state:
            raise UnsupportedConfigError("Secure boot requires SMM feature enabled")


def _check_timers(domain: Domain, ctx: DeviceContext) -> None:
    for timer in domain.clock.timers:
        if timer.name in ("platform", "armvtimer"):
            raise UnsupportedConfigError(f"unsupported timer type (name) '{timer.name}'")
        if timer.name == "rtc":
            if timer.track not in (None, "guest", "wall", "realtime"):
                raise UnsupportedConfigError(f"unsupported rtc timer track '{timer.track}'")
            if timer.tickpolicy not in (None, "delay", "catchup"):
                raise UnsupportedConfigError(f"unsupported rtc timer tickpolicy '{timer.tickpolicy}'")
        if timer.name == "pit" and timer.tickpolicy == "merge":
            raise UnsupportedConfigError(f"unsupported pit tickpolicy '{timer.tickpolicy}'")
        if timer.name == "tsc" and timer.mode not in (None, "auto"):
            raise UnsupportedConfigError(f"unsupported tsc timer mode '{timer.mode}'")
        if timer.catchup is not None:
            raise UnsupportedConfigError(f"timer '{timer.name}': limits of catching up are not supported by QEMU")


def _check_sysinfo(domain: Domain) -> None:
    mode = domain.os.smbios.mode if domain.os.smbios is not None else None
    if mode == "host":
        raise UnsupportedConfigError("smbios mode 'host' is not supported", hint="use mode='sysinfo' with <sysinfo>")
    if mode == "sysinfo" and not domain.sysinfo:
        raise XmlError(f"Domain '{domain.name}' sysinfo are not available")
    for info in domain.sysinfo:
        uuid = info.entry("system", "uuid")
        if uuid is not None and uuid.lower() != domain.uuid:
            raise XmlError("UUID mismatch between <uuid> and <sysinfo>")
        if len(info.boards) > 1:
            raise UnsupportedConfigError("qemu does not support more than one entry to Type 2 in SMBIOS table")
