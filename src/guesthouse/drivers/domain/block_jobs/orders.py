"""The order to end, as QEMU gets it.

Source: QEMU's `qapi/job.json` (`job-complete`), `block-core.json` (`block-job-cancel`, `blockdev-snapshot`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs import chains
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, State
from guesthouse.drivers.domain.hotplug import contexts, wiring
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import OperationInvalidError
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.qemu_objects import Props, QemuObject
from guesthouse.qemu.json_value import objects, text_of
from guesthouse.qemu.monitor import QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def give(driver: Guests, run: Run, job: BlockJob) -> None:
    """Tell QEMU what the job's state says. Raises what QEMU says; error 55 where it has no such job."""
    try:
        if job.state is State.PIVOTING:
            if job.late_chain:
                await _open_chain(driver, run, job)
            await run.talk().execute("job-complete", {"id": job.name})
        else:
            await run.talk().execute("block-job-cancel", {"device": job.name, "force": False})
    except QmpError as error:
        if error.class_ == "DeviceNotActive":
            raise OperationInvalidError(f"No active block job '{job.name}'") from error
        raise


async def _open_chain(driver: Guests, run: Run, job: BlockJob) -> None:
    """Put the copy on what it lies on, unless an earlier order did. That goes with the copy if the job is aborted."""
    disk = next((disk for disk in run.live.devices.disks if disk.target.dev == job.disk), None)
    layers = chains.mirrored(disk, inherits=False).layers() if disk is not None else []
    if disk is None or len(layers) < 2:
        return
    there = objects(await run.talk().execute("query-named-block-nodes", {"flat": True}), "the nodes")
    if any(text_of(entry, "node-name") == layers[1].node for entry in there):
        return
    made = _chain(disk, await contexts.of(driver, run, run.live))
    await wiring.make(run, made)
    action: Props = {"type": "blockdev-snapshot", "data": {"node": layers[1].node, "overlay": layers[0].node}}
    try:
        await run.talk().execute("transaction", {"actions": [action]})
    except QmpError:
        await asyncio.shield(wiring.unmake(run, made))
        raise


def _chain(disk: Disk, ctx: DeviceContext) -> list[QemuObject]:
    layers = chains.mirrored(disk, inherits=False).layers()
    made: list[QemuObject] = []
    for place in reversed(range(1, len(layers))):
        below = layers[place + 1] if place + 1 < len(layers) else None
        made += layers[place].objects(ctx, below, ended=below is None)
    return made
