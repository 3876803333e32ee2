"""The I/O threads of a guest: listed, added, removed, and how they poll.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainAddIOThread and its neighbours; QEMU's
`IothreadProperties` (`qapi/qom.json`).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.statistics import polling
from guesthouse.drivers.domain.tuning import housing, pinning, threads
from guesthouse.drivers.domain.typed import INT, UINT, ULLONG
from guesthouse.errors import (
    InvalidArgumentError,
    LibvirtError,
    OperationInvalidError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain import iothreads as model
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.iothreads import Iothread, Poll, iothreads_of
from guesthouse.model.qemu_objects import Props
from guesthouse.qemu.json_value import Sendable

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Parameter to type; `virDomainSetIOThreadParams` takes signed and unsigned numbers for most.
TYPES: Final = {
    "poll_max_ns": ULLONG,
    "poll_grow": UINT,
    "poll_shrink": UINT,
    "thread_pool_min": INT,
    "thread_pool_max": INT,
}

_POLL: Final = {"poll_max_ns": "max", "poll_grow": "grow", "poll_shrink": "shrink"}


@dataclass(frozen=True, slots=True)
class Information:
    """One I/O thread, and the host's processors that it may run on."""

    number: int
    cpus: frozenset[int]


async def information(guest: Guest, impact: int) -> list[Information]:
    """The threads of the running guest with what the kernel says, or those of a definition.

    Raises `OperationFailedError` when QEMU has never told its threads and does not answer now.
    """
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    if not live:
        return [Information(thread.id, pinning.pin_of(domain, thread.name)) for thread in iothreads_of(domain)]
    run = guest.live()
    if run.live.iothread_ids is None:
        return []
    told = (await polling.reread(run, polling.IOTHREADS)).iothreads
    numbers = {name: name.removeprefix("iothread") for name in told}
    found = sorted((int(number), told[name]["thread-id"]) for name, number in numbers.items() if number.isdecimal())
    answers = []
    for number, tid in found:
        with contextlib.suppress(OSError):
            answers.append(Information(number, frozenset(os.sched_getaffinity(tid))))
    return answers


async def add(driver: Guests, guest: Guest, number: int, impact: int) -> None:
    """Add a thread with this id. Raises `InvalidArgumentError` where it is taken."""
    async with changing(driver, guest, impact) as change:
        for domain in change.domains:
            if model.find(domain, number) is not None:
                raise InvalidArgumentError(f"an IOThread is already using iothread_id '{number}'", domain=Origin.DOMAIN)
        if change.run is not None:
            await _plug(change.run, number)
        for domain in change.domains:
            model.add(domain, new(Iothread, id=number))


async def _plug(run: Run, number: int) -> None:
    name = f"iothread{number}"
    await run.talk().execute("object-add", {"qom-type": "iothread", "id": name})
    try:
        run.live.iothread_ids = run.live.iothread_ids or new(model.IothreadIds)  # so that QEMU is asked for them
        tid = (await threads.threads(run)).iothreads[number]
        await DISK.run(threads.place_iothread, await threads.ready(run), run, number, tid)
    except BaseException:  # also where nobody waits any more: QEMU has a thread that nobody knows
        with contextlib.suppress(LibvirtError):
            await run.talk().execute("object-del", {"id": name})
        raise


async def remove(driver: Guests, guest: Guest, number: int, impact: int) -> None:
    """Take a thread away. Raises `InvalidArgumentError` where there is none, or where a device uses it."""
    async with changing(driver, guest, impact) as change:
        for domain in change.domains:
            _check_unused(domain, number)
        if change.run is not None:
            await change.run.talk().execute("object-del", {"id": f"iothread{number}"})
            await DISK.run(threads.drop_part, housing.present(change.run), f"iothread{number}")
        for domain in change.domains:
            model.remove(domain, number)
            if domain.cputune is not None:
                tune = domain.cputune
                tune.iothreadpins = [pin for pin in tune.iothreadpins if pin.iothread != number]
                tune.iothreadscheds = [sched for sched in tune.iothreadscheds if number not in sched.numbers]


