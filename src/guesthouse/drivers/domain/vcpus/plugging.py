"""Plugging processors into a running guest, and taking them away again.

A running guest has those with which it was started, which stay, and those that were plugged in since, which QEMU knows
as `vcpuN` and which can be unplugged again if the guest lets go of them. What is plugged at once is an `Entity`: one
processor on x86, all threads of a core on other machines.

Source: the guide, section "Configuring the number of CPUs"; QEMU's `qapi/machine.json`, `query-hotpluggable-cpus`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import housing, threads
from guesthouse.errors import (
    Code,
    InvalidArgumentError,
    LibvirtError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.vcpu import Vcpus, VcpuState
from guesthouse.qemu.json_value import JsonObject, as_int, as_object, objects, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_PLUGGED: Final = "/machine/peripheral/"
_PLACE: Final = ("socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id")

#: How long a guest may take to let go of a processor, and how often QEMU is asked, in seconds.
UNPLUG_DEADLINE: Final = 5.0
_UNPLUG_POLL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Entity:
    """Processors that come and go together: the number of the first, how many, and QEMU's path while they are there."""

    first: int
    count: int
    driver: str
    props: JsonObject
    path: str

    @property
    def online(self) -> bool:
        """Whether they are there."""
        return bool(self.path)

    @property
    def removable(self) -> bool:
        """Whether they were plugged in, and can be unplugged."""
        return self.path.startswith(_PLUGGED)

    @property
    def numbers(self) -> range:
        """The processors' numbers."""
        return range(self.first, self.first + self.count)


async def entities(run: Run) -> list[Entity]:
    """What there is and can be, in the order of the processors' numbers."""
    found = objects(await run.talk().execute("query-hotpluggable-cpus"), "the reply of query-hotpluggable-cpus")
    made: list[Entity] = []
    first = 0
    for entry in sorted(found, key=_position):
        count = as_int(entry.get("vcpus-count"), "a processor's size")
        props = as_object(entry.get("props"), "a processor's place")
        made.append(Entity(first, count, text_of(entry, "type"), props, text_of(entry, "qom-path")))
        first += count
    return made


def _position(entry: JsonObject) -> tuple[int, ...]:
    props = as_object(entry.get("props"), "a processor's place")
    return tuple(as_int(props.get(name, 0), name) for name in _PLACE)


def for_count(known: Sequence[Entity], count: int) -> list[Entity]:
    """Which to plug or to unplug to have `count` processors online. Raises `UnsupportedConfigError`."""
    online = sum(entity.count for entity in known if entity.online)
    grows = count > online
    order = [entity for entity in known if not entity.online] if grows else [e for e in reversed(known) if e.removable]
    chosen: list[Entity] = []
    for entity in order:
        if online == count:
            break
        online += entity.count if grows else -entity.count
        chosen.append(entity)
        if online > count if grows else online < count:
            raise UnsupportedConfigError(
                "target vm vcpu granularity does not allow the desired vcpu count", domain=Origin.QEMU
            )
    if online != count:
        raise UnsupportedConfigError(
            "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count",
            domain=Origin.QEMU,
            hint="those with which the guest was started stay",
        )
    return chosen


def for_numbers(known: Sequence[Entity], numbers: Collection[int], *, on: bool) -> Entity:
    """The one entity that these processors are, to plug it or to unplug it.

    Raises `InvalidArgumentError` for processors that are so already, and for parts of an entity;
    `OperationUnsupportedError` for several. One that cannot go is found out by `unplug`.
    """
    touched = [entity for entity in known if set(numbers) & set(entity.numbers)]
    as_wanted = [number for entity in touched if entity.online == on for number in entity.numbers if number in numbers]
    if as_wanted:
        raise InvalidArgumentError(f"vcpu '{as_wanted[0]}' is already in requested state", domain=Origin.QEMU)
    for entity in touched:
        if entity.first not in numbers:
            raise InvalidArgumentError(
                f"vcpu '{min(set(numbers) & set(entity.numbers))}' belongs to a larger hotpluggable entity,"
                " but siblings were not selected",
                domain=Origin.QEMU,
            )
        missing = next((number for number in entity.numbers if number not in numbers), None)
        if missing is not None:
            raise InvalidArgumentError(
                f"vcpu '{missing}' was not selected but it belongs to hotpluggable entity"
                f" '{entity.first}-{entity.numbers[-1]}' which was partially selected",
                domain=Origin.QEMU,
            )
    if len(touched) != 1:
        raise OperationUnsupportedError("only one hotpluggable entity can be selected")
    return touched[0]


