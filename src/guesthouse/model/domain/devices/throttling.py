"""Limits of a drive's traffic: its own (`iotune`), and those of groups that several share (`throttlegroups`).

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`iotune`) and #throttle-group-management;
`block_set_io_throttle` and `ThrottleGroupProperties` in QEMU's `qapi/block-core.json`.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Final, TypeAlias

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import element, leaf, many, opt_leaf, shared
from guesthouse.model.kinds import ULL, matching
from guesthouse.model.qemu_objects import Object, Props, QemuObject

#: Limit to the argument of `block_set_io_throttle`, which wants all of these, and to the property of a group.
_RATES: Final = {
    "total_bytes_sec": ("bps", "bps-total"),
    "read_bytes_sec": ("bps_rd", "bps-read"),
    "write_bytes_sec": ("bps_wr", "bps-write"),
    "total_iops_sec": ("iops", "iops-total"),
    "read_iops_sec": ("iops_rd", "iops-read"),
    "write_iops_sec": ("iops_wr", "iops-write"),
}
#: The highest limit that QEMU takes.
_HIGHEST: Final = 10**15
_GROUP: Final = matching(r"[^\x00-\x1f]{1,128}", "a name")


@shared
class Limits:
    """What drives and groups share. All in bytes and requests a second; `*_max_length` are the seconds of a burst.

    Subclasses declare those, and the `group_name`, where each of them prints it.
    """

    total_bytes_sec: int | None = opt_leaf(ULL)
    read_bytes_sec: int | None = opt_leaf(ULL)
    write_bytes_sec: int | None = opt_leaf(ULL)
    total_iops_sec: int | None = opt_leaf(ULL)
    read_iops_sec: int | None = opt_leaf(ULL)
    write_iops_sec: int | None = opt_leaf(ULL)
    total_bytes_sec_max: int | None = opt_leaf(ULL)
    read_bytes_sec_max: int | None = opt_leaf(ULL)
    write_bytes_sec_max: int | None = opt_leaf(ULL)
    total_iops_sec_max: int | None = opt_leaf(ULL)
    read_iops_sec_max: int | None = opt_leaf(ULL)
    write_iops_sec_max: int | None = opt_leaf(ULL)
    size_iops_sec: int | None = opt_leaf(ULL)

    def value(self, name: str) -> int:
        """A limit by its name; 0 where there is none."""
        found: int | None = getattr(self, name)
        return found or 0

    def parsed(self) -> None:
        """Zero is no limit."""
        if 0 in _values(self):
            for name in _NUMBERS:
                setattr(self, name, getattr(self, name) or None)

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return any(_values(self))

    def check(self) -> None:
        """A total excludes the limits of one direction, and QEMU has a highest limit.

        Raises `XmlError`, `UnsupportedConfigError` and a `LibvirtError` (74).
        """
        for what in ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"):
            if self.value(f"total_{what}") and (self.value(f"read_{what}") or self.value(f"write_{what}")):
                raise XmlError(f"total and read/write {what} cannot be set at the same time")
        if any(value and value > _HIGHEST for value in _bounded(self)):
            raise LibvirtError(
                f"block I/O throttle limit must be no more than {_HIGHEST} using QEMU",
                code=Code.ARGUMENT_UNSUPPORTED,
                domain=Origin.QEMU,
            )


@element("iotune", omit_empty=True)
class IoTune(Limits):
    """The limits of one drive, or of all drives with the same `group_name` together."""

    group_name: str | None = opt_leaf(_GROUP)
    total_bytes_sec_max_length: int | None = opt_leaf(ULL)
    read_bytes_sec_max_length: int | None = opt_leaf(ULL)
    write_bytes_sec_max_length: int | None = opt_leaf(ULL)
    total_iops_sec_max_length: int | None = opt_leaf(ULL)
    read_iops_sec_max_length: int | None = opt_leaf(ULL)
    write_iops_sec_max_length: int | None = opt_leaf(ULL)

    def check(self) -> None:
        """A group needs limits. Raises as `Limits.check`."""
        if self.group_name is not None and not self.any:
            raise UnsupportedConfigError("group_name can be configured only together with settings")
        Limits.check(self)

    def arguments(self, name: str) -> Props:
        """The arguments of `block_set_io_throttle` for the drive with this QOM name, after which QEMU names its group
        where the drive shares none.
        """
        props: Props = {"id": name}
        for field, (argument, _) in _RATES.items():
            props[argument] = self.value(field)
        for field, (argument, _) in _RATES.items():
            for suffix in ("_max", "_max_length"):
                value = self.value(field + suffix)
                if value:
                    props[argument + suffix] = value
        if self.size_iops_sec:
            props["iops_size"] = self.size_iops_sec
        return props | {"group": self.group_name or name}


@element("throttlegroup")
class ThrottleGroup(Limits):
    """Limits with a name, for the drives whose `<throttlefilters>` name it."""

    total_bytes_sec_max_length: int | None = opt_leaf(ULL)
    read_bytes_sec_max_length: int | None = opt_leaf(ULL)
    write_bytes_sec_max_length: int | None = opt_leaf(ULL)
    total_iops_sec_max_length: int | None = opt_leaf(ULL)
    read_iops_sec_max_length: int | None = opt_leaf(ULL)
    write_iops_sec_max_length: int | None = opt_leaf(ULL)
    group_name: str = leaf(_GROUP)

    def limits(self) -> Props:
        """The property `limits` of QEMU's group, which is also what changes one that is there."""
        props: Props = {name: self.value(field) for field, (_, name) in _RATES.items()}
        props |= {f"{name}-max": self.value(f"{field}_max") for field, (_, name) in _RATES.items()}
        props["iops-size"] = self.value("size_iops_sec")
        lengths = {f"{name}-max-length": self.value(f"{field}_max_length") for field, (_, name) in _RATES.items()}
        return props | {name: value for name, value in lengths.items() if value}

    @property
    def id(self) -> str:
        """The id of QEMU's object."""
        return f"throttle-{self.group_name}"

    def objects(self) -> list[QemuObject]:
        """QEMU's group; nothing for one without limits."""
        if not self.any:
            return []
        return [Object({"qom-type": "throttle-group", "id": self.id, "limits": self.limits()})]


@element("throttlegroups", omit_empty=True)
class ThrottleGroups:
    """All groups of the guest."""

    groups: list[ThrottleGroup] = many(ThrottleGroup)

    def parsed(self) -> None:
        """Each name is there once."""
        seen: set[str] = set()
        for group in self.groups:
            if group.group_name in seen:
                raise XmlError(f"duplicate group name '{group.group_name}' found")
            seen.add(group.group_name)

    @property
    def names(self) -> frozenset[str]:
        """The names of the groups."""
        return frozenset(group.group_name for group in self.groups)


def share_limits(tunings: list[IoTune]) -> None:
    """Give each drive that only names a group the limits of another drive of that group."""
    for tuning in tunings:
        if tuning.group_name is None or tuning.any:
            continue
        for other in tunings:
            if other.group_name == tuning.group_name and other.any:
                for name in _NUMBERS:
                    setattr(tuning, name, getattr(other, name))
                break


_NUMBERS: Final = tuple(field.name for field in dataclasses.fields(IoTune) if field.name != "group_name")
_Values: TypeAlias = Callable[[Limits], tuple[int | None, ...]]
_values: Final[_Values] = operator.attrgetter(*_NUMBERS)
#: Those that QEMU bounds.
_bounded: Final[_Values] = operator.attrgetter(*(name for name in _NUMBERS if not name.endswith("_length")))
