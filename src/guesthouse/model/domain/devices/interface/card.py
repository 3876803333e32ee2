"""Network cards: the element `<interface>`, and the card that the guest sees.

Source: https://libvirt.org/formatdomain.html#network-interfaces.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, one, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    PCI,
    PCIE,
    AcpiIndex,
    Alias,
    BootOrder,
    Connection,
    Device,
    DeviceContext,
    Rom,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.domain.devices.interface import checks, netdev, passt
from guesthouse.model.domain.devices.interface.addresses import InterfaceIp, InterfaceRoute
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.domain.devices.interface.driver import AssignmentDriver, Backend, InterfaceDriver
from guesthouse.model.domain.devices.interface.filterref import FilterRef
from guesthouse.model.domain.devices.interface.forwarding import PortForward
from guesthouse.model.domain.devices.interface.source import GuestName, InterfaceSource, InterfaceTarget, Teaming
from guesthouse.model.domain.devices.interface.virtualport import VirtualPort
from guesthouse.model.domain.devices.interface.vlan import Vlan
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.kinds import MAC, TEXT, UINT, ULL, YES_NO, integer, matching, one_of
from guesthouse.model.qemu_objects import Command, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

VIRTIO_MODELS: Final = ("virtio", "virtio-transitional", "virtio-non-transitional")

#: Models that are known in any case of letters.
_MODELS: Final = (
    "rtl8139",
    "e1000",
    "e1000e",
    "igb",
    "usb-net",
    "lan9118",
    "smc91c111",
    "vmxnet3",
    *VIRTIO_MODELS,
)
#: Models with a place of PCI Express.
_EXPRESS: Final = ("e1000e", "igb")

#: Types whose device on the host is a tap or a macvtap, which we open.
TAP_TYPES: Final = ("network", "bridge", "ethernet", "direct")
SOCKET_TYPES: Final = ("server", "client", "mcast", "udp")
_TYPES: Final = (
    "user",
    "ethernet",
    "vhostuser",
    *SOCKET_TYPES,
    "network",
    "bridge",
    "internal",
    "direct",
    "hostdev",
    "vdpa",
    "null",
    "vds",
)


@element("mac")
class Mac:
    """The card's address. `current_address` is what a running guest made of it."""

    address: str = attr(MAC)
    type: str | None = opt(one_of("generated", "static"))
    check: bool | None = opt(YES_NO)
    current_address: str | None = opt(MAC, "currentAddress", live=True)

    def parsed(self) -> None:
        """A card's own address is not that of a group."""
        if int(self.address[:2], 16) & 1:
            raise XmlError(f"expected unicast mac address, found multicast '{self.address}'")


@element("tune", omit_empty=True)
class Tune:
    """`sndbuf` is how many bytes of the guest's may wait in the host; 0 is no limit."""

    sndbuf: int | None = opt_leaf(ULL)


@element("frames")
class CoalescedFrames:
    """How many frames may wait for one interrupt."""

    max: int | None = opt(UINT)


@element("rx", omit_empty=True)
class ReceiveCoalescing:
    """The receiving side."""

    frames: CoalescedFrames | None = one(CoalescedFrames)

    def parsed(self) -> None:
        """0 is the kernel's own way."""
        if self.frames is not None and not self.frames.max:
            self.frames = None


@element("coalesce", omit_empty=True)
class Coalesce:
    """How the host's device gathers frames."""

    rx: ReceiveCoalescing | None = one(ReceiveCoalescing)

    @property
    def frames(self) -> int | None:
        """How many received frames may wait for one interrupt."""
        return self.rx.frames.max if self.rx is not None and self.rx.frames is not None else None


def _target_stays(target: InterfaceTarget) -> bool:
    return target.is_of_user


