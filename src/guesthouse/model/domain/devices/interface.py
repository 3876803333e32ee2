"""Network cards, on networks that need no device of the host: user-mode networks and sockets.

What needs a bridge, a tap or another device of the host is read and written, and refused by name until the network
driver can provide it.

Source: https://libvirt.org/formatdomain.html#network-interfaces.
"""

from __future__ import annotations

import ipaddress
from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
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
from guesthouse.model.kinds import ABSOLUTE_PATH, MAC, ON_OFF, TEXT, UINT, YES_NO, Kind, integer, matching, one_of
from guesthouse.model.qemu_objects import Command, Json, Netdev, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

VIRTIO_MODELS: Final = ("virtio", "virtio-transitional", "virtio-non-transitional")

_MODELS: Final = (
    "rtl8139",
    "e1000",
    "e1000e",
    "e1000-82544gc",
    "e1000-82545em",
    "igb",
    "ne2k_pci",
    "pcnet",
    "usb-net",
    *VIRTIO_MODELS,
)

#: Types that need something of the host, and what that is.
_NEEDS_HOST: Final = {
    "network": "virtual networks",
    "bridge": "bridges",
    "direct": "macvtap",
    "ethernet": "tap devices",
    "vhostuser": "vhost-user",
    "hostdev": "host devices",
    "vdpa": "vDPA devices",
}
_SOCKETS: Final = ("server", "client", "mcast", "udp")
_RECONNECT_MS: Final = 5000


def _parse_ip(text: str) -> str:
    return str(ipaddress.ip_address(text))


IP: Final[Kind[str]] = Kind("an IP address", _parse_ip, str)
_PORT: Final = integer(1, 65535)
_DEVICE_NAME: Final = matching(r"[^\s/%,]{1,15}", "the name of a network device")


@element("mac")
class Mac:
    """The card's address."""

    address: str = attr(MAC)
    type: str | None = opt(one_of("generated", "static"))
    check: bool | None = opt(YES_NO)

    def parsed(self) -> None:
        """A card's own address is not that of a group."""
        if int(self.address[:2], 16) & 1:
            raise XmlError(f"expected unicast mac address, found multicast '{self.address}'")


@element("source")
class InterfaceSource:
    """The other end: which attributes count is the type's matter."""

    network: str | None = opt(TEXT)
    portgroup: str | None = opt(TEXT)
    bridge: str | None = opt(_DEVICE_NAME)
    dev: str | None = opt(_DEVICE_NAME)
    mode: str | None = opt(one_of("vepa", "private", "bridge", "passthrough"))
    address: str | None = opt(IP)
    port: int | None = opt(_PORT)
    local_address: str | None = opt(IP, "address", within="local")
    local_port: int | None = opt(_PORT, "port", within="local")


@element("ip")
class GuestIp:
    """The guest's address on a user-mode network. `prefix` is a number of bits."""

    address: str = attr(IP)
    family: str | None = opt(one_of("ipv4", "ipv6"))
    prefix: int | None = opt(integer(0, 128))

    def parsed(self) -> None:
        """The family is the address's."""
        family = "ipv6" if ":" in self.address else "ipv4"
        if self.family not in (None, family):
            raise XmlError(f"Invalid address '{self.address}' of family '{self.family}' in <ip>")
        self.family = family


@element("range")
class PortRange:
    """Ports of the host, and what they become in the guest."""

    start: int = attr(_PORT)
    end: int | None = opt(_PORT)
    to: int | None = opt(_PORT)
    exclude: bool | None = opt(YES_NO)

    def parsed(self) -> None:
        """The range does not run backwards."""
        if self.end is not None and self.end < self.start:
            raise XmlError(f"'end' of the portForward range {self.start} to {self.end} is before its 'start'")


@element("portForward")
class PortForward:
    """Ports of the host that lead to the guest; without ranges all of them."""

    proto: str = attr(one_of("tcp", "udp"))
    address: str | None = opt(IP)
    dev: str | None = opt(_DEVICE_NAME)
    ranges: list[PortRange] = many(PortRange)


@element("host")
class HostOffloads:
    """What the host may leave to the card."""

    csum: bool | None = opt(ON_OFF)
    gso: bool | None = opt(ON_OFF)
    tso4: bool | None = opt(ON_OFF)
    tso6: bool | None = opt(ON_OFF)
    ecn: bool | None = opt(ON_OFF)
    ufo: bool | None = opt(ON_OFF)
    mrg_rxbuf: bool | None = opt(ON_OFF)


@element("guest")
class GuestOffloads:
    """What the guest may leave to the card."""

    csum: bool | None = opt(ON_OFF)
    tso4: bool | None = opt(ON_OFF)
    tso6: bool | None = opt(ON_OFF)
    ecn: bool | None = opt(ON_OFF)
    ufo: bool | None = opt(ON_OFF)


