"""Changing how many processors a guest has, and which: in its definition, in the running guest, or in the guest's view.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetVcpusFlags, `virDomainSetVcpu`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions, metadata
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.vcpus import plugging
from guesthouse.drivers.domain.vcpus.plugging import Entity
from guesthouse.errors import InvalidArgumentError, OperationUnsupportedError, Origin
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.vcpu import Vcpu, Vcpus, VcpuState

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def set_online(driver: Guests, guest: Guest, count: int, impact: int, *, hotpluggable: bool = False) -> None:
    """Have `count` processors online, in the running guest or in its definition or both.

    `hotpluggable` says that those which are added to the definition can be taken away again.

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
            run = guest.live()
            known = await plugging.entities(run)
            chosen = plugging.for_count(known, count)
            await _change(driver, guest, run, chosen)
        if config and guest.definition is not None:
            domain = copy(guest.definition)
            set_count(domain, count, hotpluggable=hotpluggable)
            await definitions.replace(driver, guest, domain)


async def _change(driver: Guests, guest: Guest, run: Run, chosen: list[Entity]) -> None:
    """Plug those that are off, or unplug those that are on."""
    if not chosen:
        return
    try:
        if chosen[0].online:
            await plugging.unplug(run, chosen)
        else:
            await plugging.plug(run, chosen)
    finally:
        if run.monitor is not None and run.monitor.closed is None:
            await plugging.look(driver, guest, run)


async def set_maximum(driver: Guests, guest: Guest, count: int, impact: int) -> None:
    """Let the guest have at most `count` processors from its next start on. Raises as `set_online`."""
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        if live:
            raise OperationUnsupportedError("maximum vcpu count of a live domain can't be modified")
        if not config or guest.definition is None:
            return
        domain = copy(guest.definition)
        cpu = domain.cpu
        numa = cpu.numa if cpu is not None else None
        if numa is not None and sum(len(cell.vcpus) for cell in numa.cells) > count:
            raise InvalidArgumentError(
                "Number of CPUs in <numa> exceeds the desired maximum vcpu count", domain=Origin.QEMU
            )
        topology = cpu.topology if cpu is not None else None
        if topology is not None and topology.total != count:
            raise InvalidArgumentError("CPU topology doesn't match the desired vcpu count")
        _set_maximum(domain, count)
        if numa is not None:
            numa.settle(count)
        await definitions.replace(driver, guest, domain)


def _set_maximum(domain: Domain, count: int) -> None:
    online = min(domain.vcpu.online, count)
    domain.vcpu.maximum = count
    if domain.vcpus is None:
        _set(domain.vcpu, online)
        return
    kept = [state for state in domain.vcpus.states if state.id < count]
    for state in kept:
        state.order = None
    domain.vcpus = new(Vcpus, states=kept)
    domain.vcpus.settle(domain.vcpu)


async def set_states(driver: Guests, guest: Guest, numbers: Collection[int], impact: int, *, on: bool) -> None:
    """Turn single processors on or off (`setvcpu`). Raises as `set_online`."""
    async with modifying(guest):
        live, config = metadata.chosen(guest, impact)
        domain = guest.definition if config else None
        for where, found in (("persistent", domain), ("live", guest.live().live if live else None)):
            if found is not None and max(numbers) >= found.vcpu.maximum:
                raise InvalidArgumentError(f"vcpu {max(numbers)} is not present in {where} config", domain=Origin.QEMU)
        run = guest.live() if live else None
        chosen = plugging.for_numbers(await plugging.entities(run), numbers, on=on) if run is not None else None
        if domain is not None:
            _check_definition(domain, numbers)
        if run is not None and chosen is not None:
            await _change(driver, guest, run, [chosen])
        if domain is not None:
            changed = copy(domain)
            for state in _all_states(changed):
                state.order = None
                if state.id in numbers:
                    state.enabled, state.hotpluggable = on, True
            if changed.vcpus is not None:
                changed.vcpus.count(changed.vcpu)
            await definitions.replace(driver, guest, changed)


def _check_definition(domain: Domain, numbers: Collection[int]) -> None:
    """Those that stay have to be the first ones."""
    if 0 in numbers:
        raise InvalidArgumentError("vCPU '0' can't be modified", domain=Origin.QEMU)
    first = min(numbers)
    states = domain.vcpus.states if domain.vcpus is not None else _plain_states(domain.vcpu)
    if any(
        state.id > first and state.id not in numbers and state.enabled and not state.hotpluggable for state in states
    ):
        raise InvalidArgumentError(
            f"vcpu '{first}' can't be modified as it is followed by non-hotpluggable online vcpus", domain=Origin.QEMU
        )


def _plain_states(vcpu: Vcpu) -> list[VcpuState]:
    """The processors of a definition that does not name them: the first are online, and stay."""
    return [
        new(VcpuState, id=number, enabled=number < vcpu.online, hotpluggable=number >= vcpu.online)
        for number in range(vcpu.maximum)
    ]


def _all_states(domain: Domain) -> list[VcpuState]:
    if domain.vcpus is None:
        domain.vcpus = new(Vcpus, states=_plain_states(domain.vcpu))
    return domain.vcpus.states


def _check(count: int, vcpu: Vcpu, which: str) -> None:
    if count > vcpu.maximum:
        raise InvalidArgumentError(
            f"requested vcpus is greater than max allowable vcpus for the {which} domain: {count} > {vcpu.maximum}",
            domain=Origin.QEMU,
        )


def set_count(domain: Domain, count: int, *, hotpluggable: bool) -> None:
    """Have so many processors online in a definition; libvirt's choice of which."""
    if domain.vcpus is None and not (hotpluggable and count > domain.vcpu.online):
        _set(domain.vcpu, count)
        return
    states = _all_states(domain)
    online = sum(state.enabled for state in states)
    for state in states:
        state.order = None
    for state in states:
        if online >= count:
            break
        if state.enabled:
            hotpluggable = hotpluggable or bool(state.hotpluggable)  # those that stay are the first ones
            continue
        state.enabled, state.hotpluggable = True, hotpluggable
        online += 1
    for state in reversed(states):
        if online <= count:
            break
        if state.enabled:
            state.enabled, state.hotpluggable = False, True
            online -= 1
    if domain.vcpus is not None:
        domain.vcpus.count(domain.vcpu)


def _set(vcpu: Vcpu, count: int) -> None:
    vcpu.current = None if count == vcpu.maximum else count
