"""A guest's devices: one module a device, and here the list of all of them.

To add a device, write its module (see `base`) and add its line to `Devices`, where libvirt prints it.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Iterator
from typing import Final, cast

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import choices, element, many, new, one, opt_leaf
from guesthouse.model.domain.devices import display_checks
from guesthouse.model.domain.devices.audio import Audio
from guesthouse.model.domain.devices.base import ControllerFacts, Device
from guesthouse.model.domain.devices.channel import Channel
from guesthouse.model.domain.devices.controller import Controller
from guesthouse.model.domain.devices.crypto import Crypto
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.checks import check_together as disks_check_together
from guesthouse.model.domain.devices.filesystem import Filesystem
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.model.domain.devices.hostdev import Hostdev
from guesthouse.model.domain.devices.hostdev import check_together as check_hostdevs
from guesthouse.model.domain.devices.hostdev_forms import HOSTDEVS
from guesthouse.model.domain.devices.hostdev_scsi import ScsiHostdev
from guesthouse.model.domain.devices.hub import Hub
from guesthouse.model.domain.devices.input import Input
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.devices.iommu import Iommu
from guesthouse.model.domain.devices.lease import Lease
from guesthouse.model.domain.devices.memballoon import Memballoon
from guesthouse.model.domain.devices.memory import MemoryDevice
from guesthouse.model.domain.devices.nvram import Nvram
from guesthouse.model.domain.devices.panic import Panic
from guesthouse.model.domain.devices.pstore import Pstore
from guesthouse.model.domain.devices.redirdev import Redirdev
from guesthouse.model.domain.devices.redirfilter import RedirFilter
from guesthouse.model.domain.devices.rng import Rng
from guesthouse.model.domain.devices.serial import Parallel, ParallelTarget, Serial, SerialTarget
from guesthouse.model.domain.devices.serial_console import Console, ConsoleTarget
from guesthouse.model.domain.devices.shmem import Shmem
from guesthouse.model.domain.devices.smartcard import Smartcard
from guesthouse.model.domain.devices.sound import Sound
from guesthouse.model.domain.devices.tpm import Tpm
from guesthouse.model.domain.devices.video import Video
from guesthouse.model.domain.devices.vsock import Vsock
from guesthouse.model.domain.devices.watchdog import Watchdog
from guesthouse.model.kinds import ABSOLUTE_PATH

#: The order in which devices go on the command line: what others plug into comes first. Fields (`assigned` are the
#: interfaces that are cards of the host), and for controllers their types. What is not named comes last, in the order
#: of `Devices`.
LAUNCH_ORDER: Final = (
    "iommu",
    "controllers",
    "memories",
    "hubs",
    "disks",
    "filesystems",
    "interfaces",
    "smartcards",
    "serials",
    "parallels",
    "channels",
    "consoles",
    "tpms",
    "inputs",
    "audios",
    "graphics",
    "videos",
    "sounds",
    "watchdogs",
    "redirdevs",
    "assigned",
    "hostdevs",
    "memballoon",
    "rngs",
    "panics",
    "shmems",
    "vsock",
    "cryptos",
    "pstore",
)
_CONTROLLER_ORDER: Final = ("pci", "usb", "scsi", "ide", "sata", "virtio-serial")


@element("devices")
class Devices:
    """All devices, in the order in which libvirt prints them."""

    emulator: str | None = opt_leaf(ABSOLUTE_PATH)
    disks: list[Disk] = many(Disk)
    controllers: list[Controller] = many(Controller)
    leases: list[Lease] = many(Lease)
    filesystems: list[Filesystem] = many(Filesystem)
    interfaces: list[Interface] = many(Interface)
    smartcards: list[Smartcard] = many(Smartcard)
    serials: list[Serial] = many(Serial)
    parallels: list[Parallel] = many(Parallel)
    consoles: list[Console] = many(Console)
    channels: list[Channel] = many(Channel)
    inputs: list[Input] = many(Input)
    tpms: list[Tpm] = many(Tpm)
    graphics: list[Graphics] = many(Graphics)
    sounds: list[Sound] = many(Sound)
    audios: list[Audio] = many(Audio)
    videos: list[Video] = many(Video)
    hostdevs: list[Hostdev] = choices("type", HOSTDEVS)
    redirdevs: list[Redirdev] = many(Redirdev)
    redirfilter: RedirFilter | None = one(RedirFilter)
    hubs: list[Hub] = many(Hub)
    watchdogs: list[Watchdog] = many(Watchdog)
    memballoon: Memballoon | None = one(Memballoon)
    rngs: list[Rng] = many(Rng)
    nvram: Nvram | None = one(Nvram)
    panics: list[Panic] = many(Panic)
    shmems: list[Shmem] = many(Shmem)
    memories: list[MemoryDevice] = many(MemoryDevice)
    cryptos: list[Crypto] = many(Crypto)
    iommu: Iommu | None = one(Iommu)
    vsock: Vsock | None = one(Vsock)
    pstore: Pstore | None = one(Pstore)

    def all(self) -> Iterator[Device]:
        """Every device, in the order of the document."""
        for held in _devices_of(self):
            if type(held) is list:
                yield from held
            elif held is not None:
                yield cast(Device, held)

    @staticmethod
    def field_names() -> tuple[str, ...]:
        """The names of the fields that hold devices, in the order of the document."""
        return _FIELDS

    def of(self, name: str) -> list[Device]:
        """The devices of one field, as a list also where there can only be one."""
        value = getattr(self, name)
        if type(value) is list:
            return value
        return [] if value is None else [value]

    def in_launch_order(self) -> Iterator[Device]:
        """Every device, in the order in which QEMU is to get them."""
        for name in _LAUNCH:
            if name == "controllers":
                yield from self._controllers_in_order(last=False)
            elif name == "hubs":
                yield from self.of(name)
                yield from self._controllers_in_order(last=True)
            elif name in ("interfaces", "assigned"):
                yield from (item for item in self.interfaces if item.is_assigned == (name == "assigned"))
            else:
                yield from self.of(name)

    def _controllers_in_order(self, *, last: bool) -> Iterator[Controller]:
        if last:
            yield from (item for item in self.controllers if item.type not in _CONTROLLER_ORDER)
            return
        for kind in _CONTROLLER_ORDER:
            yield from (item for item in self.controllers if item.type == kind)

    def settle_consoles(self) -> None:
        """Number the ports, and make the first console the other name of the first serial port, creating either.

        libvirt's rule: on a full virtual machine the first `<console>` without a type or of type `serial` is the first
        serial port; a first serial port on the board or the ISA bus gets such a console.

        Raises `UnsupportedConfigError` where another console than the first claims to be a serial port.
        """
        for console in self.consoles[1:]:
            if console.is_serial and console.target is not None and console.target.type == "serial":
                raise UnsupportedConfigError("Only the first console can be a serial port")
        if self.consoles and self.consoles[0].is_serial:
            if not self.serials:
                self.serials.append(_serial_of(self.consoles[0]))
        elif self.serials and self.serials[0].carries_console:
            self.consoles.insert(0, new(Console))
        self._number_ports()
        self.mirror_console()

    def mirror_console(self) -> None:
        """Let the first console show what its serial port now is: after aliases, addresses or terminals were given."""
        if self.serials and self.consoles and self.consoles[0].is_serial:
            self.consoles[0].mirror(self.serials[0])

    def _number_ports(self) -> None:
        for number, console in enumerate(self.consoles):
            console.target = console.target or new(ConsoleTarget)
            console.target.port = number
        taken = -1
        for serial in self.serials:
            serial.target = serial.target or new(SerialTarget)
            if serial.target.port is None:
                serial.target.port = taken + 1
            taken = max(taken, serial.target.port)
        for number, parallel in enumerate(self.parallels):
            parallel.target = parallel.target or new(ParallelTarget)
            if parallel.target.port is None:
                parallel.target.port = number

    def settle_displays(self) -> None:
        """Put the first graphics card in front and mark it.

        Raises `UnsupportedConfigError` where two cards want to be the first.
        """
        primary = [video for video in self.videos if video.primary]
        if len(primary) > 1:
            raise UnsupportedConfigError("Only one primary video device is supported")
        self.videos.sort(key=lambda video: not video.primary)
        if self.videos and self.videos[0].model is not None and self.videos[0].kind != "none":
            self.videos[0].model.primary = True

    def check_together(self) -> None:
        """Raise `UnsupportedConfigError` where devices contradict each other."""
        display_checks.check_graphics(self.graphics)
        display_checks.check_videos(self.videos)
        display_checks.check_audio(self.audios, self.graphics)
        display_checks.check_smartcards(self.smartcards)
        disks_check_together(self.disks)
        if len({watchdog.action for watchdog in self.watchdogs}) > 1:
            raise UnsupportedConfigError("watchdogs with different actions are not supported with this QEMU binary")
        models = [watchdog.model for watchdog in self.watchdogs]
        for model in ("itco", "ib700"):
            if models.count(model) > 1:
                raise UnsupportedConfigError(f"domain can only have one watchdog with model '{model}'")
        if len(set(self.audio_ids())) < len(self.audios):
            raise UnsupportedConfigError("the ids of <audio> backends must be unique")
        check_hostdevs(self.hostdevs, self.disks, len(self.graphics))

    def number_disk_layers(self, first: int = 1) -> int:
        """Number the images of all disks from `first` on, the last disk first, as libvirt does; the next number is
        returned, for disks that are plugged in later. Images that were detected have numbers above all others.
        """
        for disk in reversed(self.disks):
            first = disk.number_layers(first, detected=False)
        for hostdev in self.hostdevs:
            if isinstance(hostdev, ScsiHostdev):
                first = hostdev.number_node(first)
        for disk in reversed(self.disks):
            first = disk.number_layers(first, detected=True)
        return first

    def audio_ids(self) -> tuple[int, ...]:
        """The ids of the audio backends, for `DeviceContext`."""
        return tuple(audio.id for audio in self.audios)

    def redirection_filter(self) -> str:
        """Which of a client's USB devices may be redirected, as QEMU has it, for `DeviceContext`; empty for all."""
        return "" if self.redirfilter is None else self.redirfilter.words

    def controller_table(self) -> dict[tuple[str, int], ControllerFacts]:
        """The controllers by type and index, for `DeviceContext`; of companions only the master."""
        return {
            (item.type, item.index): item
            for item in self.controllers
            if item.index is not None and item.startport is None
        }


def _serial_of(console: Console) -> Serial:
    return new(
        Serial,
        type=console.type,
        sources=console.sources,
        protocol=console.protocol,
        log_file=console.log_file,
        log_append=console.log_append,
    )


_FIELDS: Final = tuple(field.name for field in dataclasses.fields(Devices) if field.name != "emulator")
_devices_of: Final[Callable[[Devices], tuple[object, ...]]] = operator.attrgetter(*_FIELDS)
_LAUNCH: Final = (*LAUNCH_ORDER, *(name for name in _FIELDS if name not in LAUNCH_ORDER))
