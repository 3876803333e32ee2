"""Procedures for network filters and their bindings.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import NWFILTER_BINDING_LIST_MAX, NWFILTER_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullNwfilter, NonnullNwfilterBinding
from guesthouse.rpc.xdr import Annotated, Struct, UInt, Uuid


class NwfilterLookupByNameArgs(Struct):
    """Arguments of virNWFilterLookupByName."""

    name: str


class NwfilterLookupByNameRet(Struct):
    """Reply of virNWFilterLookupByName."""

    nwfilter: NonnullNwfilter


class NwfilterLookupByUuidArgs(Struct):
    """Arguments of virNWFilterLookupByUUID."""

    uuid: Uuid


class NwfilterLookupByUuidRet(Struct):
    """Reply of virNWFilterLookupByUUID."""

    nwfilter: NonnullNwfilter


class NwfilterGetXmlDescArgs(Struct):
    """Arguments of virNWFilterGetXMLDesc."""

    nwfilter: NonnullNwfilter
    flags: UInt = 0


class NwfilterGetXmlDescRet(Struct):
    """Reply of virNWFilterGetXMLDesc."""

    xml: str


class ConnectNumOfNwfiltersRet(Struct):
    """Reply of virConnectNumOfNWFilters."""

    num: int


class ConnectListNwfiltersArgs(Struct):
    """Arguments of virConnectListNWFilters."""

    maxnames: int


class ConnectListNwfiltersRet(Struct):
    """Reply of virConnectListNWFilters."""

    names: Annotated[list[str], NWFILTER_LIST_MAX]


class NwfilterDefineXmlArgs(Struct):
    """Arguments of virNWFilterDefineXML."""

    xml: str


class NwfilterDefineXmlRet(Struct):
    """Reply of virNWFilterDefineXML."""

    nwfilter: NonnullNwfilter


class NwfilterUndefineArgs(Struct):
    """Arguments of virNWFilterUndefine."""

    nwfilter: NonnullNwfilter


class ConnectListAllNwfiltersArgs(Struct):
    """Arguments of virConnectListAllNWFilters."""

    need_results: int
    flags: UInt = 0


class ConnectListAllNwfiltersRet(Struct):
    """Reply of virConnectListAllNWFilters."""

    filters: Annotated[list[NonnullNwfilter], NWFILTER_LIST_MAX]
    ret: UInt


class NwfilterBindingLookupByPortDevArgs(Struct):
    """Arguments of virNWFilterBindingLookupByPortDev."""

    name: str


class NwfilterBindingLookupByPortDevRet(Struct):
    """Reply of virNWFilterBindingLookupByPortDev."""

    nwfilter: NonnullNwfilterBinding


class NwfilterBindingGetXmlDescArgs(Struct):
    """Arguments of virNWFilterBindingGetXMLDesc."""

    nwfilter: NonnullNwfilterBinding
    flags: UInt = 0


class NwfilterBindingGetXmlDescRet(Struct):
    """Reply of virNWFilterBindingGetXMLDesc."""

    xml: str


class NwfilterBindingCreateXmlArgs(Struct):
    """Arguments of virNWFilterBindingCreateXML."""

    xml: str
    flags: UInt = 0


class NwfilterBindingCreateXmlRet(Struct):
    """Reply of virNWFilterBindingCreateXML."""

    nwfilter: NonnullNwfilterBinding


class NwfilterBindingDeleteArgs(Struct):
    """Arguments of virNWFilterBindingDelete."""

    nwfilter: NonnullNwfilterBinding


class ConnectListAllNwfilterBindingsArgs(Struct):
    """Arguments of virConnectListAllNWFilterBindings."""

    need_results: int
    flags: UInt = 0


class ConnectListAllNwfilterBindingsRet(Struct):
    """Reply of virConnectListAllNWFilterBindings."""

    bindings: Annotated[list[NonnullNwfilterBinding], NWFILTER_BINDING_LIST_MAX]
    ret: UInt


class NwfilterDefineXmlFlagsArgs(Struct):
    """Arguments of virNWFilterDefineXMLFlags."""

    xml: str
    flags: UInt = 0


class NwfilterDefineXmlFlagsRet(Struct):
    """Reply of virNWFilterDefineXMLFlags."""

    nwfilter: NonnullNwfilter


_family = Family(REMOTE_PROGRAM)
call = _family.call

NWFILTER_LOOKUP_BY_NAME = call(
    175, "NWFILTER_LOOKUP_BY_NAME", NwfilterLookupByNameArgs, NwfilterLookupByNameRet, "0.8.0", priority=True
)
NWFILTER_LOOKUP_BY_UUID = call(
    176, "NWFILTER_LOOKUP_BY_UUID", NwfilterLookupByUuidArgs, NwfilterLookupByUuidRet, "0.8.0", priority=True
)
NWFILTER_GET_XML_DESC = call(
    177, "NWFILTER_GET_XML_DESC", NwfilterGetXmlDescArgs, NwfilterGetXmlDescRet, "0.8.0", priority=True
)
CONNECT_NUM_OF_NWFILTERS = call(178, "CONNECT_NUM_OF_NWFILTERS", None, ConnectNumOfNwfiltersRet, "0.8.0", priority=True)
CONNECT_LIST_NWFILTERS = call(
    179, "CONNECT_LIST_NWFILTERS", ConnectListNwfiltersArgs, ConnectListNwfiltersRet, "0.8.0", priority=True
)
NWFILTER_DEFINE_XML = call(
    180, "NWFILTER_DEFINE_XML", NwfilterDefineXmlArgs, NwfilterDefineXmlRet, "0.8.0", priority=True
)
NWFILTER_UNDEFINE = call(181, "NWFILTER_UNDEFINE", NwfilterUndefineArgs, None, "0.8.0", priority=True)
CONNECT_LIST_ALL_NWFILTERS = call(
    286, "CONNECT_LIST_ALL_NWFILTERS", ConnectListAllNwfiltersArgs, ConnectListAllNwfiltersRet, "0.10.2", priority=True
)
NWFILTER_BINDING_LOOKUP_BY_PORT_DEV = call(
    397,
    "NWFILTER_BINDING_LOOKUP_BY_PORT_DEV",
    NwfilterBindingLookupByPortDevArgs,
    NwfilterBindingLookupByPortDevRet,
    "4.5.0",
    priority=True,
)
NWFILTER_BINDING_GET_XML_DESC = call(
    398,
    "NWFILTER_BINDING_GET_XML_DESC",
    NwfilterBindingGetXmlDescArgs,
    NwfilterBindingGetXmlDescRet,
    "4.5.0",
    priority=True,
)
NWFILTER_BINDING_CREATE_XML = call(
    399,
    "NWFILTER_BINDING_CREATE_XML",
    NwfilterBindingCreateXmlArgs,
    NwfilterBindingCreateXmlRet,
    "4.5.0",
    priority=True,
)
NWFILTER_BINDING_DELETE = call(400, "NWFILTER_BINDING_DELETE", NwfilterBindingDeleteArgs, None, "4.5.0", priority=True)
CONNECT_LIST_ALL_NWFILTER_BINDINGS = call(
    401,
    "CONNECT_LIST_ALL_NWFILTER_BINDINGS",
    ConnectListAllNwfilterBindingsArgs,
    ConnectListAllNwfilterBindingsRet,
    "4.5.0",
    priority=True,
)
NWFILTER_DEFINE_XML_FLAGS = call(
    431, "NWFILTER_DEFINE_XML_FLAGS", NwfilterDefineXmlFlagsArgs, NwfilterDefineXmlFlagsRet, "7.7.0", priority=True
)
