"""A QEMU as the tests of the model know it: QEMU 10.0 of Debian, cut down to what the model asks about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from guesthouse.model.domain.defaults import Defaults, FirmwareImage, FirmwareWish
from guesthouse.model.qemu_capabilities import KVM, TCG, CpuModel, Machine, QemuCapabilities

_DEVICES = """
ccid-card-emulated ccid-card-passthru qxl qxl-vga usb-redir virtio-sound-pci
ahci am53c974 bochs-display cirrus-vga dc-390 e1000 e1000e floppy hda-duplex hda-micro hda-output i6300esb
i82801b11-bridge ib700 ich9-ahci ich9-intel-hda ich9-usb-ehci1 ich9-usb-uhci1 ich9-usb-uhci2 ich9-usb-uhci3 ide-cd
ide-hd igb intel-hda ioh3420 isa-debugcon isa-fdc isa-parallel isa-serial lsi lsi53c895a megasas mptsas1068
ne2k_pci nec-usb-xhci pci-bridge pci-ohci pci-serial pcie-pci-bridge pcie-root-port pcnet piix3-usb-uhci
kvm-pit piix4-usb-uhci pvpanic pvpanic-pci pvscsi pxb pxb-pcie qemu-xhci ramfb rtl8139 scsi-block scsi-cd scsi-hd
secondary-vga usb-audio usb-ccid usb-ehci usb-hub usb-kbd usb-mouse usb-serial usb-storage usb-tablet VGA
virtconsole virtio-balloon-pci virtio-blk-pci virtio-blk-pci-non-transitional virtio-blk-pci-transitional
virtio-gpu-pci virtio-input-host-pci virtio-keyboard-pci virtio-mouse-pci virtio-net-pci
virtio-net-pci-non-transitional virtio-net-pci-transitional virtio-rng-pci virtio-scsi-pci virtio-serial-pci
virtio-tablet-pci virtio-vga virtserialport vmcoreinfo vmgenid vmware-svga x3130-upstream xio3130-downstream AC97
ES1370 sb16 nvdimm pc-dimm virtio-mem-pci virtio-pmem-pci
"""
_OBJECTS = """
iothread main-loop memory-backend-epc memory-backend-file memory-backend-memfd memory-backend-ram rng-builtin
rng-random secret sev-guest thread-context
"""


def _machine(name: str, alias: str, most: int, *, default: bool = False) -> Machine:
    return Machine(
        name, alias, most, "qemu64", hotpluggable_cpus=True, default_ram_id="pc.ram", default=default, acpi=True
    )


def qemu_capabilities(*, kvm: bool = False) -> QemuCapabilities:
    """What QEMU 10.0 can do on an x86_64 host, with or without KVM."""
    machines = [
        _machine("pc-i440fx-10.0", "pc", 255, default=True),
        _machine("pc-q35-10.0", "q35", 4096),
        _machine("pc-q35-8.2", "", 1024),
    ]
    models = (CpuModel("qemu64"), CpuModel("Skylake-Client-IBRS"))
    return QemuCapabilities(
        binary="/usr/bin/qemu-system-x86_64",
        version=(10, 0, 2),
        package="Debian 1:10.0.2+ds-2",
        arch="x86_64",
        kvm=kvm,
        machines={machine.name: machine for machine in machines},
        devices=frozenset(_DEVICES.split()),
        device_properties={"virtio-mem-pci": frozenset(("dynamic-memslots",))},
        objects=frozenset(_OBJECTS.split()),
        object_properties={
            "memory-backend-file": frozenset(("pmem", "reserve", "x-use-canonical-path-for-ramblock-id")),
            "memory-backend-memfd": frozenset(("reserve", "x-use-canonical-path-for-ramblock-id")),
            "memory-backend-ram": frozenset(("reserve",)),
        },
        options={"chardev": frozenset(("reconnect-ms",)), "spice": frozenset()},
        cpu_models={TCG: models, KVM: models} if kvm else {TCG: models},
        cpu_expansions={},
    )


_ARM_DEVICES = """
pcie-root-port pcie-pci-bridge pci-bridge pxb-pcie qemu-xhci usb-kbd usb-mouse usb-tablet virtio-blk-pci
virtio-blk-device virtio-scsi-pci virtio-scsi-device virtio-net-pci virtio-net-device virtio-serial-pci virtio-gpu-pci
virtio-balloon-pci virtio-balloon-device virtio-rng-pci virtio-rng-device virtio-iommu-pci scsi-hd pvpanic-pci
"""
_S390_DEVICES = """
zpci virtio-blk-ccw virtio-blk-pci virtio-scsi-ccw virtio-net-ccw virtio-net-pci virtio-serial-ccw virtio-gpu-ccw
virtio-balloon-ccw virtio-rng-ccw virtio-rng-pci virtio-keyboard-ccw virtio-mouse-ccw virtio-tablet-ccw
sclpconsole sclplmconsole
virtconsole vfio-ccw diag288
"""


def other_capabilities(arch: str) -> QemuCapabilities:
    """What QEMU 10.0 can do for guests of `aarch64` or `s390x`, by emulation."""
    machine, alias, cpu, ram, devices, models = {
        "aarch64": ("virt-10.0", "virt", "cortex-a15", "mach-virt.ram", _ARM_DEVICES, ("cortex-a15", "cortex-a57")),
        "s390x": ("s390-ccw-virtio-10.0", "s390-ccw-virtio", "qemu", "s390.ram", _S390_DEVICES, ("qemu",)),
    }[arch]
    return replace(
        qemu_capabilities(),
        binary=f"/usr/bin/qemu-system-{arch}",
        arch=arch,
        machines={machine: Machine(machine, alias, 248, cpu, default_ram_id=ram, default=True, acpi=arch == "aarch64")},
        devices=frozenset(devices.split()),
        cpu_models={TCG: tuple(CpuModel(name) for name in models)},
    )


def capabilities_for(xml: str) -> QemuCapabilities:
    """The QEMU that a definition is for."""
    for arch in ("aarch64", "s390x"):
        if f"arch='{arch}'" in xml:
            return other_capabilities(arch)
    return qemu_capabilities(kvm="<domain type='kvm'" in xml)


def _choose(wish: FirmwareWish) -> FirmwareImage | None:
    secure = wish.features.get("secure-boot", wish.secure is not False)
    enrolled = wish.features.get("enrolled-keys", secure)
    if wish.kind != "efi" or (wish.loader is not None and not wish.loader.startswith("/usr/share/OVMF/")):
        return None
    if not secure:
        return FirmwareImage(
            "/usr/share/OVMF/OVMF_CODE_4M.fd",
            template="/usr/share/OVMF/OVMF_VARS_4M.fd",
            features={"enrolled-keys": False, "secure-boot": False},
        )
    return FirmwareImage(
        "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
        template=f"/usr/share/OVMF/OVMF_VARS_4M{'.ms' if enrolled else ''}.fd",
        secure=True,
        smm=True,
        features={"enrolled-keys": enrolled, "secure-boot": True},
    )


def host_defaults() -> Defaults:
    """A host with OVMF, and libvirt's places."""
    return Defaults(
        emulators={arch: f"/usr/bin/qemu-system-{arch}" for arch in ("x86_64", "aarch64", "s390x")},
        nvram=Path("/var/lib/libvirt/qemu/nvram"),
        choose_firmware=_choose,
    )
