"""Procedures for the host's network interfaces.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import INTERFACE_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullInterface
from guesthouse.rpc.xdr import Annotated, Struct, UInt


class ConnectNumOfInterfacesRet(Struct):
    """Reply of virConnectNumOfInterfaces."""

    num: int


class ConnectListInterfacesArgs(Struct):
    """Arguments of virConnectListInterfaces."""

    maxnames: int


class ConnectListInterfacesRet(Struct):
    """Reply of virConnectListInterfaces."""

    names: Annotated[list[str], INTERFACE_LIST_MAX]


class InterfaceLookupByNameArgs(Struct):
    """Arguments of virInterfaceLookupByName."""

    name: str


class InterfaceLookupByNameRet(Struct):
    """Reply of virInterfaceLookupByName."""

    iface: NonnullInterface


class InterfaceLookupByMacStringArgs(Struct):
    """Arguments of virInterfaceLookupByMACString."""

    mac: str


class InterfaceLookupByMacStringRet(Struct):
    """Reply of virInterfaceLookupByMACString."""

    iface: NonnullInterface


class InterfaceGetXmlDescArgs(Struct):
    """Arguments of virInterfaceGetXMLDesc."""

    iface: NonnullInterface
    flags: UInt = 0


class InterfaceGetXmlDescRet(Struct):
    """Reply of virInterfaceGetXMLDesc."""

    xml: str


class InterfaceDefineXmlArgs(Struct):
    """Arguments of virInterfaceDefineXML."""

    xml: str
    flags: UInt = 0


class InterfaceDefineXmlRet(Struct):
    """Reply of virInterfaceDefineXML."""

    iface: NonnullInterface


class InterfaceUndefineArgs(Struct):
    """Arguments of virInterfaceUndefine."""

    iface: NonnullInterface


class InterfaceCreateArgs(Struct):
    """Arguments of virInterfaceCreate."""

    iface: NonnullInterface
    flags: UInt = 0


class InterfaceDestroyArgs(Struct):
    """Arguments of virInterfaceDestroy."""

    iface: NonnullInterface
    flags: UInt = 0


class ConnectNumOfDefinedInterfacesRet(Struct):
    """Reply of virConnectNumOfDefinedInterfaces."""

    num: int


class ConnectListDefinedInterfacesArgs(Struct):
    """Arguments of virConnectListDefinedInterfaces."""

    maxnames: int


class ConnectListDefinedInterfacesRet(Struct):
    """Reply of virConnectListDefinedInterfaces."""

    names: Annotated[list[str], INTERFACE_LIST_MAX]


class InterfaceIsActiveArgs(Struct):
    """Arguments of virInterfaceIsActive."""

    iface: NonnullInterface


class InterfaceIsActiveRet(Struct):
    """Reply of virInterfaceIsActive."""

    active: int


class InterfaceChangeBeginArgs(Struct):
    """Arguments of virInterfaceChangeBegin."""

    flags: UInt = 0


class InterfaceChangeCommitArgs(Struct):
    """Arguments of virInterfaceChangeCommit."""

    flags: UInt = 0


class InterfaceChangeRollbackArgs(Struct):
    """Arguments of virInterfaceChangeRollback."""

    flags: UInt = 0


class ConnectListAllInterfacesArgs(Struct):
    """Arguments of virConnectListAllInterfaces."""

    need_results: int
    flags: UInt = 0


class ConnectListAllInterfacesRet(Struct):
    """Reply of virConnectListAllInterfaces."""

    ifaces: Annotated[list[NonnullInterface], INTERFACE_LIST_MAX]
    ret: UInt


_family = Family(REMOTE_PROGRAM)
call = _family.call

CONNECT_NUM_OF_INTERFACES = call(
    126, "CONNECT_NUM_OF_INTERFACES", None, ConnectNumOfInterfacesRet, "0.6.4", priority=True
)
CONNECT_LIST_INTERFACES = call(
    127, "CONNECT_LIST_INTERFACES", ConnectListInterfacesArgs, ConnectListInterfacesRet, "0.6.4", priority=True
)
INTERFACE_LOOKUP_BY_NAME = call(
    128, "INTERFACE_LOOKUP_BY_NAME", InterfaceLookupByNameArgs, InterfaceLookupByNameRet, "0.6.4", priority=True
)
INTERFACE_LOOKUP_BY_MAC_STRING = call(
    129,
    "INTERFACE_LOOKUP_BY_MAC_STRING",
    InterfaceLookupByMacStringArgs,
    InterfaceLookupByMacStringRet,
    "0.6.4",
    priority=True,
)
INTERFACE_GET_XML_DESC = call(130, "INTERFACE_GET_XML_DESC", InterfaceGetXmlDescArgs, InterfaceGetXmlDescRet, "0.6.4")
INTERFACE_DEFINE_XML = call(
    131, "INTERFACE_DEFINE_XML", InterfaceDefineXmlArgs, InterfaceDefineXmlRet, "0.6.4", priority=True
)
INTERFACE_UNDEFINE = call(132, "INTERFACE_UNDEFINE", InterfaceUndefineArgs, None, "0.6.4", priority=True)
INTERFACE_CREATE = call(133, "INTERFACE_CREATE", InterfaceCreateArgs, None, "0.6.4")
INTERFACE_DESTROY = call(134, "INTERFACE_DESTROY", InterfaceDestroyArgs, None, "0.6.4", priority=True)
CONNECT_NUM_OF_DEFINED_INTERFACES = call(
    137, "CONNECT_NUM_OF_DEFINED_INTERFACES", None, ConnectNumOfDefinedInterfacesRet, "0.7.0", priority=True
)
CONNECT_LIST_DEFINED_INTERFACES = call(
    138,
    "CONNECT_LIST_DEFINED_INTERFACES",
    ConnectListDefinedInterfacesArgs,
    ConnectListDefinedInterfacesRet,
    "0.7.0",
    priority=True,
)
INTERFACE_IS_ACTIVE = call(
    156, "INTERFACE_IS_ACTIVE", InterfaceIsActiveArgs, InterfaceIsActiveRet, "0.7.3", priority=True
)
INTERFACE_CHANGE_BEGIN = call(220, "INTERFACE_CHANGE_BEGIN", InterfaceChangeBeginArgs, None, "0.9.2")
INTERFACE_CHANGE_COMMIT = call(221, "INTERFACE_CHANGE_COMMIT", InterfaceChangeCommitArgs, None, "0.9.2")
INTERFACE_CHANGE_ROLLBACK = call(222, "INTERFACE_CHANGE_ROLLBACK", InterfaceChangeRollbackArgs, None, "0.9.2")
CONNECT_LIST_ALL_INTERFACES = call(
    284,
    "CONNECT_LIST_ALL_INTERFACES",
    ConnectListAllInterfacesArgs,
    ConnectListAllInterfacesRet,
    "0.10.2",
    priority=True,
)
