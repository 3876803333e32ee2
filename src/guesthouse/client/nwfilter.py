"""Network filters of a daemon, and the devices that they are bound to.

The functions are libvirt's `virNWFilter…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-nwfilter.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import nwfilter as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import NonnullNwfilter, NonnullNwfilterBinding

#: The flag of `define` and of `bind`.
VALIDATE = 1


class Filter:
    """One network filter. Its name and UUID were told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullNwfilter) -> None:
        self.connection = connection
        self.handle = handle

    @property
    def name(self) -> str:
        """Its name."""
        return self.handle.name

    @property
    def uuid(self) -> str:
        """Its UUID in text form."""
        digits = self.handle.uuid.hex()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def xml(self) -> str:
        """Its definition."""
        args = rpc.NwfilterGetXmlDescArgs(self.handle)
        return self.connection.ask(rpc.NwfilterGetXmlDescRet, rpc.NWFILTER_GET_XML_DESC, args).xml

    def undefine(self) -> None:
        """Remove its definition. Raises LibvirtError (55) where a device has it."""
        self.connection.call(rpc.NWFILTER_UNDEFINE, rpc.NwfilterUndefineArgs(self.handle))


class Binding:
    """A filter at work on a device."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullNwfilterBinding) -> None:
        self.connection = connection
        self.handle = handle

    @property
    def device(self) -> str:
        """The name of the device."""
        return self.handle.portdev

    @property
    def filter(self) -> str:
        """The name of the filter."""
        return self.handle.filtername

    def xml(self) -> str:
        """Its document, with the values of all variables."""
        args = rpc.NwfilterBindingGetXmlDescArgs(self.handle)
        return self.connection.ask(rpc.NwfilterBindingGetXmlDescRet, rpc.NWFILTER_BINDING_GET_XML_DESC, args).xml

    def delete(self) -> None:
        """Let the device have no filter any more."""
        self.connection.call(rpc.NWFILTER_BINDING_DELETE, rpc.NwfilterBindingDeleteArgs(self.handle))


def filters(connection: Connection) -> list[Filter]:
    """All filters."""
    args = rpc.ConnectListAllNwfiltersArgs(1)
    ret = connection.ask(rpc.ConnectListAllNwfiltersRet, rpc.CONNECT_LIST_ALL_NWFILTERS, args)
    return [Filter(connection, handle) for handle in ret.filters]


def by_name(connection: Connection, name: str) -> Filter:
    """The filter of this name. Raises LibvirtError (62) where there is none."""
    args = rpc.NwfilterLookupByNameArgs(name)
    return Filter(connection, connection.ask(rpc.NwfilterLookupByNameRet, rpc.NWFILTER_LOOKUP_BY_NAME, args).nwfilter)


def by_uuid(connection: Connection, uuid: bytes) -> Filter:
    """The filter with this UUID. Raises LibvirtError (62) where there is none."""
    args = rpc.NwfilterLookupByUuidArgs(uuid)
    return Filter(connection, connection.ask(rpc.NwfilterLookupByUuidRet, rpc.NWFILTER_LOOKUP_BY_UUID, args).nwfilter)


def define(connection: Connection, xml: str, flags: int = 0) -> Filter:
    """Define a filter, or change the one of this name. Without flags it is the call that every libvirt has."""
    if not flags:
        plain = rpc.NwfilterDefineXmlArgs(xml)
        return Filter(connection, connection.ask(rpc.NwfilterDefineXmlRet, rpc.NWFILTER_DEFINE_XML, plain).nwfilter)
    args = rpc.NwfilterDefineXmlFlagsArgs(xml, flags)
    ret = connection.ask(rpc.NwfilterDefineXmlFlagsRet, rpc.NWFILTER_DEFINE_XML_FLAGS, args)
    return Filter(connection, ret.nwfilter)


def bindings(connection: Connection) -> list[Binding]:
    """All bindings."""
    args = rpc.ConnectListAllNwfilterBindingsArgs(1)
    ret = connection.ask(rpc.ConnectListAllNwfilterBindingsRet, rpc.CONNECT_LIST_ALL_NWFILTER_BINDINGS, args)
    return [Binding(connection, handle) for handle in ret.bindings]


def on_device(connection: Connection, device: str) -> Binding:
    """The binding of a device. Raises LibvirtError (101) where it has none."""
    args = rpc.NwfilterBindingLookupByPortDevArgs(device)
    ret = connection.ask(rpc.NwfilterBindingLookupByPortDevRet, rpc.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV, args)
    return Binding(connection, ret.nwfilter)


def bind(connection: Connection, xml: str, flags: int = 0) -> Binding:
    """Bind a filter to a device that has none."""
    args = rpc.NwfilterBindingCreateXmlArgs(xml, flags)
    ret = connection.ask(rpc.NwfilterBindingCreateXmlRet, rpc.NWFILTER_BINDING_CREATE_XML, args)
    return Binding(connection, ret.nwfilter)
