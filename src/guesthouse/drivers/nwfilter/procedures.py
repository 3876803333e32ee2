"""The table of the network filter driver, and its procedures."""

from __future__ import annotations

import uuid as _uuid
from functools import partial
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.nwfilter import bindings, filters
from guesthouse.drivers.nwfilter.registry import Bound
from guesthouse.errors import Origin
from guesthouse.model.nwfilter.filter import Filter, format_nwfilter
from guesthouse.model.nwfilter_binding import format_nwfilter_binding
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import nwfilter as rpc
from guesthouse.rpc.types import NonnullNwfilter, NonnullNwfilterBinding
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.nwfilter.driver import FilterDriver

_VALIDATE = 1

_check = partial(check, origin=Origin.NWFILTER)


def _handle(definition: Filter) -> NonnullNwfilter:
    return NonnullNwfilter(definition.name, _uuid.UUID(definition.uuid).bytes)


def _binding_handle(bound: Bound) -> NonnullNwfilterBinding:
    return NonnullNwfilterBinding(bound.device, bound.root)


def _num(driver: FilterDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfNwfiltersRet(len(driver.filters))


def _list(driver: FilterDriver, _: Caller, args: rpc.ConnectListNwfiltersArgs) -> Struct:
    return rpc.ConnectListNwfiltersRet([one.name for one in driver.filters][: max(args.maxnames, 0)])


def _list_all(driver: FilterDriver, _: Caller, args: rpc.ConnectListAllNwfiltersArgs) -> Struct:
    _check(args.flags, 0, "nwfilterConnectListAllNWFilters")
    found = [_handle(one) for one in driver.filters]
    return rpc.ConnectListAllNwfiltersRet(found if args.need_results else [], len(found))


def _by_name(driver: FilterDriver, _: Caller, args: rpc.NwfilterLookupByNameArgs) -> Struct:
    return rpc.NwfilterLookupByNameRet(_handle(driver.filters.named(args.name)))


def _by_uuid(driver: FilterDriver, _: Caller, args: rpc.NwfilterLookupByUuidArgs) -> Struct:
    return rpc.NwfilterLookupByUuidRet(_handle(driver.filters.with_uuid(args.uuid)))


def _get_xml(driver: FilterDriver, _: Caller, args: rpc.NwfilterGetXmlDescArgs) -> Struct:
    _check(args.flags, 0, "nwfilterGetXMLDesc")
    return rpc.NwfilterGetXmlDescRet(format_nwfilter(driver.filters.with_uuid(args.nwfilter.uuid)))


async def _define(driver: FilterDriver, _: Caller, args: rpc.NwfilterDefineXmlArgs) -> Struct:
    return rpc.NwfilterDefineXmlRet(_handle(await filters.define(driver, args.xml)))


async def _define_flags(driver: FilterDriver, _: Caller, args: rpc.NwfilterDefineXmlFlagsArgs) -> Struct:
    _check(args.flags, _VALIDATE, "nwfilterDefineXMLFlags")
    definition = await filters.define(driver, args.xml, validate=bool(args.flags & _VALIDATE))
    return rpc.NwfilterDefineXmlFlagsRet(_handle(definition))


async def _undefine(driver: FilterDriver, _: Caller, args: rpc.NwfilterUndefineArgs) -> None:
    await filters.undefine(driver, args.nwfilter.uuid)


def _list_bindings(driver: FilterDriver, _: Caller, args: rpc.ConnectListAllNwfilterBindingsArgs) -> Struct:
    _check(args.flags, 0, "nwfilterConnectListAllNWFilterBindings")
    found = [_binding_handle(one) for one in driver.bindings]
    return rpc.ConnectListAllNwfilterBindingsRet(found if args.need_results else [], len(found))


def _binding_by_device(driver: FilterDriver, _: Caller, args: rpc.NwfilterBindingLookupByPortDevArgs) -> Struct:
    return rpc.NwfilterBindingLookupByPortDevRet(_binding_handle(driver.bindings.on(args.name)))


def _get_binding_xml(driver: FilterDriver, _: Caller, args: rpc.NwfilterBindingGetXmlDescArgs) -> Struct:
    _check(args.flags, 0, "nwfilterBindingGetXMLDesc")
    shown = driver.bindings.on(args.nwfilter.portdev).shown()
    return rpc.NwfilterBindingGetXmlDescRet(format_nwfilter_binding(shown))


async def _create_binding(driver: FilterDriver, _: Caller, args: rpc.NwfilterBindingCreateXmlArgs) -> Struct:
    _check(args.flags, _VALIDATE, "nwfilterBindingCreateXML")
    bound = await bindings.create(driver, args.xml, validate=bool(args.flags & _VALIDATE))
    return rpc.NwfilterBindingCreateXmlRet(_binding_handle(bound))


async def _delete_binding(driver: FilterDriver, _: Caller, args: rpc.NwfilterBindingDeleteArgs) -> None:
    await bindings.delete(driver, args.nwfilter.portdev)


TABLE: dict[Procedure, Handler[FilterDriver]] = {
    rpc.CONNECT_NUM_OF_NWFILTERS: read(_num),
    rpc.CONNECT_LIST_NWFILTERS: read(_list),
    rpc.CONNECT_LIST_ALL_NWFILTERS: read(_list_all),
    rpc.NWFILTER_LOOKUP_BY_NAME: read(_by_name),
    rpc.NWFILTER_LOOKUP_BY_UUID: read(_by_uuid),
    rpc.NWFILTER_GET_XML_DESC: read(_get_xml),
    rpc.NWFILTER_DEFINE_XML: write(_define),
    rpc.NWFILTER_DEFINE_XML_FLAGS: write(_define_flags),
    rpc.NWFILTER_UNDEFINE: write(_undefine),
    rpc.CONNECT_LIST_ALL_NWFILTER_BINDINGS: read(_list_bindings),
    rpc.NWFILTER_BINDING_LOOKUP_BY_PORT_DEV: read(_binding_by_device),
    rpc.NWFILTER_BINDING_GET_XML_DESC: read(_get_binding_xml),
    rpc.NWFILTER_BINDING_CREATE_XML: write(_create_binding),
    rpc.NWFILTER_BINDING_DELETE: write(_delete_binding),
}
