"""The chapters of the story, in their order."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import libvirt

from tests.support.peer_story.devices import devices
from tests.support.peer_story.guests import SERIAL, UUID, blank, tiny
from tests.support.peer_story.recorder import Recorder, shape, told

NOBODY = "6e4f2f9e-4c6b-4f0e-9f5c-ffffffffffff"


def _gone(r: Recorder) -> libvirt.virDomain:
    """A handle to a guest that does not exist any more."""
    dom = r.conn.defineXML(blank(r.name("gone"), 0xFE))
    dom.undefine()
    return dom


def connect(r: Recorder) -> None:
    """What the connection and the host tell."""
    c = r.conn
    for name in (
        "getVersion",
        "getType",
        "getHostname",
        "isAlive",
        "isEncrypted",
        "isSecure",
        "getInfo",
        "getCPUMap",
        "getCellsFreeMemory",
    ):
        r.do(
            name,
            getattr(c, name),
            *((0, 4) if name == "getCellsFreeMemory" else ()),
            see=shape if "Free" in name else told,
        )
    r.do("getCellsFreeMemory from 3", c.getCellsFreeMemory, 3, 1)
    r.do("getLibVersion", c.getLibVersion, see=shape)
    r.do("getFreeMemory", c.getFreeMemory, see=shape)
    r.all("getMaxVcpus", c.getMaxVcpus, ["kvm", "qemu", "xen", "", None])
    for cell in (-1, 0, 1, 99):
        r.do(f"getMemoryStats {cell}", c.getMemoryStats, cell, see=shape)
        r.do(f"getCPUStats {cell}", c.getCPUStats, cell, see=shape)
    r.do("getMemoryStats flags", c.getMemoryStats, -1, 4)
    r.do("getCPUStats flags", c.getCPUStats, -1, 4)
    r.do("getInfo type", c.getInfo, see=shape)
    for arch in ("x86_64", "i686", "aarch64", "ppc64", "riscv64", "s390x", "nonsense", ""):
        r.do(f"getCPUModelNames {arch}", c.getCPUModelNames, arch)
    r.do("getCPUModelNames flags", c.getCPUModelNames, "x86_64", 2)
    r.do("getCPUMap flags", c.getCPUMap, 2)
    r.do("getSysinfo", c.getSysinfo, see=shape)
    r.do("getSysinfo flags", c.getSysinfo, 2)
    r.do("getCapabilities", c.getCapabilities, see=shape)
    r.do("getFreePages", c.getFreePages, [4], 0, 1, see=shape)
    r.do("getFreePages bad size", c.getFreePages, [5], 0, 1)
    r.do("getFreePages bad cell", c.getFreePages, [4], 7, 1)
    r.do("getMemoryParameters", c.getMemoryParameters, see=shape)
    emulator = "/usr/bin/qemu-system-x86_64"
    for args in (
        (None, None, None, None),
        (emulator, None, None, None),
        (None, "x86_64", None, None),
        (None, "x86_64", "q35", "qemu"),
        (None, "x86_64", "pc", "qemu"),
        (None, "x86_64", "none-such", "qemu"),
        (None, "nonsense", None, None),
        (None, "aarch64", None, None),
        (None, None, None, "xen"),
        (None, None, None, "nonsense"),
        ("/bin/true", None, None, None),
        ("/no/such", None, None, None),
        (None, "x86_64", "q35", "kvm"),
        (None, "x86_64", None, "kvm"),
        (emulator, "i686", None, "qemu"),
        (None, "x86_64", "q35", "qemu", 8),
    ):
        r.do(f"getDomainCapabilities {args}", c.getDomainCapabilities, *args)
    cpu = "<cpu><arch>x86_64</arch><model>{}</model>{}</cpu>"
    good, other = cpu.format("Nehalem", ""), cpu.format("Westmere", "")
    for label, text in (
        ("good", good),
        ("unknown model", cpu.format("Nonsense", "")),
        ("not xml", "<cpu"),
        ("empty", ""),
        ("no arch", "<cpu><model>Nehalem</model></cpu>"),
        ("other root", "<domain/>"),
        ("bad arch", "<cpu><arch>nonsense</arch><model>Nehalem</model></cpu>"),
        ("foreign arch", "<cpu><arch>s390x</arch><model>Nehalem</model></cpu>"),
        ("bad feature", cpu.format("Nehalem", "<feature name='nonsense' policy='require'/>")),
    ):
        r.do(f"compareCPU {label}", c.compareCPU, text)
        r.do(f"compareCPU fail {label}", c.compareCPU, text, 1)
        r.do(f"baselineCPU {label}", c.baselineCPU, [text])
        r.do(f"compareHypervisorCPU {label}", c.compareHypervisorCPU, None, None, None, "qemu", text)
        r.do(f"baselineHypervisorCPU {label}", c.baselineHypervisorCPU, None, None, None, "qemu", [text])
    r.do("compareCPU flags", c.compareCPU, good, 8)
    r.do("baselineCPU two", c.baselineCPU, [good, other])
    r.do("baselineCPU flags", c.baselineCPU, [good], 8)
    r.do("baselineCPU both expand and migratable", c.baselineCPU, [good], 3, see=lambda value: shape(value))
    r.do("baselineCPU none", c.baselineCPU, [])
    r.do("compareHypervisorCPU bad type", c.compareHypervisorCPU, None, None, None, "nonsense", good)
    r.do("compareHypervisorCPU bad emulator", c.compareHypervisorCPU, "/bin/true", None, None, "qemu", good)
    r.do("compareHypervisorCPU foreign arch", c.compareHypervisorCPU, None, "aarch64", None, "qemu", good)
    for arguments in (
        "version",
        "nodeinfo",
        "maxvcpus",
        "sysinfo --bad",
        "cpu-models x86_64",
        "freecell 9",
        "nodecpumap",
        "nodecpustats --cpu 9",
        "nodememstats --cell 9",
        "list --all --bad",
        "domcapabilities --arch bad",
        "dominfo nobody",
        "domid nobody",
        f"domname {NOBODY}",
    ):
        r.virsh(*arguments.split())
    for label, uri in (
        ("nowhere", "qemu+unix:///nowhere"),
        ("xen", "xen:///system"),
        ("session", "qemu+unix:///session"),
        ("test", "test+unix:///default"),
        ("empty", "unix:///"),
        ("vbox", "vbox+unix:///session"),
    ):
        query = r.uri.partition("?")[2]
        full = f"{uri}{'&' if '?' in uri else '?'}{query}"
        r.do(f"open {label}", lambda full=full: libvirt.open(full).getType())
    r.do("features", lambda: [c.getVersion(), c.isAlive()])
    r.do("setKeepAlive", c.setKeepAlive, 5, 3)
    r.do("setKeepAlive off", c.setKeepAlive, 0, 0)


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


def lists(r: Recorder) -> None:
    """Lists with every filter."""
    c = r.conn
    c.defineXML(blank(r.name("off"), 10))
    c.defineXML(blank(r.name("auto"), 11)).setAutostart(1)
    c.defineXML(blank(r.name("run"), 12)).create()
    c.createXML(blank(r.name("paused"), 13), 1)
    both = [0, 3, 12, 48, 112, 17, 18, 33, 34, 65, 66, 5, 9, 6, 10, 1 << 16, 1 << 20, 1 << 31, 1024 | 2, 513]
    for flags in [1 << bit for bit in range(16)] + both:
        r.do(
            f"listAllDomains {flags:#x}",
            lambda flags=flags: sorted(told(dom) for dom in c.listAllDomains(flags) if dom.name().startswith(r.prefix)),
        )
    for dom in c.listAllDomains():
        name = told(dom)
        for call in (
            "isActive",
            "isPersistent",
            "isUpdated",
            "autostart",
            "hasManagedSaveImage",
            "hasCurrentSnapshot",
            "snapshotNum",
            "snapshotListNames",
            "listAllSnapshots",
            "listAllCheckpoints",
            "OSType",
            "maxMemory",
            "state",
            "UUIDString",
            "snapshotCurrent",
            "autostartOnce",
        ):
            if hasattr(dom, call):
                r.do(f"{call} of {name}", getattr(dom, call))
        r.do(f"info of {name}", lambda dom=dom: dom.info()[:4])
        r.do(f"state flags of {name}", dom.state, 1)
        r.do(f"ID of {name}", lambda dom=dom: dom.ID() > 0)
    r.do("lookupByName", c.lookupByName, "diff-nobody")
    r.do("lookupByName empty", c.lookupByName, "")
    r.do("lookupByID", c.lookupByID, 99999)
    r.do("lookupByID negative", c.lookupByID, -1)
    r.do("lookupByUUIDString", c.lookupByUUIDString, NOBODY)
    r.do("lookupByUUIDString bad", c.lookupByUUIDString, "nonsense")
    for command in (
        "list --all",
        "list --all --uuid",
        "list --all --name --title",
        "list --transient --all",
        "list --state-paused",
        "list --inactive --autostart --name",
    ):
        r.virsh(*command.split(), "--name") if "--uuid" not in command else r.virsh(*command.split())
    r.do("create with autostart transient", c.lookupByName(r.name("paused")).setAutostart, 1)
    r.do("undefine transient", c.lookupByName(r.name("paused")).undefine)
    r.do("rename transient", c.lookupByName(r.name("paused")).rename, r.name("x"))
    r.do("rename running", c.lookupByName(r.name("run")).rename, r.name("x"))
    off = c.lookupByName(r.name("off"))
    for label, new in (("same", r.name("off")), ("taken", r.name("run")), ("empty", ""), ("slash", "a/b")):
        r.do(f"rename {label}", off.rename, new)
    r.do("rename flags", off.rename, r.name("x"), 1)
    r.do("rename", off.rename, r.name("renamed"))
    r.do("lookup after rename", c.lookupByName, r.name("off"))
    r.events("lists")


def transitions(r: Recorder) -> None:
    """Every transition and what is said about it."""
    c = r.conn
    dom = c.defineXML(blank(r.name("life"), 20, devices=SERIAL))

    def step(word: str, call: str, *args: object) -> None:
        r.do(word, getattr(dom, call), *args)
        r.events(word)
        r.do(f"state after {word}", dom.state)

    r.events("define")
    step("off", "state")
    for word, call, args in (
        ("suspend off", "suspend", ()),
        ("resume off", "resume", ()),
        ("destroy off", "destroy", ()),
        ("shutdown off", "shutdown", ()),
        ("reboot off", "reboot", ()),
        ("reset off", "reset", ()),
        ("graceful off", "destroyFlags", (1,)),
        ("destroy bad flags", "destroyFlags", (8,)),
        ("start bad flags", "createWithFlags", (1 << 9,)),
        ("start", "create", ()),
        ("start again", "create", ()),
        ("resume running", "resume", ()),
        ("suspend", "suspend", ()),
        ("suspend again", "suspend", ()),
        ("reset paused", "reset", ()),
        ("resume", "resume", ()),
        ("reset", "reset", ()),
        ("reset flags", "reset", (1,)),
        ("reboot bad", "reboot", (64,)),
        ("reboot initctl", "reboot", (4,)),
        ("reboot agent", "reboot", (2,)),
        ("shutdown bad", "shutdownFlags", (64,)),
        ("shutdown agent", "shutdownFlags", (2,)),
        ("shutdown initctl", "shutdownFlags", (4,)),
        ("shutdown signal", "shutdownFlags", (8,)),
        ("shutdown paravirt", "shutdownFlags", (16,)),
        ("shutdown acpi", "shutdownFlags", (1,)),
        ("pmSuspend", "pMSuspendForDuration", (0, 0)),
        ("pmSuspend bad", "pMSuspendForDuration", (9, 0)),
        ("wakeup", "pMWakeup", ()),
        ("nmi", "injectNMI", ()),
        ("undefine running", "undefine", ()),
        ("define running", "isPersistent", ()),
    ):
        step(word, call, *args)
    r.do("define again", c.defineXML, blank(r.name("life"), 20, devices=SERIAL))
    r.events("define again")
    step("destroy", "destroy")
    step("start paused", "createWithFlags", 1)
    step("shutdown paused", "shutdown")
    step("graceful", "destroyFlags", 1)
    step("start reset-nvram", "createWithFlags", 32)
    os.kill(_pid(dom), signal.SIGKILL)
    r.events("kill", until="[5, ")
    step("killed", "state")
    bad = c.defineXML(
        blank(
            r.name("fail"),
            21,
            devices="<disk type='file' device='disk'><source file='/none/such'/>"
            "<target dev='vda' bus='virtio'/></disk>",
        )
    )
    r.do("start without disk", bad.create)
    r.do("state after failed start", bad.state)
    r.events("failed start")
    r.do("undefine bad flags", bad.undefineFlags, 1 << 12)
    r.do("undefine exclusive", bad.undefineFlags, 4 | 8)
    r.do("undefine all", bad.undefineFlags, 1 | 2 | 4 | 16)
    r.do("undefine twice", bad.undefine)
    r.do("start undefined", bad.create)
    r.events("undefine")
    transient = r.do("create", c.createXML, blank(r.name("brief"), 23), 0)
    r.do("undefine transient", transient.undefine)
    r.do("destroy transient", transient.destroy)
    r.events("transient")
    r.do("state of gone", transient.state)
    firmware = blank(r.name("efi"), 24, extra="<features><acpi/></features>").replace("<os>", "<os firmware='efi'>")
    efi = r.do("define efi", c.defineXML, firmware)
    r.do("start efi", efi.create)
    r.do("destroy efi", efi.destroy)
    r.do("undefine efi", efi.undefine)
    r.do("undefine efi nvram", efi.undefineFlags, 4)
    second = libvirt.open(r.uri)
    own = second.defineXML(blank(r.name("auto"), 25))
    r.do("start autodestroy", own.createWithFlags, 2)
    r.do("autodestroy XML", lambda: "autodestroy" in own.XMLDesc())
    r.events("autodestroy start")
    own = None
    second.close()
    r.events("autodestroy", until="[5, ")
    r.do("state after autodestroy", c.lookupByName(r.name("auto")).state)


def _pid(dom: libvirt.virDomain) -> int:
    """The process of a guest, by its name."""
    mark = f"guest={dom.name()},".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    raise LookupError(dom.name())


def xml(r: Recorder) -> None:
    """Definitions as they are given back."""
    c = r.conn
    devices = (
        f"{SERIAL}<graphics type='vnc' autoport='yes' passwd='secret'/><video><model type='vga'/></video>"
        "<input type='tablet' bus='usb'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>"
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    )
    extra = (
        "<title>One</title><description>Two</description><metadata><x:a xmlns:x='urn:x'><x:b/></x:a></metadata>"
        "<features><acpi/><apic/></features><cpu mode='custom' match='exact'><model>Nehalem</model></cpu>"
        "<clock offset='utc'/><on_crash>preserve</on_crash>"
    )
    dom = c.defineXML(blank(r.name("full"), 30, extra=extra, devices=devices))
    flags = (0, 1, 2, 3, 4, 8, 15, 16, 1 << 20)
    for state in ("off", "on"):
        for flag in flags:
            r.do(f"XML {flag} {state}", dom.XMLDesc, flag)
        if state == "off":
            dom.createWithFlags(1)
    reader = libvirt.openReadOnly(r.uri.replace("libvirt-sock", "libvirt-sock-ro"))
    seen = reader.lookupByName(r.name("full"))
    for flag in flags:
        r.do(f"XML {flag} read-only", seen.XMLDesc, flag, see=lambda text: str("passwd" in text))
    for word, call in {
        "destroy": seen.destroy,
        "suspend": seen.suspend,
        "create": seen.create,
        "undefine": seen.undefine,
        "screenshot": lambda: seen.screenshot(reader.newStream(), 0),
        "shutdown": seen.shutdown,
        "setAutostart": lambda: seen.setAutostart(1),
        "rename": lambda: seen.rename("x"),
        "define": lambda: reader.defineXML("<domain/>"),
        "createXML": lambda: reader.createXML("<domain/>"),
        "setMetadata": lambda: seen.setMetadata(0, "x", None, None, 2),
        "sendKey": lambda: seen.sendKey(0, 0, [1], 1),
        "console": lambda: seen.openConsole(None, reader.newStream()),
        "hostname": lambda: seen.hostname(2),
        "getTime": seen.getTime,
        "setTime": lambda: seen.setTime({"seconds": 1}),
        "managedSave": seen.managedSave,
        "setMemory": lambda: seen.setMemory(1),
        "nmi": seen.injectNMI,
        "capabilities": lambda: bool(reader.getCapabilities()),
        "stats": lambda: bool(reader.getAllDomainStats()),
        "state": seen.state,
        "metadata": lambda: seen.metadata(0, None),
        "registerAny": lambda: reader.domainEventRegisterAny(None, 0, lambda *_: None, None) >= 0,
        "guestVcpus": lambda: seen.guestVcpus(),
        "fsInfo": seen.fsInfo,
        "guestInfo": lambda: seen.guestInfo(),
        "nodeSuspend": lambda: reader.suspendForDuration(0, 60),
        "dom id": lambda: seen.ID() > 0,
    }.items():
        r.do(f"read-only {word}", call)
    c.lookupByName(r.name("full")).resume()
    for kind, value, key, uri, flag in (
        (0, "d", None, None, 0),
        (0, "d2", None, None, 1),
        (0, "d3", None, None, 2),
        (0, "d4", None, None, 3),
        (1, "t", None, None, 0),
        (1, "t\nu", None, None, 2),
        (1, "", None, None, 2),
        (1, None, None, None, 1),
        (2, "<a/>", "k", "urn:k", 0),
        (2, "<b/>", "k", "urn:k", 2),
        (2, "<b", "k", "urn:k", 2),
        (2, "<b/>", "k", None, 2),
        (2, "<b/>", None, "urn:k", 2),
        (2, None, "k", "urn:k", 3),
        (7, "x", None, None, 0),
        (2, None, "k", "urn:none", 2),
        (0, "d", "k", "urn", 0),
        (0, "d", None, None, 8),
        (2, "<b c='d'>e</b>", "k2", "urn:k2", 3),
    ):
        r.do(f"setMetadata {kind} {value} {key} {uri} {flag}", dom.setMetadata, kind, value, key, uri, flag)
        r.events(f"setMetadata {kind} {value} {key} {uri} {flag}", quiet=0.05)
    for kind, uri, flag in (
        (0, None, 0),
        (0, None, 1),
        (0, None, 2),
        (1, None, 0),
        (1, None, 2),
        (2, "urn:x", 0),
        (2, "urn:k2", 2),
        (2, "urn:none", 0),
        (2, None, 0),
        (7, None, 0),
        (0, None, 3),
        (0, None, 8),
        (0, "urn", 0),
    ):
        r.do(f"metadata {kind} {uri} {flag}", dom.metadata, kind, uri, flag)
    r.do("inactive XML after", dom.XMLDesc, 2)
    bare = c.defineXML(blank(r.name("bare"), 31))
    for kind, flag in ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2)):
        r.do(f"metadata of bare {kind} {flag}", bare.metadata, kind, "urn:x" if kind == 2 else None, flag)
    r.do("setMetadata live off", bare.setMetadata, 0, "x", None, None, 1)
    for call, args in (
        ("domainXMLFromNative", ("qemu-argv", "x")),
        ("domainXMLFromNative", ("bad", "x")),
        ("domainXMLToNative", ("bad", blank("x", 40))),
    ):
        r.do(f"{call} {args[0]}", getattr(c, call), *args)


def figures(r: Recorder) -> None:
    """What can be asked about a guest that is off, paused and running."""
    c = r.conn
    image = r.folder / "figures.img"
    image.write_bytes(b"\0" * 65536)
    devices = (
        f"{SERIAL}<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<interface type='user'><mac address='52:54:00:aa:00:02'/><model type='virtio'/></interface>"
        "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"
    )
    dom = c.defineXML(blank(r.name("fig"), 50, devices=devices).replace("<vcpu>1<", "<vcpu current='1'>2<"))
    for state in ("off", "running", "paused"):
        if state == "running":
            dom.create()
        if state == "paused":
            dom.suspend()
        _ask(r, dom, state, str(image))
        _change(r, dom, state)
    for command in (
        "domstate --reason",
        "vcpucount",
        "vcpupin",
        "emulatorpin",
        "schedinfo",
        "domblklist",
        "domblklist --details",
        "domiflist",
        "domjobinfo",
        "domcontrol",
        "domuuid",
        "domblkerror",
        "ttyconsole",
        "iothreadinfo",
        "domif-getlink x y",
        "domhostname",
        "domtime",
        "guestvcpus",
        "domfsinfo",
        "qemu-agent-command {}",
        "domblkinfo --all",
        "memtune",
        "blkiotune",
        "numatune",
        "domlaunchsecinfo",
        "desc",
        "desc --title",
        "autostart",
        "autostart --disable",
        "reset",
        "domrename new",
        "undefine",
        "destroy",
        "destroy",
        "domstats --state",
    ):
        word, *rest = command.split()
        if command == "domrename new":
            rest = [r.name("new")]
        if word == "qemu-agent-command":
            r.virsh(word, r.name("fig"), '{"execute":"guest-ping"}')
            continue
        r.virsh(word, *([r.name("fig"), *rest]))


def _ask(r: Recorder, dom: libvirt.virDomain, state: str, image: str) -> None:
    c = r.conn
    stream = c.newStream
    questions: dict[str, tuple[libvirt.virDomain, libvirt.virDomain]] = {
        "info": (lambda: dom.info()[:4], told),
        "maxVcpus": (dom.maxVcpus, told),
        "vcpus": (dom.vcpus, shape),
        "vcpuPinInfo": (dom.vcpuPinInfo, told),
        "vcpuPinInfo 1": (lambda: dom.vcpuPinInfo(1), told),
        "vcpuPinInfo 3": (lambda: dom.vcpuPinInfo(3), told),
        "vcpuPinInfo 8": (lambda: dom.vcpuPinInfo(8), told),
        "emulatorPinInfo": (dom.emulatorPinInfo, told),
        "emulatorPinInfo 1": (lambda: dom.emulatorPinInfo(1), told),
        "schedulerType": (dom.schedulerType, told),
        "schedulerParameters": (dom.schedulerParameters, told),
        "schedulerParametersFlags 1": (lambda: dom.schedulerParametersFlags(1), told),
        "schedulerParametersFlags 2": (lambda: dom.schedulerParametersFlags(2), told),
        "schedulerParametersFlags 3": (lambda: dom.schedulerParametersFlags(3), told),
        "memoryStats": (dom.memoryStats, shape),
        "blockStats": (lambda: dom.blockStats("vda"), shape),
        "blockStats path": (lambda: dom.blockStats(image), shape),
        "blockStats bad": (lambda: dom.blockStats("vdz"), told),
        "blockStats all": (lambda: dom.blockStats(""), shape),
        "blockStats sda": (lambda: dom.blockStats("sda"), shape),
        "blockStatsFlags": (lambda: dom.blockStatsFlags("vda"), shape),
        "blockStatsFlags all": (lambda: dom.blockStatsFlags(""), shape),
        "blockStatsFlags bad": (lambda: dom.blockStatsFlags("vdz"), told),
        "blockStatsFlags flags": (lambda: dom.blockStatsFlags("vda", 8), told),
        "interfaceStats": (lambda: dom.interfaceStats("vnet0"), shape),
        "interfaceStats mac": (lambda: dom.interfaceStats("52:54:00:aa:00:02"), shape),
        "interfaceStats empty": (lambda: dom.interfaceStats(""), told),
        "blockInfo": (lambda: dom.blockInfo("vda"), told),
        "blockInfo path": (lambda: dom.blockInfo(image), told),
        "blockInfo empty drive": (lambda: dom.blockInfo("sda"), told),
        "blockInfo bad": (lambda: dom.blockInfo("vdz"), told),
        "blockInfo none": (lambda: dom.blockInfo(""), told),
        "blockInfo flags": (lambda: dom.blockInfo("vda", 1), told),
        "diskErrors": (dom.diskErrors, told),
        "diskErrors flags": (lambda: dom.diskErrors(1), told),
        "jobInfo": (dom.jobInfo, told),
        "jobStats": (dom.jobStats, told),
        "jobStats completed": (lambda: dom.jobStats(1), told),
        "jobStats flags": (lambda: dom.jobStats(64), told),
        "abortJob": (dom.abortJob, told),
        "controlInfo": (lambda: dom.controlInfo()[:2], told),
        "controlInfo flags": (lambda: dom.controlInfo(1), told),
        "securityLabel": (dom.securityLabel, told),
        "securityLabelList": (dom.securityLabelList, told),
        "hostname": (dom.hostname, told),
        "hostname lease": (lambda: dom.hostname(1), told),
        "hostname agent": (lambda: dom.hostname(2), told),
        "hostname both": (lambda: dom.hostname(3), told),
        "hostname flags": (lambda: dom.hostname(8), told),
        "getTime": (dom.getTime, told),
        "getTime flags": (lambda: dom.getTime(1), told),
        "setTime": (lambda: dom.setTime({"seconds": 1}), told),
        "setTime sync": (lambda: dom.setTime({"seconds": 0}, 1), told),
        "screenshot": (lambda: dom.screenshot(stream(), 0), told),
        "screenshot 1": (lambda: dom.screenshot(stream(), 1), told),
        "screenshot flags": (lambda: dom.screenshot(stream(), 0, 1), told),
        "cpuStats": (lambda: dom.getCPUStats(True), shape),
        "cpuStats each": (lambda: dom.getCPUStats(False), lambda v: shape(v[:1])),
        "cpuStats flags": (lambda: dom.getCPUStats(True, 8), told),
        "vcpusFlags 0": (lambda: dom.vcpusFlags(0), told),
        "vcpusFlags 1": (lambda: dom.vcpusFlags(1), told),
        "vcpusFlags 2": (lambda: dom.vcpusFlags(2), told),
        "vcpusFlags 3": (lambda: dom.vcpusFlags(3), told),
        "vcpusFlags 5": (lambda: dom.vcpusFlags(5), told),
        "vcpusFlags 6": (lambda: dom.vcpusFlags(6), told),
        "vcpusFlags 8": (lambda: dom.vcpusFlags(8), told),
        "vcpusFlags 9": (lambda: dom.vcpusFlags(9), told),
        "vcpusFlags 12": (lambda: dom.vcpusFlags(12), told),
        "vcpusFlags 64": (lambda: dom.vcpusFlags(64), told),
        "maxMemory": (dom.maxMemory, told),
        "fsInfo": (dom.fsInfo, told),
        "guestInfo": (dom.guestInfo, told),
        "guestUsers": (lambda: dom.guestInfo(1), told),
        "guestInfo bad": (lambda: dom.guestInfo(1 << 20), told),
        "guestVcpus": (dom.guestVcpus, told),
        "interfaceAddresses lease": (lambda: dom.interfaceAddresses(0), told),
        "interfaceAddresses agent": (lambda: dom.interfaceAddresses(1), told),
        "interfaceAddresses arp": (lambda: dom.interfaceAddresses(2), told),
        "interfaceAddresses bad": (lambda: dom.interfaceAddresses(9), told),
        "fsFreeze": (dom.fsFreeze, told),
        "fsThaw": (dom.fsThaw, told),
        "fsTrim": (lambda: dom.fSTrim(None, 0), told),
        "sendKey": (lambda: dom.sendKey(0, 0, [28], 1), told),
        "sendKey codeset": (lambda: dom.sendKey(99, 0, [28], 1), told),
        "sendKey xt": (lambda: dom.sendKey(1, 0, [28], 1), told),
        "sendKey none": (lambda: dom.sendKey(0, 0, [], 0), told),
        "sendKey unknown": (lambda: dom.sendKey(0, 0, [60000], 1), told),
        "sendKey usb": (lambda: dom.sendKey(7, 0, [4], 1), told),
        "sendKey win32": (lambda: dom.sendKey(8, 0, [13], 1), told),
        "sendKey rfb": (lambda: dom.sendKey(9, 0, [28], 1), told),
        "sendKey qnum": (lambda: dom.sendKey(9, 0, [28], 1), told),
        "sendKey many": (lambda: dom.sendKey(0, 0, [28] * 17, 17), told),
        "sendKey flags": (lambda: dom.sendKey(0, 0, [28], 1, 4), told),
        "console": (lambda: _console(c, dom, None), told),
        "console serial0": (lambda: _console(c, dom, "serial0"), told),
        "console unknown": (lambda: _console(c, dom, "nonsense"), told),
        "console vda": (lambda: _console(c, dom, "vda"), told),
        "console flags": (lambda: _console(c, dom, None, 8), told),
        "console both": (lambda: _console(c, dom, None, 3), told),
        "channel": (lambda: dom.openChannel(None, stream()), told),
        "channel unknown": (lambda: dom.openChannel("x", stream()), told),
        "graphics": (lambda: dom.openGraphics(7, 0), told),
        "graphicsFD": (lambda: dom.openGraphicsFD(7), told),
        "ioThreadInfo": (dom.ioThreadInfo, told),
        "messages": (dom.messages, told),
        "messages 1": (lambda: dom.messages(1), told),
        "messages flags": (lambda: dom.messages(64), told),
        "hasManagedSaveImage": (dom.hasManagedSaveImage, told),
        "managedSaveRemove": (dom.managedSaveRemove, told),
        "managedSaveGetXML": (dom.managedSaveGetXMLDesc, told),
        "blockJobInfo": (lambda: dom.blockJobInfo("vda"), told),
        "blockIoTune": (lambda: dom.blockIoTune("vda"), told),
        "memoryParameters": (dom.memoryParameters, told),
        "numaParameters": (dom.numaParameters, told),
        "blkioParameters": (dom.blkioParameters, told),
        "interfaceParameters": (lambda: dom.interfaceParameters("x", 0), told),
        "perfEvents": (dom.perfEvents, told),
        "launchSecurityInfo": (dom.launchSecurityInfo, told),
        "blockPeek": (lambda: dom.blockPeek("vda", 0, 8), told),
        "memoryPeek": (lambda: shape(dom.memoryPeek(0, 8, 2)), told),
        "migrateGetMaxSpeed": (dom.migrateGetMaxSpeed, told),
        "migrateMaxDowntime": (dom.migrateGetMaxDowntime, told),
        "migrateCompressionCache": (dom.migrateGetCompressionCache, told),
        "migrateToURI": (lambda: dom.migrateToURI("qemu+tcp://localhost:1/system", 0, None, 0), told),
        "isUpdated": (dom.isUpdated, told),
        "listAllSnapshots": (dom.listAllSnapshots, told),
        "snapshotNum": (dom.snapshotNum, told),
        "snapshotLookup": (lambda: dom.snapshotLookupByName("x"), told),
        "snapshotCurrent": (dom.snapshotCurrent, told),
        "checkpointLookup": (lambda: dom.checkpointLookupByName("x"), told),
        "dirtyRate": (lambda: dom.startDirtyRateCalc(1, 64), told),
        "authorizedSSHKeys": (lambda: dom.authorizedSSHKeysGet("root"), told),
        "setUserPassword": (lambda: dom.setUserPassword("root", "x"), told),
        "backupGetXML": (dom.backupGetXMLDesc, told),
    }
    for word, (call, see) in questions.items():
        r.do(f"{word} {state}", call, see=see)
    for bit in range(13):
        r.do(
            f"stats {1 << bit} {state}",
            lambda bit=bit: [shape(stats) for one, stats in c.domainListGetStats([dom], 1 << bit)],
        )
    r.do(f"stats bad {state}", c.domainListGetStats, [dom], 1 << 20)
    r.do(f"stats enforced {state}", lambda: shape(c.domainListGetStats([dom], 1 << 20, 1 << 31)))
    r.do(f"stats enforce all {state}", lambda: [shape(s) for _, s in c.domainListGetStats([dom], 0, 1 << 31)])
    r.do(f"stats nowait {state}", lambda: [shape(s) for _, s in c.domainListGetStats([dom], 1, 1 << 29)])
    r.do(f"stats bad flags {state}", c.domainListGetStats, [dom], 1, 1 << 25)
    r.do(f"stats state {state}", lambda: [told(s) for _, s in c.domainListGetStats([dom], 1)])
    r.do(
        f"stats vcpu {state}",
        lambda: [
            told(
                {
                    k: v
                    for k, v in s.items()
                    if "time" not in k and "delay" not in k and "wait" not in k and "exits" not in k
                }
            )
            for _, s in c.domainListGetStats([dom], 8)
        ],
    )


def _change(r: Recorder, dom: libvirt.virDomain, state: str) -> None:
    """What would change the guest."""
    device = "<disk type='file' device='disk'><source file='/none'/><target dev='vdb' bus='virtio'/></disk>"
    changes: dict[str, tuple[libvirt.virDomain, ...]] = {
        "setMemory": (dom.setMemory, 16384),
        "setMemory too much": (dom.setMemory, 1 << 30),
        "setMemoryFlags 2": (dom.setMemoryFlags, 16384, 2),
        "setMemoryFlags bad": (dom.setMemoryFlags, 1, 64),
        "setVcpus 1": (dom.setVcpus, 1),
        "setVcpus 0": (dom.setVcpus, 0),
        "setVcpus 9": (dom.setVcpus, 9),
        "setVcpusFlags bad": (dom.setVcpusFlags, 1, 1 << 12),
        "setMemoryStatsPeriod": (dom.setMemoryStatsPeriod, 5, 0),
        "setMemoryStatsPeriod live": (dom.setMemoryStatsPeriod, 5, 1),
        "setMemoryStatsPeriod config": (dom.setMemoryStatsPeriod, 6, 2),
        "setMemoryStatsPeriod negative": (dom.setMemoryStatsPeriod, -1, 0),
        "setMemoryStatsPeriod bad": (dom.setMemoryStatsPeriod, 1, 64),
        "attachDevice": (dom.attachDevice, "<nonsense/>"),
        "attachDevice twice": (dom.attachDevice, device.replace("vdb", "vda")),
        "detachDevice": (dom.detachDevice, device),
        "updateDevice": (dom.updateDeviceFlags, "<nonsense/>", 0),
        "save": (dom.save, "/none/such/file"),
        "snapshot": (dom.snapshotCreateXML, "<nonsense/>"),
        "blockResize": (dom.blockResize, "vdz", 1),
        "coreDump": (dom.coreDump, "/none/such/file"),
        "setAutostart": (dom.setAutostart, 1),
        "setAutostart off": (dom.setAutostart, 0),
    }
    for word, (call, *args) in changes.items():
        r.do(f"{word} {state}", call, *args)
    r.events(f"changes {state}")


def _console(c: libvirt.virConnect, dom: libvirt.virDomain, device: str | None, flags: int = 0) -> str:
    stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
    dom.openConsole(device, stream, flags)
    stream.abort()
    return "open"


def linux(r: Recorder) -> None:
    """A guest that runs Linux: it reboots and powers off by itself and when asked."""
    c = r.conn
    dom = c.defineXML(tiny(r.name("linux"), 60, r.kernel, agent=False))
    r.do("start", dom.create)
    r.events("start")
    stream = c.newStream()
    dom.openConsole(None, stream, 0)
    second = libvirt.open(r.uri)
    other = second.lookupByName(r.name("linux"))
    r.do("console busy", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 0))
    r.do("console safe busy", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 2))
    _until(stream, b"login:")
    stream.send(b"root\n")
    _until(stream, b"# ")
    stream.send(b"reboot\n")
    _until(stream, b"login:")
    r.events("reboot by the guest")
    r.do("state after reboot", dom.state)
    r.do("console force", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 1))
    r.do("shutdown", dom.shutdown)
    r.events("shutdown", until="[5, ")
    r.do("state after shutdown", dom.state)


def _until(stream: libvirt.virStream, text: bytes) -> None:
    seen = b""
    end = time.monotonic() + 40
    while text not in seen:
        part = stream.recv(4096)
        if not part or time.monotonic() > end:
            raise TimeoutError(f"no {text!r} in {seen[-200:]!r}")
        seen += part


def agent(r: Recorder) -> None:
    """A guest with a channel for an agent that is not there."""
    c = r.conn
    silent = c.defineXML(
        blank(
            r.name("silent"),
            70,
            devices="<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        )
    )
    silent.create()
    calls = {
        "hostname": lambda dom: dom.hostname(2),
        "getTime": lambda dom: shape(dom.getTime()),
        "setTime": lambda dom: dom.setTime({"seconds": 1}),
        "shutdown": lambda dom: dom.shutdownFlags(2),
        "reboot": lambda dom: dom.reboot(2),
        "interfaces": lambda dom: dom.interfaceAddresses(1),
        "vcpus": lambda dom: dom.vcpusFlags(9),
        "fsInfo": lambda dom: shape(dom.fsInfo()),
        "guestInfo": lambda dom: shape(dom.guestInfo()),
        "fsFreeze": lambda dom: dom.fsFreeze(),
        "guestVcpus": lambda dom: shape(dom.guestVcpus()),
        "agentTimeout": lambda dom: dom.agentSetResponseTimeout(2),
        "agentTimeout bad": lambda dom: dom.agentSetResponseTimeout(-9),
    }
    for word, call in calls.items():
        r.do(f"{word} silent", call, silent)
    for channel in (None, "org.qemu.guest_agent.0"):
        r.do(f"channel {channel}", silent.openChannel, channel, c.newStream())
    r.events("silent")
    silent.destroy()


CHAPTERS = {
    "connect": connect,
    "define": define_errors,
    "lists": lists,
    "transitions": transitions,
    "xml": xml,
    "figures": figures,
    "linux": linux,
    "agent": agent,
    "devices": devices,
}
