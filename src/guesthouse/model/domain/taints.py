"""What nobody can vouch for in a guest that runs (its taints), and which of its settings QEMU calls deprecated.

Names, messages and the rules for when a guest gets one are libvirt's: `virDomainTaintFlags`, which `virsh dominfo`
shows and status files keep. https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainGetMessages
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.qemu_capabilities import KVM, TCG, QemuCapabilities


class Taint(enum.Enum):
    """The kinds, in libvirt's order; some of them only a guest that libvirt started can have."""

    CUSTOM_ARGV = "custom-argv"
    CUSTOM_MONITOR = "custom-monitor"
    HIGH_PRIVILEGES = "high-privileges"
    SHELL_SCRIPTS = "shell-scripts"
    DISK_PROBING = "disk-probing"
    EXTERNAL_LAUNCH = "external-launch"
    HOST_CPU = "host-cpu"
    HOOK = "hook-script"
    CDROM_PASSTHROUGH = "cdrom-passthrough"
    CUSTOM_DTB = "custom-dtb"
    CUSTOM_AGENT_COMMAND = "custom-ga-command"
    CUSTOM_HYPERVISOR_FEATURE = "custom-hypervisor-feature"
    DEPRECATED_CONFIG = "deprecated-config"
    CUSTOM_DEVICE = "custom-device"
    NBDKIT_RESTART = "nbdkit-restart"


_MESSAGES = {
    Taint.CUSTOM_ARGV: "custom configuration parameters specified",
    Taint.CUSTOM_MONITOR: "custom monitor control commands issued",
    Taint.HIGH_PRIVILEGES: "running with undesirable elevated privileges",
    Taint.SHELL_SCRIPTS: "network configuration using opaque shell scripts",
    Taint.DISK_PROBING: "potentially unsafe disk format probing",
    Taint.EXTERNAL_LAUNCH: "managing externally launched configuration",
    Taint.HOST_CPU: "potentially unsafe use of host CPU passthrough",
    Taint.HOOK: "configuration potentially modified by hook script",
    Taint.CDROM_PASSTHROUGH: "use of host cdrom passthrough",
    Taint.CUSTOM_DTB: "custom device tree blob used",
    Taint.CUSTOM_AGENT_COMMAND: "custom guest agent control commands issued",
    Taint.CUSTOM_HYPERVISOR_FEATURE: "hypervisor feature autodetection override",
    Taint.DEPRECATED_CONFIG: "use of deprecated configuration settings",
    Taint.CUSTOM_DEVICE: "custom device configuration",
    Taint.NBDKIT_RESTART: "nbdkit restart failed",
}


@dataclass(slots=True)
class Taints:
    """Those of one run, and the deprecated settings by what libvirt says of them."""

    marks: set[Taint] = field(default_factory=set)
    deprecations: list[str] = field(default_factory=list)

    def add(self, taint: Taint, setting: str = "") -> bool:
        """Note one; `setting` is the deprecated setting. Whether it is news."""
        known = taint in self.marks
        self.marks.add(taint)
        if setting:
            self.deprecations.append(setting)
        return bool(setting) or not known

    def in_order(self) -> list[Taint]:
        """The taints, in libvirt's order."""
        return [taint for taint in Taint if taint in self.marks]

    def messages(self) -> list[str]:
        """What a client is told of the taints."""
        return [f"tainted: {_MESSAGES[taint]}" for taint in self.in_order()]

    def warnings(self) -> list[str]:
        """What a client is told of the deprecated settings."""
        return [f"deprecated configuration: {setting}" for setting in self.deprecations]


def of_guest(domain: Domain, caps: QemuCapabilities, *, as_root: bool) -> list[tuple[Taint, str]]:
    """What a prepared guest is tainted by when it starts, in libvirt's order; with the setting, where it is deprecated.

    `as_root` says whether QEMU runs as root.
    """
    found = [(Taint.HIGH_PRIVILEGES, "")] if as_root else []
    extra = domain.pass_through
    if extra is not None:
        reasons = (
            (Taint.CUSTOM_ARGV, extra.arguments or extra.environment),
            (Taint.CUSTOM_DEVICE, extra.overrides),
            (Taint.CUSTOM_HYPERVISOR_FEATURE, extra.present or extra.missing),
        )
        found += [(taint, "") for taint, reason in reasons if reason]
    found += [(Taint.DEPRECATED_CONFIG, setting) for setting in _deprecated(domain, caps)]
    found += [(taint, "") for device in domain.devices.all() for taint in of_device(device)]
    if domain.os.dtb is not None:
        found.append((Taint.CUSTOM_DTB, ""))
    return found


def of_device(device: Device) -> list[Taint]:
    """What a prepared device taints its guest by."""
    if isinstance(device, Disk):
        found = device.actual
        drive = device.device == "cdrom" and found is not None and found[1].host_cdrom
        reasons = ((Taint.HIGH_PRIVILEGES, device.rawio), (Taint.CDROM_PASSTHROUGH, drive))
        return [taint for taint, reason in reasons if reason]
    if isinstance(device, Interface) and device.script is not None:
        return [Taint.SHELL_SCRIPTS]
    return []


def _deprecated(domain: Domain, caps: QemuCapabilities) -> list[str]:
    machine = caps.machine(domain.os.machine)
    found = [f"machine type '{domain.os.machine}'"] if machine is not None and machine.deprecated else []
    cpu = domain.cpu
    if cpu is not None and cpu.mode == "custom" and cpu.model is not None:
        models = caps.cpu_models.get(KVM if domain.type == "kvm" else TCG, ())
        if any(model.name == cpu.model.name and model.deprecated for model in models):
            found.append(f"CPU model '{cpu.model.name}'")
    return found
