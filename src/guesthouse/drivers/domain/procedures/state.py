"""Procedures that ask for a guest's state, XML and basic facts: answered from memory, in the same turn of the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read
from guesthouse.drivers.domain import xml
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.statistics import facts
from guesthouse.errors import ReadOnlyError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def _get_state(driver: Guests, _: Caller, args: rpc.DomainGetStateArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetState")
    guest = find(driver, args.dom)
    return rpc.DomainGetStateRet(guest.state.value, guest.reason)


def _get_info(driver: Guests, _: Caller, args: rpc.DomainGetInfoArgs) -> Struct:
    guest = find(driver, args.dom)
    return rpc.DomainGetInfoRet(
        guest.state.value,
        guest.current.memory.kib,
        facts.current_memory(guest),
        facts.vcpus(guest.current),
        facts.cpu_time(guest),
    )


def _get_xml(driver: Guests, caller: Caller, args: rpc.DomainGetXmlDescArgs) -> Struct:
    if caller.readonly and args.flags & (xml.SECURE | xml.MIGRATABLE):
        raise ReadOnlyError("virDomainGetXMLDesc with secure flag")
    return rpc.DomainGetXmlDescRet(xml.describe(driver, find(driver, args.dom), args.flags))


def _get_os_type(driver: Guests, _: Caller, args: rpc.DomainGetOsTypeArgs) -> Struct:
    os_type = find(driver, args.dom).current.os.type
    return rpc.DomainGetOsTypeRet(os_type.kind if os_type else "hvm")


def _is_active(driver: Guests, _: Caller, args: rpc.DomainIsActiveArgs) -> Struct:
    return rpc.DomainIsActiveRet(int(find(driver, args.dom).active))


def _is_persistent(driver: Guests, _: Caller, args: rpc.DomainIsPersistentArgs) -> Struct:
    return rpc.DomainIsPersistentRet(int(find(driver, args.dom).persistent))


def _is_updated(driver: Guests, _: Caller, args: rpc.DomainIsUpdatedArgs) -> Struct:
    find(driver, args.dom)
    return rpc.DomainIsUpdatedRet(0)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_STATE: read(_get_state),
    rpc.DOMAIN_GET_INFO: read(_get_info),
    rpc.DOMAIN_GET_XML_DESC: read(_get_xml),
    rpc.DOMAIN_GET_OS_TYPE: read(_get_os_type),
    rpc.DOMAIN_IS_ACTIVE: read(_is_active),
    rpc.DOMAIN_IS_PERSISTENT: read(_is_persistent),
    rpc.DOMAIN_IS_UPDATED: read(_is_updated),
}