@element("driver")
class InterfaceDriver:
    """How a virtio card works."""

    name: str | None = opt(one_of("qemu", "vhost"))
    txmode: str | None = opt(one_of("iothread", "timer"))
    ioeventfd: bool | None = opt(ON_OFF)
    event_idx: bool | None = opt(ON_OFF)
    queues: int | None = opt(integer(1, 65535))
    rx_queue_size: int | None = opt(UINT)
    tx_queue_size: int | None = opt(UINT)
    rss: bool | None = opt(ON_OFF)
    rss_hash_report: bool | None = opt(ON_OFF)
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
    host: HostOffloads | None = one(HostOffloads)
    guest: GuestOffloads | None = one(GuestOffloads)


@element("backend")
class Backend:
    """What carries a user-mode network: QEMU itself, or the program passt."""

    type: str | None = opt(one_of("default", "passt"))
    log_file: str | None = opt(ABSOLUTE_PATH, "logFile")


@element("interface")
class Interface(Device):
    """A network card."""

    ALIAS: ClassVar[str] = "net"

    type: str = attr(one_of("user", *_NEEDS_HOST, *_SOCKETS, "internal", "null"))
    mac: Mac | None = one(Mac)
    source: InterfaceSource | None = one(InterfaceSource)
    ips: list[GuestIp] = many(GuestIp)
    forwards: list[PortForward] = many(PortForward)
    target: str | None = opt(_DEVICE_NAME, "dev", within="target")
    model: str | None = opt(matching(r"[A-Za-z0-9_.\-]{1,64}", "a card model"), "type", within="model")
    driver: InterfaceDriver | None = one(InterfaceDriver)
    backend: Backend | None = one(Backend)
    link: str | None = opt(one_of("up", "down"), "state", within="link")
    mtu: int | None = opt(integer(68, 65535), "size", within="mtu")
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    rom: Rom | None = one(Rom)
    acpi: AcpiIndex | None = one(AcpiIndex)
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The known models are known in any case of letters."""
        if self.model is not None and self.model.lower() in _MODELS:
            self.model = self.model.lower()

    @property
    def is_virtio(self) -> bool:
        """Whether the card is a virtio one."""
        return self.model in VIRTIO_MODELS

    @property
    def uses_passt(self) -> bool:
        """Whether passt has to be started for it, before QEMU."""
        return self.type == "user" and self.backend is not None and self.backend.type == "passt"

    @property
    def netdev(self) -> str:
        """The id of the backend."""
        return f"host{self.name}"

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the model: virtio, Express for the newer Intel cards, a conventional slot for the rest."""
        if self.is_virtio:
            return virtio_connection(self.model)
        if self.model == "usb-net":
            return Connection("usb")
        if self.type == "hostdev":
            return NOWHERE
        return PCIE if self.model in ("e1000e", "igb") else PCI

    def defaults(self, ctx: DeviceContext) -> None:
        """The model: the one that most guests know out of the box."""
        if self.model is None and self.type != "hostdev":
            order = ("rtl8139", "e1000", "virtio") if ctx.x86 else ("virtio",)
            self.model = next((name for name in order if ctx.qemu.has_device(_driver_of(name))), order[-1])

    def check(self, ctx: DeviceContext) -> None:
        """The kind of network is one that we have, and the options fit it and the model."""
        self._check_type()
        if self.type in _SOCKETS:
            self._check_socket()
        ctx.need(_driver_of(self.model or ""), f"network card model '{self.model}'")
        self._check_backend()
        self._check_addresses()
        if self.driver is not None:
            self._check_driver(self.driver)

    def _check_type(self) -> None:
        if self.type in _NEEDS_HOST:
            raise UnsupportedConfigError(
                f"network interface type '{self.type}' is not supported: there is no network driver for "
                f"{_NEEDS_HOST[self.type]} yet",
                hint="use <interface type='user'>",
            )
        if self.type in ("internal", "null"):
            raise UnsupportedConfigError(f"network device type '{self.type}' is not supported by this hypervisor")

    def _check_socket(self) -> None:
        source = self.source
        if source is None or source.port is None:
            raise XmlError("No <source> 'port' attribute specified with socket interface")
        if source.address is None and self.type != "server":
            raise XmlError("No <source> 'address' attribute specified with socket interface")
        if self.type == "udp" and (source.local_address is None or source.local_port is None):
            raise XmlError("No <local> 'address' and 'port' attribute specified with socket interface")

    def _check_backend(self) -> None:
        if self.uses_passt:
            return
        if self.backend is not None and (self.backend.type == "passt" or self.backend.log_file is not None):
            raise UnsupportedConfigError(
                "The 'passt' backend and its 'logFile' can only be used with interface type='user' or type='vhostuser'"
            )
        if self.forwards:
            raise UnsupportedConfigError(
                "The <portForward> element can only be used with the 'passt' backend of interface type='user' or "
                "type='vhostuser'"
            )
        if self.source is not None and self.source.dev is not None:
            raise UnsupportedConfigError(
                "The 'dev' attribute of the <source> element can only be used with <interface> type='user' or "
                "type='vhostuser' if the <backend> type='passt'"
            )
        if self.mtu is not None:
            raise UnsupportedConfigError(f"setting MTU on interface type {self.type} is not implemented yet")

    def _check_addresses(self) -> None:
        if self.ips and self.type != "user":
            raise UnsupportedConfigError(
                "Invalid attempt to set network interface guest-side IP address info, not supported by QEMU"
            )
        for family, low, high in (("ipv4", 4, 27), ("ipv6", 64, 64)):
            found = [ip for ip in self.ips if ip.family == family]
            if len(found) > 1:
                name = family.replace("ip", "IP")
                raise UnsupportedConfigError(f"Only one {name} address per interface is allowed")
            if found and found[0].prefix and not low <= found[0].prefix <= high:
                raise XmlError(f"invalid prefix of an {family} address, must be in range of {low}-{high}")

    def _check_driver(self, driver: InterfaceDriver) -> None:
        if not self.is_virtio:
            raise UnsupportedConfigError(f"<driver> is only supported for virtio cards, not for '{self.model}'")
        if driver.name == "vhost":
            raise UnsupportedConfigError(f"vhost-net is not supported with interface type '{self.type}'")
        if driver.queues is not None and driver.queues > 1:
            raise UnsupportedConfigError(f"Multiqueue network is not supported for: {self.type}")
        for name in ("rx_queue_size", "tx_queue_size"):
            size = getattr(driver, name)
            if size and size & (size - 1):
                raise UnsupportedConfigError(f"{name} has to be a power of two")

    def passt_socket(self, ctx: DeviceContext) -> str:
        """Where passt listens for QEMU."""
        return f"{ctx.passt_dir}/{ctx.short_name}-{self.name}.socket"

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The network backend and the card. Raises `UnsupportedConfigError` for a network that is not there."""
        self._check_type()
        netdev = (_user(self, ctx) if self.type == "user" else _socket(self)) | {"id": self.netdev}
        return [Netdev(netdev), QemuDevice(self._front_end(ctx))]

    def _front_end(self, ctx: DeviceContext) -> Props:
        props = self._virtio_front() if self.is_virtio else {"driver": self.model}
        props |= without_none(
            {
                "netdev": self.netdev,
                "id": self.name,
                "mac": self.mac.address if self.mac else None,
                "bootindex": self.boot_index(ctx),
            }
        )
        props |= self.address_props(ctx)
        return props | (self.rom.props() if self.rom else {})

    def _virtio_front(self) -> Props:
        props: Props = {"driver": self.virtio_driver("virtio-net", self.model)}
        driver = self.driver
        if driver is not None:
            props |= virtio_props(driver)
            props |= without_none(
                {
                    "tx": {"iothread": "bh", "timer": "timer"}.get(driver.txmode or ""),
                    "ioeventfd": driver.ioeventfd,
                    "event_idx": driver.event_idx,
                }
            )
            props |= _offloads(driver)
            props |= without_none(
                {
                    "rx_queue_size": driver.rx_queue_size,
                    "tx_queue_size": driver.tx_queue_size,
                    "rss": driver.rss,
                    "hash": driver.rss_hash_report,
                }
            )
        return props | without_none({"host_mtu": self.mtu})

    def after_start(self, ctx: DeviceContext) -> list[Command]:
        """Pull the plug, where the link is to be down."""
        return [Command("set_link", {"name": self.name, "up": False})] if self.link == "down" else []


def _driver_of(model: str) -> str:
    return f"virtio-net-pci{model.removeprefix('virtio')}" if model in VIRTIO_MODELS else model


def _offloads(driver: InterfaceDriver) -> Props:
    host, guest = driver.host, driver.guest
    props: Props = {}
    if host is not None:
        props |= {
            "csum": host.csum,
            "gso": host.gso,
            "host_tso4": host.tso4,
            "host_tso6": host.tso6,
            "host_ecn": host.ecn,
            "host_ufo": host.ufo,
            "mrg_rxbuf": host.mrg_rxbuf,
        }
    if guest is not None:
        props |= {
            "guest_csum": guest.csum,
            "guest_tso4": guest.tso4,
            "guest_tso6": guest.tso6,
            "guest_ecn": guest.ecn,
            "guest_ufo": guest.ufo,
        }
    return without_none(props)


def _user(interface: Interface, ctx: DeviceContext) -> Props:
    if interface.uses_passt:
        address: Json = {"type": "unix", "path": interface.passt_socket(ctx)}
        newer = ctx.qemu.has_option("chardev", "reconnect-ms")
        retry: Props = {"reconnect-ms": _RECONNECT_MS} if newer else {"reconnect": _RECONNECT_MS // 1000}
        return {"type": "stream", "addr": address, "server": False} | retry
    props: Props = {"type": "user"}
    for ip in interface.ips:
        if ip.family == "ipv4":
            props["net"] = f"{ip.address}/{ip.prefix}" if ip.prefix else ip.address
        else:
            props |= without_none({"ipv6-prefix": ip.address, "ipv6-prefixlen": ip.prefix})
    return props


def _socket(interface: Interface) -> Props:
    source = interface.source or new(InterfaceSource)
    place = f"{source.address or ''}:{source.port}"
    key = {"server": "listen", "client": "connect", "mcast": "mcast", "udp": "udp"}[interface.type]
    props: Props = {"type": "socket", key: place}
    if interface.type == "udp":
        props["localaddr"] = f"{source.local_address}:{source.local_port}"
    return props
