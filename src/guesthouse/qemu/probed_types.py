"""The device and object types whose properties the probe asks for: those whose options depend on QEMU's version."""

from __future__ import annotations

_DEVICES = """
    virtio-9p-pci virtio-balloon-pci virtio-blk-pci virtio-crypto-pci virtio-gpu-gl-pci virtio-gpu-pci
    virtio-input-host-pci virtio-iommu-pci virtio-keyboard-pci virtio-mem-pci virtio-mouse-pci virtio-net-pci
    virtio-pmem-pci virtio-rng-pci virtio-scsi-pci virtio-serial-pci virtio-sound-pci virtio-tablet-pci
    virtio-vga virtio-vga-gl virtserialport virtconsole
    vhost-scsi-pci vhost-user-blk-pci vhost-user-fs-pci vhost-vsock-pci
    scsi-hd scsi-cd scsi-block scsi-generic ide-hd ide-cd floppy nvme nvme-ns sd-card
    ich9-ahci lsi53c895a megasas megasas-gen2 mptsas1068 pvscsi
    pcie-root-port ioh3420 pcie-pci-bridge pci-bridge i82801b11-bridge pxb pxb-pcie x3130-upstream
    xio3130-downstream intel-iommu amd-iommu
    e1000 e1000e igb rtl8139 vmxnet3 pcnet ne2k_pci
    VGA bochs-display cirrus-vga qxl qxl-vga ramfb vmware-svga
    isa-serial pci-serial isa-parallel usb-serial isa-debugcon sclpconsole
    AC97 ES1370 hda-duplex hda-micro hda-output ich9-intel-hda intel-hda sb16 usb-audio
    qemu-xhci nec-usb-xhci piix3-usb-uhci ich9-usb-ehci1 ich9-usb-uhci1 usb-ehci pci-ohci
    usb-host usb-hub usb-kbd usb-mouse usb-tablet usb-redir usb-storage usb-net usb-ccid ccid-card-emulated
    i6300esb ib700 diag288 pvpanic pvpanic-pci vmcoreinfo vmgenid tpm-crb tpm-tis tpm-spapr acpi-erst
    ivshmem-doorbell ivshmem-plain nvdimm pc-dimm vfio-pci vfio-pci-nohotplug ICH9-LPC PIIX4_PM
    mch i440FX-pcihost q35-pcihost
"""

_OBJECTS = """
    cryptodev-backend-builtin dbus-vmstate input-linux iothread main-loop memory-backend-epc
    memory-backend-file memory-backend-memfd memory-backend-ram memory-backend-shm pr-manager-helper
    rng-builtin rng-egd rng-random secret sev-guest sev-snp-guest tdx-guest thread-context throttle-group
    tls-cipher-suites tls-creds-anon tls-creds-psk tls-creds-x509
"""

DEVICES = frozenset(_DEVICES.split())
OBJECTS = frozenset(_OBJECTS.split())
