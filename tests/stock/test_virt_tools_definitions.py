"""Every option of virt-install that says something about a guest: it is in the definition, and on QEMU's command line.

Each group is one virt-install; its document is defined, read back and turned into a command line.
"""

from __future__ import annotations

import subprocess
import tempfile
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need

pytestmark = [pytest.mark.stock, pytest.mark.timeout(90)]

_PLAIN = [
    "--virt-type", "qemu", "--import", "--osinfo", "detect=off,require=off", "--check", "all=off", "--print-xml", "1",
]  # fmt: skip
_DEFAULTS = {"--memory": "192", "--disk": "none", "--network": "none", "--graphics": "none"}


@dataclass(frozen=True)
class Option:
    """What is typed, where it is in the document, and words of the command line that come of it."""

    words: str
    found: tuple[str, ...] = ()
    native: tuple[str, ...] = ()


GROUPS: dict[str, tuple[Option, ...]] = {
    "disks": (
        Option("--vcpus 4"),
        Option("--iothreads 2", native=('"qom-type":"iothread"',)),
        Option("--controller scsi,model=virtio-scsi,driver.queues=4,driver.iothread=1",
               ("controller[@model='virtio-scsi']/driver[@queues='4'][@iothread='1']",), ('"num_queues":4',)),
        Option("--disk FOLDER/a.qcow2,bus=virtio,cache=none,io=native,discard=unmap,detect_zeroes=unmap,serial=ABC,"
               "driver.error_policy=stop,driver.queues=4,driver.iothread=2,boot.order=1",
               ("disk[serial='ABC']/driver[@cache='none'][@io='native'][@discard='unmap'][@error_policy='stop']",
                "disk/boot[@order='1']"), ('"serial":"ABC"', '"aio":"native"', '"detect-zeroes":"unmap"')),
        Option("--disk FOLDER/b.qcow2,bus=scsi,wwn=5000c50015ea71aa,rotation_rate=7200",
               ("disk[wwn='5000c50015ea71aa']", "disk/target[@rotation_rate='7200']"), ('"rotation_rate":7200',)),
        Option("--disk FOLDER/c.qcow2,bus=usb,removable=on", ("disk/target[@removable='on']",), ('"removable":true',)),
        Option("--disk FOLDER/d.qcow2,bus=sata,blockio.logical_block_size=512,blockio.physical_block_size=4096",
               ("disk/blockio[@physical_block_size='4096']",), ('"physical_block_size":4096',)),
        Option("--disk FOLDER/e.qcow2,bus=virtio,iotune.read_bytes_sec=1000000,iotune.write_iops_sec=500",
               ("disk/iotune[read_bytes_sec='1000000'][write_iops_sec='500']",)),
        Option("--disk FOLDER/boot.iso,device=cdrom,bus=sata,startup_policy=optional",
               ("disk[@device='cdrom']/source[@startupPolicy='optional']",), ('"driver":"ide-cd"',)),
        Option("--disk source.protocol=nbd,source.host0.name=example.com,source.host.port=10809,source.name=e,"
               "bus=virtio",
               ("disk[@type='network']/source[@protocol='nbd']/host[@port='10809']",), ('"driver":"nbd"',)),
    ),
    "networks": (
        Option("--network user,model=virtio,mac=52:54:00:11:22:33,link.state=down,rom.bar=on",
               ("interface/link[@state='down']", "interface/rom[@bar='on']"), ('"rombar":1',)),
        Option("--network user,model=e1000e,boot.order=2", ("interface[model]/boot[@order='2']",), ('"bootindex":2',)),
        Option("--network bridge=br0,model=virtio,mtu.size=1400,driver.name=qemu,driver.queues=3,"
               "virtualport.type=openvswitch,"
               "virtualport.parameters.interfaceid=09b11c53-8b5c-4eeb-8f00-d84eaa0aaa3b",
               ("interface/driver[@queues='3']", "interface/mtu[@size='1400']",
                "interface/virtualport[@type='openvswitch']/parameters")),
        Option("--network type=direct,source=eth0,source.mode=bridge,model=virtio,trustGuestRxFilters=yes",
               ("interface[@trustGuestRxFilters='yes']/source[@mode='bridge']",)),
        Option("--network network=default,portgroup=eng,model=virtio,filterref.filter=clean-traffic",
               ("interface/source[@portgroup='eng']", "interface/filterref[@filter='clean-traffic']")),
        Option("--network vhostuser,source.type=unix,source.path=/tmp/v.sock,source.mode=server,model=virtio",
               ("interface[@type='vhostuser']/source[@mode='server']",)),
        Option("--memorybacking access.mode=shared,source.type=memfd", (), ("memory-backend-memfd", '"share":true')),
    ),
    "displays": (
        Option("--machine q35"),
        Option("--graphics vnc,port=5950,listen=127.0.0.1,keymap=ja,websocket=5790",
               ("graphics[@type='vnc'][@websocket='5790'][@keymap='ja']",), ("-vnc 127.0.0.1:50,websocket=5790",)),
        Option("--video vga,vram=32768", ("video/model[@vram='32768']",), ('"vgamem_mb":32',)),
        Option("--video virtio,heads=2", ("video/model[@heads='2']",), ('"max_outputs":2',)),
        Option("--audio id=1,type=none", ("audio[@type='none']",)),
        Option("--sound ich9,codec0.type=micro", ("sound/codec[@type='micro']",), ('"driver":"hda-micro"',)),
        Option("--input keyboard,bus=virtio", ("input[@type='keyboard'][@bus='virtio']",), ("virtio-keyboard-pci",)),
        Option("--input tablet,bus=usb", ("input[@type='tablet']",), ("usb-tablet",)),
        Option("--input evdev,source.dev=/dev/input/event1,source.grab=all,source.repeat=on,"
               "source.grabToggle=ctrl-ctrl",
               ("input/source[@grabToggle='ctrl-ctrl'][@repeat='on']",), ('"grab-toggle":"ctrl-ctrl"',)),
        Option("--controller usb,model=ich9-ehci1,index=0", ("controller[@model='ich9-ehci1']",), ("ich9-usb-ehci1",)),
        Option("--controller usb,model=ich9-uhci1,index=0,master.startport=0", ("controller/master[@startport='0']",)),
        Option("--controller usb,model=ich9-uhci2,index=0,master.startport=2", ("controller/master[@startport='2']",)),
        Option("--controller pci,model=pcie-root"),
        Option("--controller pci,model=pcie-root-port,target.chassis=5,target.port=0x20,target.hotplug=off",
               ("controller/target[@hotplug='off']",), ('"hotplug":false',)),
        Option("--smartcard mode=host", ("smartcard[@mode='host']",)),
    ),
    "small devices": (
        Option("--tpm emulator,model=tpm-crb,version=2.0",
               ("tpm[@model='tpm-crb']/backend[@version='2.0']",), ("tpm-crb",)),
        Option("--rng /dev/urandom,rate.bytes=1024,rate.period=2000",
               ("rng/rate[@period='2000']",), ('"max-bytes":1024',)),
        Option("--rng builtin", ("rng/backend[@model='builtin']",), ("rng-builtin",)),
        Option("--panic default", ("panic",), ("pvpanic",)),
        Option("--vsock model=virtio,cid.address=9", ("vsock/cid[@auto='no'][@address='9']",), ('"guest-cid":9',)),
        Option("--memballoon virtio,autodeflate=on,freePageReporting=on,stats.period=10",
               ("memballoon[@autodeflate='on'][@freePageReporting='on']/stats[@period='10']",),
               ('"deflate-on-oom":true', '"free-page-reporting":true')),
        Option("--watchdog i6300esb,action=pause", ("watchdog[@action='pause']",), ('"driver":"i6300esb"',)),
        Option("--shmem name=shared0,model.type=ivshmem-plain,size=4,size.unit=M",
               ("shmem[@name='shared0']/size",), ("ivshmem",)),
        Option("--redirdev usb,type=tcp,source.host=localhost,source.service=4000,source.mode=connect,boot.order=3",
               ("redirdev/source[@service='4000']", "redirdev/boot[@order='3']"), ("usb-redir",)),
        Option("--filesystem source.dir=/tmp,target.dir=share,accessmode=mapped,fmode=0600,dmode=0700,"
               "multidevs=remap,readonly=on",
               ("filesystem[@fmode='0600'][@multidevs='remap']/readonly",), ("multidevs=remap,fmode=0600,dmode=0700",)),
        Option("--iommu virtio", ("iommu[@model='virtio']",), ("virtio-iommu",)),
        Option("--machine q35"),
    ),
    "lines": (
        Option("--machine pc"),
        Option("--serial pty", ("serial[@type='pty']",), ("isa-serial",)),
        Option("--serial tcp,source.mode=bind,source.host=127.0.0.1,source.service=2222,protocol.type=telnet",
               ("serial/protocol[@type='telnet']",), ("telnet=on",)),
        Option("--serial unix,source.path=/tmp/s.sock,source.mode=bind,log.file=/tmp/l.log,log.append=on",
               ("serial/log[@append='on']",), ("logappend=on",)),
        Option("--parallel file,source.path=/tmp/printed", ("parallel[@type='file']",), ("isa-parallel",)),
        Option("--channel unix,target.type=virtio,target.name=org.qemu.guest_agent.0",
               ("channel/target[@name='org.qemu.guest_agent.0']",), ("org.qemu.guest_agent.0",)),
        Option("--channel qemu-vdagent,source.clipboard.copypaste=on,source.mouse.mode=client",
               ("channel/source/clipboard[@copypaste='yes']", "channel/source/mouse[@mode='client']"),
               ("clipboard=on",)),
        Option("--console pty,target.type=virtio", ("console/target[@type='virtio']",), ("virtconsole",)),
        Option("--controller virtio-serial,vectors=4", ("controller[@vectors='4']",), ('"vectors":4',)),
    ),
    "processors and memory": (
        Option("--memory 192,hotplugmemorymax=4096,hotplugmemoryslots=4", ("../maxMemory[@slots='4']",), ("maxmem=",)),
        Option("--vcpus 2,maxvcpus=4,sockets=2,cores=2,threads=1,cpuset=0-1",
               ("../vcpu[@current='2'][@cpuset='0-1']", "../cpu/topology[@cores='2']"), ("2,maxcpus=4",)),
        Option("--cpu Nehalem,+x2apic,-lahf_lm,forbid=avx,match=exact,check=none,vendor=Intel,model.fallback=forbid,"
               "cell0.cpus=0-1,cell0.memory=98304,cell1.cpus=2-3,cell1.memory=98304,numa.cell1.memAccess=shared,"
               "cell0.distances.sibling0.id=1,cell0.distances.sibling0.value=21",
               ("../cpu/feature[@policy='forbid']", "../cpu/numa/cell[@memAccess='shared']", "../cpu/vendor",
                "../cpu/numa/cell/distances/sibling[@value='21']"),
               ("Nehalem", "x2apic=on", "dist,src=0,dst=1,val=21")),
        Option("--iothreads iothreads=2,iothreadids.iothread0.id=1,iothreadids.iothread1.id=2",
               ("../iothreadids/iothread[@id='2']",), ("iothread2",)),
        Option("--memdev dimm,target.size=128,target.node=0", ("memory[@model='dimm']",), ("pc-dimm",)),
        Option("--memorybacking nosharepages=yes,locked=no,discard=yes",
               ("../memoryBacking/nosharepages",), ("mem-merge=off",)),
        Option("--numatune memory.mode=preferred,memory.nodeset=0", ("../numatune/memory[@mode='preferred']",)),
        Option("--cputune shares=2048,period=100000,quota=-1,emulator_period=100000,vcpupin0.vcpu=0,"
               "vcpupin0.cpuset=0-1,"
               "emulatorpin.cpuset=1,iothreadpin0.iothread=1,iothreadpin0.cpuset=1,vcpusched0.vcpus=0,"
               "vcpusched0.scheduler=batch",
               ("../cputune[shares='2048'][quota='-1']", "../cputune/iothreadpin", "../cputune/vcpusched")),
        Option("--memtune hard_limit=1048576,soft_limit=524288,swap_hard_limit=2097152",
               ("../memtune[soft_limit='524288']",)),
        Option("--blkiotune weight=100,device0.path=/dev/loop0,device0.weight=200,device0.read_bytes_sec=10000",
               ("../blkiotune/device[read_bytes_sec='10000']",)),
        Option("--resource /machine/production", ("../resource[partition='/machine/production']",)),
    ),
    "machine": (
        Option("--machine q35"),
        Option("--clock offset=utc,rtc_tickpolicy=catchup,hpet_present=no",
               ("../clock/timer[@name='rtc']",), ("driftfix=slew",)),
        Option("--events on_poweroff=destroy,on_reboot=restart,on_crash=preserve", ("..[on_crash='preserve']",)),
        Option("--pm suspend_to_mem.enabled=yes,suspend_to_disk.enabled=no",
               ("../pm/suspend-to-mem",), ("disable_s4=1",)),
        Option("--features apic.eoi=on,pmu.state=on,smm.state=on,vmcoreinfo.state=on,vmport.state=off,"
               "ioapic.driver=qemu,"
               "hyperv.relaxed.state=on,hyperv.vapic.state=on,hyperv.spinlocks.state=on,hyperv.spinlocks.retries=8191",
               ("../features/hyperv/spinlocks[@retries='8191']", "../features/vmcoreinfo", "../features/smm"),
               ("smm=on", "hv-spinlocks=0x1fff", "vmcoreinfo")),
        Option("--boot hd,cdrom,network,menu=on,useserial=on,rebootTimeout=60,bootmenu.timeout=5000",
               ("../os/bootmenu[@timeout='5000']", "../os/bios[@rebootTimeout='60']"),
               ("splash-time=5000", "reboot-timeout=60")),
        Option("--sysinfo type=smbios,bios.vendor=Acme,system.serial=123,baseBoard.asset=Tag,chassis.sku=k,"
               "oemStrings.entry0=one",
               ("../sysinfo/oemStrings", "../sysinfo/chassis"), ("type=11,value=one", "asset=Tag")),
        Option("--serial pty"),
        Option("--metadata title=A,description=B,genid=e9392370-2917-565e-692b-d057f46512d6,genid_enable=yes",
               ("../genid", "..[title='A']"), ("vmgenid",)),
        Option("--iommu model=intel,driver.aw_bits=48,driver.intremap=on,driver.caching_mode=on,driver.iotlb=on",
               ("iommu/driver[@aw_bits='48'][@caching_mode='on']",), ('"aw-bits":48',)),
        Option("--seclabel type=none"),
        Option("--qemu-commandline=-device,virtio-rng-pci",
               ("../{http://libvirt.org/schemas/domain/qemu/1.0}commandline",)),
    ),
}  # fmt: skip

