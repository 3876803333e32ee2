"""The procedures about places on networks.

Source: https://libvirt.org/html/libvirt-libvirt-network.html#virNetworkPortCreateXML
"""

from __future__ import annotations

import uuid as _uuid
from functools import partial
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.network import ports
from guesthouse.drivers.network.events import handle_of
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface.bandwidth import Bandwidth, Inbound, Outbound
from guesthouse.model.network_port import NetworkPort, format_network_port, parse_network_port
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import network_port as rpc
from guesthouse.rpc.types import NonnullNetwork, NonnullNetworkPort, TypedParam
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

_RECLAIM, _VALIDATE = 1, 2
_UINT: Final = 2
#: The parameters in the order in which they are told, by direction.
_INBOUND: Final = ("average", "peak", "floor", "burst")
_OUTBOUND: Final = ("average", "peak", "burst")
_KNOWN: Final = (*(f"inbound.{name}" for name in _INBOUND), *(f"outbound.{name}" for name in _OUTBOUND))

_check = partial(check, origin=Origin.NETWORK)


def _network(driver: NetworkDriver, handle: NonnullNetwork) -> VirtualNetwork:
    return driver.registry.with_uuid(handle.uuid, handle.name)


def _find(driver: NetworkDriver, handle: NonnullNetworkPort) -> tuple[VirtualNetwork, NetworkPort]:
    """The port, on a network that is active."""
    network = _network(driver, handle.net)
    port = ports.find(network, str(_uuid.UUID(bytes=handle.uuid)))
    network.running()
    return network, port


def _handle(network: VirtualNetwork, uuid: str) -> NonnullNetworkPort:
    return NonnullNetworkPort(handle_of(network), _uuid.UUID(uuid).bytes)


def _list(driver: NetworkDriver, _: Caller, args: rpc.NetworkListAllPortsArgs) -> Struct:
    _check(args.flags, 0, "networkListAllPorts")
    network = _network(driver, args.network)
    network.running()
    found = [_handle(network, uuid) for uuid in network.ports]
    return rpc.NetworkListAllPortsRet(found if args.need_results else [], len(found))


def _look_up(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortLookupByUuidArgs) -> Struct:
    _find(driver, NonnullNetworkPort(args.network, args.uuid))
    network = _network(driver, args.network)
    return rpc.NetworkPortLookupByUuidRet(_handle(network, str(_uuid.UUID(bytes=args.uuid))))


async def _create(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortCreateXmlArgs) -> Struct:
    _check(args.flags, _RECLAIM | _VALIDATE, "networkPortCreateXML")
    network = _network(driver, args.network)
    port = parse_network_port(args.xml, validate=bool(args.flags & _VALIDATE))
    network.running()
    ports.check_plug(port, reclaimed=bool(args.flags & _RECLAIM))
    async with driver.changes:
        if args.flags & _RECLAIM:
            await ports.reclaim(driver, network, port)
        else:
            await ports.give(driver, network, port, by_hand=True)
    return rpc.NetworkPortCreateXmlRet(_handle(network, port.uuid))


async def _delete(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortDeleteArgs) -> None:
    _check(args.flags, 0, "networkPortDelete")
    async with driver.changes:
        network, port = _find(driver, args.port)
        await ports.take_back(driver, network, port.uuid)


def _get_xml(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortGetXmlDescArgs) -> Struct:
    _check(args.flags, 0, "networkPortGetXMLDesc")
    return rpc.NetworkPortGetXmlDescRet(format_network_port(_find(driver, args.port)[1]))


def _get_parameters(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortGetParametersArgs) -> Struct:
    _check(args.flags, 0, "networkPortGetParameters")
    bandwidth = _find(driver, args.port)[1].bandwidth
    params = []
    if bandwidth is not None:
        for direction, rate, names in (
            ("inbound", bandwidth.inbound, _INBOUND),
            ("outbound", bandwidth.outbound, _OUTBOUND),
        ):
            if rate is not None:
                params += [TypedParam(f"{direction}.{name}", _UINT, getattr(rate, name) or 0) for name in names]
    return rpc.NetworkPortGetParametersRet(params, len(params))


async def _set_parameters(driver: NetworkDriver, _: Caller, args: rpc.NetworkPortSetParametersArgs) -> None:
    _check(args.flags, 0, "networkPortSetParameters")
    values = {}
    for param in args.params:
        if param.field not in _KNOWN:
            text = f"parameter '{param.field}' not supported"
            raise LibvirtError(text, code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.NONE)
        if param.type != _UINT:
            raise InvalidArgumentError(f"parameter '{param.field}' is no unsigned number", domain=Origin.NETWORK)
        values[param.field] = int(param.value) or None
    inbound = new(Inbound, **{name: values.get(f"inbound.{name}") for name in _INBOUND})
    outbound = new(Outbound, **{name: values.get(f"outbound.{name}") for name in _OUTBOUND})
    wanted = new(
        Bandwidth,
        inbound=inbound if inbound.average or inbound.floor else None,
        outbound=outbound if outbound.average else None,
    )
    async with driver.changes:
        network, port = _find(driver, args.port)
        await ports.limit(driver, network, port, wanted)


TABLE: dict[Procedure, Handler[NetworkDriver]] = {
    rpc.NETWORK_LIST_ALL_PORTS: read(_list),
    rpc.NETWORK_PORT_LOOKUP_BY_UUID: read(_look_up),
    rpc.NETWORK_PORT_CREATE_XML: write(_create),
    rpc.NETWORK_PORT_DELETE: write(_delete),
    rpc.NETWORK_PORT_GET_XML_DESC: read(_get_xml),
    rpc.NETWORK_PORT_GET_PARAMETERS: read(_get_parameters),
    rpc.NETWORK_PORT_SET_PARAMETERS: write(_set_parameters),
}
