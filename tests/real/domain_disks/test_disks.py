"""One guest with every kind of disk: it sees their sizes and names, and QEMU has them as the definition says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support import daemon_with_secrets
from tests.support.daemon import Daemon, need
from tests.support.daemon_with_secrets import UUID, VALUE
from tests.support.shell import GuestShell
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

MIB = 1 << 20


def image(*arguments: str | Path, data: bytes = b"") -> None:
    """Run qemu-img."""
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True, input=data, timeout=60)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a secret."""
    need("virsh", "qemu-img", "qemu-nbd")
    started = Daemon(tmp_path / "root", prefix=(sys.executable, daemon_with_secrets.__file__)).start()
    yield started
    started.stop()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The images: a chain of three, an encrypted one, a CD-ROM, a directory, and raw ones of different sizes."""
    folder = tmp_path / "images"
    (folder / "shared").mkdir(parents=True)
    (folder / "shared/hello.txt").write_text("a file of the host\n")
    image("create", "-f", "raw", folder / "base.raw", "17M")
    with (folder / "base.raw").open("r+b") as file:
        file.write(b"written below\n")
    image("create", "-f", "qcow2", "-b", "base.raw", "-F", "raw", folder / "middle.qcow2")
    image("create", "-f", "qcow2", "-b", "middle.qcow2", "-F", "qcow2", folder / "top.qcow2")
    (folder / "passphrase").write_bytes(VALUE)
    image(
        "create", "-q", "--object", f"secret,id=s,file={folder}/passphrase",
        "-f", "luks", "-o", "key-secret=s,iter-time=10", folder / "luks.img", "11M",
    )  # fmt: skip
    for name, size in (("scsi", 12), ("sata", 13), ("usb", 14), ("cdrom", 15), ("remote", 16), ("kept", 18)):
        image("create", "-f", "raw", folder / f"{name}.raw", f"{size}M")
    return folder


@pytest.fixture
def nbd(tmp_path: Path, images: Path) -> Iterator[Path]:
    """A server of one image on a UNIX socket."""
    path = tmp_path / "nbd.sock"
    argv = ["qemu-nbd", "-f", "raw", "-k", str(path), "-x", "an-export", "-t", str(images / "remote.raw")]
    server = subprocess.Popen(argv)
    while not path.exists():
        assert server.poll() is None
        time.sleep(0.01)
    yield path
    server.terminate()
    server.wait(10)


def _devices(images: Path, nbd: Path) -> str:
    return f"""
    <controller type='scsi' index='0' model='virtio-scsi'><driver queues='2' max_sectors='1024'/></controller>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap' detect_zeroes='unmap'>
        <metadata_cache><max_size unit='MiB'>1</max_size></metadata_cache></driver>
      <source file='{images}/top.qcow2'/><target dev='vda' bus='virtio'/><serial>CHAIN-1</serial>
      <throttlefilters><throttlefilter group='slow'/><throttlefilter group='slower'/></throttlefilters>
    </disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='{images}/luks.img'><encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption>
      </source><target dev='vdb' bus='virtio'/><serial>SECRET</serial></disk>
    <disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/>
      <source protocol='nbd' name='an-export'><host transport='unix' socket='{nbd}'/><reconnect delay='5'/></source>
      <target dev='vdc' bus='virtio'/><serial>REMOTE</serial></disk>
    <disk type='dir' device='disk'><driver name='qemu' type='fat'/><source dir='{images}/shared'/>
      <target dev='vdd' bus='virtio'/><readonly/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='{images}/base.raw'><slices><slice type='storage' offset='1048576' size='2097152'/></slices></source>
      <target dev='vde' bus='virtio'/><shareable/><readonly/></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/kept.raw'/>
      <target dev='vdf' bus='virtio'/><transient/></disk>
    <disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='pictures' volume='scsi.raw'/>
      <target dev='sda' bus='scsi' rotation_rate='7200'/><iotune><total_bytes_sec>50000000</total_bytes_sec>
      <total_bytes_sec_max>80000000</total_bytes_sec_max><group_name>both</group_name>
      <total_bytes_sec_max_length>3</total_bytes_sec_max_length></iotune>
      <serial>SCSI 1</serial><wwn>5000c50015ea71aa</wwn><vendor>GUEST</vendor><product>HOUSE</product></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/sata.raw'/>
      <target dev='sdb' bus='sata'/><iotune><group_name>both</group_name></iotune><serial>SATA1</serial></disk>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{images}/usb.raw'/>
      <target dev='sdc' bus='usb' removable='on'/><serial>USB1</serial></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='{images}/cdrom.raw'/>
      <target dev='sdd' bus='scsi'/></disk>
    <disk type='file' device='cdrom'><source file='/nowhere/at/all.iso' startupPolicy='optional'/>
      <target dev='sde' bus='scsi'/></disk>"""


_GROUPS = """<throttlegroups>
  <throttlegroup><total_bytes_sec>60000000</total_bytes_sec><group_name>slow</group_name></throttlegroup>
  <throttlegroup><read_iops_sec>5000</read_iops_sec><group_name>slower</group_name></throttlegroup>
