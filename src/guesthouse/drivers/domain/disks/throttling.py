"""Limits of a guest's disks in bytes and requests a second: `blkdeviotune`, and groups of limits by name.

Names, families and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetBlockIoTune; QEMU's
`block_set_io_throttle` and `ThrottleGroupProperties`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.devices import disk_named
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.parameters import Values
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.typed import STRING, ULLONG, Param
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.throttling import IoTune, ThrottleGroup, ThrottleGroups
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, objects, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_GROUP: Final = "group_name"
_RATES: Final = tuple(f"{way}_{what}" for what in ("bytes_sec", "iops_sec") for way in ("total", "read", "write"))

#: All parameters, in the order in which libvirt answers.
NAMES: Final = (
    *_RATES,
    *(f"{name}_max" for name in _RATES),
    "size_iops_sec",
    _GROUP,
    *(f"{name}_max_length" for name in _RATES),
)
TYPES: Final = {name: STRING if name == _GROUP else ULLONG for name in NAMES}

#: QEMU's highest limit.
_HIGHEST: Final = 10**15

#: Our name to that of `query-block`.
_OF_QEMU: Final = {
    **{
        f"{way}_{what}{tail}": f"{word}{end}{tail}"
        for what, word in (("bytes_sec", "bps"), ("iops_sec", "iops"))
        for way, end in (("total", ""), ("read", "_rd"), ("write", "_wr"))
        for tail in ("", "_max", "_max_length")
    },
    "size_iops_sec": "iops_size",
    _GROUP: "group",
}


async def read(guest: Guest, target: str, impact: int) -> list[Param]:
    """The limits of a disk, as QEMU has them or as they are defined. Raises `InvalidArgumentError`."""
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    disk = _supported(domain, target)
    if not live:
        tune = disk.iotune or new(IoTune)
        values: JsonObject = {name: getattr(tune, name) for name in NAMES}
    else:
        if disk.empty:
            raise InvalidArgumentError(f"disk '{target}' does not currently have a source assigned", domain=Origin.QEMU)
        values = await _of_qemu(guest.live(), disk)
    return [_parameter(name, values.get(name)) for name in NAMES]


def _parameter(name: str, value: Json) -> Param:
    """What is told of a limit; one that is not set is 0, and a disk of no group has an empty name of one."""
    kind = TYPES[name]
    if kind == STRING:
        return name, kind, value if isinstance(value, str) else ""
    return name, kind, value if isinstance(value, int) else 0


async def _of_qemu(run: Run, disk: Disk) -> JsonObject:
    for entry in objects(await run.talk().execute("query-block"), "the reply of query-block"):
        inserted = entry.get("inserted")
        if text_of(entry, "qdev") == disk.qom_name() and isinstance(inserted, dict):
            return {name: inserted.get(word) for name, word in _OF_QEMU.items()}
    raise LibvirtError(
        f"cannot find throttling info for device '{disk.qom_name()}'", code=Code.INTERNAL_ERROR, domain=Origin.QEMU
    )


def _supported(domain: Domain, target: str) -> Disk:
    disk = disk_named(domain, target)
    if disk is None:
        raise InvalidArgumentError(f"disk '{target}' was not found in the domain config", domain=Origin.QEMU)
    if disk.type == "vhostuser" or disk.bus == "sd":
        raise UnsupportedConfigError(
            f"block I/O throttling is not supported for disk '{disk.target.dev}'", domain=Origin.QEMU
        )
    if disk.filters is not None:
        raise UnsupportedConfigError(
            f"block 'iotune' can't be used together with 'throttlefilters' for disk '{disk.target.dev}'",
            domain=Origin.QEMU,
        )
    return disk


async def set_(driver: Guests, guest: Guest, target: str, values: Values, impact: int) -> None:
    """Change limits. What a call does not name keeps its value, family by family.

    Raises `InvalidArgumentError`, `UnsupportedConfigError` for limits that contradict each other.
    """
    _check(values)
    async with changing(driver, guest, impact) as change:
        wanted = [(domain, disk, _merged(domain, disk, values)) for domain, disk in _disks(change.domains, target)]
        for _, disk, tune in wanted:
            _check_reset(disk, tune)
        if change.run is not None:
            _, disk, tune = wanted[0]
            _check_bursts(tune, values)
            if not disk.empty:
                await change.run.talk().execute("block_set_io_throttle", tune.arguments(disk.qom_name()))
            driver.events.tunable(guest, _told(target, values))
        for domain, disk, tune in wanted:
            _write_down(domain, disk, tune)


def _disks(domains: list[Domain], target: str) -> Iterator[tuple[Domain, Disk]]:
    for domain in domains:
        yield domain, _supported(domain, target)


def _told(target: str, values: Values) -> list[Param]:
    return [
        ("blkdeviotune.disk", STRING, target),
        *((f"blkdeviotune.{name}", TYPES[name], value) for name, value in values.items()),
    ]


def _check(values: Values) -> None:
    for name, value in values.items():
        if TYPES[name] == ULLONG and int(value) > _HIGHEST:
            raise LibvirtError(
                f"block I/O throttle limit must be no more than {_HIGHEST} using QEMU",
                code=Code.ARGUMENT_UNSUPPORTED,
                domain=Origin.QEMU,
            )
    for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
        if values.get(f"total_{what}") and (values.get(f"read_{what}") or values.get(f"write_{what}")):
            raise InvalidArgumentError(
                f"total and read/write of {what} cannot be set at the same time", domain=Origin.QEMU
            )


def _family(name: str) -> str:
    """Limits of which a call sets all or none: `total_`, `read_` and `write_` of one kind."""
    return name if name in ("size_iops_sec", _GROUP) else name.partition("_")[2]


def _merged(domain: Domain, disk: Disk, values: Values) -> IoTune:
    """The limits that come of a change; those of a group that is joined are its own."""
    return _merge(_former(domain, disk, values), values)


def _former(domain: Domain, disk: Disk, values: Values) -> IoTune:
    own = disk.iotune or new(IoTune)
    group = values.get(_GROUP)
    if not group or own.group_name == group:
        return own
    known = (other.iotune for other in domain.devices.disks if other.iotune is not None)
    return next((tune for tune in known if tune.group_name == group), own)


def _merge(former: IoTune, values: Values) -> IoTune:
    families = {_family(name) for name in values}
    tune = dataclasses.replace(former)
    for name in NAMES:
        if _family(name) in families:
            given = values.get(name)
            setattr(tune, name, given or None)
    for (
        name
    ) in _RATES:  # QEMU has no burst of no length: where the limit stays, clearing the length makes it one second
        length = f"{name}_max_length"
        if _family(length) in families and getattr(former, length) and not getattr(tune, length):
            stays = getattr(tune, name) or getattr(tune, f"{name}_max")
            setattr(tune, length, 1 if stays else None)
    return tune


def _check_reset(disk: Disk, tune: IoTune) -> None:
    """All zero takes the disk out of its group."""
    if tune.any:
        return
    if tune.group_name and (disk.iotune is None or disk.iotune.group_name != tune.group_name):
        raise UnsupportedConfigError(
            "creating a new group/updating existing with all tune parameters zero is not supported",
            domain=Origin.QEMU,
        )
    tune.group_name = None


def _check_bursts(tune: IoTune, values: Values) -> None:
    families = {_family(name) for name in values}
    for name in _RATES:
        most, value = tune.value(f"{name}_max"), tune.value(name)
        if most and not value and _family(name) in families:
            raise UnsupportedConfigError(f"cannot reset '{name}' when '{name}_max' is set", domain=Origin.QEMU)
        if most and not value:
            raise UnsupportedConfigError(f"value '{name}_max' cannot be set if '{name}' is not set", domain=Origin.QEMU)
        if most and most < value:
            raise UnsupportedConfigError(f"value '{name}_max' cannot be smaller than '{name}'", domain=Origin.QEMU)


def _write_down(domain: Domain, disk: Disk, tune: IoTune) -> None:
    disk.iotune = tune if tune.any else None
    if tune.group_name is None:
        return
    for other in domain.devices.disks:
        if other.iotune is not None and other.iotune.group_name == tune.group_name:
            other.iotune = dataclasses.replace(tune)


# Groups of limits that disks name by <throttlefilters>


async def set_group(driver: Guests, guest: Guest, name: str, values: Values, impact: int) -> None:
    """Make a group, or change its limits. Raises as `set_`."""
    _check(values)
    async with changing(driver, guest, impact) as change:
        for domain in change.domains:
            former = _group(domain, name)
            tune = _merge(_as_tune(former), {**values, _GROUP: name})
            _check_bursts(tune, values)
            made = new(ThrottleGroup, **{field: getattr(tune, field) for field in NAMES})
            if change.run is not None and domain is change.live:
                await _apply_group(change.run, made, known=former is not None)
                driver.events.tunable(guest, _told("", values)[1:])
            groups = domain.throttle_groups.groups if domain.throttle_groups is not None else []
            kept = [made if group.group_name == name else group for group in groups]
            domain.throttle_groups = new(ThrottleGroups, groups=kept if former is not None else [*kept, made])


def _group(domain: Domain, name: str) -> ThrottleGroup | None:
    groups = domain.throttle_groups.groups if domain.throttle_groups is not None else []
    return next((group for group in groups if group.group_name == name), None)


def _as_tune(group: ThrottleGroup | None) -> IoTune:
    return new(IoTune, **{name: getattr(group, name) for name in NAMES}) if group is not None else new(IoTune)


async def _apply_group(run: Run, group: ThrottleGroup, *, known: bool) -> None:
    if known:
        arguments: dict[str, Sendable] = {
            "path": f"/objects/{group.id}",
            "property": "limits",
            "value": group.limits(),
        }
        await run.talk().execute("qom-set", arguments)
    else:
        await run.talk().execute("object-add", {"qom-type": "throttle-group", "id": group.id, "limits": group.limits()})


async def remove_group(driver: Guests, guest: Guest, name: str, impact: int) -> None:
    """Take a group away. Raises `InvalidArgumentError` where there is none, or where a disk uses it."""
    async with changing(driver, guest, impact) as change:
        for domain in change.domains:
            if _group(domain, name) is None:
                raise InvalidArgumentError(f"throttlegroup '{name}' was not found", domain=Origin.QEMU)
            for disk in domain.devices.disks:
                if disk.filters is not None and any(one.group == name for one in disk.filters.filters):
                    raise InvalidArgumentError(
                        f"throttle group '{name}' is still being used by disk {disk.target.dev}", domain=Origin.QEMU
                    )
        if change.run is not None:
            await change.run.talk().execute("object-del", {"id": f"throttle-{name}"})
        for domain in change.domains:
            groups = domain.throttle_groups.groups if domain.throttle_groups is not None else []
            kept = [group for group in groups if group.group_name != name]
            domain.throttle_groups = new(ThrottleGroups, groups=kept) if kept else None
