"""What every device is: an element with an alias and an address, its defaults, its checks, and its QEMU objects.

A device is one module and one line in `guesthouse.model.domain.devices`. Its class derives from `Device`, is declared
with `@element`, and answers these questions:

- `connection`: what it is plugged into, for the address assignment;
- `defaults`: what is filled in when a guest is defined, as libvirt fills it in, so that the hardware stays the same;
- `check`: what (beside an address on the wrong bus) cannot be honoured here, as an error that names the element;
- `prepare`: what the guest gets when it starts, such as the path of a socket;
- `helpers`: the programs that must run beside QEMU for it;
- `objects`: the backends and the front end that realise it, the same for the command line and for hotplug;
- `after_start`: what can only be said to a running QEMU.

Everything here is pure. What a device needs to know of the guest, the host and QEMU comes in a `DeviceContext`.

Source: https://libvirt.org/formatdomain.html#devices and libvirt's `docs/formatdomain.rst`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, cast

from guesthouse.errors import InternalError, UnsupportedConfigError
from guesthouse.model.binding import attr, choice, element, one, opt, tag_of
from guesthouse.model.domain.devices import zpci
from guesthouse.model.domain.devices.address import (
    ADDRESSES,
    Address,
    CcidAddress,
    CcwAddress,
    DriveAddress,
    IsaAddress,
    MmioAddress,
    PciAddress,
    UsbAddress,
    VirtioSerialAddress,
    drive_props,
)
from guesthouse.model.domain.devices.handed_files import HandedLookup, nothing_handed
from guesthouse.model.domain.devices.volumes import VolumeLookup, no_volume
from guesthouse.model.domain.host_parts import NOTHING, HostParts
from guesthouse.model.domain.host_places import no_network, no_rendernode
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings
from guesthouse.model.domain.memory_objects import NO_MEMORY, GuestMemory
from guesthouse.model.domain.secrets import Seal, SecretLookup, no_seal, no_secret
from guesthouse.model.domain.tap_ends import TapLookup, no_taps
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, YES_NO, Kind, integer, matching, one_of
from guesthouse.model.qemu_capabilities import TCG, QemuCapabilities
from guesthouse.model.qemu_objects import Command, FdSet, Props, QemuObject, without_none

USER_ALIAS: Final = "ua-"
_LOADPARM_LENGTH: Final = 8


@element("alias")
class Alias:
    """The name by which QEMU and events know the device. One that begins with `ua-` is the user's and stays."""

    name: str = attr(matching(r"[A-Za-z0-9_.\-]{1,128}", "letters, digits, '_', '-' and '.'"))

    @property
    def of_user(self) -> bool:
        """Whether the user chose it."""
        return self.name.startswith(USER_ALIAS)


@element("boot")
class BootOrder:
    """The device's place in the firmware's boot order, from 1.

    `loadparm` is what a mainframe's boot loader is told: up to eight letters, digits, dots and blanks.
    """

    order: int = attr(integer(1, 2**31 - 1))
    loadparm: str | None = opt(TEXT)

    def parsed(self) -> None:
        """The loader's parameter in capital letters. Raises `InternalError` for one that it does not understand."""
        if self.loadparm is None:
            return
        self.loadparm = self.loadparm.upper()
        if not 1 <= len(self.loadparm) <= _LOADPARM_LENGTH:
            raise InternalError(f"loadparm value '{self.loadparm}' must be between 1 and 8 characters")
        if not re.fullmatch(r"[A-Z0-9. ]+", self.loadparm):
            raise InternalError(
                f"invalid loadparm value '{self.loadparm}', expecting chars in set of [a-zA-Z0-9.] and blank spaces"
            )


@element("acpi")
class AcpiIndex:
    """The index by which a guest names the network card (`enoN`)."""

    index: int = attr(integer(1, 16383))


@element("rom")
class Rom:
    """The option ROM of a PCI device."""

    enabled: bool | None = opt(YES_NO)
    bar: bool | None = opt(ON_OFF)
    file: str | None = opt(ABSOLUTE_PATH)

    def props(self) -> Props:
        """`rombar` and `romfile`; an empty file is no ROM at all."""
        if self.enabled is False:
            return {"romfile": ""}
        return without_none({"rombar": None if self.bar is None else int(self.bar), "romfile": self.file})


