"""What domain capabilities say of devices of the host, shared directories, TPMs, randomness and cryptography.

Format: https://libvirt.org/formatdomaincaps.html#devices.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import Final

from guesthouse.model.domain_capabilities import Choices
from guesthouse.model.qemu_capabilities import QemuCapabilities

_UNSUPPORTED: Final = Choices(False)
#: QEMU's device for a kind of devices of the host.
_SUBSYSTEMS: Final = (("usb", "usb-host"), ("pci", "vfio-pci"), ("scsi", "scsi-generic"))
_FILESYSTEMS: Final = (("path", "virtio-9p-pci"), ("virtiofs", "vhost-user-fs-pci"), ("mtp", "usb-mtp"))
_IOMMU_GROUPS: Final = "/sys/kernel/iommu_groups"


def hostdev(qemu: QemuCapabilities) -> Choices:
    """Devices of the host; PCI devices only where the host has an IOMMU."""
    return Choices(
        enums={
            "mode": ("subsystem",),
            "startupPolicy": ("default", "mandatory", "requisite", "optional"),
            "subsysType": [name for name, device in _SUBSYSTEMS if qemu.has_device(device)],
            "capsType": (),
            "pciBackend": ("default", "vfio") if _has_iommu() else (),
        }
    )


def rng(qemu: QemuCapabilities, models: Sequence[str]) -> Choices:
    """Sources of randomness."""
    sources = [name for name in ("random", "egd", "builtin") if qemu.has_object(f"rng-{name}")]
    return Choices(enums={"model": models, "backendModel": sources})


def filesystem(qemu: QemuCapabilities) -> Choices:
    """Ways to share a directory."""
    found = [name for name, device in _FILESYSTEMS if qemu.has_device(device)]
    return Choices(enums={"driverType": found}) if found else _UNSUPPORTED


def tpm(qemu: QemuCapabilities, *, x86: bool) -> Choices:
    """TPMs; emulated ones of our own where swtpm is installed."""
    models = [name for name in ("tpm-tis", "tpm-crb") if name in qemu.tpm_models or qemu.has_device(name)]
    emulator = "emulator" in qemu.tpm_backends
    ours = emulator and shutil.which("swtpm") is not None and shutil.which("swtpm_setup") is not None
    backends = [
        name
        for name, there in (
            ("passthrough", "passthrough" in qemu.tpm_backends),
            ("emulator", ours),
            ("external", emulator),
        )
        if there
    ]
    if not models or not backends:
        return _UNSUPPORTED
    versions = (("1.2", "2.0") if x86 else ("2.0",)) if ours else ()
    return Choices(enums={"model": models, "backendModel": backends, "backendVersion": versions})


def crypto(qemu: QemuCapabilities) -> Choices:
    """Virtual cryptography."""
    backends = [name for name in ("builtin", "lkcf") if qemu.has_object(f"cryptodev-backend-{name}")]
    if not qemu.has_device("virtio-crypto-pci") or not backends:
        return _UNSUPPORTED
    return Choices(enums={"model": ("virtio",), "type": ("qemu",), "backendModel": backends})


def _has_iommu() -> bool:
    try:
        return bool(os.listdir(_IOMMU_GROUPS))
    except OSError:
        return False
