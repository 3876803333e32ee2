"""Chapter 8 of the guide: every fragment of XML that it prints, pasted where the text says with `virsh edit`.

Each row is typed through stock virsh and through our own command: the definition then holds what was printed,
`domxml-to-native` shows the QEMU objects that it comes to, and where the host has all that it takes, QEMU starts with
them. What is printed wrong (elements that are not closed, footnote marks within the text, machines that QEMU no longer
has) is refused as libvirt refuses it, and works once that is mended. The guide's guests are `kvm` ones; here they are
`qemu` ones, and what only KVM can do is realised by the model in tests/pure/model/test_guide_with_kvm.py.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, need
from tests.support.guide import NAME, PROGRAMS, Reader, as_typed, lacking, missing, paste

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

BASE = """<domain type='qemu'>
  <name>sles15</name>
  <uuid>ab953e2f-9d16-4955-bb43-1178230ee625</uuid>
  <memory unit='KiB'>131072</memory>
  <vcpu placement='static'>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/><apic/><smm state='on'/></features>
  <devices>
    <disk type='file' device='disk'><source file='{images}/disk.raw'/><target dev='sda' bus='sata'/></disk>
    <disk type='file' device='cdrom'><target dev='sdb' bus='sata'/></disk>
    <video><model type='qxl'/></video>
  </devices>
</domain>
"""
MAINFRAME = """<domain type='qemu'>
  <name>sles15</name>
  <uuid>ab953e2f-9d16-4955-bb43-1178230ee625</uuid>
  <memory unit='KiB'>131072</memory>
  <os><type arch='s390x' machine='s390-ccw-virtio'>hvm</type></os>
  <devices/>
</domain>
"""
OVMF = Path("/usr/share/OVMF")


@dataclass(frozen=True)
class Row:
    """A fragment: what is printed, where it goes (`into`, a path below the domain; None: it is a whole document).

    `refused` is what the printed text itself is answered with; it works with `changes` (what is printed, what is
    meant). The document then holds it, or `kept` where libvirt writes it another way. `objects` are in QEMU's command
    line; `unstartable` is what asking for that is answered with instead. With `starts`, QEMU is started; where it takes
    `hardware` that the host does not have, a start says `lacks`.
    """

    section: str
    title: str
    printed: str
    into: str | None = "devices"
    changes: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    kept: str = ""
    objects: tuple[dict[str, object], ...] = ()
    unstartable: str = ""
    starts: bool = False
    hardware: Path | None = None
    lacks: str = ""
    arch: str = "x86_64"
    needs: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return f"{self.section} {self.title}"


EXAMPLE_7 = """<domain type='kvm'>
  <name>sles15</name>
  <uuid>ab953e2f-9d16-4955-bb43-1178230ee625</uuid>
  <memory unit='KiB'>2097152</memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-2.0'>hvm</type>
  </os>
  <features>...</features>
  <cpu mode='custom' match='exact' check='partial'>
    <model fallback='allow'>Skylake-Client-IBRS</model>
  </cpu>
  <clock>...</clock>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <pm>
    <suspend-to-mem enabled='no'/>
    <suspend-to-disk enabled='no'/>
  </pm>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>...</disk>
  </devices>
  ...
</domain>"""

FIRMWARE = """<os firmware='efi'>
    <type arch='x86_64' machine='pc-q35-10.0'>hvm</type>
    <firmware>
      <feature enabled='yes' name='enrolled-keys'/>
      <feature enabled='yes' name='secure-boot'/>
    </firmware>
    <loader readonly='yes' secure='yes' type='pflash' format='raw'>/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin</loader>
    <nvram template='/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin' templateFormat='raw' format='raw'>/var/lib/libvirt/qemu/nvram/win11_VARS.fd</nvram>
    <boot dev='hd'/>
    <boot dev='cdrom'/>
  </os>"""  # noqa: E501 - as printed

HOST_PASSTHROUGH = "CPU mode 'host-passthrough' for x86_64 qemu domain on x86_64 host is not supported by hypervisor"

VF = """<interface type='hostdev'>1
 <source>
  <address type='pci' domain='0' bus='11' slot='16' function='0'2/>2
 </source>