</throttlegroups>"""


def _ask(daemon: Daemon, command: str, **arguments: str) -> list[dict[str, object]]:
    order = json.dumps({"execute": command, "arguments": arguments})
    done = daemon.virsh("qemu-monitor-command", "disks", order)
    found = json.loads(done.stdout)["return"]
    assert isinstance(found, list)
    return found


#: Starts a guest, and prints what became of its disks.
_LISTEN = """
libvirt.virEventRegisterDefaultImpl()
import threading
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
conn = libvirt.open(sys.argv[1])
heard = []
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DISK_CHANGE, lambda *event: heard.append(event), None)
conn.lookupByName(sys.argv[2]).create()
deadline = time.monotonic() + 10
while not heard and time.monotonic() < deadline:
    time.sleep(0.05)
for _conn, _guest, before, after, alias, reason, _ in heard:
    print(before, after, alias, reason)
"""


def test_a_guest_with_every_kind_of_disk(daemon: Daemon, images: Path, nbd: Path, tmp_path: Path) -> None:
    daemon.virsh("pool-define-as", "pictures", "dir", "--target", str(images))
    daemon.virsh("pool-start", "pictures")
    document = tmp_path / "disks.xml"
    document.write_text(tiny_xml("disks", devices=_devices(images, nbd), extra=_GROUPS))
    daemon.virsh("define", str(document))
    heard = daemon.python(_LISTEN, "disks").stdout.strip()
    assert heard == "/nowhere/at/all.iso None scsi0-0-0-4 0"
    _check_document(daemon, images)
    _check_qemu(daemon)
    shell = GuestShell(daemon.virsh("ttyconsole", "disks").stdout.strip())
    try:
        shell.until_ready()
        _check_guest(shell)
        _plug(daemon, images, shell, tmp_path)
    finally:
        shell.close()
    assert (images / "kept.raw.TRANSIENT-disks").exists()
    daemon.virsh("destroy", "disks")
    deadline = time.monotonic() + 10
    while (images / "kept.raw.TRANSIENT-disks").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (images / "kept.raw").read_bytes().strip(b"\0") == b""
    assert (images / "top.qcow2").stat().st_size > (images / "middle.qcow2").stat().st_size
    logs = list(daemon.root.rglob("disks.log"))
    assert logs
    assert not any(VALUE in path.read_bytes() for path in logs)


def _child(element: ElementTree.Element, path: str) -> ElementTree.Element:
    found = element.find(path)
    assert found is not None, path
    return found


def _check_document(daemon: Daemon, images: Path) -> None:
    live = ElementTree.fromstring(daemon.virsh("dumpxml", "disks").stdout)
    chain = _child(live, "devices/disk/target[@dev='vda']/..")
    first = int(_child(chain, "source").get("index", "0"))
    found, store = [], _child(chain, "backingStore")
    while store.get("type") is not None:
        found.append((store.get("index"), _child(store, "format").get("type"), _child(store, "source").get("file")))
        store = _child(store, "backingStore")
    assert [link[1:] for link in found] == [("qcow2", f"{images}/middle.qcow2"), ("raw", f"{images}/base.raw")]
    numbers = [int(index or 0) for index, _, _ in found]
    assert numbers == [numbers[0], numbers[0] + 1], "what was found below is numbered after what is defined"
    assert numbers[0] > first
    transient = _child(live, "devices/disk/target[@dev='vdf']/../source")
    assert transient.get("file") == f"{images}/kept.raw.TRANSIENT-disks"
    assert _child(live, "devices/disk/target[@dev='sda']/../source").get("pool") == "pictures"
    assert live.find("devices/disk/target[@dev='sde']/../source") is None
    inactive = daemon.virsh("dumpxml", "--inactive", "disks").stdout
    assert "backingStore" not in inactive
    assert "TRANSIENT" not in inactive


def _check_qemu(daemon: Daemon) -> None:
    drives = {}
    for entry in _ask(daemon, "query-block"):
        qdev = str(entry.get("qdev"))
        drives[next((part for part in qdev.split("/") if re.match(r"(virtio-disk|scsi|sata|usb)", part)), qdev)] = entry
    assert len(drives) == 11
    limited = drives["scsi0-0-0-0"]["inserted"]
    assert isinstance(limited, dict)
    assert (limited["group"], limited["bps"], limited["bps_max"], limited["bps_max_length"]) == (
        "both", 50000000, 80000000, 3,
    )  # fmt: skip
    other = drives["sata0-0-1"]["inserted"]
    assert isinstance(other, dict)
    assert (other["group"], other["bps"]) == ("both", 50000000)
    assert drives["usb-disk2"]["removable"] is True
    nodes = {str(node["node-name"]): node for node in _ask(daemon, "query-named-block-nodes")}
    chained = drives["virtio-disk0"]["inserted"]
    assert isinstance(chained, dict)
    assert str(chained["node-name"]).endswith("-filter")
    assert {node["drv"] for node in nodes.values()} >= {"luks", "nbd", "vvfat", "throttle", "qcow2", "raw"}
    arguments = Path(f"/proc/{daemon.guest_processes()[0]}/cmdline").read_bytes()
    assert VALUE not in arguments


def _check_guest(shell: GuestShell) -> None:
    def size(name: str) -> int:
        return int(shell.run(f"cat /sys/block/{name}/size")) * 512

    serials = {shell.run(f"cat /sys/block/vd{letter}/serial"): f"vd{letter}" for letter in "abcdef"}
    assert size(serials["CHAIN-1"]) == 17 * MIB
    assert size(serials["SECRET"]) == 11 * MIB
    assert size(serials["REMOTE"]) == 16 * MIB
    sizes = {name: size(name) for name in (f"vd{letter}" for letter in "abcdef")}
    assert 2 * MIB in sizes.values()
    assert shell.run(f"head -n 1 /dev/{serials['CHAIN-1']}") == "written below"
    scsi = shell.run("ls /sys/block | grep ^sd").split()
    about = {shell.run(f"cat /sys/block/{name}/device/vendor").strip(): name for name in scsi}
    assert size(about["GUEST"]) == 12 * MIB
    assert shell.run(f"cat /sys/block/{about['GUEST']}/device/model").strip() == "HOUSE"
    assert "5000c50015ea71aa" in shell.run(f"cat /sys/block/{about['GUEST']}/device/wwid")
    read = [int(shell.run(f"cat /dev/{name} 2>/dev/null | wc -c")) for name in ("sr0", "sr1")]
    assert sorted(read) == [0, 15 * MIB], "one drive has a medium, the other lost it"
    kept = next(name for name, length in sizes.items() if length == 18 * MIB)
    for name in (kept, serials["CHAIN-1"], serials["SECRET"], serials["REMOTE"]):
        shell.run(f"echo written by the guest | dd of=/dev/{name} bs=512 seek=100 conv=sync 2>/dev/null; sync")
    assert "written by the guest" in shell.run(f"dd if=/dev/{serials['SECRET']} bs=512 skip=100 count=1 2>/dev/null")


def _objects(daemon: Daemon) -> set[str]:
    found = _ask(daemon, "qom-list", path="/objects")
    return {str(entry["name"]) for entry in found} - {"type"}


def _plug(daemon: Daemon, images: Path, shell: GuestShell, tmp_path: Path) -> None:
    """An encrypted image with limits comes and goes, and nothing of it stays behind; so does a chain."""
    before = _objects(daemon), {str(node["node-name"]) for node in _ask(daemon, "query-named-block-nodes")}
    image("create", "-f", "qcow2", "-b", images / "kept.raw", "-F", "raw", images / "plugged.qcow2")
    image(
        "create", "-q", "--object", f"secret,id=s,file={images}/passphrase", "-f", "qcow2",
        "-o", "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", images / "plugged-luks.qcow2", "19M",
    )  # fmt: skip
    texts = {
        "vdx": f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
          <source file='{images}/plugged-luks.qcow2'>
          <encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption></source>
          <target dev='vdx' bus='virtio'/><throttlefilters><throttlefilter group='slow'/></throttlefilters>
          <serial>PLUGGED</serial></disk>""",
        "sdf": f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
          <source file='{images}/plugged.qcow2'/><target dev='sdf' bus='scsi'/><vendor>PLUGGED</vendor></disk>""",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.xml").write_text(text)
        daemon.virsh("attach-device", "disks", str(tmp_path / f"{name}.xml"))
    shell.until("cat /sys/block/vd*/serial", "PLUGGED")
    shell.until("cat /sys/block/sd*/device/vendor", "PLUGGED")
    name = shell.run("grep -l PLUGGED /sys/block/vd*/serial").split("/")[3]
    assert int(shell.run(f"cat /sys/block/{name}/size")) * 512 == 19 * MIB
    for name in texts:
        daemon.virsh("detach-disk", "disks", name)
    deadline = time.monotonic() + 30
    while (
        left := (_objects(daemon), {str(node["node-name"]) for node in _ask(daemon, "query-named-block-nodes")})
    ) != before:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_broken_chain_is_told(daemon: Daemon, images: Path, tmp_path: Path) -> None:
    (images / "middle.qcow2").rename(images / "elsewhere.qcow2")
    disk = f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/top.qcow2'/>
      <target dev='vda' bus='virtio'/></disk>"""
    document = tmp_path / "broken.xml"
    document.write_text(tiny_xml("broken", devices=disk))
    daemon.virsh("define", str(document))
    failed = daemon.virsh("start", "broken", check=False)
    assert failed.returncode != 0
    assert f"Cannot access backing file '{images}/middle.qcow2' of storage file '{images}/top.qcow2'" in failed.stderr
    assert daemon.virsh("domstate", "broken").stdout.strip() == "shut off"


