"""Pulling: what lies below a disk's image comes into it, and it does not need that any more.

Source: `virDomainBlockPull`, `virDomainBlockRebase`; QEMU's `block-stream`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain.block_jobs import backing_text, lookup, relative, starting
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Kind, check_supported, refuse
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import contexts
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.model.qemu_objects import Props, without_none

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Flags: bits of `virDomainBlockRebaseFlags`; the last is `VIR_DOMAIN_BLOCK_PULL_BANDWIDTH_BYTES` too, which is 64.
SHALLOW, REUSE, COPY_RAW, COPY, RELATIVE, COPY_DEVICE, IN_BYTES = 1, 2, 4, 8, 16, 32, 64


async def pull(driver: Guests, guest: Guest, path: str, base: str | None, bandwidth: int, flags: int) -> None:
    """Begin to pull everything above `base`, or everything, into the disk's image.

    `bandwidth` is in MiB a second, or in bytes with `IN_BYTES`. Raises libvirt's refusals, and what QEMU says.
    """
    if flags & RELATIVE and base is None:
        raise InvalidArgumentError(
            "flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base", domain=Origin.QEMU
        )
    async with modifying(guest):
        run = guest.live()
        disk = starting.disk_of(run.live, path)
        refuse(disk, run.block_jobs.on(disk.target.dev))
        check_supported(disk)
        layers = disk.layers()
        if not layers:
            raise InvalidArgumentError(
                f"disk '{disk.target.dev}' does not currently have a source assigned", domain=Origin.QEMU
            )
        place = await lookup.find(disk, base, beneath=0) if base is not None else None
        text = None
        if place is not None and flags & RELATIVE:
            text = await relative.between(layers[0], layers[1:place], layers[place])
        speed = starting.bytes_a_second(bandwidth, in_bytes=bool(flags & IN_BYTES))
        job = BlockJob(f"pull-{disk.target.dev}-{layers[0].node}", Kind.PULL, disk.target.dev, flags=flags)
        node = None
        if place is not None:
            job.base, node = layers[place].storage_node, layers[place].node
            if text is None:
                text = backing_text.of(layers[place], await contexts.of(driver, run, run.live))
        arguments: Props = {"device": layers[0].node, "speed": speed or None, "base-node": node, "backing-file": text}
        await starting.begin(driver, guest, run, job, "block-stream", without_none(arguments))
