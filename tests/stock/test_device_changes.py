"""Devices come and go while a real guest runs: what clients are told, what the XML says, and what the guest sees."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.shell import GuestShell
from tests.support.tiny import AGENT_CHANNEL, tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(170)]

PORTS = (
    "<controller type='pci' index='0' model='pcie-root'/>"
    + "<controller type='pci' model='pcie-root-port'/>" * 12
    + "<controller type='pci' model='pcie-to-pci-bridge'/><controller type='scsi' index='0' model='virtio-scsi'/>"
)
DRIVES = """<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/></disk>
<disk type='file' device='cdrom'><target dev='sdh' bus='sata'/></disk>"""

LISTEN = """
import threading
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
got = []
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
def hear(conn, dom, *rest): got.append((rest[-1], *rest[:-1]))
for name in ("DEVICE_ADDED", "DEVICE_REMOVED", "DEVICE_REMOVAL_FAILED"):
    conn.domainEventRegisterAny(None, getattr(libvirt, "VIR_DOMAIN_EVENT_ID_" + name), hear, name)
dom = conn.lookupByName("guest")
def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, got
        time.sleep(0.02)
"""


class Place:
    """A running guest, its shell, and a folder for images and documents."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        document = self.file("guest.xml", tiny_xml("guest", devices=PORTS + DRIVES))
        daemon.virsh("define", document)
        daemon.virsh("start", "guest")
        self.shell = GuestShell(daemon.virsh("ttyconsole", "guest").stdout.strip())
        self.shell.until_ready()

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def image(self, name: str, size: int = 1 << 20) -> str:
        path = self.folder / name
        with path.open("wb") as stream:
            stream.truncate(size)
        return str(path)

    def live(self) -> str:
        return self.daemon.virsh("dumpxml", "guest").stdout

    def defined(self) -> str:
        return self.daemon.virsh("dumpxml", "--inactive", "guest").stdout

    def refused(self, *argv: str) -> str:
        done = self.daemon.virsh(*argv, check=False)
        assert done.returncode == 1, done.stdout
        return done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            made = Place(daemon.start(), Path(folder))
            yield made
            made.shell.close()
        finally:
            daemon.stop()


def test_disk_comes_and_goes(place: Place) -> None:
    image = place.image("one.img")
    done = place.daemon.virsh("attach-disk", "guest", image, "vdb", "--serial", "ABC")
    assert done.stdout.strip() == "Disk attached successfully"
    place.shell.until("cat /sys/block/*/serial", "ABC")
    assert f"<source file='{image}' index='" in place.live()
    assert "vdb" not in place.defined()
    text = place.refused("attach-disk", "guest", image, "vdb")
    assert text == f"error: XML error: target 'vdb' duplicated for disk sources '{image}' and '{image}'"
    done = place.daemon.virsh("detach-disk", "guest", "vdb")
    assert done.stdout.strip() == "Disk detached successfully"
    place.shell.until_gone("ls /sys/block", "vd")
    assert "vdb" not in place.live()
    assert "libvirt-" not in place.daemon.virsh("qemu-monitor-command", "guest", "--hmp", "info block -n").stdout
    os.unlink(image)