</interface>"""

MACVTAP = """<interface type='direct'>
   <mac address='aa:bb:cc:dd:ee:ff'/>
   <source dev='eth0' mode='bridge'/>
   <model type='virtio'/>
   </interface>"""
MACVTAP_OBJECTS: tuple[dict[str, object], ...] = (
    {"-": "-netdev", "type": "tap", "id": "hostnet0"},
    {"-": "-device", "driver": "virtio-net-pci", "mac": "aa:bb:cc:dd:ee:ff", "netdev": "hostnet0"},
)

PCI = """<hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0' bus='0x03' slot='0x07' function='0x0'/>
      </source>
    </hostdev>"""
PCI_KEPT = PCI.replace("'0x0' bus", "'0x0000' bus")
PCI_OBJECTS: tuple[dict[str, object], ...] = ({"driver": "vfio-pci", "host": "0000:03:07.0"},)

ROWS = [
    Row(
        "8.1", "Example 7", EXAMPLE_7, None,
        changes=(
            ("type='kvm'", "type='qemu'"), ("pc-q35-2.0", "pc-q35-10.0"), ("<clock></clock>", "<clock offset='utc'/>"),
            ("<features></features>", "<features><acpi/></features>"),
            ("device='disk'></disk>", "device='disk'><source file='/d.raw'/><target dev='vda'/></disk>"),
        ),
        unstartable="the CPU is incompatible with host CPU: Host CPU does not provide required features: ",
    ),
    Row(
        "8.2", "a machine type", "<type arch='x86_64' machine='pc-q35-2.3'>hvm</type>", "os",
        changes=(("pc-q35-2.3", "pc-q35-10.0"),), refused="does not support machine type 'pc-q35-2.3'",
        objects=({"-": "-machine", "value": "pc-q35-10.0,usb=off,smm=on,dump-guest-core=off,memory-backend=pc.ram,acpi=on"},),  # noqa: E501
    ),
    Row(
        "8.2", "another machine type", "<type arch='x86_64' machine='pc-q35-2.0'>hvm</type>", "os",
        changes=(("pc-q35-2.0", "q35"),), refused="does not support machine type 'pc-q35-2.0'",
        kept="<type arch='x86_64' machine='pc-q35-10.0'>hvm</type>", starts=True,
    ),
    Row(
        "8.4.1", "one processor", "<vcpu placement='static'>1</vcpu>", "",
        objects=({"-": "-smp", "value": "1,sockets=1,cores=1,threads=1"},),
    ),
    Row(
        "8.4.1", "two processors", "<vcpu placement='static'>2</vcpu>", "",
        objects=({"-": "-smp", "value": "2,sockets=2,cores=1,threads=1"},), starts=True,
    ),
    Row(
        "8.4.2", "host-model", "<cpu mode='host-model'/>", "",
        kept="<cpu mode='host-model' check='partial'/>", starts=True,
    ),
    Row("8.4.2", "host-passthrough", "<cpu mode='host-passthrough'/>", "", unstartable=HOST_PASSTHROUGH),
    Row(
        "8.4.2", "host-passthrough without vmx",
        """<cpu mode='host-passthrough'>
  <feature policy='disable' name='vmx'/>
  </cpu>""", "", unstartable=HOST_PASSTHROUGH,
    ),
    Row(
        "8.4.2", "Nehalem",
        """<cpu mode='custom' match='exact'>
  <model fallback='allow'>Nehalem</model>
  <feature policy='require' name='vme'/>
  <feature policy='require' name='ds'/>
  <feature policy='require' name='acpi'/>
  <feature policy='require' name='ss'/>
  <feature policy='require' name='ht'/>
  <feature policy='require' name='tm'/>
  <feature policy='require' name='pbe'/>
  <feature policy='require' name='dtes64'/>
  <feature policy='require' name='monitor'/>
  <feature policy='require' name='ds_cpl'/>
  <feature policy='require' name='vmx'/>
  <feature policy='require' name='est'/>
  <feature policy='require' name='tm2'/>
  <feature policy='require' name='xtpr'/>
  <feature policy='require' name='pdcm'/>
  <feature policy='require' name='dca'/>
  <feature policy='require' name='rdtscp'/>
  <feature policy='require' name='invtsc'/>
  </cpu>""", "",
        objects=(
            {
                "-": "-cpu",
                "value": "Nehalem,vme=on,ds=on,acpi=on,ss=on,ht=on,tm=on,pbe=on,dtes64=on,monitor=on,ds-cpl=on,vmx=on,"
                "est=on,tm2=on,xtpr=on,pdcm=on,dca=on,rdtscp=on,invtsc=on",
            },
        ),
    ),
    Row(
        "8.5", "firmware", FIRMWARE, "",
        objects=(
            {"driver": "file", "filename": "/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin"},
            {"driver": "file", "filename": "/var/lib/libvirt/qemu/nvram/win11_VARS.fd"},
            {"-": "-global", "value": "driver=cfi.pflash01,property=secure,value=on"},
            {"driver": "ide-hd", "bootindex": 1}, {"driver": "ide-cd", "bootindex": 2},
        ),
    ),
    Row(
        "8.5", "firmware, with the places of this distribution", FIRMWARE, "",
        changes=(
            ("/usr/share/qemu/ovmf-x86_64-smm-ms-code.bin", f"{OVMF}/OVMF_CODE_4M.ms.fd"),
            ("/usr/share/qemu/ovmf-x86_64-smm-ms-vars.bin", f"{OVMF}/OVMF_VARS_4M.ms.fd"),
            ("/var/lib/libvirt/qemu/nvram", "{images}"),
        ),
        starts=True, needs=(OVMF / "OVMF_CODE_4M.ms.fd",),
    ),
    Row(
        "8.5.1", "boot order",
        """...
    <boot dev='cdrom'/>
    <boot dev='hd'/>
    ...""", "os",
        objects=({"driver": "ide-cd", "bootindex": 1}, {"driver": "ide-hd", "bootindex": 2}), starts=True,
    ),
    Row(
        "8.5.2", "direct kernel boot",
        """<os>
    ...
  <kernel>/root/f8-i386-vmlinuz</kernel>
  <initrd>/root/f8-i386-initrd</initrd>
    ...