async def plug(run: Run, wanted: Sequence[Entity]) -> None:
    """Plug processors in, in this order.

    Raises `OperationUnsupportedError` where QEMU would not survive it: without KVM it counts processors that were
    unplugged among those that it can have at most, and ends when they are more.
    """
    coming = sum(entity.count for entity in wanted)
    if run.live.type != "kvm" and run.readings.vcpus_made + coming > run.live.vcpu.maximum:
        raise OperationUnsupportedError(
            "QEMU cannot plug in a vcpu again after it was unplugged, without KVM", hint="restart the guest"
        )
    run.readings.vcpus_made += coming
    for entity in wanted:
        arguments = {"driver": entity.driver, "id": f"vcpu{entity.first}", **entity.props}
        await run.talk().execute("device_add", arguments)


async def unplug(run: Run, unwanted: Sequence[Entity]) -> None:
    """Ask the guest to let go of processors, and wait until it has.

    Raises error 68 where it has not within `UNPLUG_DEADLINE`, `OperationUnsupportedError` for one that stays.
    """
    for entity in unwanted:
        if not entity.removable:
            raise OperationUnsupportedError(f"vcpu '{entity.first}' can't be unplugged")
    names = {entity.path.removeprefix(_PLUGGED) for entity in unwanted}
    for entity in unwanted:
        await run.talk().execute("device_del", {"id": entity.path.removeprefix(_PLUGGED)})
    try:
        async with asyncio.timeout(UNPLUG_DEADLINE):
            while names & {entity.path.removeprefix(_PLUGGED) for entity in await entities(run)}:  # noqa: ASYNC110
                await asyncio.sleep(_UNPLUG_POLL)
    except TimeoutError:
        raise LibvirtError(
            "vcpu unplug request timed out. Unplug result must be manually inspected in the domain",
            code=Code.OPERATION_TIMEOUT,
            domain=Origin.QEMU,
        ) from None


async def plug_at_start(run: Run) -> None:
    """Plug what a definition with single processors wants online from the start, though it can go again."""
    wanted = run.live.vcpus.plugged() if run.live.vcpus is not None else []
    if not wanted:
        return
    known = {entity.first: entity for entity in await entities(run)}
    await plug(run, [known[state.id] for state in wanted if state.id in known and not known[state.id].online])
    devices.learn_processors(run, await run.talk().execute("query-cpus-fast"))


async def look(driver: Guests, guest: Guest, run: Run) -> None:
    """Note what QEMU has after a change, whether all went well or not, and treat new threads as the others."""
    before = set(run.readings.vcpu_numbers)
    devices.learn_processors(run, await run.talk().execute("query-cpus-fast"))
    _write_down(run, await entities(run))
    guest.changed()
    statusfile.save(driver, guest, run)
    group = housing.present(run)
    now = dict(zip(run.readings.vcpu_numbers, run.readings.vcpu_threads, strict=True))
    for number in now.keys() - before:
        await DISK.run(threads.place_vcpu, group, run, number, now[number])
    for number in before - now.keys():
        await DISK.run(threads.drop_part, group, f"vcpu{number}")


def _write_down(run: Run, known: Sequence[Entity]) -> None:
    """A guest whose processors changed shows each of them, in the order in which they came."""
    live: Domain = run.live
    former = {state.id: state.order or 0 for state in live.vcpus.states} if live.vcpus is not None else {}
    last = max([0, *former.values()])
    states = []
    for entity in known:
        order = former.get(entity.first, 0)
        if entity.online and not order:
            last += 1
            order = last
        states += [
            new(
                VcpuState,
                id=number,
                enabled=entity.online,
                hotpluggable=entity.removable or not entity.online,
                order=order if entity.online else None,
            )
            for number in entity.numbers
        ]
    live.vcpus = new(Vcpus, states=states)
    live.vcpus.count(live.vcpu)
