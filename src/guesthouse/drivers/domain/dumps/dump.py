"""Writing a guest's memory, or its whole machine, to a file: `dump`.

    --memory-only    QEMU's `dump-guest-memory`, in one of the formats of `FORMATS`
    otherwise        QEMU's migration stream, as a `save` without its header

Both go through a pipe to a child that writes (`host.sink`), so that the job can be aborted at any time, and the file is
there whole or not at all. What the daemon's death cuts off, the next daemon cleans up: the temporary file is noted in
the run's directory, and a guest that was paused for the dump goes on.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainCoreDumpWithFormat; QEMU's `qapi/dump.json` and
`qapi/migration.json`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.dumps.producers import FORMATS, JOB, Machine, Memory, Producer
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.job import DUMP, UNBOUNDED, Work
from guesthouse.drivers.domain.lifecycle import power, stopping
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.states import REASONS, Cause, State
from guesthouse.errors import (
    InvalidArgumentError,
    LibvirtError,
    NoSuchDomainError,
    OperationFailedError,
    OperationUnsupportedError,
    Origin,
)
from guesthouse.host.files import remove, temporary_name, write_atomic
from guesthouse.host.sink import Sink, clean_up
from guesthouse.qemu.json_value import as_object

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

_POLL: Final = 0.02
_POLL_MOST: Final = 0.25

#: How long a dump may stand still, how long QEMU may take to give it up, and the disk to take the last of it: seconds.
STALL_DEADLINE: Final = 600.0
_END_DEADLINE: Final = 15.0
_FLUSH_DEADLINE: Final = 3600.0

_NOTE: Final = "unfinished-dump"
_REASON: Final = REASONS[State.PAUSED].index("dump")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to dump. `crash` ends the guest afterwards, `reset` resets it; `live` lets it run meanwhile as far as it can.

    `memory_only` leaves out the devices; `direct` goes past the host's cache.
    """

    format: str = "elf"
    crash: bool = False
    live: bool = False
    direct: bool = False
    reset: bool = False
    memory_only: bool = False


async def dump(driver: Guests, guest: Guest, target: Path, wish: Wish) -> None:
    """Dump the guest as one job, which can be watched and aborted.

    Raises `OperationInvalidError` for a guest that is off, `OperationUnsupportedError` for a format that there is not,
    and what went wrong. The guest then is as it was.
    """
    guest.live()
    async with guest.job.hold(JOB, abortable=True, type_=UNBOUNDED, operation=DUMP) as work:
        if guest.removed:
            raise NoSuchDomainError(f"no domain with matching uuid '{guest.uuid_text}' ({guest.name})")
        run = guest.live()
        await _check(run, wish)
        running = guest.state is State.RUNNING
        run.pause_as = Cause.DUMP
        try:
            if running and not wish.live:
                await run.talk().execute("stop")
                power.change(driver, guest, run, Cause.DUMP)
            await write(run, target, wish, work)
        except BaseException:  # also where nobody waits any more: the guest must run again
            await asyncio.shield(_go_on(driver, guest, run, running))
            raise
        await _finish(driver, guest, run, wish, running=running)


async def _finish(driver: Guests, guest: Guest, run: Run, wish: Wish, *, running: bool) -> None:
    """What follows a dump that is there."""
    if wish.crash:
        run.pause_as = Cause.STOPPED_BY_QEMU
        await stopping.destroy(driver, guest, cause=Cause.PANICKED_OFF)
        return
    if wish.reset:
        await run.talk().execute("system_reset")
    await _go_on(driver, guest, run, running)


async def _go_on(driver: Guests, guest: Guest, run: Run, running: bool) -> None:
    """Let a guest that ran run again. That it does not is told, and its state says so."""
    run.pause_as = Cause.STOPPED_BY_QEMU
    if not running or run.ended.is_set() or run.monitor is None or run.monitor.closed is not None:
        return
    try:
        await run.talk().execute("cont")
    except LibvirtError as error:
        log.error("domain '%s' does not go on after its dump: %s", guest.name, error.message)
    else:
        power.change(driver, guest, run, Cause.RESUME)


async def _check(run: Run, wish: Wish) -> None:
    if not wish.memory_only:
        if wish.format != FORMATS[0]:
            raise OperationUnsupportedError("kdump-compressed format is only supported with memory-only dump")
        return
    if wish.format == FORMATS[0]:
        return
    answer = as_object(await run.talk().execute("query-dump-guest-memory-capability"), "the formats of dumps")
    known = answer.get("formats")
    if not isinstance(known, list) or wish.format not in known:
        raise OperationUnsupportedError(f"unsupported dumpformat '{wish.format}' for this QEMU binary")


