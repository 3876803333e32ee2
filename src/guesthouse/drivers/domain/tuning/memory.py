"""How much of the host's memory a guest may take: `memtune`.

Names and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetMemoryParameters
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import Change, changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.tuning import threads
from guesthouse.drivers.domain.typed import ULLONG, Param
from guesthouse.errors import (
    InvalidArgumentError,
    LibvirtError,
    OperationInvalidError,
    OperationUnsupportedError,
    Origin,
)
from guesthouse.host import cgroup_limits as limits
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.memtune import HardLimit, Memtune, SoftLimit, SwapHardLimit

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

NAMES: Final = threads.MEMORY_LIMITS
TYPES: Final = dict.fromkeys(NAMES, ULLONG)


def check_privilege(driver: Guests) -> None:
    """Raise `OperationUnsupportedError` in a daemon that has no control groups because it is a user's."""
    if not driver.housing.privileged:
        raise OperationUnsupportedError("Memory tuning is not available in session mode")


async def read(driver: Guests, guest: Guest, impact: int) -> list[Param]:
    """All limits, in KiB. Raises as `set_`."""
    check_privilege(driver)
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    group = _usable(await threads.ready(guest.live())) if live else None
    return [(name, ULLONG, _of_definition(domain, name) if group is None else _of_group(group, name)) for name in NAMES]


def _of_definition(domain: Domain, name: str) -> int:
    value: int | None = getattr(domain.memtune, name) if domain.memtune is not None else None
    return limits.UNLIMITED if value is None else value


def _of_group(group: Group, name: str) -> int:
    try:
        return limits.memory_limit(group, name)
    except LibvirtError:
        if name != "swap_hard_limit":  # a kernel that does not account swap space has no file for it
            raise
        return limits.UNLIMITED


def _usable(group: Group | None) -> Group:
    if group is None or not group.has("memory"):
        raise OperationInvalidError("cgroup memory controller is not mounted")
    return group


async def set_(driver: Guests, guest: Guest, values: dict[str, int], impact: int) -> None:
    """Change limits, all or none. Raises `InvalidArgumentError`, and what the kernel says against it."""
    check_privilege(driver)
    async with changing(driver, guest, impact) as change:
        group = _usable(await threads.ready(change.run)) if change.run is not None else None
        _check(guest, change, values)
        if group is not None and change.live is not None:
            with change.undoing() as undo:
                await DISK.run(_apply, group, values, undo)
        for domain in change.domains:
            _write_down(domain, values)


def _check(guest: Guest, change: Change, values: dict[str, int]) -> None:
    if "hard_limit" not in values and "swap_hard_limit" not in values:
        return
    known = change.live if change.live is not None else guest.current
    hard = values.get("hard_limit", _of_definition(known, "hard_limit"))
    swap = values.get("swap_hard_limit", _of_definition(known, "swap_hard_limit"))
    if hard > swap:
        raise InvalidArgumentError(
            "memory hard_limit tunable value must be lower than or equal to swap_hard_limit", domain=Origin.QEMU
        )


def _apply(group: Group, values: dict[str, int], undo: ExitStack) -> None:
    """The hard limit first where it sinks, last where it grows: it can never be above that with swap space."""
    sinks = "hard_limit" in values and values["hard_limit"] < limits.memory_limit(group, "hard_limit")
    middle = ["soft_limit", *(["hard_limit"] if sinks else []), "swap_hard_limit", *([] if sinks else ["hard_limit"])]
    for name in middle:
        if name in values:
            undo.callback(limits.set_memory_limit, group, name, limits.memory_limit(group, name))
            limits.set_memory_limit(group, name, values[name])


def _write_down(domain: Domain, values: dict[str, int]) -> None:
    tune = domain.memtune or new(Memtune)
    if "hard_limit" in values:
        tune.hard = new(HardLimit, kib=values["hard_limit"])
    if "soft_limit" in values:
        tune.soft = new(SoftLimit, kib=values["soft_limit"])
    if "swap_hard_limit" in values:
        tune.swap_hard = new(SwapHardLimit, kib=values["swap_hard_limit"])
    domain.memtune = tune
