"""Which threads serve the queues of a virtio device: `<iothreads>` in the `<driver>` of disks and SCSI controllers.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`iothreads`); `IOThreadVirtQueueMapping`
in QEMU's `qapi/virtio.json`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, many
from guesthouse.model.domain.iothreads import IOTHREAD_ID
from guesthouse.model.kinds import UINT
from guesthouse.model.qemu_objects import Json, Props


@element("queue")
class Queue:
    """A queue of the device, from 0."""

    id: int = attr(UINT)


@element("iothread")
class IothreadMapping:
    """A thread of the guest, and the queues that it serves; without any, the threads share them in turn."""

    id: int = attr(IOTHREAD_ID)
    queues: list[Queue] = many(Queue)


@element("iothreads", omit_empty=True)
class IothreadList:
    """The threads that serve the device's queues."""

    threads: list[IothreadMapping] = many(IothreadMapping)


def mapping_props(threads: Sequence[IothreadMapping]) -> Props:
    """The device's property, or none."""
    if not threads:
        return {}
    mapped: list[Json] = []
    for thread in threads:
        entry: Props = {"iothread": f"iothread{thread.id}"}
        if thread.queues:
            entry["vqs"] = [queue.id for queue in thread.queues]
        mapped.append(entry)
    return {"iothread-vq-mapping": mapped}


def check_mapping(threads: Sequence[IothreadMapping], queues: int | None, known: Collection[int]) -> None:
    """Raise `UnsupportedConfigError` unless every thread is there once, and either none has queues or every queue has
    one thread. `known` are the guest's threads.
    """
    explicit = bool(threads and threads[0].queues)
    if explicit and not queues:
        raise UnsupportedConfigError("'queue' count must be configured for explicit iothread to queue mapping")
    seen: set[int] = set()
    served: set[int] = set()
    for thread in threads:
        if thread.id in seen:
            raise UnsupportedConfigError(f"duplicate mapping for iothread '{thread.id}'")
        seen.add(thread.id)
        if thread.id not in known:
            raise UnsupportedConfigError(f"iothread '{thread.id}' not defined in iothreadid")
        if bool(thread.queues) != explicit:
            raise UnsupportedConfigError("iothread to queue mapping must be provided for all iothreads or for none")
        for queue in thread.queues:
            if queue.id >= (queues or 0):
                raise UnsupportedConfigError(f"iothread queue '{queue.id}' mapping out of range")
            if queue.id in served:
                raise UnsupportedConfigError(f"iothread queue '{queue.id}' is already assigned")
            served.add(queue.id)
    if explicit and len(served) < (queues or 0):
        missing = next(number for number in range(queues or 0) if number not in served)
        raise UnsupportedConfigError(f"missing iothread mapping for queue '{missing}'")
