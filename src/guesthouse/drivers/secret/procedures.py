"""The table of the secret driver, and its procedures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.secret import actions
from guesthouse.drivers.secret.events import handle_of
from guesthouse.drivers.secret.registry import StoredSecret
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.model.secret import format_secret
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events_objects as events
from guesthouse.rpc.procedures import secret as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.secret.driver import SecretDriver

#: `virConnectListAllSecretsFlags`: groups of bits, each with its test; a group without a bit lets all through.
_FILTERS: tuple[dict[int, Callable[[StoredSecret], bool]], ...] = (
    {1: lambda secret: secret.definition.ephemeral, 2: lambda secret: not secret.definition.ephemeral},
    {4: lambda secret: secret.definition.private, 8: lambda secret: not secret.definition.private},
)
_KNOWN_FILTERS = sum(bit for group in _FILTERS for bit in group)
_DEFINE_VALIDATE = 1

_check = partial(check, origin=Origin.SECRET)


def _num(driver: SecretDriver, _: Caller, _args: None) -> Struct:
    return rpc.ConnectNumOfSecretsRet(len(driver.registry))


def _list(driver: SecretDriver, _: Caller, args: rpc.ConnectListSecretsArgs) -> Struct:
    uuids = [secret.uuid for secret in driver.registry]
    return rpc.ConnectListSecretsRet(uuids[: max(args.maxuuids, 0)])


def _list_all(driver: SecretDriver, _: Caller, args: rpc.ConnectListAllSecretsArgs) -> Struct:
    _check(args.flags, _KNOWN_FILTERS, "secretConnectListAllSecrets")
    chosen = [[test for bit, test in group.items() if bit & args.flags] for group in _FILTERS]
    found = [
        handle_of(secret)
        for secret in driver.registry
        if all(not tests or any(test(secret) for test in tests) for tests in chosen)
    ]
    return rpc.ConnectListAllSecretsRet(found if args.need_results else [], len(found))


def _by_uuid(driver: SecretDriver, _: Caller, args: rpc.SecretLookupByUuidArgs) -> Struct:
    return rpc.SecretLookupByUuidRet(handle_of(driver.registry.with_uuid(args.uuid)))


def _by_usage(driver: SecretDriver, _: Caller, args: rpc.SecretLookupByUsageArgs) -> Struct:
    return rpc.SecretLookupByUsageRet(handle_of(driver.registry.with_usage(args.usageType, args.usageID)))


async def _define(driver: SecretDriver, _: Caller, args: rpc.SecretDefineXmlArgs) -> Struct:
    _check(args.flags, _DEFINE_VALIDATE, "secretDefineXML")
    secret = await actions.define(driver, args.xml, validate=bool(args.flags & _DEFINE_VALIDATE))
    return rpc.SecretDefineXmlRet(handle_of(secret))


def _get_xml(driver: SecretDriver, _: Caller, args: rpc.SecretGetXmlDescArgs) -> Struct:
    _check(args.flags, 0, "secretGetXMLDesc")
    return rpc.SecretGetXmlDescRet(format_secret(driver.registry.with_uuid(args.secret.uuid).definition))


async def _set_value(driver: SecretDriver, _: Caller, args: rpc.SecretSetValueArgs) -> None:
    _check(args.flags, 0, "secretSetValue")
    if not args.value:
        raise InvalidArgumentError("value in virSecretSetValue must not be NULL", domain=Origin.SECRET, bare=True)
    await actions.set_value(driver, args.secret.uuid, args.value)


async def _get_value(driver: SecretDriver, _: Caller, args: rpc.SecretGetValueArgs) -> Struct:
    _check(args.flags, 0, "secretGetValue")
    return rpc.SecretGetValueRet(await actions.get_value(driver, args.secret.uuid))


async def _undefine(driver: SecretDriver, _: Caller, args: rpc.SecretUndefineArgs) -> None:
    await actions.undefine(driver, args.secret.uuid)


def _register(driver: SecretDriver, caller: Caller, args: events.ConnectSecretEventRegisterAnyArgs) -> Struct:
    number = driver.events.register(caller, args.eventID, args.secret.uuid if args.secret is not None else None)
    return events.ConnectSecretEventRegisterAnyRet(number)


def _deregister(driver: SecretDriver, caller: Caller, args: events.ConnectSecretEventDeregisterAnyArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


TABLE: dict[Procedure, Handler[SecretDriver]] = {
    rpc.CONNECT_NUM_OF_SECRETS: read(_num),
    rpc.CONNECT_LIST_SECRETS: read(_list),
    rpc.CONNECT_LIST_ALL_SECRETS: read(_list_all),
    rpc.SECRET_LOOKUP_BY_UUID: read(_by_uuid),
    rpc.SECRET_LOOKUP_BY_USAGE: read(_by_usage),
    rpc.SECRET_DEFINE_XML: write(_define),
    rpc.SECRET_GET_XML_DESC: read(_get_xml),
    rpc.SECRET_SET_VALUE: write(_set_value),
    rpc.SECRET_GET_VALUE: write(_get_value),
    rpc.SECRET_UNDEFINE: write(_undefine),
    events.CONNECT_SECRET_EVENT_REGISTER_ANY: read(_register),
    events.CONNECT_SECRET_EVENT_DEREGISTER_ANY: read(_deregister),
}
