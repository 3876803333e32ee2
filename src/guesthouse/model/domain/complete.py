"""Filling in what a definition leaves out, so that the guest has the same hardware on every host.

The rules are libvirt's (https://libvirt.org/formatdomain.html says what each element defaults to). The order counts:
the machine decides what it brings along, the devices then what they need, and the addresses come last.
"""

from __future__ import annotations

import os

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain import (
    boot_order,
    checks,
    controllers,
    cpu_defaults,
    firmware,
    guest_memory,
    implicit,
    machine_features,
    seclabel,
)
from guesthouse.model.domain.addresses import drive, hostdev_units, pci, usb, virtio_serial, virtio_transport, zpci
from guesthouse.model.domain.context import definition_context, follow
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices import memory_slots
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.interface import Mac
from guesthouse.model.domain.machines import CCW, MachineFamily, family_of, runs
from guesthouse.model.domain.os import OsType
from guesthouse.model.qemu_capabilities import QemuCapabilities


def complete(domain: Domain, qemu: QemuCapabilities, *, defaults: Defaults, kept: bool = False) -> None:
    """Fill in machine, emulator, processor, actions, implicit devices and addresses; then check what spans sections.

    Changes `domain` in place; if the definition was `kept` before, the size of its memory stays as it is.
    Raises `XmlError` and `UnsupportedConfigError` with libvirt's texts.
    """
    _complete_machine(domain, qemu, defaults)
    _complete_resources(domain, kept=kept)
    family = family_of(domain.os.arch, domain.os.machine)
    controllers.arrange(domain.devices)
    drive.arrange(domain)
    firmware.fill(domain, defaults, kept=kept)
    ctx = definition_context(domain, qemu, defaults)
    implicit.add_machine_devices(domain, ctx, family)
    machine_features.complete(domain, qemu, kept=kept)
    cpu_defaults.complete(domain, qemu)
    boot_order.complete(domain)
    _complete_devices(domain, ctx, defaults)
    virtio_serial.assign(domain, ctx)
    follow(ctx, domain)
    virtio_transport.assign(domain, ctx, family)
    _assign_pci(domain, ctx, family)
    usb.assign(domain, ctx, complete=defaults.new)
    domain.devices.mirror_console()
    memory_slots.assign_slots(domain.devices.memories, ctx.memory)
    follow(ctx, domain)
    checks.check(domain, ctx)


def _assign_pci(domain: Domain, ctx: DeviceContext, family: MachineFamily) -> None:
    if not family.root and not ctx.x86:
        return  # boards without PCI have what they have; a PC that has none refuses what would need it
    pci.assign(domain, ctx, family)
    if family.transport == CCW and ctx.qemu.has_device("zpci"):
        zpci.assign(domain)


def find_emulator(domain: Domain, defaults: Defaults) -> str:
    """The program that runs the guest. Raises `UnsupportedConfigError` where the host has none for its architecture."""
    if domain.devices.emulator is not None:
        return domain.devices.emulator
    arch = domain.os.arch or defaults.host_arch
    found = defaults.emulators.get(arch)
    if found is None:
        raise UnsupportedConfigError(f"No emulator found for arch '{arch}'")
    return found


def _complete_machine(domain: Domain, qemu: QemuCapabilities, defaults: Defaults) -> None:
    domain.devices.emulator = emulator = find_emulator(domain, defaults)
    kind = domain.os.type or new(OsType, kind="hvm")
    domain.os.type = kind
    kind.arch = kind.arch or defaults.host_arch
    if not runs(qemu.guest_arch, kind.arch):
        raise UnsupportedConfigError(f"Emulator '{emulator}' does not support arch '{kind.arch}'")
    if domain.type == "kvm" and not qemu.kvm:
        raise UnsupportedConfigError(
            f"Emulator '{emulator}' does not support virt type 'kvm'",
            hint="this host cannot run KVM guests; use <domain type='qemu'>",
        )
    machine = kind.machine or qemu.default_machine
    canonical = qemu.canonical_machine(machine or "")
    if canonical is None:
        raise UnsupportedConfigError(f"Emulator '{emulator}' does not support machine type '{machine}'")
    kind.machine = canonical


def _complete_resources(domain: Domain, *, kept: bool) -> None:
    guest_memory.complete(domain, kept=kept)
    seclabel.settle(domain.seclabels)
    domain.vcpu.placement = domain.vcpu.placement or "static"
    domain.on_poweroff = domain.on_poweroff or "destroy"
    domain.on_reboot = domain.on_reboot or "restart"
    domain.on_crash = domain.on_crash or "destroy"


def _new_mac(defaults: Defaults) -> str:
    return ":".join([defaults.mac_prefix, *(f"{byte:02x}" for byte in os.urandom(3))])


def _complete_devices(domain: Domain, ctx: DeviceContext, defaults: Defaults) -> None:
    for device in domain.devices.all():
        device.defaults(ctx)
    drive.assign(domain)
    hostdev_units.assign(domain)
    for interface in domain.devices.interfaces:
        if interface.mac is None:
            interface.mac = new(Mac, address=_new_mac(defaults))
    implicit.add_dependent_devices(domain, ctx)
    for device in domain.devices.all():
        device.defaults(ctx)
    videos = domain.devices.videos
    if videos:
        videos.sort(key=lambda video: not video.primary)
        if videos[0].model is not None and videos[0].kind != "none":
            videos[0].model.primary = True