<os>""", "",
        changes=(
            ("\n<os>", "</os>"), ("<os>\n", "<os><type arch='x86_64' machine='q35'>hvm</type>"),
        ),
        refused="Opening and ending tag mismatch: ",
        kept="<os><kernel>/root/f8-i386-vmlinuz</kernel><initrd>/root/f8-i386-initrd</initrd></os>",
        objects=(
            {"-": "-kernel", "value": "/root/f8-i386-vmlinuz"}, {"-": "-initrd", "value": "/root/f8-i386-initrd"},
        ),
    ),
    Row(
        "8.5.2", "a kernel",
        """...
    <kernel>/root/f8-i386-vmlinuz</kernel>
    ...""", "os", objects=({"-": "-kernel", "value": "/root/f8-i386-vmlinuz"},),
    ),
    Row(
        "8.5.2", "an initrd, below the kernel",
        """<kernel>/root/f8-i386-vmlinuz</kernel>
    <initrd>/root/f8-i386-initrd</initrd>""", "os", objects=({"-": "-initrd", "value": "/root/f8-i386-initrd"},),
    ),
    Row(
        "8.6", "memory",
        """...
    <memory unit='KiB'>8388608</memory>
    ...""", "",
        objects=({"-": "-m", "value": "size=8388608k"}, {"qom-type": "memory-backend-ram", "size": 8 << 30}),
    ),
    Row(
        "8.6", "memory to grow",
        """[...]
    <memory unit='KiB'>8388608</memory>
    <currentMemory unit='KiB'>4194304</currentMemory>
    [...]""", "", objects=({"-": "-m", "value": "size=8388608k"}, {"driver": "virtio-balloon-pci"}),
        starts=True,
    ),
    Row(
        "8.6", "the size of addresses",
        """[...]
