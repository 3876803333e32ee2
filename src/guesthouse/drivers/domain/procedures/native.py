"""Procedures that turn a definition into another program's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain import native
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import connect as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def _to_native(driver: Guests, _: Caller, args: rpc.ConnectDomainXmlToNativeArgs) -> Struct:
    flags.check(args.flags, 0, "qemuConnectDomainXMLToNative")
    return rpc.ConnectDomainXmlToNativeRet(await native.command_line(driver, args.nativeFormat, args.domainXml))


TABLE: dict[Procedure, Handler[Guests]] = {rpc.CONNECT_DOMAIN_XML_TO_NATIVE: write(_to_native)}
