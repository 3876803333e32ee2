"""What taints a guest when it starts, and what clients are told of it."""

from __future__ import annotations

from dataclasses import replace

from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.domain.taints import Taint, Taints, of_guest
from guesthouse.model.qemu_capabilities import TCG, CpuModel, QemuCapabilities
from tests.support.capabilities import host_defaults, qemu_capabilities

DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
<name>guest</name><memory>1048576</memory>
<os><type arch='x86_64' machine='{machine}'>hvm</type>{os}</os>{cpu}
<devices>{devices}</devices>{extra}</domain>"""
CPU = "<cpu mode='custom' match='exact'><model fallback='allow'>{}</model></cpu>"
EXTRA = """<qemu:commandline><qemu:env name='A' value='b'/></qemu:commandline>
<qemu:capabilities><qemu:del capability='qxl'/></qemu:capabilities>
<qemu:override><qemu:device alias='balloon0'/></qemu:override>"""
LUN = "<disk type='block' device='lun' rawio='yes'><source dev='/dev/x'/><target dev='sda' bus='scsi'/></disk>"
DRIVE = "<disk type='block' device='cdrom'><source dev='/dev/sr0'/><target dev='sdb' bus='sata'/></disk>"
SCRIPT = "<interface type='ethernet'><script path='/etc/qemu-ifup'/></interface>"


def qemu() -> QemuCapabilities:
    caps = qemu_capabilities()
    old = replace(caps.machines["pc-q35-8.2"], deprecated=True)
    models = (CpuModel("qemu64"), CpuModel("Old", deprecated=True))
    return replace(caps, machines={**caps.machines, old.name: old}, cpu_models={TCG: models})


def guest(machine: str = "pc-q35-10.0", os: str = "", cpu: str = "", devices: str = "", extra: str = "") -> Domain:
    domain = parse_domain(DOMAIN.format(machine=machine, os=os, cpu=cpu, devices=devices, extra=extra))
    complete(domain, qemu(), defaults=host_defaults())
    return domain


def test_a_guest_like_any_other() -> None:
    assert of_guest(guest(cpu=CPU.format("qemu64")), qemu(), as_root=False) == []


def test_everything_that_taints() -> None:
    domain = guest("pc-q35-8.2", "<dtb>/d</dtb>", CPU.format("Old"), LUN + DRIVE + SCRIPT, EXTRA)
    drive = domain.devices.disks[1].actual
    assert drive is not None
    drive[1].host_cdrom = True  # as the host tells when the guest starts
    assert of_guest(domain, qemu(), as_root=True) == [
        (Taint.HIGH_PRIVILEGES, ""),
        (Taint.CUSTOM_ARGV, ""),
        (Taint.CUSTOM_DEVICE, ""),
        (Taint.CUSTOM_HYPERVISOR_FEATURE, ""),
        (Taint.DEPRECATED_CONFIG, "machine type 'pc-q35-8.2'"),
        (Taint.DEPRECATED_CONFIG, "CPU model 'Old'"),
        (Taint.HIGH_PRIVILEGES, ""),
        (Taint.CDROM_PASSTHROUGH, ""),
        (Taint.SHELL_SCRIPTS, ""),
        (Taint.CUSTOM_DTB, ""),
    ]


def test_each_is_news_once_but_deprecations_always() -> None:
    taints = Taints()
    assert taints.add(Taint.SHELL_SCRIPTS)
    assert not taints.add(Taint.SHELL_SCRIPTS)
    assert taints.add(Taint.DEPRECATED_CONFIG, "machine type 'old'")
    assert taints.add(Taint.DEPRECATED_CONFIG, "CPU model 'older'")
    assert taints.add(Taint.CUSTOM_ARGV)
    assert taints.messages() == [
        "tainted: custom configuration parameters specified",
        "tainted: network configuration using opaque shell scripts",
        "tainted: use of deprecated configuration settings",
    ]
    assert taints.warnings() == [
        "deprecated configuration: machine type 'old'",
        "deprecated configuration: CPU model 'older'",
    ]


def test_every_taint_has_a_message() -> None:
    assert len(Taints(set(Taint)).messages()) == len(Taint) == 15
