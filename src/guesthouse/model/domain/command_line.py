"""A guest's definition as QEMU's command line, in libvirt's order."""

from __future__ import annotations

from collections.abc import Iterable

from guesthouse.model.domain.aliases import assign_aliases
from guesthouse.model.domain.clock_arguments import clock_arguments, settle
from guesthouse.model.domain.context import launch_context
from guesthouse.model.domain.cpu_arguments import cpu_arguments
from guesthouse.model.domain.cpu_resolving import resolve
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk import group as disk_group
from guesthouse.model.domain.firmware_arguments import boot_arguments, firmware_arguments, flash_arguments
from guesthouse.model.domain.guest_memory import align
from guesthouse.model.domain.identity_arguments import identity_arguments
from guesthouse.model.domain.launch import CommandLine, LaunchContext
from guesthouse.model.domain.launch_security import security_arguments
from guesthouse.model.domain.machine_arguments import machine_arguments, power_arguments
from guesthouse.model.domain.machine_features import teardown_arguments, tseg_arguments
from guesthouse.model.domain.memory_arguments import memory_arguments, numa_arguments
from guesthouse.model.domain.qemu_namespace import PassThrough, adjusted
from guesthouse.model.domain.smp_arguments import iothread_arguments, smp_arguments
from guesthouse.model.qemu_objects import Device, Object, Option, QemuObject, quoted

_WATCHDOG_ACTION = "-watchdog-action"
#: The devices that come after everything else, by their classes.
_LAST = ("Panic", "Shmem", "Vsock", "Crypto", "Pstore")
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def prepare(domain: Domain, launch: LaunchContext) -> None:
    """Make a completed `domain` ready for its start: processor, whole MiB of memory, aliases, image numbers, sockets.

    Changes `domain`, which must be the running guest's own copy. Raises what `cpu_resolving.resolve` raises.
    """
    launch = adjusted(launch, domain.pass_through)
    resolve(domain, launch)
    settle(domain.clock, launch.now)
    align(domain)
    assign_aliases(domain, launch.caps)
    domain.devices.disks = disk_group.with_volumes(domain.devices.disks, launch.volume)
    domain.devices.number_disk_layers()
    ctx = launch_context(domain, launch)
    for device in domain.devices.all():
        device.prepare(ctx)
    for graphics in domain.devices.graphics:
        graphics.prepare(ctx)


def realise(domain: Domain, launch: LaunchContext) -> CommandLine:
    """The command line of a completed `domain` that `prepare` made ready.

    The monitor is the launcher's: its arguments stand where libvirt has them.
    """
    secret = Object(
        {"qom-type": "secret", "id": "masterKey0", "format": "raw", "file": f"{launch.guest_dir}/master-key.aes"}
    )
    extra = domain.pass_through or PassThrough()
    launch = adjusted(launch, extra)
    devices, last = _device_objects(domain, launch)
    argv = [
        domain.devices.emulator or "",
        *["-name", f"guest={quoted(domain.name)},debug-threads=on"],
        *extra.compat_arguments(),
        "-S",
        *secret.arguments(),
        *_words(disk_group.managers(domain.devices.disks, launch.guest_dir)),
        *flash_arguments(domain.os, launch),
        *machine_arguments(domain, launch),
        *tseg_arguments(domain.features),
        *cpu_arguments(domain, launch),
        *firmware_arguments(domain.os),
        *memory_arguments(domain, launch),
        *smp_arguments(domain),
        *iothread_arguments(domain),
        *_words(disk_group.throttle_groups(domain.throttle_groups)),
        *numa_arguments(domain, launch),
        *identity_arguments(domain, launch.parts),
        *([] if domain.devices.graphics else ["-display", "none"]),
        *["-no-user-config", "-nodefaults"],
        *launch.monitor,
        *clock_arguments(domain.clock, launch),
        *power_arguments(domain),
        *boot_arguments(domain.os),
        *_words(extra.override(devices)),
    ]
    if domain.features is not None and domain.features.vmcoreinfo:
        argv += Device({"driver": "vmcoreinfo"}).arguments()
    argv += security_arguments(domain.launch_security, launch)
    argv += [
        *extra.arguments,
        "-sandbox",
        _SANDBOX,
        *_words(extra.override(last)),
        *teardown_arguments(domain.features),
    ]
    argv += ["-msg", "timestamp=on"]
    environment = {"TZ": domain.clock.timezone} if domain.clock.timezone is not None else {}
    ctx = launch_context(domain, launch)
    for device in domain.devices.all():
        environment |= device.environment(ctx)
    environment |= {name: value or "" for name, value in extra.environment}
    return CommandLine(argv, environment)


def _words(objects: Iterable[QemuObject]) -> list[str]:
    return [word for made in objects for word in made.arguments()]


def _device_objects(domain: Domain, launch: LaunchContext) -> tuple[list[QemuObject], list[QemuObject]]:
    """What the devices are made of, in libvirt's order; and apart from them those that come at the end."""
    ctx = launch_context(domain, launch)
    groups: dict[str, list[QemuObject]] = {}
    for device in domain.devices.in_launch_order():
        groups.setdefault(device.launch_group, []).extend(device.realise(ctx))
    last = [item for name in _LAST for item in groups.pop(name, ())]
    made: list[QemuObject] = []
    for name, objects in groups.items():
        options = [item for item in objects if isinstance(item, Option)]
        if name == "Disk":
            objects = disk_group.floppy_controller(domain.devices.disks, ctx) + objects
        elif name == "Watchdog" and options:
            # What a watchdog does is one setting of the machine.
            first = next(item for item in options if item.flag == _WATCHDOG_ACTION)
            objects = [item for item in objects if item != first] + [first]
        made += objects
    return made, last
