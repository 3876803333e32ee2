"""Debian's virt-install against a real daemon: what people type to make a guest of an image or of a kernel."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support import tiny
from tests.support.daemon import Daemon, need
from tests.support.terminal import Terminal

pytestmark = pytest.mark.stock

#: What every guest here has. The first two are about the test, not about the guest: TCG, and no waiting.
PLAIN = ["--virt-type", "qemu", "--noautoconsole", "--memory", "192", "--check", "path_in_use=off"]


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """One daemon for all tests of this file; each removes its guest."""
    need("virt-install", "virsh", "qemu-system-x86_64", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        images = Path(folder) / "images"
        images.mkdir()
        for name in ("disk.qcow2", "second.qcow2"):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", name, "64M"], check=True, cwd=images)
        (images / "boot.iso").write_bytes(bytes(65536))
        try:
            yield daemon.start()
        finally:
            daemon.stop()


@pytest.fixture
def image(host: Daemon) -> str:
    return str(host.root.parent / "images/disk.qcow2")


@pytest.fixture(autouse=True)
def _clean(host: Daemon) -> Iterator[None]:
    yield
    for name in host.virsh("list", "--all", "--name").stdout.split():
        host.virsh("destroy", name, check=False)
        host.virsh("undefine", name, "--nvram", check=False)


def install(host: Daemon, *options: str, name: str = "vm") -> str:
    """Run virt-install; returns what it printed."""
    done = host.run("virt-install", "--connect", host.uri, "--name", name, *PLAIN, *options)
    return done.stdout + done.stderr


def imported(host: Daemon, image: str, *options: str, name: str = "vm") -> ET.Element:
    """Import the image with these options; returns the running guest's document."""
    system = [] if "--osinfo" in options else ["--osinfo", "linux2022"]
    network = [] if "--network" in options else ["--network", "none"]
    install(host, "--import", "--disk", f"{image},format=qcow2", *system, *network, *options, name=name)
    assert host.virsh("domstate", name).stdout.strip() == "running"
    return document(host, name)


def document(host: Daemon, name: str = "vm", *options: str) -> ET.Element:
    return ET.fromstring(host.virsh("dumpxml", name, *options).stdout)


def kernel_options() -> str:
    if not tiny.KERNEL.exists():
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    return f"kernel={tiny.KERNEL},initrd={tiny.INITRD},kernel_args=console=ttyS0 quiet"


@pytest.mark.parametrize("system", ["linux2022", "debian11", "generic", "detect=off,require=off", "win10"])
def test_an_image_is_imported_with_the_defaults_of_a_system(host: Daemon, image: str, system: str) -> None:
    guest = imported(host, image, "--osinfo", system, "--network", "user", "--graphics", "vnc")
    source = guest.find("devices/disk/source")
    assert source is not None
    assert source.get("file") == image
    assert guest.find("devices/interface[@type='user']") is not None
    assert guest.find("devices/graphics[@type='vnc']") is not None


def test_virt_install_makes_a_pool_of_the_images_folder(host: Daemon, image: str) -> None:
    imported(host, image)
    assert host.virsh("pool-info", "images").returncode == 0
    assert image in host.virsh("vol-list", "images").stdout


def test_a_disk_is_made_with_the_guest_and_removed_with_it(host: Daemon, image: str) -> None:
    path = Path(image).with_name("fresh.qcow2")
    install(host, "--import", "--disk", f"path={path},size=0.125", "--osinfo", "linux2022", "--network", "none")
    assert host.virsh("domblkinfo", "vm", "vda").stdout.split()[1] == str(128 * 1024**2)
    host.virsh("destroy", "vm")
    host.virsh("undefine", "vm", "--storage", "vda")
    assert not path.exists()


def test_the_guest_stays_defined_without_what_only_the_installation_has(host: Daemon, image: str) -> None:
    running = imported(host, image, "--graphics", "none", "--autostart")
    stopped = document(host, "vm", "--inactive")
    assert running.findtext("uuid") == stopped.findtext("uuid")
    assert stopped.get("id") is None
    assert stopped.findtext("on_reboot") == "restart"
    assert "enable" in host.virsh("dominfo", "vm").stdout


