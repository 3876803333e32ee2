"""From which memory nodes of the host a guest's memory comes: `numatune`.

Names and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetNumaParameters
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.parameters import Values
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import threads
from guesthouse.drivers.domain.typed import INT, STRING, Param
from guesthouse.drivers.domain.vcpus import bitmaps
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, OperationUnsupportedError, Origin
from guesthouse.host import cgroup_limits as limits
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.numatune import NumaMemory, Numatune
from guesthouse.model.kinds import format_cpuset, parse_cpuset

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

MODE: Final = "numa_mode"
NODESET: Final = "numa_nodeset"
TYPES: Final = {MODE: INT, NODESET: STRING}

#: `virDomainNumatuneMemMode`.
_MODES: Final = ("strict", "preferred", "interleave", "restrictive")


def read(guest: Guest, impact: int) -> list[Param]:
    """Mode and nodes."""
    domain = metadata.one_definition(guest, impact)
    found = domain.numatune.policy() if domain.numatune is not None else None
    mode, nodes = found if found is not None else ("strict", frozenset())
    return [(MODE, INT, _MODES.index(mode)), (NODESET, STRING, format_cpuset(nodes))]


async def set_(driver: Guests, guest: Guest, values: Values, impact: int) -> None:
    """Change mode and nodes; of a running guest the nodes alone, and only where the mode is `restrictive`.

    Raises `InvalidArgumentError`, `OperationInvalidError`, `OperationUnsupportedError` with libvirt's texts.
    """
    mode, nodes = _parsed(values)
    async with changing(driver, guest, impact) as change:
        if change.run is not None:
            if not driver.housing.privileged:
                raise OperationUnsupportedError("NUMA tuning is not available in session mode")
            group = await threads.ready(change.run)
            if group is None or not group.has("cpuset"):
                raise OperationInvalidError("cgroup cpuset controller is not mounted")
            if _changes_live(change.run.live, mode, nodes):
                if nodes is not None:
                    with change.undoing() as undo:
                        await DISK.run(_apply, group, await _parts(change.run), nodes, undo)
                _write_down(change.run.live, mode, nodes)
        if change.config is not None:
            _write_down(change.config, mode, nodes)


def _parsed(values: Values) -> tuple[str | None, frozenset[int] | None]:
    mode: str | None = None
    nodes: frozenset[int] | None = None
    if MODE in values:
        number = int(values[MODE])
        if not 0 <= number < len(_MODES):
            raise InvalidArgumentError(f"unsupported numatune mode: '{number}'", domain=Origin.QEMU)
        mode = _MODES[number]
    if NODESET in values:
        text = str(values[NODESET])
        try:
            nodes = parse_cpuset(text)
        except ValueError:
            raise InvalidArgumentError(f"Failed to parse bitmap '{text}'") from None
        if not nodes:
            raise OperationInvalidError(f"Invalid nodeset of 'numatune': {text}")
    return mode, nodes


def _changes_live(live: Domain, mode: str | None, nodes: frozenset[int] | None) -> bool:
    """Whether there is anything to do in the running guest. Raises `OperationInvalidError` for what cannot be done."""
    known = live.numatune.policy() if live.numatune is not None else None
    if mode is not None and known is not None and mode != known[0]:
        raise OperationInvalidError("can't change numatune mode for running domain")
    if mode == "strict":
        if nodes != (known[1] if known is not None else None):
            raise OperationInvalidError("can't change nodeset for strict mode for running domain")
        return False
    if nodes is None:
        return mode is not None
    if known is not None and known[0] != "restrictive":
        raise OperationInvalidError("change of nodeset for running domain requires restrictive numa mode")
    missing = sorted(nodes - bitmaps.memory_nodes())
    if missing:
        raise OperationInvalidError(f"NUMA node {missing[0]} is unavailable", domain=Origin.NONE)
    return True


async def _parts(run: Run) -> list[str]:
    found = await threads.threads(run)
    return [threads.EMULATOR, *(f"vcpu{n}" for n in found.vcpus), *(f"iothread{n}" for n in found.iothreads)]


def _apply(group: Group, parts: list[str], nodes: frozenset[int], undo: ExitStack) -> None:
    for name in parts:
        part = group.part(name)
        undo.callback(limits.set_mems, part, part.read("cpuset", "cpuset.mems"))
        limits.set_mems(part, format_cpuset(nodes))


def _write_down(domain: Domain, mode: str | None, nodes: frozenset[int] | None) -> None:
    tune = domain.numatune or new(Numatune)
    memory = tune.memory or new(NumaMemory)
    if mode is not None:
        memory.mode = mode
    if nodes is not None:
        memory.nodeset, memory.placement = format_cpuset(nodes), None
    tune.memory = memory
    numa = domain.cpu.numa if domain.cpu is not None else None
    tune.settle(static=domain.vcpu.placement != "auto", cells=len(numa.cells) if numa is not None else 0)
    domain.numatune = tune
