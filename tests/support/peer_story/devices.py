"""Devices that are attached, changed and detached, in a guest that stands still and in its definition."""

from __future__ import annotations

import libvirt

from tests.support.peer_story.guests import blank
from tests.support.peer_story.recorder import Recorder

PORTS = (
    "<controller type='pci' index='0' model='pcie-root'/>"
    + "<controller type='pci' model='pcie-root-port'/>" * 14
    + "<controller type='pci' model='pcie-to-pci-bridge'/>"
)
OTHERS = (
    "<controller type='scsi' index='0' model='virtio-scsi'/>"
    "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>"
    "<disk type='file' device='cdrom'><target dev='sdh' bus='sata'/></disk>"
    "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/>"
)
LIVE, CONFIG, BOTH = 1, 2, 3


def _comes(image: str) -> list[str]:
    return [
        f"<disk type='file'><source file='{image}'/><target dev='vdb'/></disk>",
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}.b'/>"
        "<target dev='sdb' bus='scsi'/><shareable/><serial>S1</serial></disk>",
        f"<disk type='file'><source file='{image}.j'/><target dev='sdj' bus='scsi'/><readonly/>"
        "<address type='drive' controller='1' unit='3'/></disk>",
        f"<disk type='file'><source file='{image}.k'/><target dev='sdk' bus='usb'/><readonly/></disk>",
        "<disk type='file' device='cdrom'><target dev='sdl' bus='scsi'/></disk>",
        "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>",
        "<interface type='user'><mac address='52:54:00:aa:00:02'/><model type='e1000e'/><link state='down'/>"
        "</interface>",
        "<interface type='user'><mac address='52:54:00:aa:00:03'/></interface>",
        "<rng model='virtio'><rate bytes='100' period='2000'/><backend model='random'>/dev/urandom</backend></rng>",
        "<rng model='virtio'><backend model='builtin'/><alias name='ua-rng'/></rng>",
        "<controller type='scsi' model='virtio-scsi'/>",
        "<controller type='virtio-serial'/>",
        "<channel type='unix'><target type='virtio' name='org.one'/></channel>",
        "<channel type='pty'><target type='virtio' name='org.two'/></channel>",
        "<input type='tablet' bus='usb'/>",
        "<input type='keyboard' bus='virtio'/>",
        "<watchdog model='i6300esb' action='reset'/>",
        "<serial type='pty'><target type='pci-serial'/></serial>",
    ]


_REFUSED = (
    "<disk type='file'><source file='/x'/><target dev='sdz' bus='sata'/></disk>",
    "<disk type='file' device='floppy'><source file='/x'/><target dev='fda'/></disk>",
    "<disk type='file'><source file='/nowhere/image'/><target dev='vdz'/></disk>",
    "<disk type='file' device='cdrom'><target dev='vdz' bus='virtio'/></disk>",
    "<controller type='usb' index='3' model='qemu-xhci'/>",
    "<controller type='sata' index='3'/>",
    "<controller type='scsi' index='0' model='virtio-scsi'/>",
    "<input type='mouse' bus='ps2'/>",
    "<video><model type='vga'/></video>",
    "<graphics type='vnc'/>",
    "<hub type='usb'/>",
    "<memballoon model='virtio'/>",
    "<panic model='pvpanic'/>",
    "<sound model='ich6'/>",
    "<audio id='2' type='none'/>",
    "<console type='pty'/>",
    "<nonsense/>",
    "<disk",
    "",
    "<interface type='user'><boot order='1'/></interface>",
    "<interface type='user'><alias name='ua-rng'/></interface>",
    "<interface type='user'><model type='virtio'/><address type='pci' bus='0x00' slot='0x1d'/></interface>",
    "<interface type='user'><model type='virtio'/><address type='pci' bus='0x40' slot='0x00'/></interface>",
)


