"""Chapter 9 of the guide: what the Virtual Machine Manager's details view changes, adds and removes.

The chapter prints no XML. Its steps are done by virt-manager's own code (tests/support/details_view.py), with what its
pages would have collected; the guest's definition and the QEMU objects that it comes to are looked at afterwards. The
commands that the chapter prints are typed as printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import SYSTEM_PYTHON, Daemon, need
from tests.support.guide import NAME, PROGRAMS, Reader, lacking, missing
from tests.support.terminal import Terminal
from tests.support.tiny import tiny_xml
from tests.support.tiny_console import eventually

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

RUNNING = "running"
#: A guest with the older chipset, which has neither SATA nor a watchdog of its own.
OLD = "old"
#: Until the guest's driver tells of its memory.
BOOTED = 45.0
VIRT_MANAGER = Path("/usr/share/virt-manager/virtManager")
PROGRAM = Path(__file__).parents[2] / "support/details_view.py"


class DetailsView:
    """virt-manager, connected to a daemon; each request is one of details_view.py's."""

    def __init__(self, daemon: Daemon) -> None:
        self._process = subprocess.Popen(
            ["xvfb-run", "-a", SYSTEM_PYTHON, str(PROGRAM), daemon.uri],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "GSETTINGS_BACKEND": "memory"},
        )  # fmt: skip
        assert "result" in self._read()

    def __call__(self, guest: str, **asked: object) -> object:
        """The result of a request; what a window would have shown as an error fails the test."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"guest": guest, **asked}) + "\n")
        self._process.stdin.flush()
        told = self._read()
        assert "error" not in told, told["error"]
        return told["result"]

    def _read(self) -> dict[str, object]:
        assert self._process.stdout is not None
        told: dict[str, object] = json.loads(self._process.stdout.readline())
        return told

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=20)


@pytest.fixture(scope="module")
def house() -> Iterator[Daemon]:
    """One daemon, with a guest that is off and one that runs."""
    need("virsh", "qemu-system-x86_64", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        images = Path(folder)
        for name in ("disk.raw", "my_distro.iso", "other.iso", "floppy.img"):
            (images / name).write_bytes(bytes(1 << 20))
        media = (
            f"<disk type='file' device='cdrom'><source file='{images}/my_distro.iso'/>"
            "<target dev='sda' bus='sata'/></disk>"
        )
        try:
            daemon.start()
            reader = Reader(daemon, "virsh")
            reader.defines(tiny_xml(NAME, devices=media + "<graphics type='spice'/>"))
            reader.defines(tiny_xml(OLD).replace("machine='q35'", "machine='pc'"))
            reader.defines(tiny_xml(RUNNING, devices=media, extra="<currentMemory unit='MiB'>160</currentMemory>"))
            daemon.virsh("start", RUNNING)
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture(scope="module")
def view(house: Daemon) -> Iterator[DetailsView]:
    """virt-manager, connected to the daemon."""
    need("xvfb-run")
    if not VIRT_MANAGER.exists():
        pytest.skip("virt-manager is not installed (./dev setup installs it)")
    opened = DetailsView(house)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def reader(house: Daemon) -> Reader:
    return Reader(house, "virsh")


# -- The windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("window", "guest"), [("editor", NAME), ("performance", RUNNING)])
def test_the_details_view_opens(house: Daemon, window: str, guest: str) -> None:
    """The chapter's opening and 9.1.2: virt-manager itself, on a screen that nobody sees."""
    need("virt-manager", "xvfb-run")
    command = ["virt-manager", "--no-fork", "--debug", "--connect", house.uri, f"--show-domain-{window}", guest]
    own = {"GSETTINGS_BACKEND": "memory", "HOME": str(house.root.parent)}
    with Terminal("xvfb-run", "-a", *command, env=own) as shown:
        shown.expect(f"domain={guest} status=")
        shown.expect(f"Launching requested window '{window}'")
        shown.expect("window counter incremented to 1")
        shown.wait_for_output(1.0)
    assert "Traceback" not in shown.seen


