"""Images that are open already are opened anew, for reading only or for writing too.

Source: QEMU's `qapi/block-core.json` (`blockdev-reopen`).
"""

from __future__ import annotations

import dataclasses

from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.qemu_objects import Blockdev, Json, QemuObject


async def data_file(run: Run, image: Image, ctx: DeviceContext, *, readonly: bool) -> None:
    """Open the file with the data of a qcow2 image that itself only has the tables (`<dataStore>`), if it is one.

    For a commit QEMU opens the base for writing by itself, but not that file. Raises what QEMU says.
    """
    if image.data is not None:
        made = dataclasses.replace(image.data, readonly=readonly).objects(ctx, None, ended=False)
        await _reopen(run, made)


async def as_disk(run: Run, disk: Disk, ctx: DeviceContext) -> None:
    """Open the disk's own image as the disk has it: a copy of what is only read was written. Raises what QEMU says."""
    layers = disk.layers()
    made = layers[0].objects(ctx, layers[1] if len(layers) > 1 else None, ended=True)
    await _reopen(run, [item for item in made if isinstance(item, Blockdev) and item.node == layers[0].node])


async def _reopen(run: Run, made: list[QemuObject]) -> None:
    options: list[Json] = [dict(item.props) for item in made if isinstance(item, Blockdev)]
    await run.talk().execute("blockdev-reopen", {"options": options})
