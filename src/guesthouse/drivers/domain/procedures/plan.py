"""The procedure that tells changes in advance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.plans import planning
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import guesthouse as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def _plan(driver: Guests, _: Caller, args: rpc.DomainPlanArgs) -> Struct:
    flags.check(args.flags, 0, "guesthouseDomainPlan")
    changes = await planning.plan(driver, find(driver, args.dom), args.xml)
    return rpc.DomainPlanRet(
        [
            rpc.PlannedChange(one.path, one.old, one.new, one.verdict, one.how, one.reason)
            for one in changes[: rpc.PLAN_MAX]
        ]
    )


TABLE: dict[Procedure, Handler[Guests]] = {rpc.DOMAIN_PLAN: write(_plan)}
