"""A disk that the guest has let go of by itself while a job was working on it: the job is cancelled, and its images are
closed when it has ended. Who asks for a disk to go is refused meanwhile.
"""

from __future__ import annotations

import contextlib

from guesthouse.drivers.domain.block_jobs import chains, target
from guesthouse.drivers.domain.block_jobs.jobs import Aftermath, Input
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.qemu_objects import QemuObject


async def leave(run: Run, disk: Disk, ctx: DeviceContext) -> None:
    """Part the job from its disk, which goes; nothing to do where there is no job."""
    job = run.block_jobs.on(disk.target.dev)
    if job is None or not job.running:
        return
    made: list[QemuObject] = []
    with contextlib.suppress(LibvirtError):
        images = {image.storage_node: image for image in (*chains.copy_of(disk), *disk.layers())}
        for image in reversed(list(images.values())):
            made += image.objects(ctx, None, ended=False)
    job.aftermath = Aftermath(orders=target.undoing(made))
    job.disk = ""
    job.move(Input.ABORT)
    with contextlib.suppress(LibvirtError):
        await run.talk().execute("block-job-cancel", {"device": job.name, "force": True})