@element("driver")
class VirtioDriver:
    """The options that every virtio device has."""

    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)


def refusing(words: tuple[str, ...], refused: Mapping[str, str]) -> Kind[str]:
    """One of these words; a documented word that cannot be honoured gets its own text, as error 67."""

    def parse(text: str) -> str:
        if text in refused:
            raise UnsupportedConfigError(refused[text])
        return one_of(*words).parse(text)

    return Kind(one_of(*words).name, parse, str)


def alias_slot() -> Alias | None:
    """The field `alias`: a running guest shows it, a definition only keeps the user's own."""
    return one(Alias, live=True, keep=_of_user)


def _of_user(alias: Alias) -> bool:
    return alias.of_user


def address_slot() -> Address | None:
    """The field `address`, of any form."""
    return choice("type", ADDRESSES)


@dataclass(frozen=True, slots=True)
class Connection:
    """What a device is plugged into.

    `bus` is `none`, `pci` (a conventional slot), `pcie` (Express where the machine has it), `virtio` (as `pcie`, for
    what has a virtio-mmio form too), `usb`, `scsi`, `sata`, `ide`, `fdc`, `virtio-serial`, `isa` or `ccid`, or the
    model of a PCI controller (`pcie-root-port`, `pci-bridge`, …), whose places the address assignment knows.
    `integrated` devices belong to the machine and sit on its root bus; `preferred` is where the device goes if the
    place is free, as (bus, slot, function).
    """

    bus: str
    integrated: bool = False
    preferred: tuple[int, int, int] | None = None

    @property
    def is_pci(self) -> bool:
        """Whether the device needs a PCI address."""
        return self.bus in ("pci", "pcie", "virtio") or self.bus.startswith(("pci-", "pcie-", "dmi-"))


#: Bus to the form of its addresses, for those that are not PCI.
_FITTING: Final[dict[str, type[Address]]] = {
    "usb": UsbAddress,
    "scsi": DriveAddress,
    "sata": DriveAddress,
    "ide": DriveAddress,
    "fdc": DriveAddress,
    "virtio-serial": VirtioSerialAddress,
    "isa": IsaAddress,
    "ccid": CcidAddress,
}

NOWHERE: Final = Connection("none")
PCI: Final = Connection("pci")
PCIE: Final = Connection("pcie")
VIRTIO: Final = Connection("virtio")


class ControllerFacts(Protocol):
    """What other devices need to know of their controller."""

    @property
    def model(self) -> str | None:
        """The model."""

    @property
    def name(self) -> str:
        """The alias, under which QEMU knows it."""

    def bus_name(self, ctx: DeviceContext) -> str:
        """The name of the bus that it gives, for PCI controllers."""


def _no_socket(_path: str) -> int | None:
    return None


def _no_file(_path: str, _append: bool, _purpose: str) -> FdSet | None:
    return None