def test_our_command_does_the_same(place: Place) -> None:
    image = place.image("two.img")
    assert place.daemon.guest("attach-disk", "guest", image, "vdc").stdout.strip() == "Disk attached successfully"
    place.shell.until("ls /sys/block", "vd")
    assert place.daemon.guest("detach-disk", "guest", "vdc").stdout.strip() == "Disk detached successfully"
    place.shell.until_gone("ls /sys/block", "vd")
    for command in (
        ["attach-disk", "guest", image, "vdb", "--cache", "none", "--targetbus", "virtio", "--mode", "shareable"],
        [
            "attach-disk",
            "guest",
            "vol",
            "sdb",
            "--source-protocol",
            "nbd",
            "--source-host-name",
            "h:10",
            "--alias",
            "ua-x",
        ],
        ["attach-disk", "guest", image, "sdc", "--address", "scsi:0.0.3", "--wwn", "0123456789abcdef"],
        ["attach-disk", "guest", image, "vdd", "--address", "pci:0000.05.00.0", "--multifunction"],
        ["attach-disk", "guest", image, "vdd", "--address", "scsi:0.0.3"],
        [
            "attach-interface",
            "guest",
            "network",
            "default",
            "--model",
            "virtio",
            "--inbound",
            "1,2,3",
            "--outbound",
            "4",
        ],
        ["attach-interface", "guest", "hostdev", "0000:05:00.0", "--managed"],
        ["attach-interface", "guest", "user", "x"],
        ["attach-interface", "guest", "vhostuser", "/socket"],
        ["attach-interface", "guest", "bridge", "br0", "--outbound", "0"],
        ["detach-disk", "guest", "sda"],
        ["change-media", "guest", "sda", image],
        ["change-media", "guest", "sda", "--eject"],
    ):
        theirs = place.daemon.virsh(*command, "--print-xml", check=False)
        ours = place.daemon.guest(*command, "--print-xml", check=False)
        assert ours.stdout.strip() == theirs.stdout.strip(), command
        assert (ours.returncode, ours.stderr.strip()) == (theirs.returncode, theirs.stderr.strip()), command


def test_many_kinds_with_their_events(place: Place) -> None:
    document = place.file(
        "kinds.txt",
        "\n".join(
            (
                "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>",
                "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
                "<controller type='scsi' index='1' model='virtio-scsi'/>",
                f"<disk type='file'><source file='{place.image('s.img')}'/><target dev='sdi' bus='scsi'/></disk>",
                "<channel type='unix'><target type='virtio' name='org.test'/></channel>",
                "<input type='tablet' bus='usb'/>",
                "<input type='keyboard' bus='virtio'/>",
                "<watchdog model='i6300esb' action='reset'/>",
            )
        ),
    )
    script = """
for xml in open(sys.argv[2]).read().splitlines(): dom.attachDeviceFlags(xml, 1)
until(lambda: len(got) >= 8)
print(*sorted(item[1] for item in got))
"""
    came = place.daemon.python(LISTEN + script, document).stdout.split()
    names = ["channel0", "input2", "input3", "net0", "rng0", "scsi1", "scsi1-0-0-1", "watchdog1"]
    assert came == names  # and nothing of the controller that the channel brought along, as with libvirtd
    shell = place.shell
    shell.until("ls /sys/class/net", "eth0")
    shell.until("cat /sys/class/misc/hw_random/rng_available", "virtio_rng")
    shell.until("ls /sys/block", "sd")
    shell.until("cat /sys/class/virtio-ports/*/name", "org.test")
    shell.until("cat /sys/bus/pci/devices/*/device", "0x25ab")  # the watchdog
    script = """
for xml in reversed(open(sys.argv[2]).read().splitlines()): dom.detachDeviceFlags(xml, 1)
until(lambda: len(got) >= 8)
print(*sorted(item[1] for item in got if item[0] == "DEVICE_REMOVED"))
"""
    gone = place.daemon.python(LISTEN + script, document).stdout.split()
    assert gone == names
    shell.until_gone("ls /sys/class/net /sys/block", "eth0")
    shell.until_gone("ls /sys/block", "sd")
    shell.until_gone("cat /sys/class/misc/hw_random/rng_available", "virtio_rng")
    # Nothing of them is left in QEMU.
    left = place.daemon.virsh("qemu-monitor-command", "guest", '{"execute": "query-chardev"}').stdout
    assert "charchannel0" not in left
    assert "user" not in place.daemon.virsh("qemu-monitor-command", "guest", "--hmp", "info network").stdout