# -- 9.1 Machine setup -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "method", "arguments", "into", "kept", "objects"),
    [
        (
            "9.1.1", "define_overview", {"title": "A title", "description": "Some text"}, "",
            "<title>A title</title><description>Some text</description>", (),
        ),
        (
            "9.1.3", "define_cpu", {"vcpus": 8}, "", "<vcpu placement='static'>8</vcpu>",
            ({"-": "-smp", "value": "8,sockets=8,cores=1,threads=1"},),
        ),
        (
            "9.1.3", "define_cpu", {"vcpus": 8, "sockets": 2, "cores": 2, "threads": 2}, "cpu",
            "<topology sockets='2' dies='1' clusters='1' cores='2' threads='2'/>",
            ({"-": "-smp", "value": "8,sockets=2,dies=1,clusters=1,cores=2,threads=2"},),
        ),
        (
            "9.1.3", "define_cpu", {"model": "host-model", "secure": True}, "",
            "<cpu mode='host-model' check='partial'/>", (),
        ),
        (
            "9.1.3", "define_cpu", {"model": "Nehalem", "secure": False}, "cpu",
            "<model fallback='allow'>Nehalem</model>", ({"-": "-cpu", "value": "Nehalem"},),
        ),
        (
            "9.1.4", "define_memory", {"memory": 131072, "maxmem": 262144}, "",
            "<memory unit='KiB'>262144</memory><currentMemory unit='KiB'>131072</currentMemory>",
            ({"-": "-m", "value": "size=262144k"},),
        ),
        (
            "9.1.4", "define_memory", {"mem_shared": True}, "memoryBacking",
            "<source type='memfd'/><access mode='shared'/>",
            ({"qom-type": "memory-backend-memfd", "id": "pc.ram", "share": True},),
        ),
        (
            "9.1.5", "define_boot", {"boot_menu": True}, "os", "<bootmenu enable='yes'/>",
            ({"-": "-boot", "value": "menu=on,strict=on"},),
        ),
        (
            "9.1.5", "define_boot", {"boot_order": ["./devices/disk[1]"]}, "devices",
            "<disk type='file' device='cdrom'><boot order='1'/></disk>",
            ({"driver": "ide-cd", "bootindex": 1},),
        ),
        (
            "9.1.5", "define_boot", {"kernel": "/k", "initrd": "/i", "kernel_args": "quiet"}, "os",
            "<kernel>/k</kernel><initrd>/i</initrd><cmdline>quiet</cmdline>",
            ({"-": "-kernel", "value": "/k"}, {"-": "-initrd", "value": "/i"}, {"-": "-append", "value": "quiet"}),
        ),
    ],
)  # fmt: skip
def test_the_machine_is_set_up(
    view: DetailsView, reader: Reader, section: str, method: str, arguments: dict[str, object], into: str, kept: str,
    objects: tuple[dict[str, object], ...],
) -> None:  # fmt: skip
    view(NAME, call=method, **{"with": arguments})
    assert not missing(reader.document(), kept, into), section
    assert not lacking(reader.objects(), objects), reader.objects()


def test_a_guest_is_renamed_and_started_with_the_host(view: DetailsView, reader: Reader) -> None:
    """9.1.1 (the name) and 9.1.5 (the autostart)."""
    view(NAME, call="rename_domain", **{"with": {"new_name": "renamed"}})
    assert reader.document("renamed")
    view("renamed", call="set_autostart", **{"with": {"val": True}})
    assert "enable" in reader.types("virsh dominfo renamed | grep Autostart")
    view("renamed", call="set_autostart", **{"with": {"val": False}})
    view("renamed", call="rename_domain", **{"with": {"new_name": NAME}})
    assert "disable" in reader.types(f"virsh dominfo {NAME} | grep Autostart")


