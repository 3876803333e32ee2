"""virt-xml on a running guest, and virt-clone: what is changed is changed now and at the next start."""

from __future__ import annotations

import subprocess
import tempfile
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(90)]

_PORTS = "<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 14
_PORTS += "<controller type='pci' model='pcie-to-pci-bridge'/><controller type='scsi' model='virtio-scsi'/>"
_DEVICES = f"""{_PORTS}
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='FOLDER/a.qcow2'/>
  <target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
<graphics type='vnc' port='-1' passwd='x'/><controller type='usb' model='qemu-xhci'/>"""

#: What a firmware keeps, as large as OVMF has it.
_VARIABLES = b"variables".ljust(528 * 1024, b"\0")

#: Devices that are added: what is typed, where they are then, and what removes them.
ADDED = (
    ("--disk FOLDER/b.qcow2,target.dev=vdb,bus=virtio", "disk/target[@dev='vdb']", "--disk target=vdb"),
    ("--disk FOLDER/b.qcow2,target.dev=sdb,bus=scsi", "disk/target[@dev='sdb']", "--disk target=sdb"),
    ("--network user,model=virtio,mac=52:54:00:00:00:77", "interface/mac[@address='52:54:00:00:00:77']",
     "--network mac=52:54:00:00:00:77"),
    ("--rng builtin", "rng/backend[@model='builtin']", "--rng 1"),
    ("--input keyboard,bus=usb", "input[@bus='usb'][@type='keyboard']", ""),
    ("--redirdev usb,type=tcp,source.host=127.0.0.1,source.service=4019,source.mode=bind", "redirdev", "--redirdev 1"),
    ("--controller virtio-serial,index=1", "controller[@type='virtio-serial'][@index='1']", ""),
    ("--channel unix,target.type=virtio,target.name=org.x", "channel/target[@name='org.x']", "--channel 2"),
    ("--shmem name=shared0,model.type=ivshmem-plain,size=4,size.unit=M", "shmem[@name='shared0']", "--shmem 1"),
    ("--watchdog i6300esb,action=reset", "watchdog[@model='i6300esb']", ""),
)  # fmt: skip

#: What no guest takes while it runs, and QEMU's or libvirt's reason.
REFUSED = (
    ("--sound usb", "live attach of device 'sound' is not supported"),
    ("--memballoon none", "live attach of device 'memballoon' is not supported"),
    ("--video virtio", "live attach of device 'video' is not supported"),
    ("--disk FOLDER/a.qcow2,target.dev=vda,bus=virtio", "target 'vda' duplicated for disk sources"),
)


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """A daemon whose guest `vm` runs a kernel that consents to unplugging."""
    need("virt-xml", "virt-clone", "virsh", "qemu-system-x86_64", "qemu-img")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        for name in "abce":
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{name}.qcow2", "1M"], check=True, cwd=place)
        daemon = Daemon(place / "root")
        document = place / "vm.xml"
        document.write_text(tiny_xml("vm", devices=_DEVICES.replace("FOLDER", folder), agent=True))
        try:
            daemon.start()
            daemon.virsh("define", str(document))
            daemon.virsh("start", "vm")
            daemon.python(_WAIT)
            yield daemon
        finally:
            daemon.stop()


_WAIT = """
import libvirt_qemu
deadline = time.monotonic() + 50
while True:
    try:
        libvirt_qemu.qemuAgentCommand(conn.lookupByName('vm'), '{"execute": "guest-ping"}', 2, 0)
        break
    except libvirt.libvirtError:
        assert time.monotonic() < deadline
        time.sleep(0.2)
"""


