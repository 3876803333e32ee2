"""Other stock clients: virsh as the guide has it, in an editor and at a terminal; virt-xml, virt-clone, libguestfs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, need
from tests.support.terminal import Terminal
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.stock

#: Making libguestfs's appliance the first time, and booting it under TCG.
APPLIANCE_DEADLINE = 240.0
BOOTED = 40.0


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """One daemon for all tests of this file; each removes its guests."""
    need("virsh", "qemu-system-x86_64", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


@pytest.fixture
def image(host: Daemon) -> Path:
    """A disk image, empty."""
    path = host.root.parent / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "64M"], check=True)
    return path


@pytest.fixture
def sles(host: Daemon, image: Path) -> Iterator[str]:
    """The guide's guest, by its name: off, with a disk, a network card and a screen."""
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk><interface type='user'><model type='virtio'/></interface>"
        "<graphics type='vnc' port='-1'/>"
    )
    path = host.root / "sles15.xml"
    path.write_text(tiny_xml("sles15", devices=devices))
    host.virsh("define", str(path))
    yield "sles15"
    for name in host.virsh("list", "--all", "--name").stdout.split():
        host.virsh("destroy", name, check=False)
        host.virsh("undefine", name, "--nvram", check=False)


def config(host: Daemon, name: str) -> ET.Element:
    return ET.fromstring(host.virsh("dumpxml", name, "--inactive").stdout)


def edit(host: Daemon, name: str, change: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    """`virsh edit` with sed for an editor."""
    return subprocess.run(
        ["virsh", "-c", host.uri, "edit", name], capture_output=True, text=True, input=answer, timeout=30, check=False,
        env={**os.environ, "VISUAL": f"sed -i {change}"},
    )  # fmt: skip


# -- virsh, chapter 8 of the guide -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("s/machine=.pc-q35-[0-9.]*/machine='q35/", "os/type", "hvm"),
        ("s,<vcpu.*vcpu>,<vcpu>3</vcpu>,", "vcpu", "3"),
        ("s,<memory.*memory>,<memory>262144</memory>,", "memory", "262144"),
        (r"s,<os>,<os><boot\\ dev='cdrom'/><boot\\ dev='hd'/>,", "os/boot[1][@dev='cdrom']", None),
        (r"/<cpu/,/cpu>/c<cpu\\ mode='host-model'/>", "cpu[@mode='host-model']", None),
    ],
)
def test_editing(host: Daemon, sles: str, change: str, path: str, value: str | None) -> None:
    assert f"   {sles}" in host.virsh("list", "--inactive").stdout
    done = edit(host, sles, f'"{change}"')
    assert f"Domain '{sles}' XML configuration edited." in done.stdout, done.stderr
    found = config(host, sles).find(path)
    assert found is not None
    assert value is None or found.text == value
    host.virsh("start", sles)


def test_editing_that_changes_nothing_or_too_much(host: Daemon, sles: str) -> None:
    assert "not changed" in edit(host, sles, "s/x/x/").stdout
    done = edit(host, sles, "'s/vcpu/vcpux/g'", answer="n\n")
    assert "error: " in done.stderr
    assert config(host, sles).findtext("vcpu") == "1"


def counts(host: Daemon, name: str) -> dict[tuple[str, str], int]:
    rows = [line.split() for line in host.virsh("vcpucount", name).stdout.splitlines() if line]
    return {(which, where): int(number) for which, where, number in rows}


def test_the_number_of_processors(host: Daemon, sles: str) -> None:
    """Section 8.4.1: up to the maximum while the guest runs; down to what it was started with."""
    host.virsh("setvcpus", sles, "4", "--config", "--maximum")
    host.virsh("setvcpus", sles, "2", "--config")
    host.virsh("start", sles)
    assert counts(host, sles)["current", "live"] == 2
    host.virsh("setvcpus", sles, "--count", "4", "--live")
    assert counts(host, sles) == {
        ("maximum", "config"): 4, ("maximum", "live"): 4, ("current", "config"): 2, ("current", "live"): 4,
    }  # fmt: skip
    assert host.virsh("vcpuinfo", sles).stdout.count("VCPU:") == 4
    for command, text in (
        (["5", "--live"], "requested vcpus is greater than max allowable vcpus for the live domain: 5 > 4"),
        (["5", "--config"], "greater than max allowable vcpus for the persistent domain: 5 > 4"),
        (["1", "--live"], "failed to find appropriate hotpluggable vcpus"),
    ):
        done = host.virsh("setvcpus", sles, *command, check=False)
        assert (done.returncode, text in done.stderr) == (1, True), done.stderr
    host.kill()
    host.start()
    assert counts(host, sles)["current", "live"] == 4