def test_performance_is_shown(view: DetailsView) -> None:
    """9.1.2: the charts of a running guest."""
    charts: dict[str, float] = {}

    def all_show_something() -> bool:
        for chart in ("cpu_time", "stats_memory", "guest_cpu_time_percentage"):
            figure = view(RUNNING, call=chart)
            assert isinstance(figure, int | float)
            charts[chart] = max(figure, charts.get(chart, 0))
        return min(charts.values()) > 0

    eventually(all_show_something, BOOTED)  # what of the memory is used, the guest itself tells
    assert charts["stats_memory"] < 192 * 1024
    assert charts["guest_cpu_time_percentage"] <= 100


def test_a_running_guest_is_changed(view: DetailsView, reader: Reader) -> None:
    """9.1.1 and 9.1.4: the title and the memory take effect at once."""
    view(RUNNING, call="hotplug", **{"with": {"title": "Now", "description": "Then"}})
    live = reader.document(RUNNING, live=True)
    assert not missing(live, "<title>Now</title><description>Then</description>", "")
    view(RUNNING, call="hotplug", **{"with": {"memory": 180224, "maxmem": 196608}})
    assert "196608 KiB" in reader.types(f"virsh dominfo {RUNNING} | grep 'Max memory'")


# -- 9.2 to 9.10: Add Hardware ---------------------------------------------------------------------


@dataclass(frozen=True)
class Added:
    """A device that is added: what its page collects, what the definition holds, what QEMU gets."""

    section: str
    kind: str
    properties: dict[str, str]
    kept: str
    driver: str = ""
    guest: str = NAME

    def __str__(self) -> str:
        return " ".join((self.section, self.kind, *self.properties.values()))


def disk(section: str, device: str, bus: str, driver: str, **more: str) -> Added:
    """A disk device of 9.2, 9.9 or 9.10."""
    path = {"cdrom": "{images}/my_distro.iso", "floppy": "{images}/floppy.img", "lun": "{block}"}.get(
        device, "{images}/disk.raw"
    )
    source = f"<source dev='{path}'/>" if device == "lun" else f"<source file='{path}'/>"
    return Added(
        section,
        "disk",
        {"device": device, "bus": bus, "path": path, **more},
        f"<disk device='{device}'>{source}<target bus='{bus}'/></disk>",
        driver,
    )


def controller(kind: str, model: str, driver: str, guest: str = NAME) -> Added:
    """A controller of 9.3."""
    properties = {"type": kind, **({"model": model} if model else {})}
    kept = f"<controller type='{kind}'{f' model={model!r}' if model else ''}/>"
    return Added("9.3", "controller", properties, kept, driver, guest)


def card(model: str, driver: str, **source: str) -> Added:
    """A network card of 9.4."""
    kept = f"<interface type='{source['type']}'><mac address='52:54:00:12:34:56'/><model type='{model}'/></interface>"
    return Added("9.4", "interface", {"macaddr": "52:54:00:12:34:56", "model": model, **source}, kept, driver)


def pointer(kind: str, bus: str, driver: str) -> Added:
    """An input device of 9.5."""
    return Added("9.5", "input", {"type": kind, "bus": bus}, f"<input type='{kind}' bus='{bus}'/>", driver)


def watchdog(model: str, action: str, guest: str = OLD) -> Added:
    """A watchdog of 9.8. On the newer chipset there is one already, whose action is that of all."""
    kept = f"<watchdog model='{model}' action='{action}'/>"
    return Added("9.8", "watchdog", {"model": model, "action": action}, kept, model, guest)