@dataclass(slots=True)
class DeviceContext:
    """What devices know of the guest they belong to, of QEMU and of the host.

    `machine` is the full name of the machine type, `accel` is `kvm` or `tcg`. `controllers` is by type and index;
    `boot` gives the effective boot index of a device by its alias, `iothreads` the ids that the guest has.
    `guest_dir` is the guest's own directory, `channel_dir` where the sockets of its channels go (while a guest is
    defined: the directory above those of all guests), `passt_dir` where passt's sockets go, `short_name` the prefix
    of their names (`1-web`). `listen` makes a listening UNIX socket and tells its descriptor, `open_file` opens a
    file for QEMU to write; each may answer None, and QEMU then does it itself. `vnc_listen` is the address of
    graphics that name none.
    """

    qemu: QemuCapabilities
    arch: str = "x86_64"
    machine: str = ""
    accel: str = TCG
    acpi: bool = True
    controllers: Mapping[tuple[str, int], ControllerFacts] = field(default_factory=dict)
    boot: Mapping[str, int] = field(default_factory=dict)
    iothreads: frozenset[int] = frozenset()
    guest_dir: str = ""
    channel_dir: str = ""
    passt_dir: str = ""
    short_name: str = ""
    vnc_listen: str = "127.0.0.1"
    settings: HostSettings = UNCHANGED
    listen: Callable[[str], int | None] = _no_socket
    #: As `listen`, for the socket of a helper program, to which QEMU is to be connected.
    connect: Callable[[str], int | None] = _no_socket
    open_file: Callable[[str, bool, str], FdSet | None] = _no_file
    #: The host's graphics card for displays that draw with one, and its address in a virtual network.
    rendernode: Callable[[], str] = no_rendernode
    network_address: Callable[[str], str] = no_network
    #: Finds the value of a secret, and seals it for QEMU.
    secret: SecretLookup = no_secret
    seal: Seal = no_seal
    #: Where a volume of a storage pool really is, and the groups of limits that disks can name.
    volume: VolumeLookup = no_volume
    #: Open files that a client handed over.
    handed: HandedLookup = nothing_handed
    throttle_groups: frozenset[str] = frozenset()
    #: The ids of the guest's audio backends, in their order.
    audio_ids: tuple[int, ...] = ()
    #: Which of a client's USB devices may be redirected to the guest, as QEMU has it; empty for all.
    redirection_filter: str = ""
    #: The open ends of the cards' devices on the host.
    tap_ends: TapLookup = no_taps
    #: The user and group of helper programs that would choose one themselves when they are started by root.
    run_as: tuple[int, int] | None = None
    #: What is said of the guest's memory as a whole.
    memory: GuestMemory = NO_MEMORY
    #: Whether other processes can be given the guest's memory.
    shared_memory: bool = False
    #: The guest's own name and UUID, and what the host contributes to special devices.
    guest_name: str = ""
    guest_uuid: str = ""
    parts: HostParts = NOTHING

    @property
    def x86(self) -> bool:
        """Whether the guest is a PC."""
        return self.arch in ("x86_64", "i686")

    @property
    def s390(self) -> bool:
        """Whether the guest is a mainframe."""
        return self.arch == "s390x"

    @property
    def arm(self) -> bool:
        """Whether the guest has an Arm processor."""
        return self.arch in ("aarch64", "armv7l", "armv6l")

    @property
    def arm_virt(self) -> bool:
        """Whether the machine is QEMU's own board for Arm guests."""
        return self.arm and (self.machine == "virt" or self.machine.startswith("virt-"))

    @property
    def has_spice(self) -> bool:
        """Whether QEMU has SPICE."""
        return self.qemu.has_spice

    @property
    def q35(self) -> bool:
        """Whether the machine is of the Q35 family."""
        return self.x86 and (self.machine.startswith("pc-q35") or self.machine == "q35")

    @property
    def i440fx(self) -> bool:
        """Whether the machine is of the i440FX family."""
        return self.x86 and not self.q35 and (self.machine.startswith("pc-") or self.machine == "pc")

    def controller(self, kind: str, index: int) -> ControllerFacts:
        """A controller of the guest. Raises `InternalError` where there is none: addresses were not completed."""
        found = self.controllers.get((kind, index))
        if found is None:
            raise InternalError(f"Could not find {kind} controller with index '{index}'")
        return found

    def need(self, device: str, element: str) -> str:
        """`device`, if this QEMU has it. Raises `UnsupportedConfigError` that names the element otherwise."""
        if not self.qemu.has_device(device):
            raise UnsupportedConfigError(
                f"{element} is not supported by this QEMU binary", hint=f"it has no device '{device}'"
            )
        return device


#: Form of a virtio device's address to the end of its driver's name; all others are on PCI.
_TRANSPORTS: Final[dict[type[Address], str]] = {MmioAddress: "device", CcwAddress: "ccw"}


def _transport(address: Address | None) -> str:
    return "pci" if address is None else _TRANSPORTS.get(type(address), "pci")


