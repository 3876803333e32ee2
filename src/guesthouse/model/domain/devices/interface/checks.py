"""What cannot be honoured in an `<interface>`, as errors in libvirt's words.

`parsed` says what its document lacks, `check` what this host and QEMU cannot do, `check_network` what only shows once
the network behind it is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface.source import InterfaceSource

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.interface.card import Interface
    from guesthouse.model.domain.devices.interface.driver import InterfaceDriver

#: What a card of the host has that a running guest got from a network; a definition has none of it.
_OF_NETWORK: Final = ("network", "portgroup", "portid")
#: Type to what its <source> may say.
_SOURCE_NAMES: Final = {
    "network": frozenset(("network", "portgroup", "portid", "actual_bridge")),
    "bridge": frozenset(("bridge",)),
    "direct": frozenset(("dev", "mode")),
    "ethernet": frozenset(("dev", "ips", "routes")),
    "user": frozenset(("dev",)),
    "vhostuser": frozenset(("type", "path", "mode", "reconnect", "dev")),
    "vdpa": frozenset(("dev",)),
    "hostdev": frozenset(("host_address", *_OF_NETWORK)),
    "internal": frozenset(("name",)),
    "server": frozenset(("address", "port")),
    "client": frozenset(("address", "port")),
    "mcast": frozenset(("address", "port")),
    "udp": frozenset(("address", "port", "local_address", "local_port")),
}
#: Type to the attributes of <source> that it needs.
_NEEDED: Final = {
    "network": ("network",),
    "bridge": ("bridge",),
    "direct": ("dev",),
    "vdpa": ("dev",),
    "internal": ("name",),
    "server": ("port",),
    "client": ("address", "port"),
    "mcast": ("address", "port"),
    "udp": ("address", "port"),
}
_VIRTUAL_PORTS: Final = ("network", "bridge", "direct", "hostdev")
_MODES: Final = {"direct": ("vepa", "private", "bridge", "passthrough"), "vhostuser": ("server", "client")}
_PASST: Final = "interface type='user' or type='vhostuser'"


def parsed(interface: Interface) -> None:
    """What the type needs is there. Raises `XmlError` and `UnsupportedConfigError`."""
    kind = interface.type
    if kind == "vds":
        raise UnsupportedConfigError("network device type 'vds' is not supported by this hypervisor")
    source = interface.source
    if source is None and kind in _NEEDED:
        raise XmlError(f"interface type='{kind}' requires a 'source' element")
    source = source or new(InterfaceSource)
    for name in _NEEDED.get(kind, ()):
        if getattr(source, name) is None:
            raise XmlError(f"Missing required attribute '{name}' in element 'source'")
    if kind == "udp" and source.local_address is None and source.local_port is None:
        raise XmlError("'<local>' element missing for 'udp' socket interface")
    if kind == "udp" and (source.local_address is None or source.local_port is None):
        missing = "address" if source.local_address is None else "port"
        raise XmlError(f"Missing required attribute '{missing}' in element 'local'")
    if kind == "hostdev" and source.host_address is None:
        raise UnsupportedConfigError("unknown host device source address type '<null>'")
    if source.mode is not None and source.mode not in _MODES.get(kind, (source.mode,)):
        raise XmlError(f"Invalid value for attribute 'mode' in element 'source': '{source.mode}'")
    names = _SOURCE_NAMES.get(kind, frozenset())
    source.keep_only(names if kind != "hostdev" or source.portid is not None else names.difference(_OF_NETWORK))
    _parsed_virtual_port(interface)
    if interface.bandwidth is not None and kind != "network":
        inbound = interface.bandwidth.inbound
        if inbound is not None and inbound.floor is not None:
            raise UnsupportedConfigError("floor attribute is not supported for this config")


def _parsed_virtual_port(interface: Interface) -> None:
    if interface.virtual_port is None:
        return
    if interface.type not in _VIRTUAL_PORTS:
        raise UnsupportedConfigError(f"<virtualport> element unsupported for <interface type='{interface.type}'>")
    if interface.type != "network" and interface.virtual_port.type is None:
        raise XmlError("missing required virtualport type")


def driver_without_virtio(driver: InterfaceDriver) -> None:
    """A card of another kind has none of these settings; those of every virtio device are refused, as libvirt does."""
    for name in ("iommu", "ats", "packed", "page_per_vq"):
        if getattr(driver, name) is not None:
            raise UnsupportedConfigError(f"{name} driver option is only supported for virtio devices")


def check(interface: Interface, ctx: DeviceContext) -> None:
    """Whether this QEMU can do it. Raises `UnsupportedConfigError` and `XmlError`."""
    if interface.type == "null":
        raise UnsupportedConfigError("network device type 'null' is not supported by this hypervisor")
    if interface.backend_domain is not None:
        raise UnsupportedConfigError("<backenddomain> is for Xen alone", hint="remove <backenddomain>")
    if interface.script is not None and interface.type != "ethernet":
        raise UnsupportedConfigError(f"scripts are not supported on interfaces of type {interface.type}")
    _check_host_side(interface)
    _check_teaming(interface)
    _check_port(interface)
    _check_passt(interface)
    _check_guest_addresses(interface)
    _check_vhost_user(interface, ctx)
    _check_model(interface)
    _check_sizes(interface)
    if interface.virtual_port is not None and interface.type != "network":
        interface.virtual_port.check()
    if interface.type != "network":
        check_network(interface, interface.type)


def _check_host_side(interface: Interface) -> None:
    source, kind = interface.source, interface.type
    if source is not None and (source.ips or source.routes) and kind != "ethernet":
        raise UnsupportedConfigError(
            "Invalid attempt to set network interface host-side IP route and/or address info on interface of type "
            f"'{kind}'. This is only supported on interfaces of type 'ethernet'"
        )
    if interface.target is not None and interface.target.managed is False and kind != "ethernet":
        raise UnsupportedConfigError(f"unmanaged target dev is not supported on interfaces of type '{kind}'")
    if interface.bandwidth is not None:
        interface.bandwidth.check()


def _check_teaming(interface: Interface) -> None:
    teaming = interface.teaming
    if teaming is None:
        return
    if teaming.type is None:
        raise UnsupportedConfigError("unknown teaming type '(null)'")
    if teaming.type == "transient":
        if teaming.persistent is None:
            raise UnsupportedConfigError("teaming persistent attribute must be set if teaming type is 'transient'")
        if interface.type not in ("hostdev", "network"):
            raise UnsupportedConfigError(
                f"virtio-net teaming transient interface must be type='hostdev', not '{interface.type}'"
            )
        return
    if teaming.persistent is not None:
        raise UnsupportedConfigError(f"teaming persistent attribute not allowed if teaming type is '{teaming.type}'")
    if not interface.is_virtio:
        raise UnsupportedConfigError(
            f"virtio-net teaming persistent interface must be <model type='virtio'/>, not '{interface.model}'"
        )


def _check_port(interface: Interface) -> None:
    if not interface.isolated:
        return
    start = f"interface {interface.mac_text} - <port isolated='yes'/> is not supported for network interfaces with"
    if interface.type not in ("network", "bridge"):
        raise UnsupportedConfigError(f"{start} type='{interface.type}'")
    if interface.virtual_port is not None and interface.virtual_port.type is not None:
        raise UnsupportedConfigError(f"{start} virtualport type='{interface.virtual_port.type}'")


def _check_passt(interface: Interface) -> None:
    if interface.uses_passt:
        return
    backend = interface.backend
    if backend is not None and backend.type == "passt":
        raise UnsupportedConfigError(f"The 'passt' backend can only be used with {_PASST}")
    if backend is not None and backend.log_file is not None:
        raise UnsupportedConfigError("The 'logFile' attribute of <backend> can only be used with type='passt'")
    if interface.source is not None and interface.source.dev is not None and interface.type in ("user", "vhostuser"):
        raise UnsupportedConfigError(
            "The 'dev' attribute of the <source> element can only be used with <interface> type='user' or "
            "type='vhostuser' if the <backend> type='passt'"
        )
    if interface.forwards:
        raise UnsupportedConfigError(f"The <portForward> element can only be used with the 'passt' backend of {_PASST}")


def _check_guest_addresses(interface: Interface) -> None:
    if interface.routes:
        raise UnsupportedConfigError(
            "Invalid attempt to set network interface guest-side IP route, not supported by QEMU"
        )
    if interface.ips and interface.type != "user" and not interface.uses_passt:
        raise UnsupportedConfigError(
            "Invalid attempt to set network interface guest-side IP address info, not supported by QEMU"
        )
    if any(ip.peer is not None for ip in interface.ips):
        raise UnsupportedConfigError("Invalid attempt to set peer IP for guest")
    for family in ("ipv4", "ipv6"):
        found = [ip for ip in interface.ips if ip.family == family]
        if len(found) > 1:
            raise UnsupportedConfigError(f"Only one {family.replace('ip', 'IP')} address per interface is allowed")
        prefix = found[0].prefix if found else None
        if prefix is None:
            continue
        if family == "ipv4" and not 4 <= prefix <= 27:
            raise XmlError("invalid prefix, must be in range of 4-27")
        if family == "ipv6" and prefix != 64:
            raise UnsupportedConfigError(f"unsupported IPv6 address prefix='{prefix}' - must be 64")


def _check_vhost_user(interface: Interface, ctx: DeviceContext) -> None:
    if interface.type != "vhostuser":
        return
    source = interface.source or new(InterfaceSource)
    if source.path is None and not interface.uses_passt:
        raise XmlError("Missing required attribute 'path' in element 'source'")
    if source.mode == "server" and source.reconnect is not None and source.reconnect.enabled:
        raise UnsupportedConfigError(
            "'reconnect' attribute is not supported when source mode='server' for <interface type='vhostuser'>"
        )
    if not ctx.shared_memory:
        raise UnsupportedConfigError(
            "'interface' requires shared memory", hint="add <memoryBacking><access mode='shared'/></memoryBacking>"
        )


def _check_model(interface: Interface) -> None:
    if not interface.is_virtio and interface.type in ("vdpa", "vhostuser"):
        raise UnsupportedConfigError(
            f"invalid model for interface of type '{interface.type}': '{interface.model}' - must be 'virtio'"
        )
    driver = interface.driver
    if driver is None:
        return
    if driver.name == "vfio" or driver.model is not None:
        raise UnsupportedConfigError("the driver 'vfio' is only for <interface type='hostdev'>")
    for name in ("rx_queue_size", "tx_queue_size"):
        size: int | None = getattr(driver, name)
        if size and size & (size - 1):
            raise UnsupportedConfigError(f"{name} has to be a power of two")


def _check_sizes(interface: Interface) -> None:
    kind = interface.type
    takes_mtu = kind in ("network", "bridge", "ethernet", "vhostuser") or interface.uses_passt
    if interface.mtu is not None and not takes_mtu:
        raise UnsupportedConfigError(f"setting MTU on interface type {kind} is not supported yet")
    if interface.coalesce is not None and interface.coalesce.frames and kind not in ("network", "bridge"):
        raise UnsupportedConfigError(f"coalesce settings on interface type {kind} are not supported")


def check_network(interface: Interface, kind: str) -> None:
    """What depends on what an interface of type `network` really is. Raises `UnsupportedConfigError`."""
    start = f"interface {interface.mac_text} -"
    port = interface.virtual_port.type if interface.virtual_port is not None else None
    mode = interface.source.mode if interface.source is not None else None
    tagged = kind == "hostdev" or (kind == "direct" and mode == "passthrough")
    if interface.vlan is not None and not tagged and not (kind == "bridge" and port in (None, "openvswitch")):
        raise UnsupportedConfigError(f"{start} vlan tag not supported for this connection type")
    if interface.bandwidth is not None and kind == "hostdev":
        raise UnsupportedConfigError(f"{start} bandwidth settings are not supported for hostdev interfaces")
    if interface.queues > 1 and kind not in ("bridge", "network", "direct", "ethernet", "vhostuser", "vdpa"):
        raise UnsupportedConfigError(f"{start} multiqueue is not supported for network interfaces of type {kind}")
    if interface.filter is not None:
        if kind not in ("network", "bridge", "ethernet"):
            raise UnsupportedConfigError(f"{start} filterref is not supported for network interfaces of type {kind}")
        if port is not None:
            raise UnsupportedConfigError(
                f"{start} filterref is not supported for network interfaces with virtualport type {port}"
            )
    if interface.backend is not None and interface.backend.tap and kind not in ("network", "bridge", "ethernet"):
        raise UnsupportedConfigError(
            f"{start} custom tap device path is not supported for network interfaces of type {kind}"
        )
    if interface.teaming is not None and interface.teaming.type == "transient" and kind != "hostdev":
        raise UnsupportedConfigError(f"{start} teaming transient device must be type='hostdev', not '{kind}'")