# -- virsh at a terminal, chapter 11 ---------------------------------------------------------------


def test_a_console_is_taken_over(host: Daemon, sles: str) -> None:
    host.virsh("start", sles)
    command = ["virsh", "-c", host.uri, "console", sles]
    with Terminal(*command) as first:
        first.expect("Escape character is ^]")
        first.expect("login:", BOOTED)
        first.type("root\r")
        first.expect("# ")
        with Terminal(*command, "--safe") as second:
            second.expect("Active console session exists for this domain")
            assert second.wait() == 1
        with Terminal(*command, "--force") as third:
            third.expect("Escape character is ^]")
            third.type("\recho $((6*7))\r")
            third.expect("42\r\n")
            third.type("\x1d")
            assert third.wait() == 0
        first.wait()


def test_the_shell(host: Daemon, sles: str) -> None:
    with Terminal("virsh", "-c", host.uri) as shell:
        shell.expect("virsh # ")
        shell.type(f"start {sles}; domstate {sles}\r")
        shell.expect(f"Domain '{sles}' started")
        shell.expect("running")
        shell.expect("virsh # ")
        shell.type("nonsense\r")
        shell.expect("unknown command: 'nonsense'")
        shell.type("quit\r")
        assert shell.wait() == 0
    with Terminal("virsh", "-r", "-c", host.uri) as shell:
        shell.expect("virsh > ")
        shell.type(f"destroy {sles}\r")
        shell.expect("read only access prevents virDomainDestroy")
        shell.type("quit\r")
        shell.wait()


def test_events(host: Daemon, sles: str) -> None:
    with Terminal("virsh", "-c", host.uri, "event", "--all", "--loop") as events:
        end = time.monotonic() + 20
        while "Started" not in events.seen:
            assert time.monotonic() < end
            host.virsh("start", sles, check=False)
            time.sleep(0.1)
            events.wait_for_output(0.3)
        host.virsh("suspend", sles)
        events.expect(f"event 'lifecycle' for domain '{sles}': Suspended Paused")
        host.virsh("destroy", sles)
        events.expect(f"event 'lifecycle' for domain '{sles}': Stopped Destroyed")
        events.type("\x03")
        events.wait()


def test_several_commands_in_one_call(host: Daemon, sles: str) -> None:
    done = host.virsh(f"start {sles} --paused; domstate {sles} --reason; resume {sles}; destroy {sles}; list --all")
    for text in ("started", "paused (user)", "resumed", "destroyed", "shut off"):
        assert text in done.stdout, text


# -- virt-xml and virt-clone -----------------------------------------------------------------------


def virt_xml(host: Daemon, *arguments: str) -> str:
    need("virt-xml")
    return host.run("virt-xml", "--connect", host.uri, *arguments).stdout


def test_virt_xml_edits_a_definition(host: Daemon, sles: str, tmp_path: Path) -> None:
    virt_xml(host, sles, "--edit", "--memory", "256")
    virt_xml(host, sles, "--edit", "--vcpus", "2,maxvcpus=4")
    virt_xml(host, sles, "--edit", "target=vda", "--disk", "cache=none")
    virt_xml(host, sles, "--add-device", "--network", "user,model=e1000e")
    virt_xml(host, sles, "--add-device", "--rng", "/dev/urandom")
    domain = config(host, sles)
    assert domain.findtext("memory") == str(256 * 1024)
    assert domain.find("vcpu[@current='2']") is not None
    assert domain.find("devices/disk/driver[@cache='none']") is not None
    assert [model.get("type") for model in domain.findall("devices/interface/model")] == ["virtio", "e1000e"]
    virt_xml(host, sles, "--remove-device", "--network", "2")
    virt_xml(host, sles, "--start", "--edit", "--metadata", "title=Edited")
    assert len(config(host, sles).findall("devices/interface")) == 1
    assert config(host, sles).findtext("title") == "Edited"
    assert host.virsh("domstate", sles).stdout.strip() == "running"


def test_virt_xml_builds_devices(host: Daemon, sles: str, image: Path) -> None:
    image.with_name("raw.img").write_bytes(bytes(4096))
    assert 'dev="sda"' in virt_xml(host, sles, "--build-xml", "--disk", str(image.with_name("raw.img")))
    assert "<title>" not in ET.tostring(config(host, sles), encoding="unicode")
    assert "+  <title>" in virt_xml(host, sles, "--edit", "--metadata", "title=New", "--print-diff", "--no-define")


