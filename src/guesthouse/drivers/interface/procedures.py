"""The table of the interface driver, and its procedures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.interface import actions, transaction
from guesthouse.drivers.interface.registry import Found
from guesthouse.errors import Origin
from guesthouse.model.interface import format_interface
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import interface as rpc
from guesthouse.rpc.types import NonnullInterface
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.interface.driver import InterfaceDriver

#: `virConnectListAllInterfacesFlags`; libvirt's number for the inactive is the smaller one.
_INACTIVE, _ACTIVE = 1, 2
_XML_INACTIVE: Final = 1
_DEFINE_VALIDATE: Final = 1

_check = partial(check, origin=Origin.INTERFACE)


def _handle(found: Found) -> NonnullInterface:
    return NonnullInterface(found.name, found.mac)


async def _names(driver: InterfaceDriver, *, active: bool) -> list[str]:
    return [one.name for one in (await driver.look()).all() if one.active == active]


async def _num(driver: InterfaceDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfInterfacesRet(len(await _names(driver, active=True)))


async def _list(driver: InterfaceDriver, _: Caller, args: rpc.ConnectListInterfacesArgs) -> Struct:
    return rpc.ConnectListInterfacesRet((await _names(driver, active=True))[: max(args.maxnames, 0)])


async def _num_defined(driver: InterfaceDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfDefinedInterfacesRet(len(await _names(driver, active=False)))


async def _list_defined(driver: InterfaceDriver, _: Caller, args: rpc.ConnectListDefinedInterfacesArgs) -> Struct:
    return rpc.ConnectListDefinedInterfacesRet((await _names(driver, active=False))[: max(args.maxnames, 0)])


async def _list_all(driver: InterfaceDriver, _: Caller, args: rpc.ConnectListAllInterfacesArgs) -> Struct:
    _check(args.flags, _INACTIVE | _ACTIVE, "interfaceConnectListAllInterfaces")
    wanted = args.flags or _INACTIVE | _ACTIVE
    found = [one for one in (await driver.look()).all() if wanted & (_ACTIVE if one.active else _INACTIVE)]
    return rpc.ConnectListAllInterfacesRet([_handle(one) for one in found] if args.need_results else [], len(found))


async def _by_name(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceLookupByNameArgs) -> Struct:
    return rpc.InterfaceLookupByNameRet(_handle((await driver.look()).named(args.name)))


async def _by_mac(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceLookupByMacStringArgs) -> Struct:
    return rpc.InterfaceLookupByMacStringRet(_handle((await driver.look()).with_mac(args.mac)))


async def _get_xml(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceGetXmlDescArgs) -> Struct:
    _check(args.flags, _XML_INACTIVE, "interfaceGetXMLDesc")
    found = (await driver.look()).document(args.iface.name, configured=bool(args.flags & _XML_INACTIVE))
    return rpc.InterfaceGetXmlDescRet(format_interface(found))


async def _is_active(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceIsActiveArgs) -> Struct:
    return rpc.InterfaceIsActiveRet(int((await driver.look()).named(args.iface.name).active))


async def _define(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceDefineXmlArgs) -> Struct:
    _check(args.flags, _DEFINE_VALIDATE, "interfaceDefineXML")
    found = await actions.define(driver, args.xml, validate=bool(args.flags & _DEFINE_VALIDATE))
    return rpc.InterfaceDefineXmlRet(_handle(found))


async def _undefine(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceUndefineArgs) -> None:
    await actions.undefine(driver, args.iface.name)


async def _create(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceCreateArgs) -> None:
    _check(args.flags, 0, "interfaceCreate")
    await actions.start(driver, args.iface.name)


async def _destroy(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceDestroyArgs) -> None:
    _check(args.flags, 0, "interfaceDestroy")
    await actions.stop(driver, args.iface.name)


async def _begin(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceChangeBeginArgs) -> None:
    _check(args.flags, 0, "interfaceChangeBegin")
    await transaction.begin(driver)


async def _commit(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceChangeCommitArgs) -> None:
    _check(args.flags, 0, "interfaceChangeCommit")
    await transaction.commit(driver)


async def _rollback(driver: InterfaceDriver, _: Caller, args: rpc.InterfaceChangeRollbackArgs) -> None:
    _check(args.flags, 0, "interfaceChangeRollback")
    await transaction.rollback(driver)


TABLE: dict[Procedure, Handler[InterfaceDriver]] = {
    rpc.CONNECT_NUM_OF_INTERFACES: read(_num),
    rpc.CONNECT_LIST_INTERFACES: read(_list),
    rpc.CONNECT_NUM_OF_DEFINED_INTERFACES: read(_num_defined),
    rpc.CONNECT_LIST_DEFINED_INTERFACES: read(_list_defined),
    rpc.CONNECT_LIST_ALL_INTERFACES: read(_list_all),
    rpc.INTERFACE_LOOKUP_BY_NAME: read(_by_name),
    rpc.INTERFACE_LOOKUP_BY_MAC_STRING: read(_by_mac),
    rpc.INTERFACE_GET_XML_DESC: read(_get_xml),
    rpc.INTERFACE_IS_ACTIVE: read(_is_active),
    rpc.INTERFACE_DEFINE_XML: write(_define),
    rpc.INTERFACE_UNDEFINE: write(_undefine),
    rpc.INTERFACE_CREATE: write(_create),
    rpc.INTERFACE_DESTROY: write(_destroy),
    rpc.INTERFACE_CHANGE_BEGIN: write(_begin),
    rpc.INTERFACE_CHANGE_COMMIT: write(_commit),
    rpc.INTERFACE_CHANGE_ROLLBACK: write(_rollback),
}
