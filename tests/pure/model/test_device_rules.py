"""Rules of single devices and of the list: defaults, consoles, numbers of images, passt, quoting."""

from __future__ import annotations

import pytest

from guesthouse.errors import InternalError, LibvirtError
from guesthouse.model.binding import Style, new
from guesthouse.model.domain.devices.base import Alias, DeviceContext
from guesthouse.model.domain.devices.disk import name_index
from guesthouse.model.domain.devices.interface import Interface, passt
from guesthouse.model.qemu_objects import Chardev, Command, FdSet, Option, QemuObject
from tests.pure.model import device_cases as cases


def definition(text: str, machine: str = "q35") -> str:
    """What is kept of some devices, defaults filled in."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, machine, assign=False)
    for device in devices.all():
        device.defaults(ctx)
    devices.settle_consoles()
    for device in devices.all():
        device.defaults(ctx)
    return cases.text_of(devices, Style())


# What libvirt fills in: element, and a part of what is kept.
FILLED_IN = [
    ("<disk><source file='/i'/><target dev='hda'/></disk>", "<disk type='file' device='disk'>"),
    ("<disk><source file='/i'/><target dev='hda'/></disk>", "<driver name='qemu' type='raw'/>"),
    ("<disk><source file='/i'/><target dev='sdb'/></disk>", "<target dev='sdb' bus='scsi'/>"),
    ("<disk device='floppy'><target dev='fda'/></disk>", "<target dev='fda' bus='fdc'/>"),
    ("<disk device='cdrom'><target dev='sda' bus='sata'/></disk>", "<readonly/>"),
    ("<disk device='cdrom' snapshot='no'><target dev='sda' bus='sata'/></disk>", "<disk type='file' device='cdrom'>"),
    (
        "<disk><driver cache='default'/><source file='/i'/><target dev='vda'/></disk>",
        "<driver name='qemu' type='raw'/>",
    ),
    ("<interface type='user'/>", "<model type='rtl8139'/>"),
    ("<interface type='user'><model type='VirtIO'/></interface>", "<model type='virtio'/>"),
    ("<controller type='usb' index='0'/>", "model='piix3-uhci'"),
    ("<controller type='scsi' index='0'/>", "model='lsilogic'"),
    ("<controller type='pci' index='1' model='pcie-root-port'/>", "<model name='pcie-root-port'/>"),
    ("<video/>", "<model type='cirrus' vram='16384' heads='1'/>"),
    ("<video><model type='vga' vram='9000'/></video>", "vram='16384'"),
    ("<input type='mouse'/>", "<input type='mouse' bus='ps2'/>"),
    ("<input type='tablet'/>", "<input type='tablet' bus='usb'/>"),
    ("<graphics type='vnc'/>", "<graphics type='vnc' port='-1' autoport='yes'>"),
    ("<graphics type='vnc' port='5950' autoport='yes'/>", "<graphics type='vnc' port='-1' autoport='yes'>"),
    ("<graphics type='vnc' port='5950'/>", "<graphics type='vnc' port='5950' autoport='no'>"),
    ("<graphics type='vnc' listen='::1'/>", "<listen type='address' address='::1'/>"),
    ("<rng model='virtio'><backend model='random'/></rng>", "<backend model='random'>/dev/random</backend>"),
    ("<watchdog model='itco'/>", "<watchdog model='itco' action='reset'/>"),
    ("<panic/>", "<panic model='isa'/>"),
    ("<sound model='virtio'/>", "streams='2'"),
    ("<serial type='pty'/>", "<target type='isa-serial' port='0'>\n      <model name='isa-serial'/>"),
    ("<hub type='usb'><address type='pci' slot='3'/></hub>", "bus='0x00' slot='0x03' function='0x0'/>"),
    ("<hub type='usb'><address type='pci'/></hub>", "<address type='pci'/>"),
]


@pytest.mark.parametrize(("text", "part"), FILLED_IN)
def test_what_is_filled_in(text: str, part: str) -> None:
    assert part in definition(text)


# What a definition does not keep: it was chosen when a guest started.
DROPPED = [
    ("<serial type='pty'><source path='/dev/pts/3'/></serial>", "/dev/pts/3"),
    ("<serial type='pty'><alias name='serial0'/></serial>", "serial0"),
    ("<console type='pty' tty='/dev/pts/4'/>", "/dev/pts/4"),
    ("<disk><source file='/i' index='3'/><target dev='vda'/></disk>", "index"),
    (
        "<channel type='unix'><source mode='bind' path='/sockets/2-web/agent'/><target type='virtio' name='agent'/>"
        "</channel>",
        "/sockets",
    ),
    (
        "<channel type='unix'><source mode='bind' path='/run/libvirt/qemu/channel/2-web/agent'/>"
        "<target type='virtio' name='agent' state='connected'/></channel>",
        "path",
    ),
]


@pytest.mark.parametrize(("text", "part"), DROPPED)
def test_what_a_definition_does_not_keep(text: str, part: str) -> None:
    assert part not in definition(text)


def test_aliases_of_the_user_are_kept() -> None:
    assert "<alias name='ua-mine'/>" in definition("<serial type='pty'><alias name='ua-mine'/></serial>")


def test_passwords_are_only_shown_where_they_may_be() -> None:
    devices = cases.parse("<devices><graphics type='vnc' passwd='sesame'/></devices>")
    assert "sesame" in cases.text_of(devices, Style(secure=True))
    assert "sesame" not in cases.text_of(devices, Style(live=True, secure=False))


def test_first_console_is_the_first_serial_port() -> None:
    devices = cases.parse("<devices><console type='file'><source path='/log'/></console></devices>")
    devices.settle_consoles()
    assert [serial.path for serial in devices.serials] == ["/log"]
    devices.serials[0].alias = new(Alias, name="serial0")
    devices.mirror_console()
    assert devices.consoles[0].name == "serial0"
    assert devices.consoles[0].objects(cases.context(devices, "q35")) == []


def test_serial_port_gets_a_console() -> None:
    devices = cases.parse("<devices><serial type='pty'/><serial type='pty'/></devices>")
    devices.settle_consoles()
    assert [serial.target.port for serial in devices.serials if serial.target] == [0, 1]
    assert len(devices.consoles) == 1
    devices.serials[0].set_path("/dev/pts/9")
    devices.mirror_console()
    assert devices.consoles[0].tty == "/dev/pts/9"
    assert "tty='/dev/pts/9'" in cases.text_of(devices, Style(live=True))
    assert "/dev/pts/9" not in cases.text_of(devices, Style())


def test_virtio_console_is_no_serial_port() -> None:
    devices = cases.parse("<devices><console type='pty'><target type='virtio'/></console></devices>")
    devices.settle_consoles()
    assert devices.serials == []


def test_only_the_first_console_is_a_serial_port() -> None:
    text = "<console type='pty'/><console type='pty'><target type='serial'/></console>"
    with pytest.raises(LibvirtError, match="Only the first console can be a serial port"):
        cases.parse(f"<devices>{text}</devices>").settle_consoles()


def test_first_video_is_the_marked_one() -> None:
    text = "<video><model type='virtio'/></video><video><model type='qxl' primary='yes'/></video>"
    devices = cases.parse(f"<devices>{text}</devices>")
    devices.settle_displays()
    assert [(video.kind, video.primary) for video in devices.videos] == [("qxl", True), ("virtio", False)]


def test_two_first_videos() -> None:
    text = "<video><model type='qxl' primary='yes'/></video>" * 2
    with pytest.raises(LibvirtError, match="Only one primary video device is supported"):
        cases.parse(f"<devices>{text}</devices>").settle_displays()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("<watchdog model='itco'/><watchdog model='ib700' action='pause'/>", "different actions"),
        ("<watchdog model='ib700'/><watchdog model='ib700'/>", "one watchdog with model 'ib700'"),
        ("<audio id='1' type='none'/><audio id='1' type='none'/>", "unique"),
    ],
)
def test_devices_that_contradict_each_other(text: str, part: str) -> None:
    devices = cases.parse(f"<devices>{text}</devices>")
    with pytest.raises(LibvirtError, match=part) as caught:
        devices.check_together()
    assert caught.value.code == 67


def test_images_are_numbered_from_the_last_disk_on() -> None:
    devices = cases.parse(cases.source("q35-disk-images"))
    assert devices.number_disk_layers() == 7
    assert [[layer.index for layer in disk.layers()] for disk in devices.disks] == [[6], [5], [2, 3, 4], [1]]


def test_empty_drive_takes_a_number() -> None:
    devices = cases.parse("<devices><disk device='cdrom'><target dev='sda' bus='sata'/></disk></devices>")
    assert devices.number_disk_layers() == 2
    assert devices.disks[0].layers() == []


@pytest.mark.parametrize(("name", "number"), [("vda", 0), ("sdz", 25), ("vdaa", 26), ("hdb1", 1), ("xvdc", 2)])
def test_names_of_disks(name: str, number: int) -> None:
    assert name_index(name) == number


def test_target_of_a_root_port_follows_from_its_address() -> None:
    address = "<address type='pci' slot='2' function='3'/>"
    text = f"<controller type='pci' index='5' model='pcie-root-port'>{address}</controller>"
    devices = cases.parse(f"<devices>{text}</devices>")
    devices.controllers[0].complete_target()
    assert "<target chassis='5' port='0x13'/>" in cases.text_of(devices, Style())


def test_companions_share_their_masters_index() -> None:
    devices = cases.parse(cases.source("q35-controllers-pci"))
    master = devices.controller_table()["usb", 0]
    assert master.model == "ich9-ehci1"


def test_passt_command() -> None:
    ctx, devices = cases.realised("host-interface")
    ctx.passt_dir = "/run/passt"
    card = next(device for device in devices if device.ALIAS == "net")
    assert isinstance(card, Interface)
    assert passt.arguments(card, ctx) == [
        *["passt", "--one-off", "--socket", "/run/passt/1-guest-net0.socket"],
        *["--pid", "/run/passt/1-guest-net0-passt.pid", "--mtu", "1400", "--interface", "eth0"],
        *["--log-file", "/logs/passt.log", "--address", "10.1.2.3", "--netmask", "24"],
        *["--tcp-ports", "127.0.0.1%lo/2222:22,8000-8010:80-90,~8005", "--udp-ports", "all"],
    ]


def test_passt_of_root_keeps_its_user() -> None:
    ctx, devices = cases.realised("host-interface")
    card = next(device for device in devices if isinstance(device, Interface))
    ctx.run_as = (0, 7)
    assert passt.arguments(card, ctx)[:3] == ["passt", "--runas", "0:7"]


def test_vnc_needs_a_port_before_it_starts() -> None:
    devices = cases.parse("<devices><graphics type='vnc'/></devices>")
    graphics = devices.graphics[0]
    ctx = cases.context(devices, "q35")
    graphics.prepare(ctx)
    with pytest.raises(InternalError):
        graphics.objects(ctx)
    graphics.port = 5901
    assert graphics.objects(ctx) == [Option("-vnc", "127.0.0.1:1,audiodev=audio1")]
    assert "port='5901' autoport='yes' listen='127.0.0.1'" in cases.text_of(devices, Style(live=True))


def test_generated_sockets_are_in_the_guests_folder() -> None:
    devices = cases.parse("<devices><graphics type='vnc'><listen type='socket'/></graphics></devices>")
    ctx = cases.context(devices, "q35")
    ctx.guest_dir = "/lib/domain-1-a,b"
    devices.graphics[0].prepare(ctx)
    assert devices.graphics[0].objects(ctx) == [Option("-vnc", "vnc=unix:/lib/domain-1-a,,b/vnc.sock,audiodev=audio1")]


def opened(ctx: DeviceContext, made: list[FdSet]) -> None:
    """Let a context open files itself."""

    def open_file(_path: str, _append: bool, purpose: str) -> FdSet:
        made.append(FdSet(len(made), 10 + len(made), purpose))
        return made[-1]

    ctx.open_file = open_file
    ctx.listen = lambda _path: 42


def test_opened_files_are_handed_over() -> None:
    text = "<serial type='file'><source path='/out'/><log file='/log'/></serial>"
    text += "<channel type='unix'><source mode='bind' path='/s'/><target type='virtio'/>"
    text += "<address type='virtio-serial' port='1'/></channel>"
    devices = cases.parse(f"<devices>{text}</devices>")
    devices.controllers = cases.parse(cases.source("q35-controllers")).controllers
    ctx = cases.context(devices, "q35")
    opened(ctx, [])
    serial = devices.serials[0].backend(ctx)
    assert serial == [
        FdSet(0, 10, "serial0-source"),
        FdSet(1, 11, "serial0-log"),
        Chardev(
            "charserial0",
            "file",
            {"path": "/dev/fdset/0", "append": True, "logfile": "/dev/fdset/1", "logappend": True},
        ),
    ]
    channel = devices.channels[0].backend(ctx)
    assert channel[0].arguments() == ["-chardev", "socket,id=charchannel0,fd=42,server=on,wait=off"]
    command = channel[0].qmp()
    assert command is not None
    backend = command.arguments["backend"]
    assert isinstance(backend, dict)
    data = backend["data"]
    assert isinstance(data, dict)
    assert data["addr"] == {"type": "fd", "data": {"str": "42"}}


# Objects that no case shows, with both forms.
FORMS: list[tuple[QemuObject, list[str], Command | None]] = [
    (
        FdSet(3, 9, "a,b"),
        ["-add-fd", "set=3,fd=9,opaque=a,,b"],
        Command("add-fd", {"fdset-id": 3, "opaque": "a,b"}),
    ),
    (
        Chardev("c", "serial", {"path": "/dev/a,b"}),
        ["-chardev", "serial,id=c,path=/dev/a,,b"],
        Command("chardev-add", {"id": "c", "backend": {"type": "serial", "data": {"device": "/dev/a,b"}}}),
    ),
    (
        Chardev("c", "parallel", {"path": "/p"}),
        ["-chardev", "parallel,id=c,path=/p"],
        Command("chardev-add", {"id": "c", "backend": {"type": "parallel", "data": {"device": "/p"}}}),
    ),
    (
        Chardev("c", "file", {"path": "/f", "append": False}),
        ["-chardev", "file,id=c,path=/f,append=off"],
        Command("chardev-add", {"id": "c", "backend": {"type": "file", "data": {"out": "/f", "append": False}}}),
    ),
    (Option("-flag"), ["-flag"], None),
]


@pytest.mark.parametrize(("made", "words", "command"), FORMS)
def test_forms(made: QemuObject, words: list[str], command: Command | None) -> None:
    assert made.arguments() == words
    assert made.qmp() == command


def test_options_cannot_be_injected_through_a_path() -> None:
    """A comma in a path never begins another key."""
    path = "/x,server=on,path=/etc/passwd"
    [_, words] = Chardev("c", "socket", {"path": path}).arguments()
    keys = words.replace(",,", "").split(",")
    assert [key.partition("=")[0] for key in keys] == ["socket", "id", "path"]