def test_uefi(host: Daemon, image: str) -> None:
    if not list(Path("/usr/share/qemu/firmware").glob("*x86_64*.json")):
        pytest.skip("no firmware descriptors are installed")
    guest = imported(host, image, "--boot", "uefi")
    loader = guest.findtext("os/loader") or ""
    nvram = guest.findtext("os/nvram") or ""
    assert Path(loader).exists()
    assert Path(nvram).stat().st_size == Path(guest.find("os/nvram").get("template", "")).stat().st_size  # type: ignore[union-attr]
    host.virsh("destroy", "vm")
    host.virsh("undefine", "vm", "--nvram")
    assert not Path(nvram).exists()


def test_boot_order(host: Daemon, image: str) -> None:
    guest = imported(host, image, "--boot", "hd,cdrom,menu=on")
    assert [boot.get("dev") for boot in guest.findall("os/boot")] == ["hd", "cdrom"]
    assert guest.find("os/bootmenu[@enable='yes']") is not None


def test_transient(host: Daemon, image: str) -> None:
    imported(host, image, "--transient")
    assert host.virsh("dominfo", "vm").stdout.split("Persistent:")[1].split()[0] == "no"
    host.virsh("destroy", "vm")
    assert "vm" not in host.virsh("list", "--all", "--name").stdout.split()


@pytest.mark.parametrize(
    ("cpu", "mode"), [("host-model", "host-model"), ("Nehalem", "custom"), ("mode=maximum", "maximum")]
)
def test_processors(host: Daemon, image: str, cpu: str, mode: str) -> None:
    guest = imported(host, image, "--cpu", cpu, "--vcpus", "2,sockets=1,cores=2,threads=1")
    assert document(host, "vm", "--inactive").find(f"cpu[@mode='{mode}']") is not None
    assert guest.findtext("vcpu") == "2"
    assert guest.find("cpu/topology[@cores='2']") is not None


