"""Procedures for ports of virtual networks.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import NETWORK_PORT_LIST_MAX, NETWORK_PORT_PARAMETERS_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullNetwork, NonnullNetworkPort, TypedParam
from guesthouse.rpc.xdr import Annotated, Struct, UInt, Uuid


class NetworkListAllPortsArgs(Struct):
    """Arguments of virNetworkListAllPorts."""

    network: NonnullNetwork
    need_results: int
    flags: UInt = 0


class NetworkListAllPortsRet(Struct):
    """Reply of virNetworkListAllPorts."""

    ports: Annotated[list[NonnullNetworkPort], NETWORK_PORT_LIST_MAX]
    ret: UInt


class NetworkPortLookupByUuidArgs(Struct):
    """Arguments of virNetworkPortLookupByUUID."""

    network: NonnullNetwork
    uuid: Uuid


class NetworkPortLookupByUuidRet(Struct):
    """Reply of virNetworkPortLookupByUUID."""

    port: NonnullNetworkPort


class NetworkPortCreateXmlArgs(Struct):
    """Arguments of virNetworkPortCreateXML."""

    network: NonnullNetwork
    xml: str
    flags: UInt = 0


class NetworkPortCreateXmlRet(Struct):
    """Reply of virNetworkPortCreateXML."""

    port: NonnullNetworkPort


class NetworkPortGetParametersArgs(Struct):
    """Arguments of virNetworkPortGetParameters."""

    port: NonnullNetworkPort
    nparams: int
    flags: UInt = 0


class NetworkPortGetParametersRet(Struct):
    """Reply of virNetworkPortGetParameters."""

    params: Annotated[list[TypedParam], NETWORK_PORT_PARAMETERS_MAX]
    nparams: int


class NetworkPortSetParametersArgs(Struct):
    """Arguments of virNetworkPortSetParameters."""

    port: NonnullNetworkPort
    params: Annotated[list[TypedParam], NETWORK_PORT_PARAMETERS_MAX]
    flags: UInt = 0


class NetworkPortGetXmlDescArgs(Struct):
    """Arguments of virNetworkPortGetXMLDesc."""

    port: NonnullNetworkPort
    flags: UInt = 0


class NetworkPortGetXmlDescRet(Struct):
    """Reply of virNetworkPortGetXMLDesc."""

    xml: str


class NetworkPortDeleteArgs(Struct):
    """Arguments of virNetworkPortDelete."""

    port: NonnullNetworkPort
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

NETWORK_LIST_ALL_PORTS = call(
    404, "NETWORK_LIST_ALL_PORTS", NetworkListAllPortsArgs, NetworkListAllPortsRet, "5.5.0", priority=True
)
NETWORK_PORT_LOOKUP_BY_UUID = call(
    405, "NETWORK_PORT_LOOKUP_BY_UUID", NetworkPortLookupByUuidArgs, NetworkPortLookupByUuidRet, "5.5.0", priority=True
)
NETWORK_PORT_CREATE_XML = call(
    406, "NETWORK_PORT_CREATE_XML", NetworkPortCreateXmlArgs, NetworkPortCreateXmlRet, "5.5.0"
)
NETWORK_PORT_GET_PARAMETERS = call(
    407, "NETWORK_PORT_GET_PARAMETERS", NetworkPortGetParametersArgs, NetworkPortGetParametersRet, "5.5.0"
)
NETWORK_PORT_SET_PARAMETERS = call(408, "NETWORK_PORT_SET_PARAMETERS", NetworkPortSetParametersArgs, None, "5.5.0")
NETWORK_PORT_GET_XML_DESC = call(
    409, "NETWORK_PORT_GET_XML_DESC", NetworkPortGetXmlDescArgs, NetworkPortGetXmlDescRet, "5.5.0"
)
NETWORK_PORT_DELETE = call(410, "NETWORK_PORT_DELETE", NetworkPortDeleteArgs, None, "5.5.0")