<cpu mode='host-model' check='partial'>
<maxphysaddr mode='passthrough'>
</cpu>
[...]""", "",
        changes=(("mode='passthrough'>", "mode='passthrough'/>"),),
        refused="Opening and ending tag mismatch: maxphysaddr line",
        starts=True,
    ),
    Row(
        "8.7", "a PCI device", PCI, kept=PCI_KEPT, objects=PCI_OBJECTS,
        hardware=Path("/sys/bus/pci/devices/0000:03:07.0"), lacks="Device 0000:03:07.0 not found",
    ),
    Row(
        "8.7", "a PCI device, unmanaged", PCI, changes=(("managed='yes'", "managed='no'"),),
        kept=PCI_KEPT.replace("'yes'", "'no'"), objects=PCI_OBJECTS,
    ),
    Row(
        "8.7", "the address that printf makes",
        "<address domain='0x0' bus='0x3' slot='0x7' function='0x0'/>",
        changes=(
            ("<address", "<hostdev mode='subsystem' type='pci' managed='yes'><source><address"),
            ("/>", "/></source></hostdev>"),
        ),
        kept=PCI_KEPT, objects=PCI_OBJECTS,
    ),
    Row(
        "8.7.1", "zPCI",
        """<controller type='pci' index='0' model='pci-root'/>
<controller type='pci' index='1' model='pci-bridge'>
  <model name='pci-bridge'/>
  <target chassisNr='1'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'>
    <zpci uid='0x0001' fid='0x00000000'/>
  </address>
</controller>
<interface type='bridge'>
  <source bridge='virbr0'/>
  <model type='virtio'/>
  <address type='pci' domain='0x0000' bus='0x01' slot='0x01' function='0x0'>
    <zpci uid='0x0007' fid='0x00000003'/>
  </address>
</interface>""",
        objects=(
            {"driver": "zpci", "uid": 1, "fid": 0, "target": "pci.1"},
            {"driver": "pci-bridge", "chassis_nr": 1, "id": "pci.1", "bus": "pci.0", "addr": "0x1"},
            {"-": "-netdev", "type": "tap", "id": "hostnet0"},
            {"driver": "zpci", "uid": 7, "fid": 3, "target": "net0"},
            {"driver": "virtio-net-pci", "id": "net0", "bus": "pci.1", "addr": "0x1"},
        ),
        hardware=Path("/sys/class/net/virbr0"), lacks="Cannot get interface MTU on 'virbr0': No such device",
        arch="s390x",
    ),
    Row(
        "8.8", "a USB device",
        """<hostdev mode='subsystem' type='usb'>
      <source startupPolicy='optional'>
       <vendor id='0557'/>
       <product id='2221'/>
      </source>
    </hostdev>""",
        kept="<hostdev mode='subsystem' type='usb' managed='no'><source startupPolicy='optional'><vendor id='0x016f'/>"
        "<product id='0x08ad'/></source></hostdev>",  # a number that begins with 0 is octal, for libvirt too
        objects=({"driver": "usb-host", "id": "hostdev0"},),
        starts=True,
    ),
    Row(
        "8.8", "a USB device, with the ids as lsusb means them",
        """<hostdev mode='subsystem' type='usb'>
      <source startupPolicy='optional'>
       <vendor id='0557'/>
       <product id='2221'/>
      </source>
    </hostdev>""",
        changes=(("'0557'", "'0x0557'"), ("'2221'", "'0x2221'"), (" startupPolicy='optional'", "")),
        objects=({"driver": "usb-host", "id": "hostdev0"},),
        hardware=Path("/dev/bus/usb"), lacks="Did not find USB device 557:2221",
    ),
    Row(
        "8.9.3", "a virtual function", VF,
        changes=(("'hostdev'>1", "'hostdev'>"), ("'0'2/>2", "'0'/>")),
        refused="attributes construct error",
        kept="<interface type='hostdev'><source>"
        "<address type='pci' domain='0x0000' bus='0x0b' slot='0x10' function='0x0'/></source></interface>",
        objects=({"driver": "vfio-pci", "host": "0000:0b:10.0"},),
        hardware=Path("/sys/bus/pci/devices/0000:0b:10.0"),
        lacks="Interface type hostdev is currently supported on SR-IOV Virtual Functions only",
    ),
    Row(
        "8.9.4.2", "a function of the pool",
        """<interface type='network'>
  <source network='passthrough'>
