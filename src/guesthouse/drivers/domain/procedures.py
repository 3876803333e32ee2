"""All procedures that the domain driver answers: the tables of the families, merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from guesthouse.drivers.api import Handler
from guesthouse.drivers.domain import (
    procedures_agent,
    procedures_block,
    procedures_console,
    procedures_cpu,
    procedures_descriptors,
    procedures_devices,
    procedures_dump,
    procedures_events,
    procedures_input,
    procedures_interfaces,
    procedures_jobs,
    procedures_lifecycle,
    procedures_looking,
    procedures_measuring,
    procedures_metadata,
    procedures_native,
    procedures_objects,
    procedures_plan,
    procedures_qemu,
    procedures_state,
    procedures_stats,
    procedures_tuning,
)
from guesthouse.rpc.procedure import Procedure

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: What the driver answers, and how.
Table: TypeAlias = "dict[Procedure, Handler[Guests]]"

TABLE: Table = {
    **procedures_objects.TABLE,
    **procedures_lifecycle.TABLE,
    **procedures_state.TABLE,
    **procedures_metadata.TABLE,
    **procedures_cpu.TABLE,
    **procedures_tuning.TABLE,
    **procedures_devices.TABLE,
    **procedures_descriptors.TABLE,
    **procedures_stats.TABLE,
    **procedures_looking.TABLE,
    **procedures_measuring.TABLE,
    **procedures_jobs.TABLE,
    **procedures_block.TABLE,
    **procedures_dump.TABLE,
    **procedures_input.TABLE,
    **procedures_interfaces.TABLE,
    **procedures_console.TABLE,
    **procedures_agent.TABLE,
    **procedures_events.TABLE,
    **procedures_qemu.TABLE,
    **procedures_native.TABLE,
    **procedures_plan.TABLE,
}
