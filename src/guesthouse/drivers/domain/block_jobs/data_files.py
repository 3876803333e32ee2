"""Files with the data of qcow2 images that only have the tables: a commit has to write to that of its base.

QEMU opens the base itself for writing as long as the job needs that, but not the file of its data.

Source: QEMU's `qapi/block-core.json` (`blockdev-reopen`); libvirt's `docs/formatdomain.rst` (`dataStore`).
"""

from __future__ import annotations

import dataclasses

from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.qemu_objects import Blockdev, Json


async def reopen(run: Run, image: Image, ctx: DeviceContext, *, readonly: bool) -> None:
    """Open the file of an image's data anew, for reading only or for writing too; most images have none.

    Raises what QEMU says.
    """
    if image.data is None:
        return
    made = dataclasses.replace(image.data, readonly=readonly).objects(ctx, None, ended=False)
    options: list[Json] = [dict(item.props) for item in made if isinstance(item, Blockdev)]
    await run.talk().execute("blockdev-reopen", {"options": options})
