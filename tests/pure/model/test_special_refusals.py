"""What filesystems, TPMs, devices of the host and the small devices cannot do is refused by name."""

from __future__ import annotations

import pytest

from guesthouse.errors import LibvirtError
from tests.pure.model import device_cases as cases

INTERNAL, NO_SOURCE, NO_TARGET, XML_ERROR, UNSUPPORTED = 1, 19, 20, 27, 67

MOUNT = "<filesystem type='mount'{0}>{1}<source dir='/srv'/><target dir='tag'/>{2}</filesystem>"
VIRTIOFS = "<driver type='virtiofs'{0}/>"
TPM = "<tpm{0}><backend type='{1}'{2}>{3}</backend></tpm>"
HOSTDEV = "<hostdev mode='subsystem' type='{0}'{1}><source{2}>{3}</source>{4}</hostdev>"
PCI = "<address bus='6' slot='1'/>"
MDEV = "<address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/>"
UNIT = "<adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>"
SHMEM = "<shmem name='{0}'><model type='ivshmem-{1}'/>{2}</shmem>"
CRYPTO = "<crypto model='virtio' type='qemu'><backend model='{}'/></crypto>"
PLACE = "<address type='pci' domain='0' bus='0' slot='9' function='0'/>"

#: Elements, code, part of the text.
REFUSED: list[tuple[str, int, str]] = [
    # Filesystems.
    ("<filesystem type='ram'><source usage='1'/><target dir='t'/></filesystem>", UNSUPPORTED, "only supports mount"),
    ("<filesystem type='template'><source name='t'/></filesystem>", UNSUPPORTED, "only supports mount filesystem type"),
    ("<filesystem type='mount'><target dir='tag'/></filesystem>", NO_SOURCE, "tag"),
    ("<filesystem type='mount'><source dir='/srv'/></filesystem>", NO_TARGET, "/srv"),
    (MOUNT.format("", "<driver type='loop'/>", ""), UNSUPPORTED, "Filesystem driver type not supported"),
    (MOUNT.format("", "<driver type='handle'/>", ""), UNSUPPORTED, "use type='path'"),
    (MOUNT.format(" accessmode='mapped'", "<driver type='handle'/>", ""), UNSUPPORTED, "only supports passthrough"),
    (MOUNT.format(" fmode='0644'", "", ""), UNSUPPORTED, "must be used with accessmode=mapped"),
    (MOUNT.format(" accessmode='mapped' fmode='1777'", "", ""), XML_ERROR, "fmode"),
    (MOUNT.format("", "", "<boot order='1'/>"), UNSUPPORTED, "boot order is only supported for virtiofs"),
    (MOUNT.format("", "<binary><sandbox mode='chroot'/></binary>", ""), UNSUPPORTED, "sandbox can only be used"),
    (MOUNT.format("", "<binary path='/bin/x'/>", ""), UNSUPPORTED, "only be used with driver=virtiofs"),
    (MOUNT.format(" accessmode='mapped'", VIRTIOFS.format(""), ""), UNSUPPORTED, "only supports passthrough"),
    (MOUNT.format("", VIRTIOFS.format(" wrpolicy='immediate'"), ""), UNSUPPORTED, "does not support wrpolicy"),
    (MOUNT.format(" model='virtio'", VIRTIOFS.format(""), ""), UNSUPPORTED, "virtiofs does not support model"),
    (MOUNT.format(" multidevs='remap'", VIRTIOFS.format(""), ""), UNSUPPORTED, "does not support multidevs"),
    (MOUNT.format(" accessmode='squash'", "<driver type='mtp'/>", ""), UNSUPPORTED, "mtp only supports passthrough"),
    # TPMs.
    ("<tpm/>", XML_ERROR, "backend"),
    (TPM.format("", "emulator", " version='1.2'", "<active_pcr_banks><sha1/></active_pcr_banks>"), XML_ERROR, "2.0"),
    (TPM.format("", "emulator", " version='1.2'", "<profile source='x'/>"), XML_ERROR, "<profile/> requires"),
    (TPM.format(" model='tpm-crb'", "emulator", " version='1.2'", ""), UNSUPPORTED, "TPM 1.2 is not supported for"),
    (TPM.format(" model='tpm-spapr'", "emulator", "", ""), UNSUPPORTED, "does not support TPM model tpm-spapr"),
    (TPM.format("", "emulator", "", "<source type='file'/>"), XML_ERROR, "missing TPM source path"),
    (TPM.format("", "emulator", "", "<source type='net' path='/x'/>"), XML_ERROR, "'net'"),
    (TPM.format("", "emulator", "", "<device path='/dev/tpm0'/>"), UNSUPPORTED, "does not apply"),
    (TPM.format("", "external", "", ""), XML_ERROR, "missing external TPM backend source type"),
    (TPM.format("", "external", "", "<source type='tcp'/>"), XML_ERROR, "only source type 'unix'"),
    (TPM.format("", "external", "", "<source type='unix' mode='bind' path='/s'/>"), XML_ERROR, "only 'connect' mode"),
    (TPM.format("", "external", "", "<source type='unix'/>"), XML_ERROR, "missing socket path"),
    (TPM.format("", "passthrough", " version='2.0'", ""), UNSUPPORTED, "'version' does not apply"),
    # Devices of the host.
    ("<hostdev mode='capabilities' type='misc'><source><char>/dev/x</char></source></hostdev>", UNSUPPORTED, "qemu"),
    (HOSTDEV.format("pci", "", " writeFiltering='no'", PCI, ""), UNSUPPORTED, "Write filtering"),
    (HOSTDEV.format("pci", "", "", PCI, "<address type='drive'/>"), INTERNAL, "'pci' or 'unassigned'"),
    (HOSTDEV.format("pci", "", "", PCI, "<driver name='kvm'/>"), UNSUPPORTED, "legacy PCI passthrough"),
    (HOSTDEV.format("pci", "", "", PCI, "<driver model='../x'/>"), XML_ERROR, "kernel module"),
    (HOSTDEV.format("pci", "", "", PCI, "<teaming type='persistent'/>"), UNSUPPORTED, "must have type='transient'"),
    (HOSTDEV.format("pci", "", "", PCI, "<teaming type='transient'/>"), UNSUPPORTED, "persistent attribute"),
    (HOSTDEV.format("pci", " ramfb='on'", "", PCI, ""), UNSUPPORTED, "requires display='on'"),
    (HOSTDEV.format("pci", "", " startupPolicy='optional'", PCI, ""), UNSUPPORTED, "startupPolicy"),
    (HOSTDEV.format("mdev", " model='vfio-pci'", "", "", ""), UNSUPPORTED, "Missing <address> element"),
    (HOSTDEV.format("mdev", " model='vfio-pci'", "", "<address/>", ""), UNSUPPORTED, "Missing 'uuid' attribute"),
    (HOSTDEV.format("mdev", " model='vfio-pci'", "", MDEV, "<boot order='1'/>"), UNSUPPORTED, "booting from"),
    (HOSTDEV.format("mdev", " model='vfio-ap' display='on'", "", MDEV, ""), UNSUPPORTED, "only supported with"),
    (
        HOSTDEV.format("mdev", " model='vfio-pci'", "", MDEV, "<address type='drive'/>"),
        XML_ERROR,
        "Unsupported address",
    ),
    (HOSTDEV.format("usb", "", "", "", ""), INTERNAL, "missing bus/device information"),
    (HOSTDEV.format("usb", "", "", "<vendor id='1'/>", ""), INTERNAL, "missing product"),
    (HOSTDEV.format("usb", "", "", "<product id='1'/>", ""), INTERNAL, "missing vendor"),
    (HOSTDEV.format("usb", "", "", "<address bus='1' device='2'/>", PLACE), UNSUPPORTED, "must use 'usb' address"),
    (HOSTDEV.format("scsi", " sgio='unfiltered'", "", UNIT, ""), UNSUPPORTED, "unfiltered sgio is no longer"),
    (HOSTDEV.format("scsi", " rawio='yes'", "", UNIT, ""), UNSUPPORTED, "rawio"),
    (HOSTDEV.format("scsi", "", "", "<adapter name='scsi_host0'/>", ""), XML_ERROR, "'address' must be specified"),
    (HOSTDEV.format("scsi", "", "", "<address bus='0' target='0' unit='0'/>", ""), XML_ERROR, "'adapter' name"),
    (HOSTDEV.format("scsi", "", " protocol='iscsi'", "", ""), XML_ERROR, "missing iSCSI hostdev source path name"),
    (HOSTDEV.format("scsi", "", " protocol='iscsi' name='i'", "", ""), XML_ERROR, "missing the host address"),
    (HOSTDEV.format("scsi", "", "", UNIT, PLACE), UNSUPPORTED, "must use 'drive' address type"),
    (HOSTDEV.format("scsi_host", "", " protocol='vhost' wwpn='naa.1'", "", ""), XML_ERROR, "wwpn"),
    (HOSTDEV.format("scsi_host", " rawio='yes'", " protocol='vhost' wwpn='naa.1'", "", ""), UNSUPPORTED, "rawio"),
    (
        HOSTDEV.format("scsi_host", "", " protocol='vhost' wwpn='naa.5123456789abcde0'", "", "<boot order='1'/>"),
        UNSUPPORTED,
        "not supported by vhost SCSI devices",
    ),
    # The small ones.
    ("<vsock><cid address='2'/></vsock>", UNSUPPORTED, "guest CIDs must be >= 3"),
    (SHMEM.format("a/b", "plain", ""), UNSUPPORTED, "cannot include '/'"),
    (SHMEM.format("..", "plain", ""), UNSUPPORTED, "cannot be equal to '..'"),
    (SHMEM.format("a", "plain", "<size unit='K'>512</size>"), XML_ERROR, "power of 2"),
    (SHMEM.format("a", "plain", "<size unit='M'>3</size>"), XML_ERROR, "power of 2"),
    (SHMEM.format("a", "plain", "<server/>"), UNSUPPORTED, "server option disabled"),
    (SHMEM.format("a", "doorbell", ""), UNSUPPORTED, "server option enabled"),
    (SHMEM.format("a", "doorbell", "<size unit='M'>4</size><server/>"), UNSUPPORTED, "does not support size"),
    (SHMEM.format("a", "plain", "<msi/>"), XML_ERROR, "msi option is only supported with a server"),
    (SHMEM.format("a", "plain", "<address type='usb' bus='0'/>"), UNSUPPORTED, "only 'pci' addresses"),
    ("<shmem name='a'/>", UNSUPPORTED, "ivshmem device is no longer supported"),
    ("<pstore backend='acpi-erst'><path>/p</path><size unit='KiB'>6</size></pstore>", XML_ERROR, "invalid size of"),
    ("<nvram/>", UNSUPPORTED, "nvram device is only supported for PPC64"),
    ("<lease><key>k</key><target path='/l'/></lease>", UNSUPPORTED, "there is no lock manager"),
    ("<rng model='virtio'><backend model='egd'/></rng>", XML_ERROR, "missing EGD backend type"),
    ("<rng model='virtio'><backend model='egd' type='unix'/></rng>", INTERNAL, "Missing source path attribute"),
    ("<rng model='virtio'><backend model='random' type='udp'/></rng>", XML_ERROR, "takes no character device"),
    (CRYPTO.format("builtin' queues='2"), UNSUPPORTED, "builtin supports only one queue, not 2"),
    (CRYPTO.format("lkcf' queues='8"), UNSUPPORTED, "lkcf supports only one queue, not 8"),
]


