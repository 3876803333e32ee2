"""Volume groups of LVM: a logical volume is a volume.

LVM is asked in JSON (lvmreport(7)), which carries whatever names devices have.

Source: https://libvirt.org/storage.html, "Logical volume pools"; lvs(8), vgs(8), pvs(8), lvcreate(8).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import (
    Ability,
    BackingFacts,
    Extent,
    Order,
    Survey,
    VolumeBackend,
    VolumeFacts,
    Work,
)
from guesthouse.drivers.storage.backends import devices, probing, tools
from guesthouse.drivers.storage.backends.base import OVERWRITE, PoolBackend, build_flags, no_support
from guesthouse.drivers.storage.backends.block import LUKS_HEADER, BlockVolumes, allocation_of, capacity_of
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.pool import Pool

#: What blkid(8) says of a device that belongs to a volume group.
MEMBER: Final = "LVM2_member"
_FIELDS: Final = "lv_name,origin,lv_uuid,devices,segtype,stripes,seg_size,vg_extent_size,lv_size,lv_attr"
_REPORT: Final = ("--reportformat", "json", "--units", "b", "--nosuffix")
_PLACE: Final = re.compile(r"(.+)\((\d+)\)")
_IN_USE: Final = "open logical volume"


class ReportError(LibvirtError):
    """LVM printed something else than it documents."""

    code = Code.INTERNAL_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class LogicalVolume:
    """What `lvs` tells of one volume, all its segments together. Sizes in bytes."""

    name: str
    origin: str
    uuid: str
    size: int
    attributes: str
    extents: tuple[Extent, ...]

    @property
    def active(self) -> bool:
        """Whether it has a device."""
        return self.attributes[4:5] == "a"

    @property
    def is_volume(self) -> bool:
        """Whether it is something for a guest; the pool of thin volumes is not."""
        return self.attributes[:1] != "t"

    @property
    def sparse(self) -> bool:
        """Whether it is a snapshot: what is written is kept beside its origin, and there is less room than it says."""
        return self.attributes[:1] == "s"


def parse_report(output: str, section: str) -> list[dict[str, str]]:
    """The rows of one section of a report in JSON. Raises `ReportError`."""
    try:
        rows = json.loads(output)["report"][0][section]
        return [{str(name): str(value) for name, value in row.items()} for row in rows]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ReportError(f"LVM printed no report of '{section}'") from error


def parse_volumes(output: str) -> list[LogicalVolume]:
    """What `lvs` printed: a row a segment, several of them for one volume."""
    found: dict[str, LogicalVolume] = {}
    for row in parse_report(output, "lv"):
        name = row["lv_name"]
        before = found[name].extents if name in found else ()
        try:
            extents = before + _extents(row)
            size = int(row["lv_size"])
        except (ValueError, KeyError) as error:
            raise ReportError(f"malformed report of logical volume '{name}'") from error
        found[name] = LogicalVolume(name, row["origin"], row["lv_uuid"], size, row["lv_attr"], extents)
    return list(found.values())


def _extents(row: dict[str, str]) -> tuple[Extent, ...]:
    """Where a segment is; empty for one that is not on a device directly, such as a thin volume."""
    unit, length = int(row["vg_extent_size"]), int(row["seg_size"])
    places = [match for part in row["devices"].split(",") if (match := _PLACE.fullmatch(part.strip()))]
    starts = [(match[1], int(match[2]) * unit) for match in places]
    return tuple(Extent(device, start, start + length) for device, start in starts)


def parse_size(output: str) -> tuple[int, int]:
    """The size of a volume group and what is free of it, in bytes, from `vgs`."""
    rows = parse_report(output, "vg")
    try:
        return int(rows[0]["vg_size"]), int(rows[0]["vg_free"])
    except (IndexError, KeyError, ValueError) as error:
        raise ReportError("malformed report of a volume group") from error


def parse_devices(output: str) -> dict[str, list[str]]:
    """Volume group to its devices, from `pvs`; devices that no group has are under the empty name."""
    found: dict[str, list[str]] = {}
    for row in parse_report(output, "pv"):
        found.setdefault(row.get("vg_name", ""), []).append(row.get("pv_name", ""))
    return found


async def groups() -> dict[str, list[str]]:
    """All volume groups of the host, with their devices; see `parse_devices`."""
    return parse_devices(await tools.run("pvs", *_REPORT, "-o", "pv_name,vg_name"))


class LogicalVolumes(BlockVolumes):
    """The logical volumes of a group."""

    abilities: ClassVar[frozenset[Ability]] = frozenset(Ability)

    def __init__(self, definition: Pool, group: str) -> None:
        super().__init__(definition)
        self._group = group
        self._sparse: set[str] = set()

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All volumes that have a device."""
        await tools.settle()
        size, free = parse_size(await tools.run("vgs", *_REPORT, "-o", "vg_size,vg_free", "--", self._group))
        listed = parse_volumes(await tools.run("lvs", *_REPORT, "-o", _FIELDS, "--", self._group))
        offered = [volume for volume in listed if volume.active and volume.is_volume]
        facts = await devices.look([self.path(volume.name) for volume in offered])
        self._sparse = {volume.name for volume in offered if volume.sparse}
        found = {}
        for volume in offered:
            path = self.path(volume.name)
            if path in facts:
                found[volume.name] = facts[path].volume(
                    volume.name, path, key=volume.uuid, allocation=volume.size,
                    backing=self._origin(volume), extents=volume.extents,
                )  # fmt: skip
        return Survey(size, free, size - free, found)

    def _origin(self, volume: LogicalVolume) -> BackingFacts | None:
        """What a snapshot is of. An origin in brackets is LVM's own, and nobody's to use."""
        if not volume.origin or volume.origin.startswith("["):
            return None
        return BackingFacts(self.path(volume.origin), "lvm2")

    async def make(self, order: Order) -> None:
        """Make a volume; one that lies on another is a snapshot of it, as is one that takes less than its size."""
        target = order.wanted.target
        encryption = target.encryption if target is not None else None
        if encryption is not None and encryption.format != "luks":
            raise UnsupportedConfigError("storage pool only supports LUKS encrypted volumes", domain=Origin.STORAGE)
        await tools.run("lvcreate", *self._creation(order), deadline=tools.BUILD)
        path = self.path(order.wanted.name)
        try:
            await tools.settle()
            if encryption is not None:
                await self.encrypt(order, path)
            await self.copy_into(order, path)
            await self.give_away(order, path)
        except BaseException:  # also where nobody waits any more: half a volume must not stay
            await self.discard(order.wanted.name)
            raise

    def _creation(self, order: Order) -> list[str]:
        capacity, allocation = capacity_of(order), allocation_of(order)
        encrypted = order.wanted.target is not None and order.wanted.target.encryption is not None
        length = -(-(capacity + (LUKS_HEADER if encrypted else 0)) // 1024)
        words = ["--yes", "--name", order.wanted.name]
        taken = -(-(allocation or 1) // 1024)
        if (backing := order.wanted.backing) is not None:
            # A snapshot is as large as what it is of; its own size is that of what can be changed in it.
            return [*words, "-L", f"{taken}K", "-s", "--", backing.path]
        if capacity == allocation:
            return [*words, "-L", f"{length}K", "--", self._group]
        return [*words, "-L", f"{taken}K", "--type", "snapshot", "--virtualsize", f"{length}K", "--", self._group]

    async def discard(self, name: str) -> None:
        """Remove what was half made under this name."""
        await tools.attempt("lvremove", "-f", "--", f"{self._group}/{name}", deadline=tools.BUILD)

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Remove a volume, and with it the snapshots of it."""
        place = f"{self._group}/{volume.name}"
        await tools.settle()
        if not (await tools.attempt("lvremove", "-f", "--", place, deadline=tools.BUILD)).ok:
            await tools.run("lvchange", "-aln", "--", place, deadline=tools.ATTACH)
            await tools.run("lvremove", "-f", "--", place, deadline=tools.BUILD)

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Change the size of a volume, to whole extents of the group."""
        place = f"{self._group}/{volume.name}"
        await tools.run("lvresize", "-f", "--size", f"{capacity}b", "--", place, deadline=tools.BUILD)

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """Destroy the content. A sparse volume would fill up and break."""
        if volume.name in self._sparse:
            raise no_support(f"logical volume '{volume.path}' is sparse, volume wipe not supported")
        await super().wipe(volume, algorithm, work)


class LogicalPool(PoolBackend):
    """A volume group."""

    needs: ClassVar[tuple[str, ...]] = ("vgs", "lvs", "pvs", "vgchange")
    deletes: ClassVar[bool] = True
    builds: ClassVar[bool] = True

    @property
    def group(self) -> str:
        """The group's name."""
        return self.source.name or self.definition.name

    def volumes(self) -> VolumeBackend:
        """The logical volumes."""
        return LogicalVolumes(self.definition, self.group)

    async def check(self) -> bool:
        """Whether the group is there, on at least one of the devices that the definition names, if it names any."""
        devices = (await groups()).get(self.group)
        if devices is None:
            raise UnsupportedConfigError(
                f"cannot find logical volume group name '{self.group}'", domain=Origin.STORAGE,
                hint="build the pool, or attach the devices of the group",
            )  # fmt: skip
        named = [device.path for device in self.source.devices]
        if named and not set(named) & set(devices):
            raise UnsupportedConfigError(
                f"cannot find any matching source devices for logical volume group '{self.group}'",
                domain=Origin.STORAGE, hint=f"it is on {', '.join(devices)}",
            )  # fmt: skip
        return True

    async def start(self) -> None:
        """Give every volume of the group a device."""
        await self.check()
        await tools.run("vgchange", "-aly", "--", self.group, deadline=tools.ATTACH)

    async def stop(self) -> str:
        """Take the devices away, unless one is open."""
        arguments = ("-aln", "--", self.group)
        finished = await tools.attempt("vgchange", *arguments, deadline=tools.ATTACH)
        if not finished.ok and _IN_USE in finished.error_text:
            return f"volume group '{self.group}' stays active, because volumes of it are in use"
        tools.expect(finished, "vgchange", *arguments)
        return ""

    async def build(self, flags: int) -> None:
        """Make a group of the devices. What a failure has begun is taken back."""
        build_flags(flags, "virStorageBackendLogicalBuildPool")
        made: list[str] = []
        # What a killed build has left: marked for a group, and in none. Nothing is lost with it.
        orphans = (await groups()).get("", [])
        try:
            for device in [device.path for device in self.source.devices]:
                if not flags & OVERWRITE and device not in orphans:
                    await probing.need_empty(device, MEMBER)
                made.append(device)
                await probing.erase(device)
                await tools.run("pvcreate", "--yes", "--", device, deadline=tools.BUILD)
            await tools.run("vgcreate", "--", self.group, *made, deadline=tools.BUILD)
        except BaseException:  # also where nobody waits any more: the devices belong to no group
            await self._forget_devices(made)
            raise

    async def delete(self) -> None:
        """Remove the group with all its volumes, and what marks its devices."""
        await tools.run("vgremove", "-f", "--", self.group, deadline=tools.BUILD)
        await self._forget_devices([device.path for device in self.source.devices])

    async def _forget_devices(self, devices: list[str]) -> None:
        for device in devices:
            await tools.attempt("pvremove", "--yes", "--", device, deadline=tools.ATTACH)