class Device:
    """What the elements in `<devices>` share. Subclasses declare `alias` and, where they have one, `address`."""

    __slots__ = ()

    #: What a generated alias begins with; empty for what has no alias.
    ALIAS: ClassVar[str] = ""

    alias: Alias | None

    @property
    def name(self) -> str:
        """The alias. Raises `InternalError` before one was assigned."""
        if self.alias is None:
            raise InternalError(f"device '{type(self).__name__}' has no alias yet")
        return self.alias.name

    @property
    def launch_group(self) -> str:
        """The devices of one group stand together on the command line."""
        return type(self).__name__

    def default_alias(self, index: int, ctx: DeviceContext) -> str:
        """The alias of the `index`th device of its kind, as libvirt names it; empty for what has none."""
        return f"{self.ALIAS}{index}" if self.ALIAS else ""

    def connection(self, ctx: DeviceContext) -> Connection:
        """What it is plugged into."""
        return NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """Fill in what the document leaves open."""

    def check_address(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError` for an address of another kind than the bus has."""
        address: Address | None = getattr(self, "address", None)
        if address is None:
            return
        if isinstance(address, PciAddress) and address.zpci is not None and not ctx.qemu.has_device("zpci"):
            raise UnsupportedConfigError("This QEMU binary doesn't support zPCI")
        connection = self.connection(ctx)
        fitting = PciAddress if connection.is_pci else _FITTING.get(connection.bus)
        if type(address) is fitting:
            return
        if isinstance(address, (MmioAddress, CcwAddress)) and connection.bus == "virtio" and not ctx.x86:
            return
        if fitting is None or not isinstance(address, fitting):
            raise UnsupportedConfigError(
                f"address type='{address.type}' is not supported for this <{tag_of(type(self))}> device",
                hint="leave the address out, and one is assigned" if fitting else "it has no address",
            )

    def check(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError` or `XmlError` for what cannot be honoured."""

    def prepare(self, ctx: DeviceContext) -> None:
        """Fill in what is only known when the guest starts, in the running guest's own copy of the definition."""

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """The programs that must run before QEMU gets the device, in order."""
        return []

    def environment(self, ctx: DeviceContext) -> dict[str, str]:
        """What QEMU has to find in its environment for the device."""
        return {}

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """Backends first, then the front end."""
        return []

    def realise(self, ctx: DeviceContext) -> list[QemuObject]:
        """`objects`, and what the machine needs beside them."""
        made = self.objects(ctx)
        if not ctx.s390 or not made:
            return made
        beside = zpci.beside(self.name, getattr(self, "address", None)) if self.alias is not None else []
        return [*made[:-1], *beside, made[-1]]

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """What must be said to QEMU once it runs (or has the device), in order."""
        return []

    def address_props(self, ctx: DeviceContext) -> Props:
        """The front end's properties for its place."""
        address = cast(Address | None, getattr(self, "address", None))
        if address is None:
            return {}
        props = (
            drive_props(address, self.connection(ctx).bus, ctx)
            if isinstance(address, DriveAddress)
            else address.props(ctx)
        )
        acpi = cast(AcpiIndex | None, getattr(self, "acpi", None))
        if acpi is not None and isinstance(address, PciAddress):
            props["acpi-index"] = acpi.index
        return props

    def boot_index(self, ctx: DeviceContext) -> int | None:
        """The effective boot index, or None."""
        return ctx.boot.get(self.name)

    def boot_props(self, ctx: DeviceContext) -> Props:
        """`bootindex`, and what a mainframe's boot loader is told."""
        boot = cast(BootOrder | None, getattr(self, "boot", None))
        return {"bootindex": self.boot_index(ctx), "loadparm": boot.loadparm if boot is not None else None}

    def virtio_driver(self, base: str, model: str | None = None) -> str:
        """The driver's name for a virtio device: its transport, and its model if it is (non-)transitional."""
        address = cast(Address | None, getattr(self, "address", None))
        name = f"{base}-{_transport(address)}"
        suffix = (model or "").removeprefix("virtio")
        if suffix in ("-transitional", "-non-transitional"):
            if not isinstance(address, PciAddress):
                raise UnsupportedConfigError("virtio (non-)transitional models are only supported for PCI addresses")
            name += suffix
        return name


class _VirtioOptions(Protocol):
    iommu: bool | None
    ats: bool | None
    packed: bool | None
    page_per_vq: bool | None


def virtio_props(driver: _VirtioOptions | None) -> Props:
    """The properties for the virtio options of a `<driver>`."""
    if driver is None:
        return {}
    return without_none(
        {
            "iommu_platform": driver.iommu,
            "ats": driver.ats,
            "packed": driver.packed,
            "page-per-vq": driver.page_per_vq,
        }
    )


def virtio_connection(model: str | None) -> Connection:
    """Where a virtio device of a model goes: transitional ones only work in a conventional PCI slot."""
    return PCI if model == "virtio-transitional" else VIRTIO