@pytest.mark.parametrize(("text", "code", "part"), REFUSED)
def test_refused(text: str, code: int, part: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        judge(text)
    assert part in caught.value.message
    assert caught.value.code == code


def judge(text: str) -> None:
    """Read the devices, fill them in, and check them."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, "q35", assign=False)
    for device in devices.all():
        device.defaults(ctx)
        device.check_address(ctx)
        device.check(ctx)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (HOSTDEV.format("pci", "", "", PCI, "") * 2, "Hostdev already exists"),
        (HOSTDEV.format("scsi", "", "", UNIT, "") * 2, "Hostdev already exists"),
        (HOSTDEV.format("pci", " display='on'", "", PCI, ""), "graphics device is needed"),
        (
            "<graphics type='vnc'/>"
            + HOSTDEV.format("mdev", " model='vfio-pci' display='on' ramfb='on'", "", MDEV, "")
            + HOSTDEV.format("pci", " display='on' ramfb='on'", "", PCI, ""),
            "Only one vgpu device can have 'ramfb' enabled",
        ),
        (
            HOSTDEV.format("scsi", "", "", UNIT, "<address type='drive' unit='3'/>")
            + HOSTDEV.format("scsi", "", "", UNIT.replace("host0", "host1"), "<address type='drive' unit='3'/>"),
            "unit='3' in use by another SCSI host device",
        ),
    ],
)
def test_devices_of_the_host_that_contradict_each_other(text: str, part: str) -> None:
    devices = cases.parse(f"<devices>{text}</devices>")
    with pytest.raises(LibvirtError) as caught:
        devices.check_together()
    assert part in caught.value.message


def test_virtiofs_needs_memory_that_is_shared() -> None:
    devices = cases.parse(f"<devices>{MOUNT.format('', VIRTIOFS.format(''), '')}</devices>")
    ctx = cases.context(devices, "q35", assign=False)
    ctx.shared_memory = False
    devices.filesystems[0].defaults(ctx)
    with pytest.raises(LibvirtError, match="'virtiofs' requires shared memory"):
        devices.filesystems[0].check(ctx)
