"""Procedures for virtual networks and their leases.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import NETWORK_DHCP_LEASES_MAX, NETWORK_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullNetwork
from guesthouse.rpc.xdr import Annotated, Hyper, Struct, UInt, Uuid


class ConnectListDefinedNetworksArgs(Struct):
    """Arguments of virConnectListDefinedNetworks."""

    maxnames: int


class ConnectListDefinedNetworksRet(Struct):
    """Reply of virConnectListDefinedNetworks."""

    names: Annotated[list[str], NETWORK_LIST_MAX]


class ConnectListNetworksArgs(Struct):
    """Arguments of virConnectListNetworks."""

    maxnames: int


class ConnectListNetworksRet(Struct):
    """Reply of virConnectListNetworks."""

    names: Annotated[list[str], NETWORK_LIST_MAX]


class NetworkCreateArgs(Struct):
    """Arguments of virNetworkCreate."""

    net: NonnullNetwork


class NetworkCreateXmlArgs(Struct):
    """Arguments of virNetworkCreateXML."""

    xml: str


class NetworkCreateXmlRet(Struct):
    """Reply of virNetworkCreateXML."""

    net: NonnullNetwork


class NetworkDefineXmlArgs(Struct):
    """Arguments of virNetworkDefineXML."""

    xml: str


class NetworkDefineXmlRet(Struct):
    """Reply of virNetworkDefineXML."""

    net: NonnullNetwork


class NetworkDestroyArgs(Struct):
    """Arguments of virNetworkDestroy."""

    net: NonnullNetwork


class NetworkGetXmlDescArgs(Struct):
    """Arguments of virNetworkGetXMLDesc."""

    net: NonnullNetwork
    flags: UInt = 0


class NetworkGetXmlDescRet(Struct):
    """Reply of virNetworkGetXMLDesc."""

    xml: str


class NetworkGetAutostartArgs(Struct):
    """Arguments of virNetworkGetAutostart."""

    net: NonnullNetwork


class NetworkGetAutostartRet(Struct):
    """Reply of virNetworkGetAutostart."""

    autostart: int


class NetworkGetBridgeNameArgs(Struct):
    """Arguments of virNetworkGetBridgeName."""

    net: NonnullNetwork


class NetworkGetBridgeNameRet(Struct):
    """Reply of virNetworkGetBridgeName."""

    name: str


class NetworkLookupByNameArgs(Struct):
    """Arguments of virNetworkLookupByName."""

    name: str


class NetworkLookupByNameRet(Struct):
    """Reply of virNetworkLookupByName."""

    net: NonnullNetwork


class NetworkLookupByUuidArgs(Struct):
    """Arguments of virNetworkLookupByUUID."""

    uuid: Uuid


class NetworkLookupByUuidRet(Struct):
    """Reply of virNetworkLookupByUUID."""

    net: NonnullNetwork


class NetworkSetAutostartArgs(Struct):
    """Arguments of virNetworkSetAutostart."""

    net: NonnullNetwork
    autostart: int


class NetworkUndefineArgs(Struct):
    """Arguments of virNetworkUndefine."""

    net: NonnullNetwork


class ConnectNumOfDefinedNetworksRet(Struct):
    """Reply of virConnectNumOfDefinedNetworks."""

    num: int


class ConnectNumOfNetworksRet(Struct):
    """Reply of virConnectNumOfNetworks."""

    num: int


class NetworkIsActiveArgs(Struct):
    """Arguments of virNetworkIsActive."""

    net: NonnullNetwork


class NetworkIsActiveRet(Struct):
    """Reply of virNetworkIsActive."""

    active: int


class NetworkIsPersistentArgs(Struct):
    """Arguments of virNetworkIsPersistent."""

    net: NonnullNetwork


class NetworkIsPersistentRet(Struct):
    """Reply of virNetworkIsPersistent."""

    persistent: int


class ConnectListAllNetworksArgs(Struct):
    """Arguments of virConnectListAllNetworks."""

    need_results: int
    flags: UInt = 0


class ConnectListAllNetworksRet(Struct):
    """Reply of virConnectListAllNetworks."""

    nets: Annotated[list[NonnullNetwork], NETWORK_LIST_MAX]
    ret: UInt


class NetworkUpdateArgs(Struct):
    """Arguments of virNetworkUpdate."""

    net: NonnullNetwork
    command: UInt
    section: UInt
    parentIndex: int
    xml: str
    flags: UInt = 0


class NetworkGetDhcpLeasesArgs(Struct):
    """Arguments of virNetworkGetDHCPLeases."""

    net: NonnullNetwork
    mac: str | None
    need_results: int
    flags: UInt = 0


class NetworkDhcpLease(Struct):
    """One DHCP lease; `expirytime` in seconds since the epoch."""

    iface: str
    expirytime: Hyper
    type: int
    mac: str | None
    iaid: str | None
    ipaddr: str
    prefix: UInt
    hostname: str | None = None
    clientid: str | None = None


class NetworkGetDhcpLeasesRet(Struct):
    """Reply of virNetworkGetDHCPLeases."""

    leases: Annotated[list[NetworkDhcpLease], NETWORK_DHCP_LEASES_MAX]
    ret: UInt


class NetworkDefineXmlFlagsArgs(Struct):
    """Arguments of virNetworkDefineXMLFlags."""

    xml: str
    flags: UInt = 0


class NetworkDefineXmlFlagsRet(Struct):
    """Reply of virNetworkDefineXMLFlags."""

    net: NonnullNetwork


class NetworkCreateXmlFlagsArgs(Struct):
    """Arguments of virNetworkCreateXMLFlags."""

    xml: str
    flags: UInt = 0


class NetworkCreateXmlFlagsRet(Struct):
    """Reply of virNetworkCreateXMLFlags."""

    net: NonnullNetwork


class NetworkSetMetadataArgs(Struct):
    """Arguments of virNetworkSetMetadata."""

    network: NonnullNetwork
    type: int
    metadata: str | None = None
    key: str | None = None
    uri: str | None = None
    flags: UInt = 0


class NetworkGetMetadataArgs(Struct):
    """Arguments of virNetworkGetMetadata."""

    network: NonnullNetwork
    type: int
    uri: str | None = None
    flags: UInt = 0


class NetworkGetMetadataRet(Struct):
    """Reply of virNetworkGetMetadata."""

    metadata: str


_family = Family(REMOTE_PROGRAM)
call = _family.call

CONNECT_LIST_DEFINED_NETWORKS = call(
    36,
    "CONNECT_LIST_DEFINED_NETWORKS",
    ConnectListDefinedNetworksArgs,
    ConnectListDefinedNetworksRet,
    "0.2.0",
    priority=True,
)
CONNECT_LIST_NETWORKS = call(
    38, "CONNECT_LIST_NETWORKS", ConnectListNetworksArgs, ConnectListNetworksRet, "0.2.0", priority=True
)
NETWORK_CREATE = call(39, "NETWORK_CREATE", NetworkCreateArgs, None, "0.2.0")
NETWORK_CREATE_XML = call(40, "NETWORK_CREATE_XML", NetworkCreateXmlArgs, NetworkCreateXmlRet, "0.2.0")
NETWORK_DEFINE_XML = call(41, "NETWORK_DEFINE_XML", NetworkDefineXmlArgs, NetworkDefineXmlRet, "0.2.0", priority=True)
NETWORK_DESTROY = call(42, "NETWORK_DESTROY", NetworkDestroyArgs, None, "0.2.0", priority=True)
NETWORK_GET_XML_DESC = call(
    43, "NETWORK_GET_XML_DESC", NetworkGetXmlDescArgs, NetworkGetXmlDescRet, "0.2.0", priority=True
)
NETWORK_GET_AUTOSTART = call(
    44, "NETWORK_GET_AUTOSTART", NetworkGetAutostartArgs, NetworkGetAutostartRet, "0.2.1", priority=True
)
NETWORK_GET_BRIDGE_NAME = call(
    45, "NETWORK_GET_BRIDGE_NAME", NetworkGetBridgeNameArgs, NetworkGetBridgeNameRet, "0.2.0", priority=True
)
NETWORK_LOOKUP_BY_NAME = call(
    46, "NETWORK_LOOKUP_BY_NAME", NetworkLookupByNameArgs, NetworkLookupByNameRet, "0.2.0", priority=True
)
NETWORK_LOOKUP_BY_UUID = call(
    47, "NETWORK_LOOKUP_BY_UUID", NetworkLookupByUuidArgs, NetworkLookupByUuidRet, "0.2.0", priority=True
)
NETWORK_SET_AUTOSTART = call(48, "NETWORK_SET_AUTOSTART", NetworkSetAutostartArgs, None, "0.2.1", priority=True)
NETWORK_UNDEFINE = call(49, "NETWORK_UNDEFINE", NetworkUndefineArgs, None, "0.2.0", priority=True)
CONNECT_NUM_OF_DEFINED_NETWORKS = call(
    50, "CONNECT_NUM_OF_DEFINED_NETWORKS", None, ConnectNumOfDefinedNetworksRet, "0.2.0", priority=True
)
CONNECT_NUM_OF_NETWORKS = call(52, "CONNECT_NUM_OF_NETWORKS", None, ConnectNumOfNetworksRet, "0.2.0", priority=True)
NETWORK_IS_ACTIVE = call(152, "NETWORK_IS_ACTIVE", NetworkIsActiveArgs, NetworkIsActiveRet, "0.7.3", priority=True)
NETWORK_IS_PERSISTENT = call(
    153, "NETWORK_IS_PERSISTENT", NetworkIsPersistentArgs, NetworkIsPersistentRet, "0.7.3", priority=True
)
CONNECT_LIST_ALL_NETWORKS = call(
    283, "CONNECT_LIST_ALL_NETWORKS", ConnectListAllNetworksArgs, ConnectListAllNetworksRet, "0.10.2", priority=True
)
NETWORK_UPDATE = call(291, "NETWORK_UPDATE", NetworkUpdateArgs, None, "0.10.2", priority=True)
NETWORK_GET_DHCP_LEASES = call(
    341, "NETWORK_GET_DHCP_LEASES", NetworkGetDhcpLeasesArgs, NetworkGetDhcpLeasesRet, "1.2.6"
)
NETWORK_DEFINE_XML_FLAGS = call(
    432, "NETWORK_DEFINE_XML_FLAGS", NetworkDefineXmlFlagsArgs, NetworkDefineXmlFlagsRet, "7.7.0", priority=True
)
NETWORK_CREATE_XML_FLAGS = call(
    437, "NETWORK_CREATE_XML_FLAGS", NetworkCreateXmlFlagsArgs, NetworkCreateXmlFlagsRet, "7.8.0", priority=True
)
NETWORK_SET_METADATA = call(444, "NETWORK_SET_METADATA", NetworkSetMetadataArgs, None, "9.7.0")
NETWORK_GET_METADATA = call(445, "NETWORK_GET_METADATA", NetworkGetMetadataArgs, NetworkGetMetadataRet, "9.7.0")
