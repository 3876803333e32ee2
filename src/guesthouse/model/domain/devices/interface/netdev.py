"""The backend of a network card: how its packets leave QEMU.

Source: QEMU's `qapi/net.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guesthouse.errors import InternalError, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface.source import InterfaceSource
from guesthouse.model.qemu_objects import Chardev, Json, Netdev, Props, QemuObject, without_none

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.interface.card import Interface

#: How long QEMU waits before it looks again for a passt that has gone, in milliseconds.
_RECONNECT_MS: Final = 5000
_SOCKET_KEYS: Final = {"server": "listen", "client": "connect", "mcast": "mcast", "udp": "udp"}


def objects(interface: Interface, ctx: DeviceContext) -> list[QemuObject]:
    """What QEMU has of the network. Raises `UnsupportedConfigError` for a type that it cannot do."""
    make = _MAKERS.get(interface.type)
    if make is None:
        raise UnsupportedConfigError(f"network device type '{interface.type}' is not supported by this hypervisor")
    *before, last = make(interface, ctx)
    if not isinstance(last, Netdev):
        raise InternalError(f"interface '{interface.name}' has no network backend")
    return [*before, Netdev(last.props | {"id": interface.netdev})]


def passt_socket(interface: Interface, ctx: DeviceContext) -> str:
    """Where passt listens for QEMU."""
    return f"{ctx.passt_dir}/{ctx.short_name}-{interface.name}.socket"


def wants_vhost(interface: Interface) -> bool:
    """Whether the kernel may move the packets of a tap."""
    name = interface.driver.name if interface.driver is not None else None
    return interface.is_virtio and name != "qemu"


def _user(interface: Interface, ctx: DeviceContext) -> list[QemuObject]:
    if interface.uses_passt:
        address: Json = {"type": "unix", "path": passt_socket(interface, ctx)}
        props: Props = {"type": "stream", "addr": address, "server": False}
        return [Netdev(props | _reconnect(_RECONNECT_MS, ctx))]
    props = {"type": "user"}
    for ip in interface.ips:
        if ip.family == "ipv4":
            props["net"] = f"{ip.address}/{ip.prefix}" if ip.prefix else ip.address
        else:
            props |= without_none({"ipv6-prefix": ip.address, "ipv6-prefixlen": ip.prefix})
    return [Netdev(props)]


def _reconnect(milliseconds: int, ctx: DeviceContext) -> Props:
    newer = ctx.qemu.has_option("chardev", "reconnect-ms")
    return {"reconnect-ms": milliseconds} if newer else {"reconnect": milliseconds // 1000}


def _tap(interface: Interface, ctx: DeviceContext) -> list[QemuObject]:
    ends = ctx.tap_ends(interface.name, interface.queues, wants_vhost(interface))
    if ends is None:
        raise InternalError(f"the device of interface '{interface.name}' was not opened")
    props: Props = {"type": "tap", "fds" if len(ends.taps) > 1 else "fd": ":".join(ends.taps)}
    if ends.vhosts:
        props |= {"vhost": True, "vhostfds" if len(ends.vhosts) > 1 else "vhostfd": ":".join(ends.vhosts)}
    if interface.tune is not None and interface.tune.sndbuf is not None:
        props["sndbuf"] = interface.tune.sndbuf
    return [*ends.handed_over, Netdev(props)]


def _socket(interface: Interface, _ctx: DeviceContext) -> list[QemuObject]:
    source = interface.source or new(InterfaceSource)
    props: Props = {"type": "socket", _SOCKET_KEYS[interface.type]: f"{source.address or ''}:{source.port}"}
    if interface.type == "udp":
        props["localaddr"] = f"{source.local_address}:{source.local_port}"
    return [Netdev(props)]


def _internal(_interface: Interface, _ctx: DeviceContext) -> list[QemuObject]:
    return [Netdev({"type": "user"})]


def _vhost_user(interface: Interface, ctx: DeviceContext) -> list[QemuObject]:
    chardev = f"char{interface.name}"
    source = interface.source or new(InterfaceSource)
    line: Props
    if interface.uses_passt:
        line = {"path": passt_socket(interface, ctx), **_reconnect(_RECONNECT_MS, ctx)}
    else:
        line = {"path": source.path or ""}
        if source.mode == "server":
            line["server"] = True
        if source.reconnect is not None and source.reconnect.enabled is not None:
            line |= _reconnect(1000 * (source.reconnect.timeout or 0), ctx)
    props: Props = {"type": "vhost-user", "chardev": chardev}
    return [Chardev(chardev, "socket", line), Netdev(props | _queues(interface))]


def _vdpa(interface: Interface, ctx: DeviceContext) -> list[QemuObject]:
    path = interface.source.dev if interface.source is not None else None
    opened = ctx.open_file(path or "", False, f"{interface.name}-vdpa")
    props: Props = {"type": "vhost-vdpa", "vhostdev": opened.path if opened is not None else path}
    return [*([opened] if opened is not None else []), Netdev(props | _queues(interface))]


def _queues(interface: Interface) -> Props:
    return {"queues": interface.queues} if interface.queues > 1 else {}


_MAKERS: Final[dict[str, Callable[[Interface, DeviceContext], list[QemuObject]]]] = {
    "user": _user,
    "internal": _internal,
    **dict.fromkeys(("network", "bridge", "ethernet", "direct"), _tap),
    **dict.fromkeys(_SOCKET_KEYS, _socket),
    "vhostuser": _vhost_user,
    "vdpa": _vdpa,
}