def test_live_config_and_both(place: Place) -> None:
    card = place.file(
        "card.xml", "<interface type='user'><mac address='52:54:00:00:00:02'/><model type='virtio'/></interface>"
    )
    run = place.daemon.virsh
    run("attach-device", "guest", card, "--config")
    assert ("00:00:02" in place.live(), "00:00:02" in place.defined()) == (False, True)
    assert place.refused("detach-device", "guest", card, "--live") == (
        "error: device not found: no device found at address '(<null>)' matching MAC address '52:54:00:00:00:02' and "
        "alias '(<null>)'"
    )
    run("detach-device", "guest", card, "--config")
    assert "00:00:02" not in place.defined()
    run("attach-device", "guest", card, "--persistent")
    assert ("00:00:02" in place.live(), "00:00:02" in place.defined()) == (True, True)
    assert "ua-" not in place.defined()
    assert "<alias name='net" not in place.defined()
    run("detach-device", "guest", card, "--live", "--config")
    place.shell.until_gone("ls /sys/class/net", "eth")
    assert ("00:00:02" in place.live(), "00:00:02" in place.defined()) == (False, False)
    # What the definition refuses is not done to the guest either.
    image = place.image("both.img")
    run("attach-disk", "guest", image, "vdf", "--config")
    assert place.refused("attach-disk", "guest", image, "vdf", "--live", "--config") == (
        "error: Requested operation is not valid: target vdf already exists"
    )
    assert "vdf" not in place.live()
    run("detach-disk", "guest", "vdf", "--config")


def test_refusals(place: Place) -> None:
    cases = {
        "<disk type='file'><source file='/x'/><target dev='sdz' bus='sata'/></disk>": (
            "Operation not supported: disk bus 'sata' cannot be hotplugged."
        ),
        "<disk type='file' device='floppy'><source file='/x'/><target dev='fda'/></disk>": (
            "Operation not supported: floppy device hotplug isn't supported"
        ),
        "<controller type='usb' index='3'/>": "Operation not supported: 'usb' controller cannot be hot plugged.",
        "<watchdog model='itco'/>": "Operation not supported: hotplug of watchdog model 'itco' is not supported",
        "<input type='mouse' bus='ps2'/>": "Operation not supported: input device on bus 'ps2' cannot be hot plugged.",
        "<video><model type='virtio'/></video>": (
            "Operation not supported: live attach of device 'video' is not supported"
        ),
        "<memballoon model='virtio'/>": (
            "Operation not supported: live attach of device 'memballoon' is not supported"
        ),
        "<nonsense/>": "unsupported configuration: unknown device type 'nonsense'",
    }
    for document, text in cases.items():
        path = place.file("refused.xml", document)
        assert place.refused("attach-device", "guest", path, "--live") == f"error: {text}", document
    missing = place.file("m.xml", "<disk type='file'><source file='/nowhere.img'/><target dev='vdz'/></disk>")
    before = place.live()
    assert "No such file or directory" in place.refused("attach-device", "guest", missing)
    assert place.live() == before
    assert "vdz" not in (place.daemon.root / "run/qemu/guest.xml").read_text()
    gone = {
        ("detach-device-alias", "guest", "nothing"): "internal error: no device found with alias nothing",
        ("detach-disk", "guest", "sdh"): "Operation not supported: disk device type 'cdrom' cannot be detached",
    }
    for argv, text in gone.items():
        assert place.refused(*argv) == f"error: {text}"