def change(host: Daemon, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    given = [word.replace("FOLDER", str(host.root.parent)) for word in words]
    return host.run("virt-xml", "--connect", host.uri, "vm", *given, check=check)


def places(host: Daemon, path: str) -> tuple[bool, bool]:
    """Whether the running guest and the definition have a device."""
    found = []
    for options in ([], ["--inactive"]):
        devices = ET.fromstring(host.virsh("dumpxml", "vm", *options).stdout).find("devices")
        assert devices is not None
        found.append(devices.find(path) is not None)
    return found[0], found[1]


@pytest.mark.parametrize(("added", "path", "removed"), ADDED, ids=[row[0].split(",")[0] for row in ADDED])
def test_a_device_is_plugged_in_and_out(host: Daemon, added: str, path: str, removed: str) -> None:
    done = change(host, "--add-device", *added.split(" ", 1), "--update")
    assert "Device hotplug successful." in done.stdout
    assert places(host, path) == (True, True)
    if removed:
        done = change(host, "--remove-device", *removed.split(" ", 1), "--update")
        assert "Device hotunplug successful." in done.stdout
        assert places(host, path)[1] is False


@pytest.mark.parametrize(("words", "reason"), REFUSED)
def test_what_cannot_be_plugged_is_refused(host: Daemon, words: str, reason: str) -> None:
    before = host.virsh("dumpxml", "vm").stdout, host.virsh("dumpxml", "vm", "--inactive").stdout
    done = change(host, "--add-device", *words.split(" ", 1), "--update", check=False)
    assert done.returncode == 1
    assert reason in done.stderr
    assert (host.virsh("dumpxml", "vm").stdout, host.virsh("dumpxml", "vm", "--inactive").stdout) == before


@pytest.mark.parametrize(
    ("which", "words", "path"),
    [
        ("target=sda", "--disk path=FOLDER/e.qcow2", "disk[@device='cdrom']/source"),
        ("1", "--graphics password=abc", "graphics"),
    ],
)
def test_a_device_is_updated(host: Daemon, which: str, words: str, path: str) -> None:
    done = change(host, "--edit", which, *words.split(" ", 1), "--update")
    assert "Device update successful." in done.stdout
    assert places(host, path) == (True, True)


def test_a_definition_is_changed_for_the_next_start(host: Daemon) -> None:
    printed = change(host, "--edit", "--vcpus", "3", "--print-diff", "--no-define").stdout
    assert '-  <vcpu placement="static">1</vcpu>' in printed
    done = change(host, "--edit", "--vcpus", "3", "--define")
    assert "Changes will take effect after the domain is fully powered off." in done.stdout
    assert host.virsh("vcpucount", "vm", "--maximum", "--config").stdout.strip() == "3"
    assert host.virsh("vcpucount", "vm", "--maximum", "--live").stdout.strip() == "1"
    change(host, "--edit", "--vcpus", "1", "--define")
    change(host, "--edit", "--boot", "menu=on", "--define")
    assert (
        ET.fromstring(host.virsh("dumpxml", "vm", "--inactive").stdout).find("os/bootmenu[@enable='yes']") is not None
    )


def test_a_start_with_changes_that_are_not_kept(host: Daemon, tmp_path: Path) -> None:
    document = tmp_path / "other.xml"
    document.write_text("<domain type='qemu'><name>other</name><memory unit='MiB'>32</memory>"
                        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>")  # fmt: skip
    host.virsh("define", str(document))
    host.run("virt-xml", "--connect", host.uri, "other", "--edit", "--vcpus", "2", "--no-define", "--start")
    assert host.virsh("vcpucount", "other", "--current", "--live").stdout.strip() == "2"
    assert host.virsh("vcpucount", "other", "--current", "--config").stdout.strip() == "1"
    host.virsh("destroy", "other")
    host.virsh("undefine", "other")


def test_a_guest_with_disks_firmware_and_tpm_is_cloned(host: Daemon, tmp_path: Path) -> None:
    if not list(Path("/usr/share/qemu/firmware").glob("*x86_64*.json")):
        pytest.skip("no firmware descriptors are installed")
    folder = host.root.parent
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{folder}/{image}.qcow2'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
        for image, target in (("c", "vda"), ("e", "vdb"))
    )
    document = tmp_path / "origin.xml"
    document.write_text(f"""<domain type='qemu'><name>origin</name><memory unit='MiB'>64</memory>
      <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><smm state='on'/></features>
      <devices>{disks}<interface type='user'><mac address='52:54:00:aa:bb:cc'/></interface>
      <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices></domain>""")
    host.virsh("define", str(document))
    origin = ET.fromstring(host.virsh("dumpxml", "origin").stdout)
    Path(origin.findtext("os/nvram") or "").write_bytes(_VARIABLES)
    host.run("virt-clone", "--connect", host.uri, "--original", "origin", "--name", "copy", "--auto-clone")
    copy = ET.fromstring(host.virsh("dumpxml", "copy").stdout)
    for path in ("uuid", "devices/interface/mac", "os/nvram"):
        of_origin, of_copy = origin.find(path), copy.find(path)
        assert of_origin is not None
        assert of_copy is not None
        assert (of_origin.text, of_origin.attrib) != (of_copy.text, of_copy.attrib)
    images = [source.get("file") or "" for source in copy.findall("devices/disk/source")]
    assert images == [f"{folder}/c-clone.qcow2", f"{folder}/e-clone.qcow2"]
    assert all(Path(image).exists() for image in images)
    assert Path(copy.findtext("os/nvram") or "").read_bytes() == _VARIABLES
    assert copy.find("devices/tpm[@model='tpm-crb']") is not None
    for name in ("origin", "copy"):
        host.virsh("undefine", name, "--nvram", "--tpm")
