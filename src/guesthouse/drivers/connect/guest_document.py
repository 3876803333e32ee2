"""The `<domainCapabilities>` document: what a guest of a chosen emulator, machine and type may be given.

virt-install and virt-manager take their defaults from it. It therefore names what Guesthouse's definitions accept, cut
down to what the chosen QEMU has; a row below joins a value with the QEMU device that realises it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.connect import special_devices
from guesthouse.model.cpu_definition import PhysicalAddress
from guesthouse.model.cpu_from_qemu import blockers, host_model
from guesthouse.model.cpu_models import X86, table
from guesthouse.model.domain_capabilities import (
    Choices,
    CpuModes,
    DomainCapabilities,
    NamedModel,
    format_domain_capabilities,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guesthouse.drivers.connect.emulators import Choice
    from guesthouse.model.qemu_capabilities import QemuCapabilities
    from guesthouse.qemu.firmware import Firmware

_UNSUPPORTED: Final = Choices(False)
_S390: Final = ("s390x",)
_ARM: Final = ("armv6l", "armv7l", "aarch64")
#: Models that are no processor that somebody made.
_MADE_UP: Final = ("max", "qemu")

#: A value of an enumeration, and what of QEMU it needs, in the document's order: one of these devices, or with a `-` in
#: front an option of its command line; empty for nothing.
_DISK_BUSES: Final = (
    ("ide", "ide-hd"),
    ("fdc", "floppy"),
    ("scsi", "virtio-scsi-pci"),
    ("virtio", "virtio-blk-pci"),
    ("usb", "usb-storage"),
    ("sata", "ich9-ahci"),
)
_VIDEO_MODELS: Final = (
    ("vga", "VGA"),
    ("cirrus", "cirrus-vga"),
    ("vmvga", "vmware-svga"),
    ("qxl", "qxl-vga"),
    ("virtio", "virtio-vga virtio-gpu-pci virtio-gpu-ccw"),
    ("none", ""),
    ("bochs", "bochs-display"),
    ("ramfb", "ramfb"),
)
#: Displays, and the device that comes with the same module of QEMU.
_GRAPHICS: Final = (
    ("vnc", ""),
    ("spice", "-spice"),
    ("egl-headless", "virtio-gpu-gl-pci"),
    ("dbus", "virtio-gpu-gl-pci"),
)
_CHANNELS: Final = (("pty", ""), ("unix", ""), ("spicevmc", "-spice"))
_PANIC_MODELS: Final = (("isa", "pvpanic"), ("hyperv", ""), ("pvpanic", "pvpanic-pci"), ("s390", ""))
#: The models that only one family of machines has.
_PANIC_FAMILIES: Final = {"isa": X86, "hyperv": X86, "s390": _S390}
_ALL: Final = (*X86, *_ARM, *_S390)
_VIRTIO_MODELS: Final = ("virtio", "virtio-transitional", "virtio-non-transitional")


@dataclass(frozen=True, slots=True)
class FirmwareOffer:
    """The firmware of a machine: kinds that can be chosen automatically (`efi`), and the programs' paths.

    `secure` says whether one of them enforces Secure Boot.
    """

    kinds: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    secure: bool = False


#: Kinds of `<os firmware=...>`, in the document's order, by the interface that a descriptor names.
_FIRMWARE_KINDS: Final = {"bios": "bios", "uefi": "efi"}


def firmware_offer(descriptors: Sequence[Firmware]) -> FirmwareOffer:
    """What the descriptors that fit a machine offer to its guests."""
    interfaces = {interface for firmware in descriptors for interface in firmware.interfaces}
    programs = dict.fromkeys(firmware.executable for firmware in descriptors)
    return FirmwareOffer(
        kinds=tuple(kind for interface, kind in _FIRMWARE_KINDS.items() if interface in interfaces),
        loaders=tuple(program for program in programs if os.path.exists(program)),
        secure=any("requires-smm" in firmware.features for firmware in descriptors),
    )


def guest_document(choice: Choice, firmware: FirmwareOffer, *, physical_bits: int | None, kvm_limit: int | None) -> str:
    """The document.

    `physical_bits` is the width of the host's physical addresses, `kvm_limit` how many processors KVM
    gives a guest at most.
    """
    qemu = choice.capabilities
    max_vcpus = choice.machine.max_cpus
    if choice.guest_type == "kvm" and kvm_limit is not None:
        max_vcpus = min(max_vcpus, kvm_limit)
    return format_domain_capabilities(
        DomainCapabilities(
            path=qemu.binary,
            domain=choice.guest_type,
            machine=choice.machine.name,
            arch=choice.arch,
            max_vcpus=max_vcpus,
            iothreads=qemu.has_object("iothread"),
            firmware=firmware.kinds,
            loader=_loader(firmware),
            cpu=_modes(choice, physical_bits),
            memory_backing=_memory_backing(qemu),
            devices=_devices(choice),
            features=_features(choice),
        )
    )


def _memory_backing(qemu: QemuCapabilities) -> Choices:
    memfd = ("memfd",) if qemu.has_object("memory-backend-memfd") else ()
    return Choices(enums={"sourceType": ("file", "anonymous", *memfd)})


def _loader(firmware: FirmwareOffer) -> Choices:
    enums = {
        "type": ("rom", "pflash"),
        "readonly": ("yes", "no"),
        "secure": ("yes", "no") if firmware.secure else ("no",),
    }
    return Choices(values=firmware.loaders, enums=enums)


def _modes(choice: Choice, physical_bits: int | None) -> CpuModes:
    models = table().models if choice.arch in X86 else None
    known = blockers(choice.capabilities, choice.accelerator)
    best = host_model(choice.capabilities, choice.accelerator)
    if best is not None and physical_bits and choice.guest_type == "kvm":
        best.physical_address = PhysicalAddress("passthrough", limit=physical_bits)
    custom = [
        NamedModel(
            model.name,
            model.usable if model.judged else None,
            _maker(choice.arch, model.name) if models is None else models[model.name].vendor,
            model.alias_of or None,
            model.deprecated,
            known[model.name],
        )
        for model in sorted(choice.cpu_models, key=lambda model: model.name)
        if (model.name != "host" if models is None else model.name in models)
    ]
    return CpuModes(
        host_passthrough=choice.guest_type == "kvm",
        passthrough_migratable="migratable" in choice.best_cpu,
        maximum=any(model.name == "max" for model in choice.cpu_models),
        host_model=best,
        custom=custom,
    )


def _maker(arch: str, model: str) -> str | None:
    return "IBM" if arch in _S390 and model not in _MADE_UP else None


def _present(qemu: QemuCapabilities, rows: Sequence[tuple[str, str]]) -> list[str]:
    return [value for value, needs in rows if not needs or any(_has(qemu, name) for name in needs.split())]


def _has(qemu: QemuCapabilities, name: str) -> bool:
    return qemu.has_option(name[1:]) if name.startswith("-") else qemu.has_device(name)


def _has_ide(machine: str) -> bool:
    """Whether the machine has IDE and floppy controllers of its own: the PCs with the older chipset."""
    return machine.startswith("pc-i440fx-")


def _devices(choice: Choice) -> dict[str, Choices]:
    qemu = choice.capabilities
    lacking = set() if _has_ide(choice.machine.name) else {"ide"}
    kinds = ["disk", "cdrom", "floppy", "lun"]
    if choice.arch not in X86:
        lacking.add("fdc")
        kinds.remove("floppy")
    buses = [bus for bus in _present(qemu, _DISK_BUSES) if bus not in lacking]
    panics = [name for name in _present(qemu, _PANIC_MODELS) if choice.arch in _PANIC_FAMILIES.get(name, _ALL)]
    transitional = qemu.has_device("virtio-blk-pci-transitional")
    virtio = _VIRTIO_MODELS if transitional else _VIRTIO_MODELS[:1]
    return {
        "disk": Choices(enums={"diskDevice": kinds, "bus": buses, "model": virtio}),
        "graphics": Choices(enums={"type": _present(qemu, _GRAPHICS)}),
        "video": Choices(enums={"modelType": _present(qemu, _VIDEO_MODELS)}),
        "hostdev": special_devices.hostdev(qemu),
        "rng": special_devices.rng(qemu, virtio),
        "filesystem": special_devices.filesystem(qemu),
        "tpm": special_devices.tpm(qemu, x86=choice.arch in X86),
        "redirdev": Choices(enums={"bus": ("usb",)}) if qemu.has_device("usb-redir") else _UNSUPPORTED,
        "channel": Choices(enums={"type": _present(qemu, _CHANNELS)}),
        "crypto": special_devices.crypto(qemu),
        "interface": Choices(enums={"backendType": ("default", "passt")}),
        "panic": Choices(enums={"model": panics}) if panics else _UNSUPPORTED,
    }


def _features(choice: Choice) -> dict[str, Choices]:
    qemu = choice.capabilities
    protected = {"s390-pv": _UNSUPPORTED} if choice.arch in _S390 else {}
    hyperv = {"hyperv": _hyperv(choice)} if choice.arch in X86 else {}
    return {
        "gic": _gic(choice),
        "vmcoreinfo": Choices(qemu.has_device("vmcoreinfo")),
        "genid": Choices(qemu.has_device("vmgenid")),
        "backingStoreInput": Choices(),
        "backup": _UNSUPPORTED,
        "async-teardown": Choices(qemu.has_option("run-with", "async-teardown")),
        **protected,
        "ps2": Choices(choice.arch in X86),
        "sev": _UNSUPPORTED,
        "sgx": _UNSUPPORTED,
        **hyperv,
        "launchSecurity": _UNSUPPORTED,
    }


def _gic(choice: Choice) -> Choices:
    """The interrupt controllers of Arm's own board, which alone has a choice."""
    qemu, name = choice.capabilities, choice.machine.name
    found = qemu.gic_versions if choice.guest_type == "kvm" else qemu.gic_emulated
    if choice.arch not in _ARM or not found or (name != "virt" and not name.startswith("virt-")):
        return _UNSUPPORTED
    return Choices(enums={"version": [str(version) for version in found]})