def test_discs_in_a_drive(place: Place) -> None:
    first, second = place.image("first.iso", 4 << 20), place.image("second.iso", 8 << 20)
    run = place.daemon.virsh
    size = "cat /sys/block/sr0/size"
    assert run("change-media", "guest", "sda", first, "--insert").stdout.strip() == "Successfully inserted media."
    assert f"<source file='{first}' index='" in place.live()
    place.shell.run("dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>/dev/null")
    assert place.shell.run(size) == str((4 << 20) // 512)
    assert place.refused("change-media", "guest", "sda", second, "--insert") == (
        "error: The disk device 'sda' already has media"
    )
    assert run("change-media", "guest", "sda", second, "--update").stdout.strip() == "Successfully updated media."
    place.shell.run("dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>/dev/null")
    assert place.shell.run(size) == str((8 << 20) // 512)
    # A disc that is not there leaves the present one in the drive.
    assert "No such file" in place.refused("change-media", "guest", "sda", "/nowhere.iso", "--update")
    assert second in place.live()
    assert second in run("qemu-monitor-command", "guest", "--hmp", "info block").stdout
    # A guest that holds the tray keeps the disc, unless it is taken by force.
    place.shell.run("exec 9</dev/sr0; echo 1 > /proc/sys/dev/cdrom/lock; exec 8</dev/sr0")
    done = place.daemon.guest("change-media", "guest", "sda", "--eject", check=False)
    if done.returncode:
        assert "timed out waiting to open tray of 'sda'" in done.stderr
        assert second in place.live()
        done = place.daemon.guest("change-media", "guest", "sda", "--eject", "--force")
    assert done.stdout.strip() == "Successfully ejected media."
    place.shell.run("exec 9<&-; exec 8<&-")
    assert second not in place.live()
    inside = run("qemu-monitor-command", "guest", "--hmp", "info block").stdout
    assert first not in inside
    assert second not in inside


def test_card_is_unplugged_and_changed(place: Place) -> None:
    card = "<interface type='user'><mac address='52:54:00:00:00:03'/><model type='virtio'/>{}</interface>"
    path = place.file("link.xml", card.format(""))
    run = place.daemon.virsh
    run("attach-device", "guest", path)
    name = place.shell.until("ls /sys/class/net", "eth").split()[0]
    place.shell.run(f"ip link set {name} up")
    place.shell.until(f"cat /sys/class/net/{name}/carrier", "1")
    run("update-device", "guest", place.file("down.xml", card.format("<link state='down'/>")))
    assert "<link state='down'/>" in place.live()
    place.shell.until(f"cat /sys/class/net/{name}/carrier", "0")
    other = place.file(
        "mac.xml", "<interface type='user'><mac address='52:54:00:00:00:03'/><model type='e1000'/></interface>"
    )
    assert place.refused("update-device", "guest", other) == (
        "error: Operation not supported: cannot modify network device model from virtio to e1000"
    )
    mtu = place.file(
        "mtu.xml", "<disk type='file' device='cdrom'><target dev='sda' bus='scsi'/><serial>X</serial></disk>"
    )
    assert place.refused("update-device", "guest", mtu) == (
        "error: Operation not supported: cannot modify field 'serial' of the disk"
    )
    run("detach-interface", "guest", "user", "--mac", "52:54:00:00:00:03")
    place.shell.until_gone("ls /sys/class/net", "eth")


def test_guest_that_lets_go_later(place: Place) -> None:
    """A paused guest cannot let go; when it runs again it does, and is honoured then, by another daemon, too."""
    image = place.image("late.img")
    run = place.daemon.virsh
    run("attach-disk", "guest", image, "vdg")
    place.shell.until("ls /sys/block", "vd")
    run("suspend", "guest")
    began = time.monotonic()
    done = place.daemon.guest("detach-disk", "guest", "vdg")
    assert 4.5 < time.monotonic() - began < 8
    assert done.stdout.strip() == "The guest has been asked to let go, and has not yet"
    assert "vdg" in place.live()
    run("resume", "guest")
    end = time.monotonic() + 20
    while "vdg" in place.live():
        assert time.monotonic() < end
        time.sleep(0.1)
    place.shell.until_gone("ls /sys/block", "vd")
    assert "libvirt-" not in run("qemu-monitor-command", "guest", "--hmp", "info block -n").stdout


def test_agent_on_a_channel_that_is_plugged_in(daemon: Daemon, short_path: Path) -> None:
    """On the other kind of PC, whose slots are ACPI's."""
    document = tiny_xml("guest", devices="<controller type='virtio-serial' index='0'/>", agent=True)
    document = document.replace(AGENT_CHANNEL, "").replace("machine='q35'", "machine='pc'")
    for name, text in (("guest.xml", document), ("channel.xml", AGENT_CHANNEL)):
        (short_path / name).write_text(text)
    daemon.virsh("define", str(short_path / "guest.xml"))
    daemon.virsh("start", "guest")
    shell = GuestShell(daemon.virsh("ttyconsole", "guest").stdout.strip())
    shell.until_ready()
    daemon.virsh("attach-device", "guest", str(short_path / "channel.xml"))
    port = shell.until("ls /sys/class/virtio-ports", "vport").split()[-1]
    shell.run(f"mkdir -p /var/run /var/log; (qemu-ga -m virtio-serial -p /dev/{port} >/dev/null 2>&1 &)")
    end = time.monotonic() + 20
    while "state='connected'" not in daemon.virsh("dumpxml", "guest").stdout:
        assert time.monotonic() < end
        time.sleep(0.1)
    tainted = "tainted: custom guest agent control commands issued"
    assert tainted not in daemon.virsh("dominfo", "guest").stdout
    assert daemon.virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}').stdout.strip() == '{"return":{}}'
    assert tainted in daemon.virsh("dominfo", "guest").stdout
    daemon.virsh("detach-device", "guest", str(short_path / "channel.xml"))
    done = daemon.virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}', check=False)
    assert "QEMU guest agent is not configured" in done.stderr
    image = short_path / "disk.img"
    with image.open("wb") as stream:
        stream.truncate(1 << 20)
    daemon.virsh("attach-disk", "guest", str(image), "vdb")
    shell.until("ls /sys/block", "vd")
    daemon.virsh("detach-disk", "guest", "vdb")
    shell.until_gone("ls /sys/block", "vd")
    shell.close()


