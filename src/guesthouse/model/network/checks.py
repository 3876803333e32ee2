"""What cannot be in one network together, in libvirt's words."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth
from guesthouse.model.network.definition import Network
from guesthouse.model.network.forward import BRIDGED


def _names(network: Network) -> None:
    if not network.name:
        raise XmlError("name of a network is empty")
    for character in ("/", "\n"):
        if character in network.name:
            text = f"invalid char in name: {character}"
            raise LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.XML)
    if network.title is not None and "\n" in network.title:
        raise XmlError("Network title can't contain newlines")
    if network.mac is not None and int(network.mac[:2], 16) & 1:
        raise XmlError(f"Invalid multicast bridge mac address '{network.mac}' in network '{network.name}'")
    domain = network.domain
    if domain is not None and domain.register and not domain.local_only:
        raise UnsupportedConfigError(
            "attribute 'register=yes' in <domain> element requires 'localOnly=yes' in network " + network.name
        )


def _bandwidth(network: Network) -> None:
    for limits in (network.bandwidth, *(group.bandwidth for group in network.port_groups)):
        refuse_floor(limits)
    if network.virtual_port is not None and network.virtual_port.type is None:
        raise XmlError("missing required virtualport type")


def refuse_floor(limits: Bandwidth | None) -> None:
    """A guaranteed rate is for single cards. Raises `UnsupportedConfigError`."""
    if limits is not None and limits.inbound is not None and limits.inbound.floor is not None:
        raise UnsupportedConfigError("floor attribute is not supported for this config")


def _addresses(network: Network) -> None:
    if network.dns is not None:
        network.dns.check(network.name)
    for ip in network.ips:
        ip.check(network.name)
    for route in network.routes:
        if not any(_reaches(ip.network.version, str(ip.network), route.gateway) for ip in network.ips):
            raise UnsupportedConfigError(
                f"unreachable static route gateway '{route.gateway}' specified for network '{network.name}'"
            )


def _reaches(version: int, network: str, gateway: str) -> bool:
    address = ipaddress.ip_address(gateway)
    return address.version == version and address in ipaddress.ip_network(network)


def _forward(network: Network) -> None:
    forward, name = network.forward, network.name
    if forward is None:
        return
    forward.check(name)
    if forward.mode in ("nat", "route"):
        if not network.ips:
            raise XmlError(f"{forward.mode} forwarding requested, but no IP address provided for network '{name}'")
        if len(forward.interfaces) > 1:
            raise XmlError(f"multiple forwarding interfaces specified for network '{name}', only one is supported")
    if forward.mode == "open" and forward.interfaces:
        raise XmlError(f"forward dev not allowed for network '{name}' with forward mode='open'")


def _bridge(network: Network) -> None:
    if network.mode in ("none", *BRIDGED):
        return
    bridge, mode, name = network.bridge, network.mode, network.name
    if bridge is not None:
        if mode != "bridge":
            for value, text in (
                (bridge.name, "bridge name"),
                (bridge.zone, "bridge zone"),
                (bridge.mac_table_manager, "bridge macTableManager setting"),
            ):
                if value is not None:
                    raise XmlError(f"{text} not allowed in {mode} mode (network '{name}')")
        if bridge.delay or bridge.stp is not None or bridge.zone is not None:
            raise XmlError(
                "bridge delay/stp/zone options only allowed in open, route, nat, and isolated mode, not in "
                f"{mode} (network '{name}')"
            )
        forward = network.forward
        if bridge.name is not None and forward is not None and (forward.interfaces or forward.pf is not None):
            raise XmlError(
                f"A network with forward mode='{mode}' can specify a bridge name or a forward dev, but not both "
                f"(network '{name}')"
            )
    if network.mtu:
        raise XmlError(
            f"mtu size only allowed in open, route, nat, and isolated mode, not in {mode} (network '{name}')"
        )


_CHECKS: Final[tuple[Callable[[Network], None], ...]] = (_names, _bandwidth, _addresses, _forward, _bridge)


def check(network: Network) -> None:
    """Raise `LibvirtError` for the first thing that is wrong."""
    for one in _CHECKS:
        one(network)