_HAND_OVER = """
import os
with open(sys.argv[2], "r+b") as file:
    guest = conn.lookupByName("handed")
    try:
        guest.create()
    except libvirt.libvirtError as error:
        print(error)
    guest.FDAssociate("mine", [file.fileno()], libvirt.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE)
    guest.create()
    print(guest.isActive())
    with open(sys.argv[3], "r+b") as other:
        guest.FDAssociate("more", [other.fileno()], libvirt.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE)
        guest.attachDevice(sys.argv[4])
    print(guest.blockInfo("sdb")[0])
"""


def test_a_client_hands_over_an_open_file(daemon: Daemon, images: Path, tmp_path: Path) -> None:
    disk = """<disk type='file' device='disk'><driver name='qemu' type='raw'/>
      <source file='/nowhere/to/be/found' fdgroup='mine'/><target dev='vda' bus='virtio'/></disk>"""
    more = disk.replace("mine", "more").replace("dev='vda' bus='virtio'", "dev='sdb' bus='scsi'")
    document = tmp_path / "handed.xml"
    controller = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    document.write_text(tiny_xml("handed", devices=disk + controller))
    daemon.virsh("define", str(document))
    told = daemon.python(_HAND_OVER, str(images / "kept.raw"), str(images / "scsi.raw"), more).stdout
    refused, active, size = told.splitlines()
    assert size == str(12 << 20)
    assert refused == "invalid argument: file descriptor group 'mine' was not associated with the domain"
    assert active == "1"
    assert "18874368" in daemon.virsh("domblkinfo", "handed", "vda").stdout
    daemon.virsh("destroy", "handed")
    assert daemon.virsh("start", "handed", check=False).returncode != 0, "the file went with its connection"