def parse_format(number: int) -> str:
    """A format by its number. Raises `InvalidArgumentError`."""
    if not 0 <= number < len(FORMATS):
        raise InvalidArgumentError(f"unknown dumpformat '{number}'", domain=Origin.QEMU)
    return FORMATS[number]


async def write(run: Run, target: Path, wish: Wish, work: Work) -> None:
    """Write the file. Where this raises, there is none, and QEMU has given the dump up."""
    if wish.format.startswith("kdump-raw-"):
        await _write_seekable(run, target, wish, work)
        return
    sink, descriptor = await Sink.open(target, direct=wish.direct)
    note = run.where.private / _NOTE
    producer: Producer = Memory(run, wish.format) if wish.memory_only else Machine(run)
    try:
        write_atomic(note, sink.note, durable=False)
        try:
            await producer.start(descriptor)
        finally:
            os.close(descriptor)
        await _watch(producer, work, sink)
        await sink.finish(_FLUSH_DEADLINE)
    except BaseException:  # also where nobody waits any more: QEMU is to stop, and its file to go
        await asyncio.shield(_give_up(producer, sink))
        raise
    finally:
        with contextlib.suppress(LibvirtError):
            await asyncio.shield(producer.settle())
        with contextlib.suppress(OSError):
            remove(note)


async def _write_seekable(run: Run, target: Path, wish: Wish, work: Work) -> None:
    """QEMU goes back and forth in these formats: it gets the file itself, and cannot be stopped."""
    work.abortable = False
    temporary = target.parent / temporary_name()
    note = run.where.private / _NOTE
    write_atomic(note, b"\n" + os.fsencode(temporary), durable=False)
    descriptor = await asyncio.to_thread(os.open, temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    producer = Memory(run, wish.format)
    try:
        await producer.start(descriptor)
        await _watch(producer, work, None)
        await asyncio.to_thread(os.fsync, descriptor)
        await asyncio.to_thread(os.rename, temporary, target)
    except BaseException:  # also where nobody waits any more: half a dump must not stay
        with contextlib.suppress(OSError):
            await asyncio.to_thread(os.unlink, temporary)
        raise
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            remove(note)


async def _give_up(producer: Producer, sink: Sink) -> None:
    with contextlib.suppress(LibvirtError):
        await producer.cancel()
    await sink.discard()
    with contextlib.suppress(LibvirtError, TimeoutError):
        async with asyncio.timeout(_END_DEADLINE):
            while (await producer.look())[0] == "active":  # noqa: ASYNC110 - QEMU is who knows
                await asyncio.sleep(_POLL)


async def _watch(producer: Producer, work: Work, sink: Sink | None) -> None:
    """Follow the progress to the end. Raises `OperationFailedError` for a dump that fails, or stands still."""
    loop = asyncio.get_running_loop()
    pause, last, since = _POLL, -1, loop.time()
    while True:
        status, work.statistics = await producer.look()
        if status == "completed":
            return
        if sink is not None and sink.failed:
            raise sink.error()
        if status == "failed":
            raise OperationFailedError(producer.reason())
        done = work.statistics.get("memory_processed", 0)
        if done != last:
            last, since = done, loop.time()
        elif loop.time() - since > STALL_DEADLINE:
            raise OperationFailedError(f"{JOB} job: stands still for {STALL_DEADLINE:g} seconds")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _POLL_MOST)


async def recover(driver: Guests, guest: Guest, run: Run) -> None:
    """Clean up after a dump that the former daemon's death cut off."""
    note = run.where.private / _NOTE
    with contextlib.suppress(OSError):
        await asyncio.to_thread(clean_up, note.read_bytes())
        remove(note)
    if (guest.state, guest.reason) != (State.PAUSED, _REASON):
        return
    with contextlib.suppress(LibvirtError):
        await run.talk().execute("migrate_cancel")
    producer = Memory(run, FORMATS[0])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STALL_DEADLINE):
            while (await producer.look())[0] == "active":  # noqa: ASYNC110 - QEMU is who knows
                await asyncio.sleep(_POLL_MOST)
    await _go_on(driver, guest, run, running=True)
