"""Procedures that look into a guest: its memory, its disks, and what the processor says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain import peeking
from guesthouse.drivers.domain.lifecycle import launch_secrets
from guesthouse.drivers.domain.parameters import checked
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import InvalidArgumentError
from guesthouse.rpc.limits import DOMAIN_BLOCK_PEEK_BUFFER_MAX, DOMAIN_MEMORY_PEEK_BUFFER_MAX
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_stats as rpc
from guesthouse.rpc.procedures import domain_tuning as tuning
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_VIRTUAL, _PHYSICAL = 1, 2
_STRINGS = 4


async def _memory_peek(driver: Guests, _: Caller, args: rpc.DomainMemoryPeekArgs) -> Struct:
    flags.check(args.flags, _VIRTUAL | _PHYSICAL, "qemuDomainMemoryPeek")
    if args.size > DOMAIN_MEMORY_PEEK_BUFFER_MAX:
        raise InvalidArgumentError(f"size {args.size} is larger than {DOMAIN_MEMORY_PEEK_BUFFER_MAX}")
    found = await peeking.memory(driver, find(driver, args.dom), args.offset, args.size, args.flags)
    return rpc.DomainMemoryPeekRet(found)


async def _block_peek(driver: Guests, _: Caller, args: rpc.DomainBlockPeekArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainBlockPeek")
    if args.size > DOMAIN_BLOCK_PEEK_BUFFER_MAX:
        raise InvalidArgumentError(f"size {args.size} is larger than {DOMAIN_BLOCK_PEEK_BUFFER_MAX}")
    return rpc.DomainBlockPeekRet(await peeking.block(find(driver, args.dom), args.path, args.offset, args.size))


async def _launch_security(driver: Guests, _: Caller, args: tuning.DomainGetLaunchSecurityInfoArgs) -> Struct:
    flags.check(args.flags, _STRINGS, "qemuDomainGetSEVInfo")
    found = await launch_secrets.measured(find(driver, args.dom))
    return tuning.DomainGetLaunchSecurityInfoRet([TypedParam(*param) for param in found])


async def _launch_secret(driver: Guests, _: Caller, args: tuning.DomainSetLaunchSecurityStateArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainSetLaunchSecurityState")
    params = [(param.field, param.type, param.value) for param in args.params]
    await launch_secrets.inject(find(driver, args.dom), checked(params, launch_secrets.KNOWN))


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_MEMORY_PEEK: write(_memory_peek),
    rpc.DOMAIN_BLOCK_PEEK: write(_block_peek),
    tuning.DOMAIN_GET_LAUNCH_SECURITY_INFO: write(_launch_security),
    tuning.DOMAIN_SET_LAUNCH_SECURITY_STATE: write(_launch_secret),
}
