"""Procedures about network cards: the limits of their rates, and their counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import parameters
from guesthouse.drivers.domain.interfaces import tune
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.statistics import network
from guesthouse.errors import OperationInvalidError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_stats as stats
from guesthouse.rpc.procedures import domain_tuning as rpc
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_IMPACT = flags.LIVE | flags.CONFIG
_STRINGS = 4


async def _set_parameters(driver: Guests, _: Caller, args: rpc.DomainSetInterfaceParametersArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetInterfaceParameters")
    given = [(param.field, param.type, param.value) for param in args.params]
    values = parameters.numbers(given, tune.TYPES)
    await tune.set_(driver, find(driver, args.dom), args.device, values, args.flags)


def _parameters(driver: Guests, _: Caller, args: rpc.DomainGetInterfaceParametersArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetInterfaceParameters")
    guest = find(driver, args.dom)
    if not args.nparams:
        return rpc.DomainGetInterfaceParametersRet([], len(tune.TYPES))
    params = tune.read(guest, args.device, args.flags & _IMPACT)[: max(args.nparams, 0)]
    return rpc.DomainGetInterfaceParametersRet([TypedParam(*param) for param in params], len(params))


def _statistics(driver: Guests, _: Caller, args: stats.DomainInterfaceStatsArgs) -> Struct:
    interface = tune.find(find(driver, args.dom).live().live, args.device)
    counters = network.card_counters(interface)
    if counters is None:
        raise OperationInvalidError(
            f"interface '{args.device}' has no device on the host", hint="a user-mode network is not counted"
        )
    return stats.DomainInterfaceStatsRet(*counters)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_SET_INTERFACE_PARAMETERS: write(_set_parameters),
    rpc.DOMAIN_GET_INTERFACE_PARAMETERS: read(_parameters),
    stats.DOMAIN_INTERFACE_STATS: read(_statistics),
}
