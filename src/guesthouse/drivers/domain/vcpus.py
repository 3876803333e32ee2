"""Changing how many processors a guest has: in its definition, and in the running guest.

A running guest has those with which it was started, which stay, and those that were plugged in since, which QEMU knows
as `vcpuN` and which can be unplugged again if the guest lets go of them.

Source: the guide, section "Configuring the number of CPUs"; QEMU's `qapi/machine.json`, `query-hotpluggable-cpus`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions, devices, metadata, statusfile
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import (
    Code,
    InvalidArgumentError,
    LibvirtError,
    OperationUnsupportedError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.vcpu import Vcpu
from guesthouse.qemu.json_value import JsonObject, as_int, as_object, objects, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_PLUGGED = "/machine/peripheral/"

#: How long a guest may take to let go of a processor, and how often QEMU is asked, in seconds.
_UNPLUG_DEADLINE = 5.0
_UNPLUG_POLL = 0.05


async def set_online(driver: Guests, guest: Guest, count: int, impact: int) -> None:
    """Have `count` processors online, in the running guest or in its definition or both.

    Raises `InvalidArgumentError` where the guest cannot have as many, `UnsupportedConfigError` where it cannot have as
    few, and error 68 where it does not let go of them in time.
    """
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        if live:
            _check(count, guest.live().live.vcpu, "live")
        if config and guest.definition is not None:
            _check(count, guest.definition.vcpu, "persistent")
        if live:
            await _set_live(driver, guest, guest.live(), count)
        if config and guest.definition is not None:
            domain = copy(guest.definition)
            _set(domain.vcpu, count)
            await definitions.replace(driver, guest, domain)


async def set_maximum(driver: Guests, guest: Guest, count: int, impact: int) -> None:
    """Let the guest have at most `count` processors from its next start on. Raises as `set_online`."""
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        if live:
            raise OperationUnsupportedError("maximum vcpu count of a live domain can't be modified")
        if not config or guest.definition is None:
            return
        domain = copy(guest.definition)
        topology = domain.cpu.topology if domain.cpu is not None else None
        if topology is not None and topology.total != count:
            raise InvalidArgumentError("CPU topology doesn't match the desired vcpu count")
        online = min(domain.vcpu.online, count)
        domain.vcpu.maximum = count
        _set(domain.vcpu, online)
        await definitions.replace(driver, guest, domain)


def _check(count: int, vcpu: Vcpu, which: str) -> None:
    if count > vcpu.maximum:
        raise InvalidArgumentError(
            f"requested vcpus is greater than max allowable vcpus for the {which} domain: {count} > {vcpu.maximum}",
            domain=Origin.QEMU,
        )


def _set(vcpu: Vcpu, count: int) -> None:
    vcpu.current = None if count == vcpu.maximum else count


async def _set_live(driver: Guests, guest: Guest, run: Run, count: int) -> None:
    places = await _places(run)
    online = [place for place in places if "qom-path" in place]
    try:
        if count > len(online):
            free = [place for place in places if "qom-path" not in place]
            await _plug(run, places, free[: count - len(online)])
        elif count < len(online):
            removable = [place for place in online if text_of(place, "qom-path").startswith(_PLUGGED)]
            if len(online) - len(removable) > count:
                raise UnsupportedConfigError(
                    "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count",
                    hint="those with which the guest was started stay",
                )
            await _unplug(run, removable[count - len(online) :])
    finally:
        await _look(driver, guest, run)


async def _places(run: Run) -> list[JsonObject]:
    """Where processors are or can be, in the order of their numbers; those that are there have a `qom-path`."""
    found = objects(await run.talk().execute("query-hotpluggable-cpus"), "the reply of query-hotpluggable-cpus")
    return sorted(found, key=_position)


def _position(place: JsonObject) -> tuple[int, ...]:
    props = as_object(place.get("props"), "a processor's place")
    names = ("node-id", "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id")
    return tuple(as_int(props.get(name, 0), name) for name in names)


async def _plug(run: Run, places: list[JsonObject], wanted: list[JsonObject]) -> None:
    for place in wanted:
        props = as_object(place.get("props"), "a processor's place")
        number = places.index(place)
        await run.talk().execute("device_add", {"driver": text_of(place, "type"), "id": f"vcpu{number}", **props})


async def _unplug(run: Run, unwanted: list[JsonObject]) -> None:
    names = {text_of(place, "qom-path").removeprefix(_PLUGGED) for place in unwanted}
    for name in sorted(names):
        await run.talk().execute("device_del", {"id": name})
    try:
        async with asyncio.timeout(_UNPLUG_DEADLINE):
            while names & await _plugged(run):  # noqa: ASYNC110 - QEMU is who knows
                await asyncio.sleep(_UNPLUG_POLL)
    except TimeoutError:
        raise LibvirtError(
            "vcpu unplug request timed out. Unplug result must be manually inspected in the domain",
            code=Code.OPERATION_TIMEOUT,
            domain=Origin.QEMU,
        ) from None


async def _plugged(run: Run) -> set[str]:
    """The ids of the processors that were plugged in."""
    paths = [text_of(place, "qom-path") for place in await _places(run)]
    return {path.removeprefix(_PLUGGED) for path in paths if path.startswith(_PLUGGED)}


async def _look(driver: Guests, guest: Guest, run: Run) -> None:
    """Note what QEMU has now, whether all went well or not."""
    answers = await run.talk().pipeline(devices.questions())
    devices.learn(run, answers)
    _set(run.live.vcpu, len(run.readings.vcpu_threads))
    guest.changed()
    statusfile.save(driver, guest, run)
