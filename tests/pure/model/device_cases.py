"""Cases of devices: `devices/NAME.xml` with what QEMU is asked for, on the command line and over the monitor.

A case is a `<devices>` element as libvirt writes it, so it is read and written back to the letter. `NAME.args` has one
option a line, `NAME.qmp` one monitor command a line, first those that make the devices, then those of `after_start`.
`GUESTHOUSE_REGENERATE=1` writes both anew; the difference is then to be reviewed.

A name begins with the machine: `q35` and `pc` cases are also given to a real QEMU, `host` cases (a PC) need things of
the host that a test has not got, or a running guest, and
`shape` cases are not realised. The controllers of `q35-controllers` and `pc-controllers` are there in every case of
the machine that is not about controllers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from guesthouse.model.binding import Reading, Style, new, read, write
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.host_parts import HostParts, TpmPrograms, Virtiofsd, VsockEnd
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.domain.memory_objects import GuestMemory
from guesthouse.model.domain.numa import Cell
from guesthouse.model.domain.tap_ends import TapEnds
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.model.qemu_objects import Command, NamedDescriptor
from guesthouse.model.xmltext import Lines

FOLDER = Path(__file__).parent / "devices"
CASES = sorted(path.stem for path in FOLDER.glob("*.xml"))
REALISED = [name for name in CASES if not name.startswith("shape-")]
MACHINES = {"q35": "pc-q35-10.0", "pc": "pc-i440fx-10.0", "host": "pc-i440fx-10.0"}


#: A host that has what the cases name.
PARTS = HostParts(
    find_virtiofsd=lambda path: Virtiofsd(path or "/usr/libexec/virtiofsd"),
    find_swtpm=lambda: TpmPrograms(frozenset({"cmdarg-pwd-fd"}), frozenset()),
    open_vsock=lambda cid: VsockEnd(cid or 3),
    scsi_generic=lambda _adapter, _bus, _target, unit: f"/dev/sg{unit}",
    find_usb=lambda _vendor, _product, place: place or (1, 2),
    has_mdev=lambda _uuid: True,
)


class Everything(frozenset[str]):
    """The set of all names."""

    def __contains__(self, name: object) -> bool:
        return True


def capabilities(devices: frozenset[str] | None = None) -> QemuCapabilities:
    """A QEMU that has these devices, by default all that there are."""
    everything = Everything()
    return QemuCapabilities(
        binary="/usr/bin/qemu-system-x86_64",
        version=(10, 0, 2),
        package="",
        arch="x86_64",
        kvm=False,
        machines={},
        devices=everything if devices is None else devices,
        device_properties={"virtio-mem-pci": Everything()},
        objects=everything,
        object_properties={"memory-backend-file": Everything()},
        options={"chardev": frozenset({"reconnect-ms"}), "spice": frozenset()},
        cpu_models={},
        cpu_expansions={},
        tpm_models=("tpm-tis", "tpm-crb"),
        tpm_backends=("emulator", "passthrough"),
    )


def parse(text: str) -> Devices:
    """The devices of a `<devices>` element."""
    return read(Devices, etree.fromstring(text, etree.XMLParser(remove_blank_text=True)), Reading(status=True))


def text_of(devices: Devices, style: Style) -> str:
    """The `<devices>` element, as it stands at the top of a document."""
    lines = Lines()
    write(devices, lines, style)
    return lines.text()


def source(name: str) -> str:
    """The case's XML."""
    return (FOLDER / f"{name}.xml").read_text()