#: Hyper-V enlightenments that a definition may name, as `<hyperv>` spells them, and QEMU's property of a processor.
_HYPERV: Final = (
    ("relaxed", "hv-relaxed"),
    ("vapic", "hv-vapic"),
    ("spinlocks", "hv-spinlocks"),
    ("vpindex", "hv-vpindex"),
    ("runtime", "hv-runtime"),
    ("synic", "hv-synic"),
    ("stimer", "hv-stimer"),
    ("reset", "hv-reset"),
    ("vendor_id", "hv-vendor-id"),
    ("frequencies", "hv-frequencies"),
    ("reenlightenment", "hv-reenlightenment"),
    ("tlbflush", "hv-tlbflush"),
    ("ipi", "hv-ipi"),
    ("evmcs", "hv-evmcs"),
    ("avic", "hv-avic"),
    ("emsr_bitmap", "hv-emsr-bitmap"),
    ("xmm_input", "hv-xmm-input"),
)
#: Those whose property is a value, which QEMU takes with every accelerator.
_HYPERV_VALUES: Final = frozenset({"spinlocks", "vendor_id"})


def _hyperv(choice: Choice) -> Choices:
    best = choice.best_cpu
    names = [name for name, prop in _HYPERV if name in _HYPERV_VALUES or best.get(prop) is True]
    return Choices(enums={"features": names})
