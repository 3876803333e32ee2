"""The table of the network driver, and its procedures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.network import actions, leases, procedures_ports, updating
from guesthouse.drivers.network.events import handle_of
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import InternalError, Origin
from guesthouse.model.network.document import format_network
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events_objects as events
from guesthouse.rpc.procedures import network as rpc
from guesthouse.rpc.types import NonnullNetwork
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

#: `virConnectListAllNetworksFlags`: groups of bits, each with its test; a group without a bit lets all through.
_FILTERS: tuple[dict[int, Callable[[VirtualNetwork], bool]], ...] = (
    {1: lambda network: not network.active, 2: lambda network: network.active},
    {4: lambda network: network.persistent, 8: lambda network: not network.persistent},
    {16: lambda network: network.autostart, 32: lambda network: not network.autostart},
)
_KNOWN_FILTERS = sum(bit for group in _FILTERS for bit in group)
_VALIDATE = 1
_XML_INACTIVE = 1

_check = partial(check, origin=Origin.NETWORK)


def _find(driver: NetworkDriver, handle: NonnullNetwork) -> VirtualNetwork:
    return driver.registry.with_uuid(handle.uuid, handle.name)


def _names(driver: NetworkDriver, *, active: bool) -> list[str]:
    return [network.name for network in driver.registry if network.active is active]


def _num_active(driver: NetworkDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfNetworksRet(len(_names(driver, active=True)))


def _num_inactive(driver: NetworkDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfDefinedNetworksRet(len(_names(driver, active=False)))


def _list_active(driver: NetworkDriver, _: Caller, args: rpc.ConnectListNetworksArgs) -> Struct:
    return rpc.ConnectListNetworksRet(_names(driver, active=True)[: max(args.maxnames, 0)])


def _list_inactive(driver: NetworkDriver, _: Caller, args: rpc.ConnectListDefinedNetworksArgs) -> Struct:
    return rpc.ConnectListDefinedNetworksRet(_names(driver, active=False)[: max(args.maxnames, 0)])


def _list_all(driver: NetworkDriver, _: Caller, args: rpc.ConnectListAllNetworksArgs) -> Struct:
    _check(args.flags, _KNOWN_FILTERS, "networkConnectListAllNetworks")
    chosen = [[test for bit, test in group.items() if bit & args.flags] for group in _FILTERS]
    found = [
        handle_of(network)
        for network in driver.registry
        if all(not tests or any(test(network) for test in tests) for tests in chosen)
    ]
    return rpc.ConnectListAllNetworksRet(found if args.need_results else [], len(found))


def _by_name(driver: NetworkDriver, _: Caller, args: rpc.NetworkLookupByNameArgs) -> Struct:
    return rpc.NetworkLookupByNameRet(handle_of(driver.registry.named(args.name)))


def _by_uuid(driver: NetworkDriver, _: Caller, args: rpc.NetworkLookupByUuidArgs) -> Struct:
    return rpc.NetworkLookupByUuidRet(handle_of(driver.registry.with_uuid(args.uuid)))


async def _define(driver: NetworkDriver, _: Caller, args: rpc.NetworkDefineXmlArgs) -> Struct:
    return rpc.NetworkDefineXmlRet(handle_of(await actions.define(driver, args.xml)))


async def _define_flags(driver: NetworkDriver, _: Caller, args: rpc.NetworkDefineXmlFlagsArgs) -> Struct:
    _check(args.flags, _VALIDATE, "networkDefineXMLFlags")
    network = await actions.define(driver, args.xml, validate=bool(args.flags & _VALIDATE))
    return rpc.NetworkDefineXmlFlagsRet(handle_of(network))


async def _create_xml(driver: NetworkDriver, _: Caller, args: rpc.NetworkCreateXmlArgs) -> Struct:
    return rpc.NetworkCreateXmlRet(handle_of(await actions.create_transient(driver, args.xml)))


async def _create_xml_flags(driver: NetworkDriver, _: Caller, args: rpc.NetworkCreateXmlFlagsArgs) -> Struct:
    _check(args.flags, _VALIDATE, "networkCreateXMLFlags")
    network = await actions.create_transient(driver, args.xml, validate=bool(args.flags & _VALIDATE))
    return rpc.NetworkCreateXmlFlagsRet(handle_of(network))


async def _create(driver: NetworkDriver, _: Caller, args: rpc.NetworkCreateArgs) -> None:
    await actions.start(driver, _find(driver, args.net))


async def _destroy(driver: NetworkDriver, _: Caller, args: rpc.NetworkDestroyArgs) -> None:
    await actions.stop(driver, _find(driver, args.net))


async def _undefine(driver: NetworkDriver, _: Caller, args: rpc.NetworkUndefineArgs) -> None:
    await actions.undefine(driver, _find(driver, args.net))


def _get_xml(driver: NetworkDriver, _: Caller, args: rpc.NetworkGetXmlDescArgs) -> Struct:
    _check(args.flags, _XML_INACTIVE, "networkGetXMLDesc")
    network = _find(driver, args.net)
    if args.flags & _XML_INACTIVE:
        return rpc.NetworkGetXmlDescRet(format_network(network.config or network.current))
    return rpc.NetworkGetXmlDescRet(format_network(network.current, live=network.active))


def _get_bridge(driver: NetworkDriver, _: Caller, args: rpc.NetworkGetBridgeNameArgs) -> Struct:
    network = _find(driver, args.net)
    bridge = network.current.bridge
    if bridge is None or bridge.name is None:
        raise InternalError(f"network '{network.name}' does not have a bridge name.", domain=Origin.NETWORK)
    return rpc.NetworkGetBridgeNameRet(bridge.name)


def _get_autostart(driver: NetworkDriver, _: Caller, args: rpc.NetworkGetAutostartArgs) -> Struct:
    return rpc.NetworkGetAutostartRet(int(_find(driver, args.net).autostart))


async def _set_autostart(driver: NetworkDriver, _: Caller, args: rpc.NetworkSetAutostartArgs) -> None:
    await actions.mark(driver, _find(driver, args.net), bool(args.autostart))


def _is_active(driver: NetworkDriver, _: Caller, args: rpc.NetworkIsActiveArgs) -> Struct:
    return rpc.NetworkIsActiveRet(int(_find(driver, args.net).active))


def _is_persistent(driver: NetworkDriver, _: Caller, args: rpc.NetworkIsPersistentArgs) -> Struct:
    return rpc.NetworkIsPersistentRet(int(_find(driver, args.net).persistent))


async def _leases(driver: NetworkDriver, _: Caller, args: rpc.NetworkGetDhcpLeasesArgs) -> Struct:
    _check(args.flags, 0, "networkGetDHCPLeases")
    found = [
        rpc.NetworkDhcpLease(
            iface=lease.bridge,
            expirytime=lease.expiry,
            type=int(lease.ipv6),
            mac=lease.mac,
            iaid=lease.iaid,
            ipaddr=lease.address,
            prefix=lease.prefix,
            hostname=lease.name,
            clientid=lease.client,
        )
        for lease in await leases.of(driver, _find(driver, args.net), args.mac)
    ]
    return rpc.NetworkGetDhcpLeasesRet(found if args.need_results else [], len(found))


async def _update(driver: NetworkDriver, _: Caller, args: rpc.NetworkUpdateArgs) -> None:
    network = _find(driver, args.net)
    await updating.update(driver, network, args.command, args.section, args.parentIndex, args.xml, args.flags)


async def _set_metadata(driver: NetworkDriver, _: Caller, args: rpc.NetworkSetMetadataArgs) -> None:
    network = _find(driver, args.network)
    await updating.set_metadata(driver, network, args.type, args.metadata, args.key, args.uri, args.flags)


def _get_metadata(driver: NetworkDriver, _: Caller, args: rpc.NetworkGetMetadataArgs) -> Struct:
    network = _find(driver, args.network)
    return rpc.NetworkGetMetadataRet(updating.get_metadata(network, args.type, args.uri, args.flags))


def _register(driver: NetworkDriver, caller: Caller, args: events.ConnectNetworkEventRegisterAnyArgs) -> Struct:
    number = driver.events.register(caller, args.eventID, args.net.uuid if args.net is not None else None)
    return events.ConnectNetworkEventRegisterAnyRet(number)


def _deregister(driver: NetworkDriver, caller: Caller, args: events.ConnectNetworkEventDeregisterAnyArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


TABLE: dict[Procedure, Handler[NetworkDriver]] = {
    rpc.CONNECT_NUM_OF_NETWORKS: read(_num_active),
    rpc.CONNECT_NUM_OF_DEFINED_NETWORKS: read(_num_inactive),
    rpc.CONNECT_LIST_NETWORKS: read(_list_active),
    rpc.CONNECT_LIST_DEFINED_NETWORKS: read(_list_inactive),
    rpc.CONNECT_LIST_ALL_NETWORKS: read(_list_all),
    rpc.NETWORK_LOOKUP_BY_NAME: read(_by_name),
    rpc.NETWORK_LOOKUP_BY_UUID: read(_by_uuid),
    rpc.NETWORK_DEFINE_XML: write(_define),
    rpc.NETWORK_DEFINE_XML_FLAGS: write(_define_flags),
    rpc.NETWORK_CREATE_XML: write(_create_xml),
    rpc.NETWORK_CREATE_XML_FLAGS: write(_create_xml_flags),
    rpc.NETWORK_CREATE: write(_create),
    rpc.NETWORK_DESTROY: write(_destroy),
    rpc.NETWORK_UNDEFINE: write(_undefine),
    rpc.NETWORK_GET_XML_DESC: read(_get_xml),
    rpc.NETWORK_GET_BRIDGE_NAME: read(_get_bridge),
    rpc.NETWORK_GET_AUTOSTART: read(_get_autostart),
    rpc.NETWORK_SET_AUTOSTART: write(_set_autostart),
    rpc.NETWORK_IS_ACTIVE: read(_is_active),
    rpc.NETWORK_IS_PERSISTENT: read(_is_persistent),
    rpc.NETWORK_GET_DHCP_LEASES: read(_leases),
    rpc.NETWORK_UPDATE: write(_update),
    rpc.NETWORK_SET_METADATA: write(_set_metadata),
    rpc.NETWORK_GET_METADATA: read(_get_metadata),
    events.CONNECT_NETWORK_EVENT_REGISTER_ANY: read(_register),
    events.CONNECT_NETWORK_EVENT_DEREGISTER_ANY: read(_deregister),
    **procedures_ports.TABLE,
}