SOURCES = (
    {"type": "user"},
    {"type": "bridge", "source": "virbr0"},
    {"type": "network", "source": "default"},
    {"type": "direct", "source": "eth0", "source_mode": "bridge"},
)
ADDED = [
    disk("9.2", "disk", "virtio", "virtio-blk-pci"),
    disk("9.2", "disk", "sata", "ide-hd"),
    disk("9.2", "disk", "scsi", "scsi-hd"),
    disk("9.2", "disk", "usb", "usb-storage"),
    disk("9.2", "lun", "scsi", "scsi-block", type="block"),
    *(disk("9.2", "disk", "virtio", "virtio-blk-pci", driver_cache=mode) for mode in ("none", "unsafe", "directsync")),
    disk("9.9", "cdrom", "sata", "ide-cd"),
    disk("9.9", "cdrom", "scsi", "scsi-cd"),
    disk("9.9", "cdrom", "usb", "usb-storage"),
    disk("9.10", "floppy", "fdc", "floppy"),
    controller("ide", "", "", OLD),
    controller("fdc", "", "", OLD),
    controller("scsi", "", "lsi"),
    controller("scsi", "virtio-scsi", "virtio-scsi-pci"),
    controller("sata", "", "ahci"),
    controller("virtio-serial", "", "virtio-serial-pci"),
    controller("usb", "qemu-xhci", "qemu-xhci"),
    controller("usb", "nec-xhci", "nec-usb-xhci"),
    controller("usb", "ehci", "usb-ehci", OLD),
    controller("usb", "piix3-uhci", "piix3-usb-uhci", OLD),
    controller("ccid", "", "usb-ccid"),
    *(card("e1000", "e1000", **source) for source in SOURCES),
    *(card("rtl8139", "rtl8139", **source) for source in SOURCES),
    *(card("virtio", "virtio-net-pci", **source) for source in SOURCES),
    pointer("tablet", "usb", "usb-tablet"),
    pointer("mouse", "usb", "usb-mouse"),
    pointer("keyboard", "usb", "usb-kbd"),
    pointer("tablet", "virtio", "virtio-tablet-pci"),
    pointer("keyboard", "virtio", "virtio-keyboard-pci"),
    Added("9.6", "video", {"model": "qxl"}, "<video><model type='qxl'/></video>", "qxl"),
    Added("9.6", "video", {"model": "virtio"}, "<video><model type='virtio'/></video>", "virtio-gpu-pci"),
    *(
        Added("9.6", "video", {"model": model}, f"<video><model type='{model}' primary='yes'/></video>", driver, OLD)
        for model, driver in (("vga", "VGA"), ("bochs", "bochs-display"), ("qxl", "qxl-vga"), ("virtio", "virtio-vga"))
    ),
    Added("9.7", "redirdev", {"type": "spicevmc"}, "<redirdev bus='usb' type='spicevmc'/>", "usb-redir"),
    Added(
        "9.7",
        "redirdev",
        {"type": "tcp", "source.host": "localhost", "source.service": "4000"},
        "<redirdev bus='usb' type='tcp'><source mode='connect' host='localhost' service='4000'/></redirdev>",
        "usb-redir",
    ),
    Added(
        "9.8",
        "smartcard",
        {"mode": "passthrough", "type": "spicevmc"},
        "<smartcard mode='passthrough' type='spicevmc'/>",
        "ccid-card-passthru",
    ),
    Added("9.8", "smartcard", {"mode": "host"}, "<smartcard mode='host'/>", "ccid-card-emulated"),
    watchdog("i6300esb", "reset", NAME),
    watchdog("i6300esb", "poweroff"),
    watchdog("i6300esb", "shutdown"),
    watchdog("ib700", "pause"),
    watchdog("ib700", "none"),
    Added(
        "9.8",
        "tpm",
        {"type": "passthrough", "model": "tpm-tis", "device_path": "/dev/tpm0"},
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
        "tpm-tis",
    ),
    Added(
        "9.8",
        "tpm",
        {"type": "emulator", "model": "tpm-crb", "version": "2.0"},
        "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>",
        "tpm-crb",
    ),
]


@pytest.mark.parametrize("row", ADDED, ids=str)
def test_hardware_is_added_and_removed(view: DetailsView, house: Daemon, reader: Reader, row: Added) -> None:
    before = count(reader, row)
    properties = {name: on_this_host(house, value) for name, value in row.properties.items()}
    view(row.guest, add=row.kind, **{"with": properties})
    assert not missing(reader.document(row.guest), on_this_host(house, row.kept), "devices")
    objects = reader.objects(row.guest)
    assert row.driver in ("", *(one.get("driver") for one in objects))
    view(row.guest, remove=row.kind)
    assert count(reader, row) == before


