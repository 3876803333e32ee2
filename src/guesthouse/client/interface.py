"""The host's network interfaces: finding, configuring, starting and stopping them.

The functions are libvirt's `virInterface…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-interface.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import interface as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import NonnullInterface

#: Filters of `interfaces` (`virConnectListAllInterfacesFlags`), and flags of `xml` and `define`.
INACTIVE, ACTIVE = 1, 2
XML_INACTIVE = 1
VALIDATE = 1


class Interface:
    """One interface. Its name and address were told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullInterface) -> None:
        self.connection = connection
        self.handle = handle

    @property
    def name(self) -> str:
        """The name of its device."""
        return self.handle.name

    @property
    def mac(self) -> str:
        """Its MAC address; empty where there is no device yet."""
        return self.handle.mac

    def is_active(self) -> bool:
        """Whether it is up."""
        args = rpc.InterfaceIsActiveArgs(self.handle)
        return bool(self.connection.ask(rpc.InterfaceIsActiveRet, rpc.INTERFACE_IS_ACTIVE, args).active)

    def xml(self, flags: int = 0) -> str:
        """What it is, or with `XML_INACTIVE` what it is configured as."""
        args = rpc.InterfaceGetXmlDescArgs(self.handle, flags)
        return self.connection.ask(rpc.InterfaceGetXmlDescRet, rpc.INTERFACE_GET_XML_DESC, args).xml

    def create(self) -> None:
        """Bring it up."""
        self.connection.call(rpc.INTERFACE_CREATE, rpc.InterfaceCreateArgs(self.handle))

    def destroy(self) -> None:
        """Bring it down."""
        self.connection.call(rpc.INTERFACE_DESTROY, rpc.InterfaceDestroyArgs(self.handle))

    def undefine(self) -> None:
        """Configure it no longer."""
        self.connection.call(rpc.INTERFACE_UNDEFINE, rpc.InterfaceUndefineArgs(self.handle))


def interfaces(connection: Connection, flags: int = 0) -> list[Interface]:
    """The interfaces that pass a filter (0 takes all)."""
    args = rpc.ConnectListAllInterfacesArgs(1, flags)
    ret = connection.ask(rpc.ConnectListAllInterfacesRet, rpc.CONNECT_LIST_ALL_INTERFACES, args)
    return [Interface(connection, handle) for handle in ret.ifaces]


def by_name(connection: Connection, name: str) -> Interface:
    """The interface of this name. Raises LibvirtError (57) where there is none."""
    args = rpc.InterfaceLookupByNameArgs(name)
    ret = connection.ask(rpc.InterfaceLookupByNameRet, rpc.INTERFACE_LOOKUP_BY_NAME, args)
    return Interface(connection, ret.iface)


def by_mac(connection: Connection, mac: str) -> Interface:
    """The one interface with this address. Raises LibvirtError: 57 where there is none, 59 for several."""
    args = rpc.InterfaceLookupByMacStringArgs(mac)
    ret = connection.ask(rpc.InterfaceLookupByMacStringRet, rpc.INTERFACE_LOOKUP_BY_MAC_STRING, args)
    return Interface(connection, ret.iface)


def define(connection: Connection, xml: str, flags: int = 0) -> Interface:
    """Configure an interface."""
    args = rpc.InterfaceDefineXmlArgs(xml, flags)
    return Interface(connection, connection.ask(rpc.InterfaceDefineXmlRet, rpc.INTERFACE_DEFINE_XML, args).iface)


def begin(connection: Connection) -> None:
    """Keep the configuration as it is, until `commit` or `rollback`."""
    connection.call(rpc.INTERFACE_CHANGE_BEGIN, rpc.InterfaceChangeBeginArgs())


def commit(connection: Connection) -> None:
    """Forget the configuration as it was."""
    connection.call(rpc.INTERFACE_CHANGE_COMMIT, rpc.InterfaceChangeCommitArgs())


def rollback(connection: Connection) -> None:
    """Bring back the configuration as it was."""
    connection.call(rpc.INTERFACE_CHANGE_ROLLBACK, rpc.InterfaceChangeRollbackArgs())
