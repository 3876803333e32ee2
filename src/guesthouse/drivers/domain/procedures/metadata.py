"""Procedures for titles, descriptions and the metadata of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def _get(driver: Guests, _: Caller, args: rpc.DomainGetMetadataArgs) -> Struct:
    flags.check(args.flags, flags.LIVE | flags.CONFIG, "virDomainObjGetMetadata", origin=Origin.DOMAIN)
    return rpc.DomainGetMetadataRet(metadata.get(find(driver, args.dom), args.type, args.uri, args.flags))


async def _set(driver: Guests, _: Caller, args: rpc.DomainSetMetadataArgs) -> None:
    guest = find(driver, args.dom)
    await metadata.set_(driver, guest, args.type, args.metadata, args.key, args.uri, args.flags)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_METADATA: read(_get),
    rpc.DOMAIN_SET_METADATA: write(_set),
}