def devices(r: Recorder) -> None:
    """All of it, once on what runs and once on the definition."""
    image = r.folder / "image.raw"
    for path in (image, *(image.with_suffix(f".raw.{letter}") for letter in "bjk")):
        with path.open("wb") as stream:
            stream.truncate(1 << 20)
    dom = r.conn.defineXML(blank(r.name("dev"), 0x70, extra="<features><acpi/></features>", devices=PORTS + OTHERS))
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    r.events("start")
    for number, document in enumerate(_comes(str(image))):
        for flags in (LIVE, CONFIG):
            r.do(f"attach {number} {flags}", dom.attachDeviceFlags, document, flags)
            r.do(f"XML {number} {flags}", dom.XMLDesc, 0 if flags == LIVE else libvirt.VIR_DOMAIN_XML_INACTIVE)
        r.events(f"attach {number}", quiet=0.05)
        r.do(
            f"again {number}", dom.attachDeviceFlags, document.replace("S1", "S2"), BOTH
        ) if "dev='" in document else None
    for document in _REFUSED:
        for flags in (LIVE, CONFIG):
            r.do(f"attach {document} {flags}", dom.attachDeviceFlags, document, flags)
    r.do("attach flags", dom.attachDeviceFlags, _REFUSED[0], 64)
    _media(r, dom)
    _updates(r, dom, str(image))
    _goes(r, dom, str(image))
    r.do("XML live at last", dom.XMLDesc, 0)
    r.do("XML defined at last", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
    _wide(r)
    dom.destroy()
    r.do("attach off", dom.attachDevice, _comes(str(image))[0])
    r.do("attach off live", dom.attachDeviceFlags, _comes(str(image))[0], LIVE)
    r.do("detach off current", dom.detachDeviceFlags, _comes(str(image))[5], 0)


SERIAL_BUS = "<controller type='virtio-serial' index='0'/>"
WIDE = (
    "<maxMemory slots='4' unit='MiB'>512</maxMemory>"
    "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    "<cpu><numa><cell id='0' cpus='0' memory='32' unit='MiB'/></numa></cpu><features><acpi/></features>"
)


def _wide(r: Recorder) -> None:
    """Memory, and what needs memory of which QEMU can tell others."""
    dom = r.conn.defineXML(blank(r.name("wide"), 0x71, extra=WIDE, devices=PORTS + SERIAL_BUS))
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    r.events("wide start")
    (r.folder / "shared").mkdir()
    documents = [
        "<memory model='dimm'><target><size unit='MiB'>64</size><node>0</node></target></memory>",
        "<memory model='dimm'><target><size unit='MiB'>66</size><node>0</node></target></memory>",
        "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='KiB'>2048</block>"
        "<requested unit='KiB'>0</requested></target></memory>",
        "<memory model='dimm'><target><size unit='MiB'>1024</size><node>0</node></target></memory>",
        "<memory model='dimm'><target><size unit='MiB'>64</size><node>7</node></target></memory>",
        "<shmem name='mine'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
        "<shmem name='mine'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
        "<vsock model='virtio'><cid auto='no' address='77'/></vsock>",
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4'/></redirdev>",
        "<redirdev bus='usb' type='pty'/>",
        "<serial type='pty'><target type='usb-serial'/></serial>",
        "<console type='pty'><target type='virtio'/></console>",
        "<serial type='pty'><target type='isa-serial'/></serial>",
        "<parallel type='pty'/>",
        "<sound model='usb'/>",
        "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
        "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>",
        "<iommu model='intel'/>",
        "<smartcard mode='passthrough' type='spicevmc'/>",
        "<filesystem type='mount' accessmode='mapped'><source dir='/tmp'/><target dir='tag'/></filesystem>",
        "<panic model='pvpanic'/>",
        "<nvram/>",
    ]
    for number, document in enumerate(documents):
        for flags in (LIVE, CONFIG):
            r.do(f"wide attach {number} {flags}", dom.attachDeviceFlags, document, flags)
        r.do(f"wide XML {number}", dom.XMLDesc, 0)
        r.events(f"wide attach {number}", quiet=0.05)
    r.do("wide XML defined", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
    name = dom.name()
    r.virsh("update-memory-device", name, "--alias", "virtiomem0", "--requested-size", "64M")
    r.virsh("update-memory-device", name, "--alias", "virtiomem0", "--requested-size", "256M")
    r.virsh("update-memory-device", name, "--alias", "dimm0", "--requested-size", "64M")
    r.virsh("update-memory-device", name, "--node", "7", "--requested-size", "64M")
    r.virsh("update-memory-device", name, "--requested-size", "64M")
    r.do("wide XML after updates", dom.XMLDesc, 0)
    for number in (4, 5, 6, 7, 8):
        for flags in (LIVE, CONFIG) if number in (4, 8) else (CONFIG,):
            r.do(f"wide detach {number} {flags}", dom.detachDeviceFlags, documents[number], flags)
    r.do("wide XML at last", dom.XMLDesc, 0)
    r.do("wide XML defined at last", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
    dom.destroy()


def _media(r: Recorder, dom: libvirt.virDomain) -> None:
    for name in ("one.iso", "two.iso"):
        with (r.folder / name).open("wb") as stream:
            stream.truncate(2 << 20)
    name = dom.name()
    for target in ("sda", "sdh"):
        r.virsh("change-media", name, target, str(r.folder / "one.iso"), "--insert")
        r.do(f"XML {target} with one", dom.XMLDesc, 0)
        r.virsh("change-media", name, target, str(r.folder / "two.iso"), "--insert")
        r.virsh("change-media", name, target, str(r.folder / "two.iso"), "--update", "--live", "--config")
        r.do(f"XML {target} with two", dom.XMLDesc, 0)
        r.do(f"XML {target} with two defined", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
        r.virsh("change-media", name, target, "--eject")
        r.virsh("change-media", name, target, "--eject", "--config")
        r.virsh("change-media", name, target, "--eject", "--live")
        r.do(f"XML {target} without", dom.XMLDesc, 0)
    r.events("media", quiet=0.3)


def _updates(r: Recorder, dom: libvirt.virDomain, image: str) -> None:
    disk = f"<disk type='file'>{{}}<source file='{image}'/><target dev='vdb'/>{{}}</disk>"
    card = "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/>{}</interface>"
    cases = [
        disk.format("", ""),
        disk.format("", "<serial>X</serial>"),
        disk.format("<driver name='qemu' cache='none'/>", ""),
        disk.format("", "<readonly/>"),
        disk.format("", "<iotune><total_bytes_sec>1000000</total_bytes_sec></iotune>"),
        disk.format("", "").replace(image, "/other"),
        disk.format("", "").replace("vdb", "vdx"),
        card.format("<link state='down'/>"),
        card.format("<link state='up'/>"),
        card.format(""),
        card.format("<mtu size='1400'/>"),
        card.format("<driver name='qemu'/>"),
        card.format("<rom bar='off'/>"),
        card.format("").replace("virtio", "e1000"),
        card.format("").replace("aa:00:01", "aa:00:77"),
        card.format("")
        .replace("type='user'", "type='mcast'")
        .replace("<mac", "<source address='230.0.0.1' port='5'/><mac"),
        "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='secret'/>",
        "<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' keymap='de'/>",
        "<graphics type='vnc' port='5999' autoport='no' listen='127.0.0.1'/>",
        "<graphics type='vnc' port='-1' autoport='yes' listen='0.0.0.0'/>",
        "<rng model='virtio'><backend model='builtin'/></rng>",
        "<input type='tablet' bus='usb'/>",
        "<memory model='dimm'><target><size unit='MiB'>64</size></target></memory>",
    ]
    for number, document in enumerate(cases):
        for flags in (LIVE, CONFIG):
            r.do(f"update {number} {flags}", dom.updateDeviceFlags, document, flags)
    r.events("updates", quiet=0.05)
    r.do("XML live after updates", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE)
    r.do("XML defined after updates", dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)


def _goes(r: Recorder, dom: libvirt.virDomain, image: str) -> None:
    """What goes without the guest's consent; and who is asked in vain."""
    for document in (
        "<disk type='file'><target dev='sdb' bus='scsi'/></disk>",
        "<disk type='file'><target dev='sdh' bus='sata'/></disk>",
        "<disk type='file'><target dev='sdj' bus='scsi'/></disk>",
        "<disk type='file' device='cdrom'><target dev='sdl' bus='scsi'/></disk>",
        f"<disk type='file'><source file='{image}'/><target dev='vdy'/></disk>",
        "<channel type='unix'><target type='virtio' name='org.one'/></channel>",
        "<channel type='unix'><target type='virtio' name='org.none'/></channel>",
        "<input type='tablet' bus='usb'/>",
        "<input type='mouse' bus='usb'/>",
        "<interface type='user'><mac address='52:54:00:aa:00:99'/></interface>",
        "<interface type='user'/>",
        "<controller type='virtio-serial' index='0'/>",
        "<controller type='scsi' index='9'/>",
        "<controller type='scsi' index='0'/>",
        "<watchdog model='itco'/>",
        "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>",
        "<memballoon model='virtio'/>",
        "<video><model type='vga'/></video>",
        "<sound model='ich6'/>",
        "<nonsense/>",
    ):
        for flags in (CONFIG,) if "org.one" in document else (LIVE, CONFIG):
            r.do(f"detach {document} {flags}", dom.detachDeviceFlags, document, flags)
    for name in ("scsi0-0-0-0", "nothing", "video0", "ua-rng"):
        r.do(f"detach alias {name} config", dom.detachDeviceAlias, name, CONFIG)
    for name in ("nothing", "video0", "balloon0", "pci.1", "scsi0-0-0-0"):
        r.do(f"detach alias {name}", dom.detachDeviceAlias, name, LIVE)
    r.events("detach", quiet=0.3)
    r.do("detach in vain", dom.detachDeviceFlags, "<rng model='virtio'><backend model='builtin'/></rng>", LIVE)
    r.do("detach in vain again", dom.detachDeviceFlags, "<rng model='virtio'><backend model='builtin'/></rng>", LIVE)
    r.events("detach in vain", quiet=0.3)