</interface>""",
        changes=(("'passthrough'>", "'passthrough'/>"),),
        refused="Opening and ending tag mismatch: source line",
        objects=({"-": "-netdev", "type": "tap"},),
        hardware=Path("/sys/class/net/eth0/device/sriov_numvfs"),
        lacks="Network not found: no network with matching name 'passthrough'",
    ),
    Row(
        "8.10", "a device with its address in the guest",
        """<hostdev mode="subsystem" type="pci" managed="yes">
  <source>
        <address domain="0x0000" bus="0x01" slot="0x00" function="0x0" />
  </source>
      <address type="pci" domain="0x0000" bus="0x07" slot="0x00" function="0x0" />
</hostdev>""",
        objects=({"driver": "vfio-pci", "host": "0000:01:00.0", "bus": "pci.7", "addr": "0x0"},),
    ),
    Row(
        "8.11", "a disk, from its four pieces",
        """<disk type='file' device='disk'>
    <driver name='qemu' type='qcow2'/>
    <source file='/var/lib/libvirt/images/sles15.qcow2'/>
    <target dev='vda' bus='virtio'/></disk>""",
        changes=(("/var/lib/libvirt/images", "{images}"),),
        objects=({"driver": "virtio-blk-pci", "id": "virtio-disk0"}, {"driver": "qcow2", "read-only": False}),
        starts=True,
    ),
    # 8.11 and 8.12 print no more than names; each is one row.
    Row(
        "8.11", "type block",
        "<disk type='block' device='disk'><source dev='/dev/sdz'/><target dev='vdb' bus='virtio'/></disk>",
        objects=({"driver": "host_device", "filename": "/dev/sdz"}, {"driver": "virtio-blk-pci"}),
    ),
    Row(
        "8.11", "type dir",
        "<disk type='dir' device='disk'><driver name='qemu' type='fat'/><source dir='/srv'/>"
        "<target dev='vdb' bus='virtio'/><readonly/></disk>",
        objects=({"driver": "vvfat", "dir": "/srv"}, {"driver": "virtio-blk-pci"}),
    ),
    Row(
        "8.11", "type network",
        "<disk type='network' device='disk'><source protocol='nbd' name='export'><host name='localhost' port='10809'/>"
        "</source><target dev='vdb' bus='virtio'/></disk>",
        objects=({"driver": "nbd", "export": "export"}, {"driver": "virtio-blk-pci"}),
    ),
    Row(
        "8.11", "type volume",
        "<disk type='volume' device='disk'><source pool='default' volume='sles15.qcow2'/>"
        "<target dev='vdb' bus='virtio'/></disk>",
        unstartable="Storage pool not found: no storage pool with matching name 'default'",
    ),
    Row(
        "8.11", "device floppy",
        "<disk type='file' device='floppy'><source file='{images}/other.raw'/><target dev='fda' bus='fdc'/></disk>",
        objects=({"driver": "floppy"},), starts=True,
    ),
    Row(
        "8.11", "device cdrom",
        "<disk type='file' device='cdrom'><source file='{images}/other.raw'/><target dev='sdc' bus='scsi'/>"
        "<readonly/></disk>",
        kept="<disk type='file' device='cdrom'><target dev='sdc' bus='scsi'/></disk><controller type='scsi'/>",
        objects=({"driver": "scsi-cd"},), starts=True,
    ),
    Row(
        "8.11", "device lun",
        "<disk type='block' device='lun'><source dev='/dev/sdz'/><target dev='sdc' bus='scsi'/></disk>",
        objects=({"driver": "scsi-block"},),
    ),
    Row(
        "8.7", "a bridge for older cards",
        "<controller type='pci' model='pcie-to-pci-bridge'/><interface type='user'><model type='rtl8139'/></interface>",
        objects=({"driver": "pcie-pci-bridge"}, {"driver": "rtl8139"}), starts=True,
    ),
    Row(
        "8.12", "controllers by themselves",
        "<disk type='file' device='disk'><source file='{images}/disk.raw'/><target dev='sdc' bus='scsi'/></disk>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        changes=(("{images}/disk.raw", "{images}/other.raw"),),
        kept="<disk/><controller type='pci' model='pcie-root'/><controller type='virtio-serial' index='0'/>"
        "<channel type='unix'/>",
        objects=({"driver": "virtio-serial-pci", "id": "virtio-serial0"}, {"driver": "scsi-hd"}), starts=True,
    ),
    Row(
        "8.12", "a controller adjusted", "<controller type='virtio-serial' index='0' ports='32' vectors='4'/>",
        objects=({"driver": "virtio-serial-pci", "max_ports": 32, "vectors": 4},), starts=True,
    ),
    Row(
        "8.13.1", "video memory",
        """<video>
    <model type='vga' vram='65535' heads='1'>
    ...
    </model>
    </video>""",
        kept="<video><model type='vga' vram='65536' heads='1' primary='yes'/></video>",  # a power of two, as libvirt's
        objects=({"driver": "VGA", "vgamem_mb": 64},), starts=True,
    ),
    Row(
        "8.13.2", "acceleration",
        """<video>
     <model>
      <acceleration accel3d='yes' accel2d='no'>
     </model>
    </video>""",
        changes=(("accel2d='no'>", "accel2d='no'/>"), ("<model>", "<model type='virtio'>")),
        refused="Opening and ending tag mismatch: acceleration line",
        objects=({"driver": "virtio-vga-gl", "id": "video0"},),
    ),
    Row(
        "8.13.2", "acceleration of a card that cannot do it",
        """<video>
     <model>
      <acceleration accel3d='yes' accel2d='no'/>
     </model>
    </video>""",
        changes=((" accel3d='yes'", " accel3d='no'"),),
        refused="3d acceleration is supported only with 'virtio' video device",
        kept="<video><model type='cirrus' vram='16384' heads='1' primary='yes'>"
        "<acceleration accel3d='no' accel2d='no'/></model></video>",
        objects=({"driver": "cirrus-vga"},),
    ),
    Row(
        "8.14.1", "several queues",
        """<interface type='network'>
 [...]
 <model type='virtio'/>
 <driver name='vhost' queues='NUMBER_OF_QUEUES'/>