def _check_unused(domain: Domain, number: int) -> None:
    if model.find(domain, number) is None:
        raise InvalidArgumentError(f"cannot find IOThread '{number}' in iothreadids list", domain=Origin.DOMAIN)
    for disk in domain.devices.disks:
        if _uses(disk.driver, number):
            raise InvalidArgumentError(
                f"cannot remove IOThread {number} since it is being used by disk '{disk.target.dev}'",
                domain=Origin.DOMAIN,
            )
    for controller in domain.devices.controllers:
        if _uses(controller.driver, number):
            raise InvalidArgumentError(
                f"cannot remove IOThread '{number}' since it is being used by controller", domain=Origin.DOMAIN
            )


def _uses(options: object, number: int) -> bool:
    """Whether the `<driver>` of a device names the thread, alone or among others."""
    if options is None:
        return False
    mapping = getattr(options, "iothreads", None)
    return getattr(options, "iothread", None) == number or (
        mapping is not None and any(thread.id == number for thread in mapping.threads)
    )


async def set_(driver: Guests, guest: Guest, number: int, values: dict[str, int], impact: int) -> None:
    """Change how a thread polls, and the bounds of its pool.

    Raises `UnsupportedConfigError` for a bound that cannot be, `OperationInvalidError` for one that cannot be now,
    `InvalidArgumentError` where there is no such thread.
    """
    _check_bounds(values)
    async with changing(driver, guest, impact) as change:
        for domain, live in ((change.config, False), (change.live, True)):
            if domain is not None:
                _check_thread(model.find(domain, number), number, values, live=live)
        if change.run is not None:
            await _modify(change.run, number, values)
        for domain in change.domains:
            thread = model.find(domain, number)
            if thread is not None:
                _write_down(thread, values)


def _check_bounds(values: dict[str, int]) -> None:
    low, high = values.get("thread_pool_min", 0), values.get("thread_pool_max", 1)
    if low < -1:
        raise UnsupportedConfigError(f"thread_pool_min ({low}) must be equal to or greater than -1", domain=Origin.QEMU)
    if high < -1 or high == 0:
        raise UnsupportedConfigError(f"thread_pool_max ({high}) must be a positive number or -1", domain=Origin.QEMU)


def _check_thread(thread: Iothread | None, number: int, values: dict[str, int], *, live: bool) -> None:
    if thread is None:
        raise InvalidArgumentError(f"cannot find IOThread '{number}' in iothreadids", domain=Origin.QEMU)
    for name in ("thread_pool_min", "thread_pool_max"):
        if live and values.get(name, 0) < 0:
            raise OperationInvalidError(f"{name} ({values[name]}) must be equal to or greater than 0 for live change")
    low = values.get("thread_pool_min", -1 if thread.thread_pool_min is None else thread.thread_pool_min)
    high = values.get("thread_pool_max", -1 if thread.thread_pool_max is None else thread.thread_pool_max)
    if low > high:
        raise OperationInvalidError(f"thread_pool_min ({low}) can't be greater than thread_pool_max ({high})")


async def _modify(run: Run, number: int, values: dict[str, int]) -> None:
    """All properties, or none: what was set before one that QEMU refuses is taken back."""
    path = f"/objects/iothread{number}"
    done: list[dict[str, Sendable]] = []
    try:
        for name in _order(values, await _pool_max(run, path) if "thread_pool_max" in values else 0):
            wanted: Props = {"path": path, "property": name.replace("_", "-")}
            before = await run.talk().execute("qom-get", wanted)
            await run.talk().execute("qom-set", {**wanted, "value": values[name]})
            done.append({**wanted, "value": before})
    except LibvirtError:
        for step in reversed(done):
            with contextlib.suppress(LibvirtError):
                await run.talk().execute("qom-set", step)
        raise


async def _pool_max(run: Run, path: str) -> int:
    found = await run.talk().execute("qom-get", {"path": path, "property": "thread-pool-max"})
    return found if isinstance(found, int) else 0


def _order(values: dict[str, int], most: int) -> list[str]:
    """QEMU keeps the pool's bounds in order at each step: a growing maximum goes before the minimum."""
    grows = values.get("thread_pool_max", 0) > most
    bounds = ("thread_pool_max", "thread_pool_min") if grows else ("thread_pool_min", "thread_pool_max")
    return [name for name in (*_POLL, *bounds) if name in values]


def _write_down(thread: Iothread, values: dict[str, int]) -> None:
    for name, value in values.items():
        if name in _POLL:
            thread.poll = thread.poll or new(Poll)
            setattr(thread.poll, _POLL[name], value)
        else:
            setattr(thread, name, None if value < 0 else value)
