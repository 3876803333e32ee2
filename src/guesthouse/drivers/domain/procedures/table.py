"""All procedures that the domain driver answers: the tables of the families, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from guesthouse.drivers.api import Handler
from guesthouse.drivers.domain.procedures import (
    agent,
    block,
    block_jobs,
    console,
    cpu,
    descriptors,
    devices,
    dump,
    events,
    interfaces,
    jobs,
    lifecycle,
    looking,
    measuring,
    metadata,
    native,
    objects,
    plan,
    qemu,
    state,
    stats,
    tuning,
)
from guesthouse.drivers.domain.procedures import input as procedures_input
from guesthouse.rpc.procedure import Procedure

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: What the driver answers, and how.
Table: TypeAlias = "dict[Procedure, Handler[Guests]]"

TABLE: Table = {
    **objects.TABLE,
    **lifecycle.TABLE,
    **state.TABLE,
    **metadata.TABLE,
    **cpu.TABLE,
    **tuning.TABLE,
    **devices.TABLE,
    **descriptors.TABLE,
    **stats.TABLE,
    **looking.TABLE,
    **measuring.TABLE,
    **jobs.TABLE,
    **block.TABLE,
    **block_jobs.TABLE,
    **dump.TABLE,
    **procedures_input.TABLE,
    **interfaces.TABLE,
    **console.TABLE,
    **agent.TABLE,
    **events.TABLE,
    **qemu.TABLE,
    **native.TABLE,
    **plan.TABLE,
}