#: What virt-install can write and QEMU cannot do, and what it is refused with.
REFUSED = (
    (["--memtune", "min_guarantee=1024"], "Parameter 'min_guarantee' not supported by QEMU."),
    (["--input", "mouse,bus=virtio,model=virtio-non-transitional"],
     "virtio (non-)transitional models are not supported for input type=mouse"),
    (["--disk", "FOLDER/a.qcow2,bus=ide,address.type=pci,address.bus=0,address.slot=7"],
     "Invalid address type 'pci' for the disk 'hda' with the bus type 'ide'"),
    (["--watchdog", "itco,action=reset", "--machine", "pc"], "itco"),
)  # fmt: skip


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    need("virt-install", "virsh", "qemu-system-x86_64", "qemu-img")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        for name in "abcde":
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{name}.qcow2", "1M"], check=True, cwd=folder)
        (Path(folder) / "boot.iso").write_bytes(bytes(65536))
        try:
            yield daemon.start()
        finally:
            daemon.stop()


def _printed(host: Daemon, words: list[str]) -> str:
    given = [word.replace("FOLDER", str(host.root.parent)) for word in words]
    rest = [word for option, value in _DEFAULTS.items() if option not in given for word in (option, value)]
    return host.run("virt-install", "--connect", host.uri, "--name", "vm", *_PLAIN, *rest, *given).stdout


