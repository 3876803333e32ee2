"""What cannot be honoured: checks that span a guest's sections, after everything is filled in. Codes and texts are
libvirt's where it has them.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.domain import (
    clock_arguments,
    guest_memory,
    keywrap,
    launch_security,
    machine_features,
    processors,
    sysinfo,
)
from guesthouse.model.domain.cpu import Cache, Cpu
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.machines import WITHOUT_IOMMU

#: The level of cache that QEMU can emulate.
_EMULATED_LEVEL = 3


def check(domain: Domain, ctx: DeviceContext) -> None:
    """Check a completed definition.

    Raises `UnsupportedConfigError` or `XmlError` that says which setting is wrong.
    """
    _check_processors(domain, ctx)
    processors.check(domain)
    guest_memory.check(domain, ctx.memory)
    if domain.memtune is not None:
        domain.memtune.check()
    machine_features.check(domain.features, ctx)
    ps2 = domain.features.ps2 if domain.features is not None else None
    if ps2 is False and any(item.bus == "ps2" for item in domain.devices.inputs):
        raise UnsupportedConfigError("ps2 bus inputs require the ps2 feature not to be disabled")
    keywrap.check(domain.keywrap, ctx.arch)
    launch_security.check(domain.launch_security, ctx.qemu.objects)
    _check_actions(domain)
    _check_firmware(domain, ctx)
    clock_arguments.check(domain.clock, domain.type, ctx)
    mode = domain.os.smbios.mode if domain.os.smbios is not None else None
    sysinfo.check(domain.sysinfo, name=domain.name, uuid=domain.uuid, mode=mode)
    if domain.os.bios is not None and domain.os.bios.use_serial and not domain.devices.serials:
        raise XmlError("need at least one serial port to use BIOS serial output")
    _check_iommu(domain)
    domain.devices.check_together()
    aliases: set[str] = set()
    for device in domain.devices.all():
        device.check_address(ctx)
        device.check(ctx)
        if device.alias is not None and device.alias.of_user:
            if device.alias.name in aliases:
                raise XmlError(f"non unique alias detected: {device.alias.name}")
            aliases.add(device.alias.name)


def _check_processors(domain: Domain, ctx: DeviceContext) -> None:
    machine = ctx.qemu.machine(ctx.machine)
    if machine is not None and domain.vcpu.maximum > machine.max_cpus:
        raise UnsupportedConfigError(f"Maximum CPUs greater than specified machine type limit {machine.max_cpus}")
    if ctx.x86 and domain.vcpu.maximum > WITHOUT_IOMMU:
        _check_many_processors(domain, ctx)
    cpu = domain.cpu
    if cpu is not None:
        _check_cpu(domain, cpu)


def _check_many_processors(domain: Domain, ctx: DeviceContext) -> None:
    if not ctx.q35:
        raise UnsupportedConfigError(f"more than {WITHOUT_IOMMU} vCPUs are only supported on q35-based machine types")
    iommu = domain.devices.iommu
    if iommu is None or not iommu.extended_interrupts:
        raise UnsupportedConfigError(
            f"more than {WITHOUT_IOMMU} vCPUs require extended interrupt mode enabled on the iommu device"
        )


def _check_iommu(domain: Domain) -> None:
    iommu = domain.devices.iommu
    if iommu is None:
        return
    features = domain.features
    split = features is not None and features.ioapic is not None and features.ioapic.driver == "qemu"
    if iommu.remaps_interrupts and not split:
        raise UnsupportedConfigError("IOMMU interrupt remapping requires split I/O APIC (ioapic driver='qemu')")
    if iommu.extended_interrupts and not iommu.remaps_interrupts:
        raise UnsupportedConfigError("IOMMU eim requires interrupt remapping to be enabled")


def _check_cpu(domain: Domain, cpu: Cpu) -> None:
    if cpu.deprecated_features is not None and (domain.os.arch != "s390x" or cpu.mode != "host-model"):
        raise UnsupportedConfigError("deprecated_features belongs to mode 'host-model' on s390x")
    if cpu.topology is not None and cpu.topology.total != domain.vcpu.maximum:
        raise UnsupportedConfigError("CPU topology doesn't match maximum vcpu count")
    address = cpu.maxphysaddr
    if address is not None and address.limit is not None and address.mode == "emulate":
        raise UnsupportedConfigError("attribute 'limit' is only supported for maxphysaddr mode 'passthrough'")
    if address is not None and address.bits is not None and address.mode == "passthrough":
        raise UnsupportedConfigError(
            "CPU maximum physical address bits number specification cannot be used with mode='passthrough'"
        )
    if cpu.cache is not None:
        _check_cache(cpu, cpu.cache)


def _check_cache(cpu: Cpu, cache: Cache) -> None:
    if cache.mode == "emulate":
        if cache.level != _EMULATED_LEVEL:
            raise UnsupportedConfigError(f"CPU cache mode 'emulate' can only be used with level='{_EMULATED_LEVEL}'")
        return
    if cache.mode == "passthrough" and cpu.mode not in ("host-passthrough", "maximum"):
        raise UnsupportedConfigError(
            "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPUs"
        )
    if cache.level is not None:
        raise UnsupportedConfigError(f"unsupported CPU cache level for mode '{cache.mode}'")


def _check_actions(domain: Domain) -> None:
    """What may happen to a guest that stops: QEMU cannot keep one that has powered off, nor rename one."""
    if "rename-restart" in (domain.on_poweroff, domain.on_reboot, domain.on_crash):
        raise UnsupportedConfigError(
            "qemu driver doesn't support the 'rename-restart' action for 'on_reboot'/'on_poweroff'/'on_crash'"
        )
    if "preserve" in (domain.on_poweroff, domain.on_reboot):
        raise UnsupportedConfigError("qemu driver doesn't support the 'preserve' action for 'on_reboot'/'on_poweroff'")
    if domain.on_poweroff == "restart" and domain.on_reboot == "destroy":
        raise UnsupportedConfigError(
            "qemu driver doesn't support 'onReboot' set to 'destroy and 'onPoweroff' set to 'reboot'"
        )


def _check_firmware(domain: Domain, ctx: DeviceContext) -> None:
    loader = domain.os.loader
    acpi = domain.features is not None and domain.features.acpi
    machine = ctx.qemu.machine(ctx.machine)
    if acpi and machine is not None and not machine.acpi:
        raise UnsupportedConfigError(f"machine type '{ctx.machine}' does not support ACPI")
    uefi = domain.os.firmware == "efi" or (loader is not None and loader.type == "pflash")
    if uefi and not acpi and ctx.x86:
        raise UnsupportedConfigError("UEFI requires ACPI on this architecture", hint="add <acpi/> to <features>")
    if acpi and not uefi and ctx.arch == "aarch64":
        raise UnsupportedConfigError("ACPI requires UEFI on this architecture", hint="set firmware='efi' on <os>")
    if loader is not None and loader.secure:
        if not ctx.q35:
            raise UnsupportedConfigError("Secure boot is supported with q35 machine types only")
        smm = domain.features.smm if domain.features is not None else None
        if smm is None or not smm.state:
            raise UnsupportedConfigError("Secure boot requires SMM feature enabled")