</interface>""",
        changes=(("'NUMBER_OF_QUEUES'", "'4'"), ("<model", "<source network='default'/><model")),
        refused="Invalid value for attribute 'queues' in element 'driver': 'NUMBER_OF_QUEUES'",
        objects=({"driver": "virtio-net-pci", "mq": True, "vectors": 10},),
    ),
    *(
        Row("8.15", f"macvtap: {mode}", MACVTAP, changes=(("'bridge'", f"'{mode}'"),), objects=MACVTAP_OBJECTS)
        for mode in ("bridge", "vepa", "private", "passthrough")
    ),
    Row(
        "8.16", "no balloon",
        """<devices>
   <memballoon model='none'/>
</device>""",
        changes=(("<devices>", ""), ("</device>", "")),
        refused="Opening and ending tag mismatch: devices line",
        starts=True,
    ),
    Row(
        "8.17", "a card that can show more",
        """<video>
     <model type='qxl' ... />""",
        changes=(("/>", "/></video>"),), refused="Opening and ending tag mismatch: video line",
        objects=({"driver": "qxl-vga", "max_outputs": 1},),
    ),
    Row(
        "8.17", "two heads",
        """<video>
     <model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='2' primary='yes'/>
     <alias name='video0'/>
     <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </video>""",
        kept="""<video>
     <model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='2' primary='yes'/>
     <address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0'/>
    </video>""",  # aliases are a running guest's
        objects=({"driver": "qxl-vga", "max_outputs": 2, "ram_size": 64 << 20, "vgamem_mb": 16, "addr": "0x1"},),
        starts=True,
    ),
    Row(
        "8.17", "Spice",
        """<graphics type='spice' port='5916' autoport='yes' listen='0.0.0.0'>
     <listen type='address' address='0.0.0.0'/>
    </graphics>""",
        kept="<graphics type='spice' autoport='yes' listen='0.0.0.0'><listen type='address' address='0.0.0.0'/>"
        "</graphics>",  # a port that is found at the start is not kept
        objects=(
            {"-": "-spice", "value": "port=5900,addr=0.0.0.0,disable-ticketing=on,seamless-migration=on"},
        ),
        starts=True,
    ),
    Row(
        "8.18.4", "a cryptographic adapter",
        """[...]
    <hostdev mode='subsystem' type='mdev' model='vfio-ap'>
     <source>
      <address uuid='24f952b3-03d1-4df2-9967-0d5f7d63d5f2'/>
     </source>
    </hostdev>
    [...]""",
        objects=(
            {"driver": "vfio-ap", "sysfsdev": "/sys/bus/mdev/devices/24f952b3-03d1-4df2-9967-0d5f7d63d5f2"},
        ),
        hardware=Path("/sys/bus/mdev/devices/24f952b3-03d1-4df2-9967-0d5f7d63d5f2"),
        lacks="mediated device '24f952b3-03d1-4df2-9967-0d5f7d63d5f2' not found",
        arch="s390x",
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def house() -> Iterator[Daemon]:
    """One daemon, with images for the guide's guest."""
    need("virsh", "qemu-system-x86_64", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        for name in ("disk.raw", "other.raw"):
            (Path(folder) / name).write_bytes(bytes(1 << 20))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "sles15.qcow2", "32G"], check=True, cwd=folder)
        try:
            yield daemon.start()
        finally:
            daemon.stop()


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_printed_fragment_works(house: Daemon, program: str, row: Row) -> None:
    need(f"qemu-system-{row.arch}")
    if absent := [str(path) for path in row.needs if not path.exists()]:
        pytest.skip(f"this host has no {', '.join(absent)}")
    images = str(house.root.parent)
    reader = Reader(house, program)
    base = (BASE if row.arch == "x86_64" else MAINFRAME).replace("{images}", images)
    before = _defined(house, base)
    _check_the_misprint(reader, row, before)
    fragment = as_typed(row.printed, row.changes).replace("{images}", images)
    told = reader.edits(_placed(row, before, fragment))
    assert f"Domain '{NAME}' XML configuration edited." in told
    if row.into is None:
        assert not missing(reader.document(), fragment.partition(">")[2].rpartition("<")[0], "")
    else:
        assert not missing(reader.document(), row.kept or fragment, row.into)
    if row.unstartable:
        assert row.unstartable in reader.types(f"virsh domxml-to-native qemu-argv --domain {NAME}", check=False)
    else:
        objects = reader.objects()
        assert not lacking(objects, row.objects), objects
    if row.hardware is not None and not row.hardware.exists():
        assert row.lacks in reader.types(f"virsh start {NAME}", check=False)
    if row.starts and program == "virsh":
        told = reader.types(f"virsh 'start {NAME} --paused; domstate {NAME}; destroy {NAME}'")
        assert "paused" in told


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_disk_can_be_a_volume_of_a_pool(house: Daemon, program: str) -> None:
    """Section 8.11, type `volume`, where the pool is there, as chapter 6 has a reader make it."""
    reader, images = Reader(house, program), str(house.root.parent)
    row = next(row for row in ROWS if row.title == "type volume")
    reader.types(f"virsh pool-create-as default dir --target {images}")
    try:
        assert "sles15.qcow2" in reader.types("virsh vol-list default")
        reader.edits(_placed(row, _defined(house, BASE.replace("{images}", images)), row.printed))
        assert not missing(reader.document(), row.printed, "devices")
        wanted: tuple[dict[str, object], ...] = (
            {"driver": "file", "filename": f"{images}/sles15.qcow2"},
            {"driver": "virtio-blk-pci"},
        )
        assert not lacking(reader.objects(), wanted)
        told = reader.types(f"virsh start {NAME} --paused; virsh domstate {NAME}; virsh destroy {NAME}")
        assert "paused" in told
    finally:
        reader.types("virsh pool-destroy default")