def context(devices: Devices, machine: str, *, assign: bool = True) -> DeviceContext:
    """A context for devices on a machine of `MACHINES`, with aliases assigned and the boot orders of the elements."""
    ctx = DeviceContext(
        capabilities(),
        machine=MACHINES[machine],
        controllers=devices.controller_table(),
        iothreads=frozenset({1, 2}),
        throttle_groups=frozenset({"slow", "slower"}),
        shared_memory=True,
        secret=lambda _usage_type, _reference: b"a secret",
        seal=lambda value: (f"sealed {len(value)}", "vector"),
        volume=lambda _pool, volume, _mode: ("block", new(PlainSource, dev=f"/dev/pool/{volume}")),
        audio_ids=devices.audio_ids(),
        memory=GuestMemory(slots=8, maximum_kib=1 << 24, cells=(new(Cell, id=0, kib=1024), new(Cell, id=1, kib=1024))),
        tap_ends=_tap_ends,
        parts=PARTS,
        guest_name="guest",
        guest_uuid="7b0f8b4d-2b6e-4a1b-8a4e-0a3d2c1b0f9e",
        guest_dir="/sockets",
        channel_dir="/sockets",
        passt_dir="/sockets",
        short_name="1-guest",
        settings=HostSettings(spice_tls=True),
        rendernode=lambda: "/dev/dri/renderD128",
        network_address=lambda _name: "192.0.2.1",
        redirection_filter=devices.redirection_filter(),
    )
    if assign:
        assign_aliases(devices, ctx)
    ctx.boot = {
        device.alias.name: boot.order
        for device in devices.all()
        if device.alias is not None and (boot := getattr(device, "boot", None)) is not None
    }
    return ctx


def _tap_ends(alias: str, queues: int, vhost: bool) -> TapEnds:
    """The ends of every card's tap, as a running QEMU gets them."""
    taps = tuple(NamedDescriptor(f"tapfd-{alias}{number}", 20 + number) for number in range(queues))
    vhosts = tuple(NamedDescriptor(f"vhostfd-{alias}{number}", 40 + number) for number in range(queues if vhost else 0))
    return TapEnds(tuple(one.name for one in taps), tuple(one.name for one in vhosts), (*taps, *vhosts))


def assign_aliases(devices: Devices, ctx: DeviceContext) -> None:
    """Name the devices, controllers first."""
    fields = sorted(devices.field_names(), key=lambda name: name != "controllers")
    for field in fields:
        for index, device in enumerate(devices.of(field)):
            name = device.default_alias(index, ctx)
            if name and device.alias is None:
                setattr(device, "alias", new(Alias, name=name))  # noqa: B010 - the base class declares it without a slot


def realised(name: str) -> tuple[DeviceContext, list[Device]]:
    """The case's own devices in launch order, ready for a start."""
    machine = name.partition("-")[0]
    devices = parse(source(name))
    own = list(devices.in_launch_order())
    if "controllers" not in name:
        common = parse(source(f"{'q35' if machine == 'q35' else 'pc'}-controllers")).controllers
        devices.controllers = [*common, *devices.controllers]
    devices.number_disk_layers()
    ctx = context(devices, machine)
    for device in own:
        device.prepare(ctx)
    return ctx, own


def arguments(name: str) -> str:
    """The options for the case's devices, one a line."""
    ctx, devices = realised(name)
    lines: list[str] = []
    for device in devices:
        for made in device.objects(ctx):
            words = made.arguments()
            lines.extend(" ".join(words[at : at + 2]) for at in range(0, len(words), 2))
    return "".join(f"{line}\n" for line in lines)


def commands(name: str) -> str:
    """The monitor commands for the case's devices, one a line."""
    ctx, devices = realised(name)
    found = [made.qmp() for device in devices for made in device.objects(ctx)]
    found.extend(command for device in devices for command in device.after_start(ctx))
    return "".join(f"{_line(command)}\n" for command in found if command is not None)


def _line(command: Command) -> str:
    return json.dumps({"execute": command.name, "arguments": command.arguments})


def undone(name: str) -> Iterator[tuple[str, Command | None]]:
    """What each object of the case is called in the command that makes it, and the command that removes it."""
    ctx, devices = realised(name)
    for device in devices:
        for made in device.objects(ctx):
            command = made.qmp()
            if command is not None:
                key = next((name for name in ("node-name", "fdname") if name in command.arguments), "id")
                yield str(command.arguments.get(key)), made.undo()