def test_a_processor_that_only_kvm_has_is_refused_in_libvirts_words(host: Daemon, image: str) -> None:
    done = host.run(
        "virt-install", "--connect", host.uri, "--name", "vm", *PLAIN, "--import", "--disk", image,
        "--osinfo", "linux2022", "--network", "none", "--cpu", "host-passthrough", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "CPU mode 'host-passthrough' for x86_64 qemu domain on x86_64 host is not supported" in done.stderr
    assert host.virsh("list", "--all", "--name").stdout.split() == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--rng", "/dev/urandom", "--sound", "ich9", "--tpm", "none"], ["rng", "sound[@model='ich9']"]),
        (["--watchdog", "i6300esb,action=reset"], ["watchdog[@model='i6300esb']"]),
        (["--video", "virtio"], ["video/model[@type='virtio']"]),
        (["--controller", "scsi,model=virtio-scsi"], ["controller[@model='virtio-scsi']"]),
        (["--channel", "unix,target.type=virtio,target.name=org.foo"], ["channel/target[@name='org.foo']"]),
        (["--graphics", "vnc,port=-1,listen=0.0.0.0"], ["graphics/listen[@address='0.0.0.0']"]),
        (["--input", "tablet", "--memballoon", "none", "--panic", "default"], ["input[@type='tablet']", "panic"]),
        (["--serial", "pty", "--console", "pty,target.type=virtio"], ["console/target[@type='virtio']"]),
        (["--network", "user,model=e1000e", "--network", "user,model=rtl8139"], ["interface/model[@type='e1000e']"]),
        (["--machine", "pc"], ["controller[@model='pci-root']"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_devices(host: Daemon, image: str, options: list[str], found: list[str]) -> None:
    guest = imported(host, image, *options)
    for path in found:
        assert guest.find(f"devices/{path}") is not None, path


def test_several_disks(host: Daemon, image: str) -> None:
    folder = Path(image).parent
    guest = imported(
        host, image, "--disk", f"{folder}/second.qcow2,bus=scsi,cache=none,discard=unmap",
        "--disk", f"{folder}/boot.iso,device=cdrom,bus=sata",
    )  # fmt: skip
    buses = [target.get("bus") for target in guest.findall("devices/disk/target")]
    assert buses == ["virtio", "scsi", "sata"]
    assert guest.find("devices/disk[@device='cdrom']/readonly") is not None


def test_metadata(host: Daemon, image: str) -> None:
    uuid = "11111111-2222-4333-8444-555555555555"
    guest = imported(host, image, "--metadata", f"title=A title,description=Some text,uuid={uuid}")
    assert (guest.findtext("uuid"), guest.findtext("title")) == (uuid, "A title")
    assert host.virsh("desc", "vm").stdout.strip() == "Some text"
    assert guest.find("metadata/{http://libosinfo.org/xmlns/libvirt/domain/1.0}libosinfo") is not None


def test_an_installation_from_a_cdrom(host: Daemon, image: str) -> None:
    iso = str(Path(image).with_name("boot.iso"))
    install(host, "--cdrom", iso, "--disk", image, "--osinfo", "linux2022", "--network", "none", "--wait", "0")
    running, next_start = document(host), document(host, "vm", "--inactive")
    assert [boot.get("dev") for boot in running.findall("os/boot")] == ["cdrom", "hd"]
    assert [boot.get("dev") for boot in next_start.findall("os/boot")] == ["hd"]


def test_printing_and_trying_change_nothing(host: Daemon, image: str) -> None:
    wanted = ["--import", "--disk", image, "--osinfo", "linux2022", "--network", "none"]
    printed = install(host, *wanted, "--print-xml")
    assert "<name>vm</name>" in printed
    assert "Dry run completed successfully" in install(host, *wanted, "--dry-run")
    assert host.virsh("list", "--all", "--name").stdout.split() == []


def test_an_image_that_another_guest_has(host: Daemon, image: str) -> None:
    imported(host, image)
    arguments = ["--virt-type", "qemu", "--noautoconsole", "--memory", "192", "--osinfo", "generic"]
    done = host.run(
        "virt-install", "--connect", host.uri, "--name", "vm2", *arguments, "--import", "--disk", image, check=False
    )
    assert "is already in use by other guests ['vm']" in done.stderr


def test_a_kernel_boots_to_its_login_on_the_terminal(host: Daemon) -> None:
    """`--graphics none` connects the terminal to the guest's console, until the guest powers off."""
    command = [
        "virt-install", "--connect", host.uri, "--name", "vm", "--virt-type", "qemu", "--memory", "192", "--import",
        "--disk", "none", "--osinfo", "linux2022", "--network", "none", "--graphics", "none",
        "--boot", kernel_options(),
    ]  # fmt: skip
    with Terminal(*command) as terminal:
        terminal.expect("Escape character is ^]")
        terminal.expect("login:")
        terminal.type("root\r")
        terminal.expect("# ")
        terminal.type("uname -s\r")
        terminal.expect("Linux\r\n")
        terminal.type("poweroff\r")
        assert terminal.wait() == 0, terminal.seen
    assert host.virsh("domstate", "vm", "--reason").stdout.strip() == "shut off (shutdown)"


def test_a_kernel_for_the_installation_only(host: Daemon, image: str, tmp_path: Path) -> None:
    """`--install kernel=` is for the first boot; afterwards the guest boots from its disk."""
    kernel, initrd = tmp_path / "vmlinuz", tmp_path / "initrd.gz"
    kernel_options()
    shutil.copy(tiny.KERNEL, kernel)
    shutil.copy(tiny.INITRD, initrd)
    install(
        host, "--install", f"kernel={kernel},initrd={initrd},kernel_args=console=ttyS0", "--disk", image,
        "--osinfo", "linux2022", "--network", "none", "--graphics", "none", "--wait", "0",
    )  # fmt: skip
    assert document(host).find("os/kernel") is not None
    assert document(host, "vm", "--inactive").find("os/kernel") is None