def _defined(house: Daemon, base: str) -> str:
    """The guest as it is before anything is edited: its document."""
    path = house.root / "base.xml"
    path.write_text(base)
    house.virsh("undefine", NAME, "--nvram", check=False)
    return house.virsh(f"define {path}; dumpxml {NAME} --inactive").stdout.partition("\n\n")[2]


def _placed(row: Row, before: str, fragment: str) -> str:
    return fragment if row.into is None else paste(before, fragment, row.into)


def _check_the_misprint(reader: Reader, row: Row, before: str) -> None:
    """What is printed wrong is refused in libvirt's words, and changes nothing."""
    if not row.refused:
        return
    told = reader.defines(_placed(row, before, as_typed(row.printed)), check=False)
    assert row.refused in told
    assert reader.document() == before


def test_a_definition_is_validated_before_it_is_saved(house: Daemon) -> None:
    """Section 8.1: what the format does not have is refused by name."""
    before = _defined(house, BASE.replace("{images}", str(house.root.parent)))
    for program in PROGRAMS:
        reader = Reader(house, program)
        told = reader.defines(
            before.replace("<on_reboot>", "<on_rebot>").replace("</on_reboot>", "</on_rebot>"), check=False
        )
        assert "on_rebot" in told
        assert reader.document() == before