@pytest.mark.parametrize("model", ["vga", "bochs"])
def test_other_cards_cannot_be_the_second(view: DetailsView, reader: Reader, model: str) -> None:
    """The note in 9.6: what is added beside the first card has to be QXL or Virtio."""
    before = reader.document(OLD)
    view(OLD, add="video", **{"with": {"model": "qxl"}})
    with pytest.raises(AssertionError, match=f"video type '{model}' is only valid as primary video device"):
        view(OLD, add="video", **{"with": {"model": model}})
    view(OLD, remove="video")
    assert reader.document(OLD) == before


def on_this_host(house: Daemon, text: str) -> str:
    """The text with the test's folder and with a block device that the host has; nothing opens it."""
    if "{block}" in text:
        block = next((path for path in sorted(Path("/dev").iterdir()) if path.is_block_device()), None)
        if block is None:
            pytest.skip("this host has no block device")
        text = text.replace("{block}", str(block))
    return text.replace("{images}", str(house.root.parent))


def count(reader: Reader, row: Added) -> int:
    """How many devices of the kind the guest has."""
    return len(ET.fromstring(reader.document(row.guest)).findall(f"devices/{row.kind}"))


# -- 9.11 Ejecting and changing media --------------------------------------------------------------


@pytest.mark.parametrize("guest", [NAME, RUNNING])
def test_media_are_ejected_and_changed(view: DetailsView, house: Daemon, reader: Reader, guest: str) -> None:
    live = guest == RUNNING
    asked: dict[str, object] = {"call": "define_disk", "device": ["disk", 0]}
    view(guest, **asked, **{"with": {"do_hotplug": live, "path": None}})
    assert "my_distro.iso" not in reader.document(guest, live=live)
    view(guest, **asked, **{"with": {"do_hotplug": live, "path": f"{house.root.parent}/other.iso"}})
    assert f"<source file='{house.root.parent}/other.iso'" in reader.document(guest, live=live)


# -- The commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("program", PROGRAMS)
def test_images_of_media_are_made_and_used(house: Daemon, program: str) -> None:
    """9.9 and 9.10: each `dd` and `mkfs.msdos` as printed, with the folder and the drives replaced by the test's."""
    need("mkfs.msdos")
    reader, folder = Reader(house, program), house.root.parent
    made = folder / "made.img"
    for line, size in (
        (f"sudo dd if={folder}/my_distro.iso of={made} bs=2048", 1 << 20),
        (f"sudo dd if={folder}/floppy.img of={made}", 1 << 20),
        (f"sudo dd if=/dev/zero of={made} bs=512 count=2880", 1474560),
        (f"sudo mkfs.msdos -C {made} 1440", 1474560),
    ):
        made.unlink(missing_ok=True)
        reader.types(f"PATH=$PATH:/usr/sbin; {line}")
        assert made.stat().st_size == size
    assert shutil.which("mkfs.msdos", path=f"{os.environ['PATH']}:/usr/sbin")
    reader.types(f"virsh attach-disk {NAME} {made} fda --targetbus fdc --type floppy --config")
    assert not missing(
        reader.document(),
        f"<disk type='file' device='floppy'><source file='{made}'/><target dev='fda'/></disk>",
        "devices",
    )
    reader.types(f"virsh detach-disk {NAME} fda --config")
    made.unlink()


@pytest.mark.parametrize("section", ["9.12.1", "9.13.1"])
def test_the_devices_of_the_host_are_offered(reader: Reader, section: str) -> None:
    """The list that a PCI or USB device is chosen from."""
    capability = {"9.12.1": "pci", "9.13.1": "usb_device"}[section]
    reader.types(f"virsh nodedev-list --cap {capability}")
