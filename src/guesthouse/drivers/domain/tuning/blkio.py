"""A guest's share of the host's block devices: `blkiotune`.

Names, forms and texts: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetBlkioParameters
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain import metadata
from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.parameters import Values
from guesthouse.drivers.domain.tuning import threads
from guesthouse.drivers.domain.typed import STRING, UINT, Param
from guesthouse.errors import InvalidArgumentError, OperationInvalidError, Origin, UnsupportedConfigError
from guesthouse.host import cgroup_limits as limits
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.blkiotune import BlkioDevice, Blkiotune
from guesthouse.model.domain.definition import Domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Parameter to the definition's name for it, and to its largest value, in the order in which libvirt answers.
_DEVICE_FIELDS: Final = {
    "device_weight": ("weight", 2**32 - 1),
    "device_read_iops_sec": ("read_iops_sec", 2**32 - 1),
    "device_write_iops_sec": ("write_iops_sec", 2**32 - 1),
    "device_read_bytes_sec": ("read_bytes_sec", 2**64 - 1),
    "device_write_bytes_sec": ("write_bytes_sec", 2**64 - 1),
}
TYPES: Final = {"weight": UINT, **dict.fromkeys(_DEVICE_FIELDS, STRING)}


def check_privilege(driver: Guests) -> None:
    """Raise `UnsupportedConfigError` in a daemon that has no control groups because it is a user's."""
    if not driver.housing.privileged:
        raise UnsupportedConfigError("Block I/O tuning is not available in session mode", domain=Origin.QEMU)


async def read(driver: Guests, guest: Guest, impact: int) -> list[Param]:
    """All parameters. Raises as `set_`."""
    check_privilege(driver)
    domain = metadata.one_definition(guest, impact)
    live, _ = metadata.chosen(guest, impact)
    tune = domain.blkiotune or new(Blkiotune)
    weight = limits.io_weight(_usable(await threads.ready(guest.live()))) if live else tune.weight or 0
    params: list[Param] = [("weight", UINT, weight)]
    for name, (field, _) in _DEVICE_FIELDS.items():
        words = [f"{device.path},{value}" for device in tune.devices if (value := getattr(device, field))]
        params.append((name, STRING, ",".join(words)))
    return params


def _usable(group: Group | None) -> Group:
    if group is None or not group.has("blkio"):
        raise OperationInvalidError("blkio cgroup isn't mounted")
    return group


async def set_(driver: Guests, guest: Guest, values: Values, impact: int) -> None:
    """Change parameters, all or none.

    Raises `InvalidArgumentError` for devices in another form than `PATH,VALUE,PATH,VALUE`, and what the kernel says.
    """
    check_privilege(driver)
    async with changing(driver, guest, impact) as change:
        group = _usable(await threads.ready(change.run)) if change.run is not None else None
        wanted = list(_wanted(values))
        if group is not None and change.live is not None:
            with change.undoing() as undo:
                await DISK.run(_apply, group, change.live.blkiotune or new(Blkiotune), wanted, undo)
        for domain in change.domains:
            _write_down(domain, wanted)


def _wanted(values: Values) -> Iterator[tuple[str, str, int]]:
    """Parameter, path (empty for all devices) and value."""
    for name, value in values.items():
        if name == "weight":
            yield name, "", int(value)
        elif value:
            yield from ((name, path, number) for path, number in _devices(name, str(value)))


def _devices(name: str, text: str) -> Iterator[tuple[str, int]]:
    words = text.split(",")
    if len(words) % 2:
        raise InvalidArgumentError(f"unable to parse blkio device '{name}' '{text}'", domain=Origin.NONE)
    for path, word in zip(words[::2], words[1::2], strict=True):
        if not word.isascii() or not word.isdecimal() or int(word) > _DEVICE_FIELDS[name][1]:
            raise InvalidArgumentError(f"invalid value '{word}' for parameter '{name}' of device '{path}'")
        yield path, int(word)


def _apply(group: Group, before: Blkiotune, wanted: list[tuple[str, str, int]], undo: ExitStack) -> None:
    known = {device.path: device for device in before.devices}
    for name, path, value in wanted:
        if name == "weight":
            undo.callback(limits.set_io_weight, group, limits.io_weight(group))
            limits.set_io_weight(group, value)
            continue
        former: int = getattr(known.get(path), _DEVICE_FIELDS[name][0], None) or 0
        if name == "device_weight":
            limits.set_device_weight(group, path, value)
            undo.callback(limits.set_device_weight, group, path, former)
        else:
            limits.set_device_limit(group, name, path, value)
            undo.callback(limits.set_device_limit, group, name, path, former)


def _write_down(domain: Domain, wanted: list[tuple[str, str, int]]) -> None:
    tune = domain.blkiotune or new(Blkiotune)
    known = {device.path: device for device in tune.devices}
    for name, path, value in wanted:
        if name == "weight":
            tune.weight = value or None
            continue
        if path not in known:
            known[path] = new(BlkioDevice, path=path)
            tune.devices.append(known[path])
        setattr(known[path], _DEVICE_FIELDS[name][0], value or None)
    domain.blkiotune = tune