@element("interface")
class Interface(Device):
    """A network card."""

    ALIAS: ClassVar[str] = "net"

    type: str = attr(one_of(*_TYPES))
    managed: bool | None = opt(YES_NO)
    trust_guest_rx_filters: bool | None = opt(YES_NO, "trustGuestRxFilters")
    mac: Mac | None = one(Mac)
    assignment: AssignmentDriver | None = one(AssignmentDriver)
    source: InterfaceSource | None = one(InterfaceSource)
    vlan: Vlan | None = one(Vlan)
    virtual_port: VirtualPort | None = one(VirtualPort)
    bandwidth: Bandwidth | None = one(Bandwidth)
    isolated: bool | None = opt(YES_NO, "isolated", within="port")
    ips: list[InterfaceIp] = many(InterfaceIp)
    routes: list[InterfaceRoute] = many(InterfaceRoute)
    forwards: list[PortForward] = many(PortForward)
    script: str | None = opt(TEXT, "path", within="script")
    down_script: str | None = opt(TEXT, "path", within="downscript")
    backend_domain: str | None = opt(TEXT, "name", within="backenddomain")
    target: InterfaceTarget | None = one(InterfaceTarget, live=True, keep=_target_stays)
    guest: GuestName | None = one(GuestName)
    model: str | None = opt(matching(r"[A-Za-z0-9_\-]{1,64}", "a card model"), "type", within="model")
    driver: InterfaceDriver | None = one(InterfaceDriver)
    backend: Backend | None = one(Backend)
    filter: FilterRef | None = one(FilterRef)
    tune: Tune | None = one(Tune)
    teaming: Teaming | None = one(Teaming)
    link: str | None = opt(one_of("up", "down"), "state", within="link")
    mtu: int | None = opt(integer(0, 65535), "size", within="mtu")
    coalesce: Coalesce | None = one(Coalesce)
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    rom: Rom | None = one(Rom)
    acpi: AcpiIndex | None = one(AcpiIndex)
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """Bring models, targets and drivers to the form that libvirt keeps."""
        if self.model is not None and self.model.lower() in _MODELS:
            self.model = self.model.lower()
        self.mtu = self.mtu or None
        if self.type == "hostdev":
            self._parsed_assigned()
        elif self.assignment is None and not self.is_virtio and self.driver is not None and self.model is not None:
            checks.driver_without_virtio(self.driver)
            self.driver = None
        if self.backend is not None and (self.is_assigned or (self.model is not None and not self.is_virtio)):
            self.backend.vhost = None
        checks.parsed(self)

    def _parsed_assigned(self) -> None:
        """The `<driver>` of a card of the host is what assigns it."""
        driver, self.driver = self.driver, None
        if driver is not None:
            self.assignment = new(AssignmentDriver, name=driver.name, model=driver.model)
        self.managed = self.managed or None

    @property
    def is_virtio(self) -> bool:
        """Whether the card is a virtio one."""
        return self.model in VIRTIO_MODELS

    @property
    def uses_passt(self) -> bool:
        """Whether passt has to be started for it, before QEMU."""
        return self.type in ("user", "vhostuser") and self.backend is not None and self.backend.type == "passt"

    @property
    def is_assigned(self) -> bool:
        """Whether it is a card of the host."""
        return self.type == "hostdev"

    @property
    def launch_group(self) -> str:
        """Cards of the host stand among the other devices of the host."""
        return "Hostdev" if self.is_assigned else "Interface"

    @property
    def uses_tap(self) -> bool:
        """Whether QEMU gets descriptors of a tap or macvtap device."""
        return self.type in TAP_TYPES

    @property
    def host_device(self) -> str | None:
        """The name of its device on the host, where it has one."""
        return self.target.dev if self.target is not None else None

    @host_device.setter
    def host_device(self, name: str) -> None:
        self.target = self.target or new(InterfaceTarget)
        self.target.dev = name

    @property
    def queues(self) -> int:
        """How many pairs of queues the card has."""
        return (self.driver.queues if self.driver is not None else None) or 1

    @property
    def netdev(self) -> str:
        """The id of the backend."""
        return f"host{self.name}"

    @property
    def mac_text(self) -> str:
        """The card's address, for messages."""
        return self.mac.address if self.mac is not None else "00:00:00:00:00:00"

    def default_alias(self, index: int, ctx: DeviceContext) -> str:
        """Cards of the host are named as other assigned devices are."""
        return f"hostdev{index}" if self.type == "hostdev" else f"net{index}"

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the model: virtio, Express for the newer Intel cards, a conventional slot for the rest."""
        if self.is_assigned:
            place = self.source.host_address if self.source is not None else None
            return PCIE if place is None or ctx.parts.is_express(host_address(place)) else PCI
        if self.is_virtio:
            return virtio_connection(self.model)
        if self.model == "usb-net":
            return Connection("usb")
        return PCIE if self.model in _EXPRESS else PCI

    def defaults(self, ctx: DeviceContext) -> None:
        """The model: the one that most guests know out of the box."""
        if self.model is None and self.type != "hostdev":
            order = ("rtl8139", "e1000", "virtio") if ctx.x86 else ("virtio",)
            if self.type in ("vdpa", "vhostuser"):
                order = ("virtio",)
            self.model = next((name for name in order if ctx.qemu.has_device(_driver_of(name))), order[-1])
        if not self.is_virtio and self.type != "hostdev" and self.driver is not None:
            checks.driver_without_virtio(self.driver)
            self.driver = None
        if self.type == "direct" and self.source is not None and self.source.mode is None:
            self.source.mode = "vepa"
        if self.virtual_port is not None and self.type != "network":
            self.virtual_port.generate()
        if self.target is not None and not self.target.is_of_user:
            self.target.dev = None

    def check(self, ctx: DeviceContext) -> None:
        """The kind of network is one that we have, and the options fit it and the model."""
        checks.check(self, ctx)
        if self.type != "hostdev":
            ctx.need(_driver_of(self.model or ""), f"network card model '{self.model}'")

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """passt, where it carries the network."""
        return [passt.program(self, ctx)] if self.uses_passt else []

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The network backend and the card. Raises `UnsupportedConfigError` for a network that is not there."""
        if self.type == "hostdev":
            return [QemuDevice(self._assigned(ctx))]
        return [*netdev.objects(self, ctx), QemuDevice(self._front_end(ctx))]

    def _front_end(self, ctx: DeviceContext) -> Props:
        props = self._virtio_front() if self.is_virtio else {"driver": self.model}
        props |= without_none(
            {
                "netdev": self.netdev,
                "id": self.name,
                "mac": self.mac.address if self.mac else None,
                **self.boot_props(ctx),
            }
        )
        props |= self.address_props(ctx)
        return props | (self.rom.props() if self.rom else {})

    def _virtio_front(self) -> Props:
        props: Props = {"driver": self.virtio_driver("virtio-net", self.model)}
        driver = self.driver or new(InterfaceDriver)
        several = self.queues > 1
        on_ccw = self.address is not None and self.address.type == "ccw"
        failover = self.teaming is not None and self.teaming.type == "persistent"
        props |= virtio_props(driver)
        props |= without_none(
            {
                "tx": {"iothread": "bh", "timer": "timer"}.get(driver.txmode or ""),
                "ioeventfd": driver.ioeventfd,
                "event_idx": driver.event_idx,
            }
        )
        props |= driver.offloads()
        # Two vectors for each pair of queues, one for the configuration and one for the control queue.
        return props | without_none(
            {
                "mq": True if several else None,
                "vectors": 2 * self.queues + 2 if several and not on_ccw else None,
                "rx_queue_size": driver.rx_queue_size or None,
                "tx_queue_size": driver.tx_queue_size or None,
                "rss": driver.rss,
                "hash": driver.rss_hash_report,
                "host_mtu": self.mtu,
                "failover": True if failover else None,
            }
        )

    def _assigned(self, ctx: DeviceContext) -> Props:
        """A card of the host, by VFIO."""
        place = self.source.host_address if self.source is not None else None
        if place is None:
            raise UnsupportedConfigError("unknown host device source address type '<null>'")
        props: Props = {"driver": "vfio-pci", "host": host_address(place), "id": self.name}
        if self.teaming is not None and self.teaming.type == "transient":
            props["failover_pair_id"] = self.teaming.persistent
        props |= without_none({"bootindex": self.boot_index(ctx)})
        return props | self.address_props(ctx) | (self.rom.props() if self.rom else {})

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Pull the plug, where the link is to be down."""
        return [Command("set_link", {"name": self.name, "up": False})] if self.link == "down" else []


def host_address(place: PciAddress) -> str:
    """The address of a PCI device of the host, as QEMU and `/sys` write it."""
    return f"{place.domain or 0:04x}:{place.bus or 0:02x}:{place.slot or 0:02x}.{place.function or 0:x}"


def _driver_of(model: str) -> str:
    return f"virtio-net-pci{model.removeprefix('virtio')}" if model in VIRTIO_MODELS else model
