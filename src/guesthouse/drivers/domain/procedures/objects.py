"""Procedures that find, list, define, rename and undefine guests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import definitions, filters
from guesthouse.drivers.domain.lifecycle import autostart, transient
from guesthouse.drivers.domain.procedures.wire import counted, find, handle, handle_bytes, uint
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain as rpc
from guesthouse.rpc.types import Encoded
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_DEFINE_VALIDATE = 1


def _lookup_by_id(driver: Guests, _: Caller, args: rpc.DomainLookupByIdArgs) -> Struct:
    return rpc.DomainLookupByIdRet(handle(driver.registry.with_id(args.id)))


def _lookup_by_name(driver: Guests, _: Caller, args: rpc.DomainLookupByNameArgs) -> Struct:
    return rpc.DomainLookupByNameRet(handle(driver.registry.named(args.name)))


def _lookup_by_uuid(driver: Guests, _: Caller, args: rpc.DomainLookupByUuidArgs) -> Struct:
    return rpc.DomainLookupByUuidRet(handle(driver.registry.with_uuid(args.uuid)))


def _list_all(driver: Guests, _: Caller, args: rpc.ConnectListAllDomainsArgs) -> Encoded:
    flags.check(args.flags, filters.FLAGS, "qemuConnectListAllDomains")
    found = filters.select(driver.registry, args.flags)
    return counted(map(handle_bytes, found) if args.need_results else (), uint(len(found)))


def _num_of_domains(driver: Guests, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfDomainsRet(len(driver.registry.by_id))


def _num_of_defined(driver: Guests, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfDefinedDomainsRet(len(driver.registry) - len(driver.registry.by_id))


def _list_domains(driver: Guests, _: Caller, args: rpc.ConnectListDomainsArgs) -> Struct:
    return rpc.ConnectListDomainsRet(sorted(driver.registry.by_id)[: max(args.maxids, 0)])


def _list_defined(driver: Guests, _: Caller, args: rpc.ConnectListDefinedDomainsArgs) -> Struct:
    names = [guest.name for guest in driver.registry if not guest.active]
    return rpc.ConnectListDefinedDomainsRet(names[: max(args.maxnames, 0)])


async def _define(driver: Guests, _: Caller, args: rpc.DomainDefineXmlArgs) -> Struct:
    return rpc.DomainDefineXmlRet(handle(await definitions.define(driver, args.xml)))


async def _define_flags(driver: Guests, _: Caller, args: rpc.DomainDefineXmlFlagsArgs) -> Struct:
    flags.check(args.flags, _DEFINE_VALIDATE, "qemuDomainDefineXMLFlags")
    guest = await definitions.define(driver, args.xml, validate=bool(args.flags & _DEFINE_VALIDATE))
    return rpc.DomainDefineXmlFlagsRet(handle(guest))


async def _create_xml(driver: Guests, caller: Caller, args: rpc.DomainCreateXmlArgs) -> Struct:
    return rpc.DomainCreateXmlRet(handle(await transient.create(driver, caller, args.xml_desc, args.flags)))


async def _undefine(driver: Guests, _: Caller, args: rpc.DomainUndefineArgs) -> None:
    await definitions.undefine(driver, find(driver, args.dom))


async def _undefine_flags(driver: Guests, _: Caller, args: rpc.DomainUndefineFlagsArgs) -> None:
    await definitions.undefine(driver, find(driver, args.dom), args.flags)


async def _rename(driver: Guests, _: Caller, args: rpc.DomainRenameArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainRename")
    await definitions.rename(driver, find(driver, args.dom), args.new_name or "")
    return rpc.DomainRenameRet(0)


def _get_autostart(driver: Guests, _: Caller, args: rpc.DomainGetAutostartArgs) -> Struct:
    return rpc.DomainGetAutostartRet(int(find(driver, args.dom).autostart))


async def _set_autostart(driver: Guests, _: Caller, args: rpc.DomainSetAutostartArgs) -> None:
    await autostart.mark(driver, find(driver, args.dom), bool(args.autostart))


def _get_autostart_once(driver: Guests, _: Caller, args: rpc.DomainGetAutostartOnceArgs) -> Struct:
    return rpc.DomainGetAutostartOnceRet(int(find(driver, args.dom).autostart_once))


async def _set_autostart_once(driver: Guests, _: Caller, args: rpc.DomainSetAutostartOnceArgs) -> None:
    await autostart.mark(driver, find(driver, args.dom), bool(args.autostart), once=True)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_LOOKUP_BY_ID: read(_lookup_by_id),
    rpc.DOMAIN_LOOKUP_BY_NAME: read(_lookup_by_name),
    rpc.DOMAIN_LOOKUP_BY_UUID: read(_lookup_by_uuid),
    rpc.CONNECT_LIST_ALL_DOMAINS: read(_list_all),
    rpc.CONNECT_NUM_OF_DOMAINS: read(_num_of_domains),
    rpc.CONNECT_NUM_OF_DEFINED_DOMAINS: read(_num_of_defined),
    rpc.CONNECT_LIST_DOMAINS: read(_list_domains),
    rpc.CONNECT_LIST_DEFINED_DOMAINS: read(_list_defined),
    rpc.DOMAIN_DEFINE_XML: write(_define),
    rpc.DOMAIN_DEFINE_XML_FLAGS: write(_define_flags),
    rpc.DOMAIN_CREATE_XML: write(_create_xml),
    rpc.DOMAIN_UNDEFINE: write(_undefine),
    rpc.DOMAIN_UNDEFINE_FLAGS: write(_undefine_flags),
    rpc.DOMAIN_RENAME: write(_rename),
    rpc.DOMAIN_GET_AUTOSTART: read(_get_autostart),
    rpc.DOMAIN_SET_AUTOSTART: write(_set_autostart),
    rpc.DOMAIN_GET_AUTOSTART_ONCE: read(_get_autostart_once),
    rpc.DOMAIN_SET_AUTOSTART_ONCE: write(_set_autostart_once),
}
