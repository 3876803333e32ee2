"""Procedures that have QEMU watch something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.statistics import measuring
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_block as block
from guesthouse.rpc.procedures import domain_stats as rpc

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def _dirty_rate(driver: Guests, _: Caller, args: rpc.DomainStartDirtyRateCalcArgs) -> None:
    await measuring.start_dirty_rate(find(driver, args.dom), args.seconds, args.flags)


async def _threshold(driver: Guests, _: Caller, args: block.DomainSetBlockThresholdArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainSetBlockThreshold")
    await measuring.set_threshold(find(driver, args.dom), args.dev, args.threshold)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_START_DIRTY_RATE_CALC: write(_dirty_rate),
    block.DOMAIN_SET_BLOCK_THRESHOLD: write(_threshold),
}
