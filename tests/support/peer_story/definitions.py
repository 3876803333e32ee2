"""Definitions that are refused, and those that are not."""

from __future__ import annotations

from tests.support.peer_story.guests import UUID, blank
from tests.support.peer_story.recorder import Recorder


def define_errors(r: Recorder) -> None:
    """Definitions that are refused, and those that are not."""
    c = r.conn
    base = blank(r.name("bad"), 1)
    name = f"<name>{r.name('bad')}</name>"
    uuid = f"<uuid>{UUID.format(1)}</uuid>"
    disk = "<disk type='file' device='disk'><source file='/none'/><target dev='vda' bus='virtio'/></disk>"

    def with_devices(text: str) -> str:
        return base.replace("<devices></devices>", f"<devices>{text}</devices>")

    def with_os(text: str) -> str:
        return base.replace("hvm</type>", f"hvm</type>{text}")

    cases = {
        "not xml": "<domain",
        "empty": "",
        "blank": "   ",
        "other root": "<network><name>x</name></network>",
        "no type": base.replace("<domain type='qemu'>", "<domain>"),
        "bad type": base.replace("type='qemu'", "type='nonsense'", 1),
        "xen": base.replace("type='qemu'", "type='xen'", 1),
        "lxc": base.replace("type='qemu'", "type='lxc'", 1),
        "kvm": base.replace("type='qemu'", "type='kvm'", 1),
        "no name": base.replace(name, ""),
        "empty name": base.replace(name, "<name></name>"),
        "slash in name": base.replace(name, "<name>a/b</name>"),
        "newline in name": base.replace(name, "<name>a\nb</name>"),
        "dot name": base.replace(name, "<name>..</name>"),
        "bad uuid": base.replace(uuid, "<uuid>nonsense</uuid>"),
        "short uuid": base.replace(uuid, "<uuid>6e4f2f9e</uuid>"),
        "zero uuid": base.replace(uuid, "<uuid>00000000-0000-0000-0000-000000000000</uuid>"),
        "ones uuid": base.replace(uuid, "<uuid>ffffffff-ffff-ffff-ffff-ffffffffffff</uuid>"),
        "no memory": base.replace("<memory unit='MiB'>32</memory>", ""),
        "zero memory": base.replace(">32<", ">0<"),
        "negative memory": base.replace(">32<", ">-1<"),
        "word memory": base.replace(">32<", ">lots<"),
        "huge memory": base.replace(">32<", ">99999999999999999999<"),
        "overflow memory": base.replace(">32<", ">18446744073709551615<"),
        "bad unit": base.replace("'MiB'", "'zonk'"),
        "current over maximum": base.replace("</memory>", "</memory><currentMemory unit='MiB'>64</currentMemory>"),
        "no vcpu": base.replace("<vcpu>1</vcpu>", ""),
        "zero vcpus": base.replace("<vcpu>1<", "<vcpu>0<"),
        "word vcpus": base.replace("<vcpu>1<", "<vcpu>some<"),
        "many vcpus": base.replace("<vcpu>1<", "<vcpu>9999<"),
        "current vcpus over": base.replace("<vcpu>1<", "<vcpu current='3'>2<"),
        "bad placement": base.replace("<vcpu>1<", "<vcpu placement='x'>2<"),
        "bad cpuset": base.replace("<vcpu>1<", "<vcpu cpuset='x'>2<"),
        "no os": base.replace("<os><type arch='x86_64' machine='pc-q35-10.0'>hvm</type></os>", ""),
        "no os type": base.replace("<type arch='x86_64' machine='pc-q35-10.0'>hvm</type>", ""),
        "bad os type": base.replace(">hvm<", ">nonsense<"),
        "xen os type": base.replace(">hvm<", ">xen<"),
        "bad arch": base.replace("arch='x86_64'", "arch='nonsense'"),
        "foreign arch": base.replace("arch='x86_64' machine='pc-q35-10.0'", "arch='s390x'"),
        "i686": base.replace("arch='x86_64'", "arch='i686'"),
        "no arch": base.replace(" arch='x86_64'", ""),
        "no machine": base.replace(" machine='pc-q35-10.0'", ""),
        "bad machine": base.replace("pc-q35-10.0", "pc-none"),
        "alias machine": base.replace("pc-q35-10.0", "q35"),
        "i440fx": base.replace("pc-q35-10.0", "pc"),
        "bad emulator": with_devices("<emulator>/no/such</emulator>"),
        "odd emulator": with_devices("<emulator>/bin/true</emulator>"),
        "relative emulator": with_devices("<emulator>qemu</emulator>"),
        "bad boot": with_os("<boot dev='nonsense'/>"),
        "boot menu": with_os("<bootmenu enable='maybe'/>"),
        "bad firmware": base.replace("<os>", "<os firmware='nonsense'>"),
        "efi": base.replace("<os>", "<os firmware='efi'>"),
        "loader missing": with_os("<loader readonly='yes' type='pflash'>/no/such</loader>"),
        "loader type": with_os("<loader type='x'>/no/such</loader>"),
        "bad on_poweroff": base.replace("<devices>", "<on_poweroff>x</on_poweroff><devices>"),
        "bad on_crash": base.replace("<devices>", "<on_crash>x</on_crash><devices>"),
        "bad clock": base.replace("<devices>", "<clock offset='x'/><devices>"),
        "bad timer": base.replace("<devices>", "<clock offset='utc'><timer name='x'/></clock><devices>"),
        "bad feature state": base.replace("<devices>", "<features><smm state='x'/></features><devices>"),
        "bad cpu mode": base.replace("<devices>", "<cpu mode='x'/><devices>"),
        "bad cpu model": base.replace("<devices>", "<cpu><model>Nonsense</model></cpu><devices>"),
        "host-passthrough": base.replace("<devices>", "<cpu mode='host-passthrough'/><devices>"),
        "host-model": base.replace("<devices>", "<cpu mode='host-model'/><devices>"),
        "maximum": base.replace("<devices>", "<cpu mode='maximum'/><devices>"),
        "topology": base.replace("<devices>", "<cpu><topology sockets='2' cores='1' threads='1'/></cpu><devices>"),
        "title newline": base.replace("<devices>", "<title>a\nb</title><devices>"),
        "metadata without namespace": base.replace("<devices>", "<metadata><x/></metadata><devices>"),
        "disk no target": with_devices(disk.replace("<target dev='vda' bus='virtio'/>", "")),
        "disk no dev": with_devices(disk.replace("dev='vda' ", "")),
        "disk bad bus": with_devices(disk.replace("'virtio'", "'x'")),
        "disk bad dev": with_devices(disk.replace("'vda'", "'x'")),
        "disk bad type": with_devices(disk.replace("type='file'", "type='x'")),
        "disk bad device": with_devices(disk.replace("'disk'", "'x'")),
        "disk bad format": with_devices(disk.replace("<source", "<driver name='qemu' type='x'/><source")),
        "disk bad cache": with_devices(disk.replace("<source", "<driver name='qemu' cache='x'/><source")),
        "disk bad driver": with_devices(disk.replace("<source", "<driver name='x'/><source")),
        "disk no source": with_devices(disk.replace("<source file='/none'/>", "")),
        "disk twice": with_devices(disk + disk),
        "disk missing file": with_devices(disk),
        "disk ide on q35": with_devices(disk.replace("'vda' bus='virtio'", "'hda' bus='ide'")),
        "cdrom virtio": with_devices(disk.replace("device='disk'", "device='cdrom'")),
        "interface bad type": with_devices("<interface type='x'/>"),
        "interface bad mac": with_devices("<interface type='user'><mac address='x'/></interface>"),
        "interface multicast mac": with_devices(
            "<interface type='user'><mac address='01:00:00:00:00:00'/></interface>"
        ),
        "interface bad model": with_devices("<interface type='user'><model type='x y'/></interface>"),
        "interface network missing": with_devices("<interface type='network'/>"),
        "graphics bad type": with_devices("<graphics type='x'/>"),
        "graphics bad port": with_devices("<graphics type='vnc' port='x'/>"),
        "video bad model": with_devices("<video><model type='x'/></video>"),
        "input bad": with_devices("<input type='x' bus='usb'/>"),
        "input bad bus": with_devices("<input type='mouse' bus='x'/>"),
        "controller bad": with_devices("<controller type='x'/>"),
        "controller bad model": with_devices("<controller type='usb' model='x'/>"),
        "controller twice": with_devices("<controller type='pci' index='0' model='pcie-root'/>" * 2),
        "serial bad": with_devices("<serial type='x'/>"),
        "serial no path": with_devices("<serial type='file'/>"),
        "channel bad target": with_devices("<channel type='pty'><target type='x'/></channel>"),
        "balloon twice": with_devices("<memballoon model='virtio'/>" * 2),
        "balloon bad": with_devices("<memballoon model='x'/>"),
        "rng bad": with_devices("<rng model='virtio'><backend model='x'/></rng>"),
        "rng no backend": with_devices("<rng model='virtio'/>"),
        "watchdog bad": with_devices("<watchdog model='x'/>"),
        "address bad": with_devices("<memballoon model='virtio'><address type='pci' slot='x'/></memballoon>"),
        "address slot": with_devices("<memballoon model='virtio'><address type='pci' slot='0x44'/></memballoon>"),
        "two addresses": with_devices(
            "".join(
                f"<rng model='virtio'><backend model='random'/><address type='pci' bus='0' slot='{slot}'/></rng>"
                for slot in ("0x05", "0x05")
            )
        ),
        "plain": base,
        "again": base,
    }
    for label, text in cases.items():
        dom = r.do(f"define {label}", c.defineXML, text)
        if dom is not None and label not in ("plain", "again"):
            r.do(f"XML {label}", dom.XMLDesc)
            dom.undefineFlags(4)
    other = blank(r.name("other"), 1)
    r.do("same uuid, other name", c.defineXML, other)
    r.do("same name, other uuid", c.defineXML, blank(r.name("bad"), 2))
    r.do("create same name, other uuid", c.createXML, blank(r.name("bad"), 2))
    r.do("create same uuid, other name", c.createXML, other)
    r.do("define flags", c.defineXMLFlags, base, 2)
    r.do("define validate", c.defineXMLFlags, base, 1)
    r.do("define validate not valid", c.defineXMLFlags, base.replace("<vcpu>", "<vcpux>1</vcpux><vcpu>"), 1)
    r.do("create flags", c.createXML, blank(r.name("new"), 3), 64)
    r.do("create not xml", c.createXML, "<domain")
    r.do("events", lambda: None)
    r.events("the definitions")