@pytest.mark.parametrize("group", GROUPS)
def test_options(host: Daemon, group: str, tmp_path: Path) -> None:
    options = GROUPS[group]
    document = tmp_path / "vm.xml"
    document.write_text(_printed(host, [word for option in options for word in option.words.split(" ", 1)]))
    host.virsh("define", "--validate", str(document))
    try:
        defined = ET.fromstring(host.virsh("dumpxml", "vm", "--inactive", "--security-info").stdout)
        native = host.virsh("domxml-to-native", "qemu-argv", "--domain", "vm").stdout
    finally:
        host.virsh("undefine", "vm", "--nvram", "--tpm")
    devices = ET.ElementTree(defined).find("devices")
    assert devices is not None
    lost = [
        f"{option.words}: {path}"
        for option in options
        for path in option.found
        if (defined.find(f".{path[2:]}") if path.startswith("..") else devices.find(path)) is None
    ]
    assert not lost, ET.tostring(defined, "unicode")
    unrealised = [f"{option.words}: {word}" for option in options for word in option.native if word not in native]
    assert not unrealised, native


@pytest.mark.parametrize(("words", "reason"), REFUSED, ids=lambda value: value[0] if isinstance(value, list) else None)
def test_what_qemu_cannot_do_is_refused_by_name(host: Daemon, words: list[str], reason: str, tmp_path: Path) -> None:
    document = tmp_path / "vm.xml"
    document.write_text(_printed(host, words))
    done = host.virsh("define", str(document), check=False)
    assert done.returncode == 1
    assert reason in done.stderr


def test_a_desktop_on_q35_gets_no_bridge_for_its_usb_controller(host: Daemon, tmp_path: Path) -> None:
    """virt-install gives Q35 guests fourteen ports; the parts of a USB 2 controller stand on the root bus."""
    words = ["--machine", "q35", "--graphics", "vnc", "--sound", "ich9", "--network", "user,model=e1000e"]
    for part, port in (("ehci1", ""), ("uhci1", "0"), ("uhci2", "2"), ("uhci3", "4")):
        words += ["--controller", f"usb,model=ich9-{part},index=0" + (f",master.startport={port}" if port else "")]
    document = tmp_path / "vm.xml"
    document.write_text(_printed(host, words))
    host.virsh("define", str(document))
    defined = ET.fromstring(host.virsh("dumpxml", "vm").stdout)
    host.virsh("undefine", "vm")
    parts = [item for item in defined.findall("devices/controller") if (item.get("model") or "").startswith("ich9")]
    places = {place.get("slot") for item in parts for place in item.findall("address") if place.get("bus") == "0x00"}
    assert len(parts) == 4
    assert len(places) == 1
    assert not [item for item in defined.findall("devices/controller") if "bridge" in (item.get("model") or "")]
