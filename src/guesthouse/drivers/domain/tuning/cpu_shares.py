"""How much of the host's processors a guest gets: `schedinfo`.

Names, ranges and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetSchedulerParametersFlags
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import threads as tuning
from guesthouse.drivers.domain.typed import LLONG, ULLONG, Param
from guesthouse.errors import (
    InvalidArgumentError,
    OperationInvalidError,
    Origin,
    UnsupportedConfigError,
)
from guesthouse.host import cgroup_limits as limits
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.cputune import PERIODS, QUOTAS, Cputune
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.iothreads import iothreads_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Parameter to the definition's name for it, in the order in which libvirt answers.
FIELDS: Final = {
    "cpu_shares": "shares",
    "vcpu_period": "period",
    "vcpu_quota": "quota",
    "emulator_period": "emulator_period",
    "emulator_quota": "emulator_quota",
    "global_period": "global_period",
    "global_quota": "global_quota",
    "iothread_period": "iothread_period",
    "iothread_quota": "iothread_quota",
}

#: Parameter to its type.
TYPES: Final = {name: LLONG if name.endswith("_quota") else ULLONG for name in FIELDS}


def check_privilege(driver: Guests) -> None:
    """Raise `UnsupportedConfigError` in a daemon that has no control groups because it is a user's."""
    if not driver.housing.privileged:
        raise UnsupportedConfigError("CPU tuning is not available in session mode", domain=Origin.QEMU)


async def read(driver: Guests, guest: Guest, impact: int) -> list[Param]:
    """All parameters. Raises as `set_`, and for a question about both states at once."""
    check_privilege(driver)
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    if live:
        values = _values(_usable(await tuning.ready(guest.live())), guest.live().live)
    else:
        tune = domain.cputune or new(Cputune)
        values = {name: getattr(tune, field) or 0 for name, field in FIELDS.items()}
    return [(name, TYPES[name], values[name]) for name in FIELDS]


def _usable(group: Group | None) -> Group:
    if group is None or not group.has("cpu"):
        raise OperationInvalidError("cgroup CPU controller is not mounted")
    return group


def _values(group: Group, live: Domain) -> dict[str, int]:
    values = {"cpu_shares": limits.cpu_shares(group)}
    values["global_period"], values["global_quota"] = limits.bandwidth(group)
    for which, part in _examples(live):
        found = group.part(part) if part else None
        period, quota = limits.bandwidth(found if found is not None and found.exists() else group)
        values[f"{which}_period"], values[f"{which}_quota"] = period, quota
    return values


def _examples(live: Domain) -> Iterator[tuple[str, str]]:
    """One part of each kind: all of a kind have the same bandwidth."""
    yield "vcpu", "vcpu0"
    yield "emulator", tuning.EMULATOR
    threads = iothreads_of(live)
    yield "iothread", f"iothread{threads[0].id}" if threads else ""


async def set_(driver: Guests, guest: Guest, values: dict[str, int], impact: int) -> None:
    """Change parameters, all or none.

    Raises `InvalidArgumentError` for a value out of range, `UnsupportedConfigError` in a user's daemon,
    `OperationInvalidError` where the guest has no control group, and what the kernel says against it.
    """
    check_privilege(driver)
    async with changing(driver, guest, impact) as change:
        group = _usable(await tuning.ready(change.run)) if change.run is not None else None
        for name, value in values.items():
            _check(name, value)
        if change.run is not None and group is not None:
            parts = await _parts(change.run)
            with change.undoing() as undo:
                await DISK.run(_apply, group, parts, values, undo)
            told: list[Param] = [
                (f"cputune.{name}", TYPES[name], value)
                for name, value in values.items()
                if value or name == "cpu_shares"
            ]
            _write_down(change.run.live, {name.removeprefix("cputune."): int(value) for name, _, value in told})
            if told:
                driver.events.tunable(guest, told)
        if change.config is not None:
            _write_down(change.config, values)


def _check(name: str, value: int) -> None:
    if name == "cpu_shares":
        return
    low, high = PERIODS if name.endswith("_period") else QUOTAS
    if 0 < value < low or value > high:
        raise InvalidArgumentError(f"value of '{name}' is out of range [{low}, {high}]", domain=Origin.QEMU)


async def _parts(run: Run) -> dict[str, list[str]]:
    found = await tuning.threads(run)
    return {
        "vcpu": [f"vcpu{number}" for number in found.vcpus],
        "emulator": [tuning.EMULATOR],
        "iothread": [f"iothread{number}" for number in found.iothreads],
    }


def _apply(group: Group, parts: dict[str, list[str]], values: dict[str, int], undo: ExitStack) -> None:
    for name, value in values.items():
        which, _, what = name.partition("_")
        if name == "cpu_shares":
            undo.callback(limits.set_cpu_shares, group, limits.cpu_shares(group))
            limits.set_cpu_shares(group, value)
        elif value:  # a zero changes nothing in a running guest
            targets = [group] if which == "global" else [group.part(part) for part in parts[which]]
            for target in targets:
                period, quota = limits.bandwidth(target)
                if what == "period":
                    undo.callback(limits.set_period, target, period)
                    limits.set_period(target, value)
                else:
                    undo.callback(limits.set_quota, target, -1 if quota > limits.QUOTA_MAX else quota)
                    limits.set_quota(target, value)


def _write_down(domain: Domain, values: dict[str, int]) -> None:
    tune = domain.cputune or new(Cputune)
    for name, value in values.items():
        setattr(tune, FIELDS[name], value if value or name == "cpu_shares" else None)
    domain.cputune = tune


def scheduler(driver: Guests) -> str:
    """The scheduler's name. Raises as `set_`."""
    check_privilege(driver)
    if driver.housing.hierarchies is None or not driver.housing.hierarchies.group("/").has("cpu"):
        raise OperationInvalidError("cgroup CPU controller is not mounted")
    return "posix"