#: What `nodedev-dumpxml` and `net-dumpxml` print in the chapter, and the network that it defines.
DOCUMENTS = {
    "8.7 a network card": """<device>
      <name>pci_0000_03_07_0</name>
      <path>/sys/devices/pci0000:00/0000:00:14.4/0000:03:07.0</path>
      <parent>pci_0000_00_14_4</parent>
      <driver>
        <name>tulip</name>
      </driver>
      <capability type='pci'>
        <domain>0</domain>
        <bus>3</bus>
        <slot>7</slot>
        <function>0</function>
        <product id='0x0009'>DECchip 21140 [FasterNet]</product>
        <vendor id='0x1011'>Digital Equipment Corporation</vendor>
        <numa node='0'/>
      </capability>
    </device>""",
    "8.9.3 a virtual function": """<device>
      <name>pci_0000_04_10_0</name>
      <parent>pci_0000_00_02_0</parent>
      <capability type='pci'>
        <domain>0</domain>
        <bus>4</bus>
        <slot>16</slot>
        <function>0</function>
        <product id='0x10ca'>82576 Virtual Function</product>
        <vendor id='0x8086'>Intel Corporation</vendor>
        <capability type='phys_function'>
          <address domain='0x0000' bus='0x04' slot='0x00' function='0x0'/>
        </capability>
      </capability>
    </device>""",
    "8.9.4.1 a pool of functions": """<network>
  <name>passthrough</name>
    <forward mode='hostdev' managed='yes'>
      <pf dev='eth0'/>
    </forward>
  </network>""",
    "8.9.4.2 the pool in use": """<network connections='1'>
  <name>passthrough</name>
  <uuid>a6a26429-d483-d4ed-3465-4436ac786437</uuid>
  <forward mode='hostdev' managed='yes'>
    <pf dev='eth0'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x10' function='0x1'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x10' function='0x3'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x10' function='0x5'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x10' function='0x7'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x11' function='0x1'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x11' function='0x3'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x11' function='0x5'/>
  </forward>
  </network>""",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_of_the_host_are_valid(house: Daemon, name: str) -> None:
    """They describe hardware that few hosts have: the format is checked."""
    path = house.root / "printed.xml"
    path.write_text(DOCUMENTS[name])
    assert "validates" in Reader(house, "guest").types(f"virsh xml-validate {path}")
    path.write_text(DOCUMENTS[name].replace("managed", "maneged").replace("<bus>", "<bos>").replace("</bus>", "</bos>"))
    told = Reader(house, "guest").types(f"virsh xml-validate {path}", check=False)
    assert "maneged" in told or "bos" in told