def test_virt_clone_around_a_copied_disk(host: Daemon, sles: str, image: Path) -> None:
    need("virt-clone")
    copy = image.with_name("copy.qcow2")
    shutil.copy(image, copy)
    arguments = ["--original", sles, "--name", "clone", "--file", str(copy), "--preserve-data"]
    done = host.run("virt-clone", "--connect", host.uri, *arguments)
    assert "Clone 'clone' created successfully." in done.stdout
    one, other = config(host, sles), config(host, "clone")
    assert other.find("devices/disk/source").get("file") == str(copy)  # type: ignore[union-attr]
    for path in ("uuid", "name"):
        assert one.findtext(path) != other.findtext(path)
    macs = [domain.find("devices/interface/mac").get("address") for domain in (one, other)]  # type: ignore[union-attr]
    assert macs[0] != macs[1]
    host.virsh("start", "clone")


def test_virt_clone_copies_the_disks(host: Daemon, sles: str, image: Path) -> None:
    need("virt-clone")
    host.run("virt-clone", "--connect", host.uri, "--original", sles, "--auto-clone")
    source = config(host, f"{sles}-clone").find("devices/disk/source")
    assert source is not None
    copy = Path(source.get("file", ""))
    assert copy != image
    assert copy.exists()
    host.virsh("start", sles)
    host.virsh("start", f"{sles}-clone")
    host.virsh("destroy", f"{sles}-clone")
    host.virsh("undefine", f"{sles}-clone", "--remove-all-storage")
    assert not copy.exists()
    assert image.exists()


# -- virt-viewer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("attach", [[], ["--attach"]], ids=["by address", "by descriptor"])
def test_virt_viewer_waits_for_a_guest_and_shows_its_screen(host: Daemon, sles: str, attach: list[str]) -> None:
    """With `--attach` the daemon hands over a connected descriptor, else the viewer connects to the address."""
    need("xvfb-run", "virt-viewer")
    viewer = ["virt-viewer", "--debug", "--wait", "--reconnect", *attach, "-c", host.uri, sles]
    with Terminal("xvfb-run", "-a", *viewer) as terminal:
        terminal.expect("waiting for it to start")
        host.virsh("start", sles)
        terminal.expect(f"Guest {sles} has a vnc display")
        terminal.expect("notebook show display")
        assert ("direct TCP connection" in terminal.seen) is not bool(attach)
        host.virsh("destroy", sles)
        terminal.expect("display has disconnected, waiting to reconnect", 20)


# -- libguestfs ------------------------------------------------------------------------------------


def test_libguestfs_works_on_an_image_through_the_daemon(host: Daemon, tmp_path: Path) -> None:
    """It makes a transient guest with a SCSI controller, sockets of its own, and an environment for QEMU."""
    need("guestfish", "supermin")
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"")
    os.truncate(disk, 50 * 1024 * 1024)
    script = (
        "run\npart-disk /dev/sda mbr\nmkfs ext2 /dev/sda1\nmount /dev/sda1 /\nwrite /hello guesthouse\ncat /hello\n"
    )
    done = subprocess.run(
        ["guestfish", "-a", str(disk)], input=script, capture_output=True, text=True,
        timeout=APPLIANCE_DEADLINE, check=False,
        env={**os.environ, "LIBGUESTFS_BACKEND": f"libvirt:{host.uri}", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"},
    )  # fmt: skip
    assert done.stdout.strip() == "guesthouse", done.stderr
    assert host.virsh("list", "--all", "--name").stdout.split() == []
    log = next((host.root / "log/qemu").glob("guestfs-*.log")).read_text()
    assert "TMPDIR=" in log


def test_arguments_for_qemu_itself(host: Daemon, sles: str) -> None:
    """virt-install's `--qemu-commandline` makes this; it taints the guest, and outlives the daemon's restart."""
    path = host.root / "custom.xml"
    extra = "<qemu:commandline><qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/x,string=y'/></qemu:commandline>"
    text = tiny_xml("custom").replace("</domain>", extra + "</domain>")
    path.write_text(text.replace("<domain ", "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' "))
    host.virsh("create", str(path))
    assert "tainted: custom configuration parameters specified" in host.virsh("dominfo", "custom").stdout
    assert b"name=opt/x,string=y" in Path(f"/proc/{host.guest_processes()[0]}/cmdline").read_bytes()
    host.kill()
    host.start()
    assert "<qemu:arg value='-fw_cfg'/>" in host.virsh("dumpxml", "custom").stdout
    assert "is tainted: custom-argv" in host.output
