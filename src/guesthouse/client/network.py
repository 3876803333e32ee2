"""Virtual networks of a daemon: finding, defining, starting and stopping them.

The functions are libvirt's `virNetwork…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-network.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.client.named import Named
from guesthouse.errors import Code, LibvirtError
from guesthouse.rpc.procedures import network as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import NonnullNetwork

#: One lease, with the fields of `virNetworkDHCPLease`.
Lease = rpc.NetworkDhcpLease

#: Filters of `networks` (`virConnectListAllNetworksFlags`), and the flags of `define`, `create` and `Network.xml`.
INACTIVE, ACTIVE, PERSISTENT, TRANSIENT, AUTOSTART, NO_AUTOSTART = 1, 2, 4, 8, 16, 32
VALIDATE = 1
XML_INACTIVE = 1


class Network(Named):
    """One network. Its name and UUID were told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullNetwork) -> None:
        self.connection = connection
        self.handle: NonnullNetwork = handle

    def xml(self, flags: int = 0) -> str:
        """Its document: of what is active, or with `XML_INACTIVE` its definition."""
        args = rpc.NetworkGetXmlDescArgs(self.handle, flags)
        return self.connection.ask(rpc.NetworkGetXmlDescRet, rpc.NETWORK_GET_XML_DESC, args).xml

    def start(self) -> None:
        """Make it active."""
        self.connection.call(rpc.NETWORK_CREATE, rpc.NetworkCreateArgs(self.handle))

    def destroy(self) -> None:
        """Let it be active no more."""
        self.connection.call(rpc.NETWORK_DESTROY, rpc.NetworkDestroyArgs(self.handle))

    def undefine(self) -> None:
        """Remove its definition."""
        self.connection.call(rpc.NETWORK_UNDEFINE, rpc.NetworkUndefineArgs(self.handle))

    def is_active(self) -> bool:
        """Whether it is active."""
        args = rpc.NetworkIsActiveArgs(self.handle)
        return bool(self.connection.ask(rpc.NetworkIsActiveRet, rpc.NETWORK_IS_ACTIVE, args).active)

    def is_persistent(self) -> bool:
        """Whether it has a definition that outlives it."""
        args = rpc.NetworkIsPersistentArgs(self.handle)
        return bool(self.connection.ask(rpc.NetworkIsPersistentRet, rpc.NETWORK_IS_PERSISTENT, args).persistent)

    def autostart(self) -> bool:
        """Whether it starts with the daemon."""
        args = rpc.NetworkGetAutostartArgs(self.handle)
        return bool(self.connection.ask(rpc.NetworkGetAutostartRet, rpc.NETWORK_GET_AUTOSTART, args).autostart)

    def set_autostart(self, on: bool) -> None:
        """Start it with the daemon from now on, or no longer."""
        self.connection.call(rpc.NETWORK_SET_AUTOSTART, rpc.NetworkSetAutostartArgs(self.handle, int(on)))

    def bridge(self) -> str:
        """The name of its bridge. Raises LibvirtError (1) where it has none."""
        args = rpc.NetworkGetBridgeNameArgs(self.handle)
        return self.connection.ask(rpc.NetworkGetBridgeNameRet, rpc.NETWORK_GET_BRIDGE_NAME, args).name

    def update(self, command: int, section: int, index: int, xml: str, flags: int) -> None:
        """Change one element of a section (`virNetworkUpdate`)."""
        args = rpc.NetworkUpdateArgs(self.handle, command, section, index, xml, flags)
        self.connection.call(rpc.NETWORK_UPDATE, args)

    def description(self, kind: int, flags: int) -> str:
        """The description or the title; empty where there is none."""
        try:
            return self.metadata(kind, None, flags)
        except LibvirtError as error:
            if error.code == Code.NO_NETWORK_METADATA:
                return ""
            raise

    def metadata(self, kind: int, uri: str | None, flags: int) -> str:
        """Description, title, or the metadata element of the namespace `uri`."""
        args = rpc.NetworkGetMetadataArgs(self.handle, kind, uri, flags)
        return self.connection.ask(rpc.NetworkGetMetadataRet, rpc.NETWORK_GET_METADATA, args).metadata

    def set_metadata(self, kind: int, value: str | None, key: str | None, uri: str | None, flags: int) -> None:
        """Set description, title or a metadata element; None removes it."""
        args = rpc.NetworkSetMetadataArgs(self.handle, kind, value, key, uri, flags)
        self.connection.call(rpc.NETWORK_SET_METADATA, args)

    def leases(self, mac: str | None = None) -> list[Lease]:
        """The addresses that its server has lent; to one card, or to all."""
        args = rpc.NetworkGetDhcpLeasesArgs(self.handle, mac, 1)
        return self.connection.ask(rpc.NetworkGetDhcpLeasesRet, rpc.NETWORK_GET_DHCP_LEASES, args).leases


def networks(connection: Connection, flags: int = 0) -> list[Network]:
    """The networks that pass a filter (0 takes all)."""
    args = rpc.ConnectListAllNetworksArgs(1, flags)
    ret = connection.ask(rpc.ConnectListAllNetworksRet, rpc.CONNECT_LIST_ALL_NETWORKS, args)
    return [Network(connection, handle) for handle in ret.nets]


def by_name(connection: Connection, name: str) -> Network:
    """The network of this name. Raises LibvirtError (43) where there is none."""
    args = rpc.NetworkLookupByNameArgs(name)
    return Network(connection, connection.ask(rpc.NetworkLookupByNameRet, rpc.NETWORK_LOOKUP_BY_NAME, args).net)


def by_uuid(connection: Connection, uuid: bytes) -> Network:
    """The network with this UUID. Raises LibvirtError (43) where there is none."""
    args = rpc.NetworkLookupByUuidArgs(uuid)
    return Network(connection, connection.ask(rpc.NetworkLookupByUuidRet, rpc.NETWORK_LOOKUP_BY_UUID, args).net)


def define(connection: Connection, xml: str, flags: int = 0) -> Network:
    """Define a network, or change the one of this name. Without flags it is the call that every libvirt has."""
    if not flags:
        plain = rpc.NetworkDefineXmlArgs(xml)
        return Network(connection, connection.ask(rpc.NetworkDefineXmlRet, rpc.NETWORK_DEFINE_XML, plain).net)
    args = rpc.NetworkDefineXmlFlagsArgs(xml, flags)
    return Network(connection, connection.ask(rpc.NetworkDefineXmlFlagsRet, rpc.NETWORK_DEFINE_XML_FLAGS, args).net)


def create(connection: Connection, xml: str, flags: int = 0) -> Network:
    """Make and start a network that is forgotten when it stops. Without flags it is the call that every libvirt has."""
    if not flags:
        plain = rpc.NetworkCreateXmlArgs(xml)
        return Network(connection, connection.ask(rpc.NetworkCreateXmlRet, rpc.NETWORK_CREATE_XML, plain).net)
    args = rpc.NetworkCreateXmlFlagsArgs(xml, flags)
    return Network(connection, connection.ask(rpc.NetworkCreateXmlFlagsRet, rpc.NETWORK_CREATE_XML_FLAGS, args).net)