def test_guest_that_refuses(daemon: Daemon, short_path: Path) -> None:
    """Memory that the kernel uses for itself cannot be given up, and the guest says so at once."""
    extra = "<maxMemory slots='4' unit='MiB'>1024</maxMemory>"
    extra += "<cpu><numa><cell id='0' cpus='0' memory='192' unit='MiB'/></numa></cpu>"
    document = short_path / "guest.xml"
    document.write_text(tiny_xml("guest", extra=extra))
    memory = short_path / "memory.xml"
    memory.write_text("<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>")
    daemon.virsh("define", str(document))
    daemon.virsh("start", "guest")
    shell = GuestShell(daemon.virsh("ttyconsole", "guest").stdout.strip())
    shell.until_ready()
    daemon.virsh("attach-device", "guest", str(memory), "--persistent")
    block = shell.until("ls /sys/devices/system/memory", "memory32") and "/sys/devices/system/memory/memory32"
    before = shell.run("head -1 /proc/meminfo")
    shell.run(f"echo online_kernel > {block}/state")
    assert shell.run("head -1 /proc/meminfo") != before
    # What the kernel takes from now on, it takes there: stacks and page tables, which cannot move.
    shell.run("for number in 1 2 3 4 5 6 7 8; do (sleep 1000 &) ; done")
    script = """
xml = open(sys.argv[2]).read()
try: dom.detachDeviceFlags(xml, 3)
except libvirt.libvirtError as error: print(error)
until(lambda: got)
print(*got[0])
"""
    told = daemon.python(LISTEN + script, str(memory)).stdout.splitlines()
    assert told[0] == "operation failed: unplug of device was rejected by the guest"
    assert told[1] == "DEVICE_REMOVAL_FAILED dimm0"
    assert "<alias name='dimm0'/>" in daemon.virsh("dumpxml", "guest").stdout
    assert "<memory model='dimm'>" in daemon.virsh("dumpxml", "--inactive", "guest").stdout
    assert "<memory unit='KiB'>327680</memory>" in daemon.virsh("dumpxml", "guest").stdout
    shell.close()


def test_mainframe(daemon: Daemon, short_path: Path) -> None:
    """Where there is no PCI bus to plug into, devices come by channel; the firmware need not agree."""
    if not os.path.exists("/usr/bin/qemu-system-s390x"):
        pytest.skip("there is no QEMU for s390x")
    document = short_path / "guest.xml"
    document.write_text(
        "<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><os><type arch='s390x'>hvm</type></os>"
        "<devices><memballoon model='none'/></devices></domain>"
    )
    image = short_path / "image"
    with image.open("wb") as stream:
        stream.truncate(1 << 20)
    daemon.virsh("define", str(document))
    daemon.virsh("start", "guest", "--paused")
    daemon.virsh("attach-disk", "guest", str(image), "vda", "--persistent")
    address = "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0000'/>"
    assert address in daemon.virsh("dumpxml", "guest").stdout
    assert address in daemon.virsh("dumpxml", "--inactive", "guest").stdout
    plugged = daemon.virsh("qemu-monitor-command", "guest", "--hmp", "info qtree").stdout
    assert 'dev: virtio-blk-ccw, id "virtio-disk0"' in plugged
    assert 'devno = "fe.0.0000"' in plugged
