"""Disks: a partition is a volume.

sfdisk(8) lists the partitions, parted(8) what is free and makes and removes them.

Source: https://libvirt.org/storage.html, "Disk pool".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import Ability, Extent, Order, Survey, VolumeBackend, VolumeFacts, Work
from guesthouse.drivers.storage.backends import devices, probing, tools
from guesthouse.drivers.storage.backends.base import OVERWRITE, PoolBackend, build_flags, no_support
from guesthouse.drivers.storage.backends.block import LUKS_HEADER, BlockVolumes, capacity_of
from guesthouse.drivers.storage.backends.disk_layout import (
    EXTENDED,
    LOGICAL,
    Layout,
    Partition,
    combine,
    kind_of_new,
    place,
)
from guesthouse.drivers.storage.backends.units import stable_path
from guesthouse.drivers.storage.volumes.claims import taken
from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.pool import Pool
from guesthouse.model.pool_source import FreeExtent, PoolDevice


async def read_layout(device: str) -> Layout:
    """The layout of a disk."""
    partitions = await tools.run("sfdisk", "--json", "--", device)
    free = await tools.run("parted", "-m", "-s", "--", device, "unit", "B", "print", "free")
    return combine(partitions, free)


#: Format of a volume to the file system that parted notes in a DOS table.
_FILE_SYSTEMS: Final = {
    "none": "ext2",
    "linux": "ext2",
    "fat16": "fat16",
    "fat32": "fat32",
    "linux-swap": "linux-swap",
    "linux-lvm": "ext2",
    "linux-raid": "ext2",
}


class DiskVolumes(BlockVolumes):
    """The partitions of a disk."""

    abilities: ClassVar[frozenset[Ability]] = frozenset(Ability) - {Ability.RESIZE}

    def __init__(self, definition: Pool) -> None:
        super().__init__(definition)
        self._extended = ""

    @property
    def _device(self) -> PoolDevice:
        source = self.definition.source
        if source is None or not source.devices:
            raise InternalError("missing source device", domain=Origin.STORAGE)
        return source.devices[0]

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All partitions; what is free is noted in the definition's device."""
        await tools.settle()
        if not await tools.exists(self._device.path):
            raise missing(self._device.path)
        return await self._describe(await read_layout(self._device.path))

    async def _describe(self, layout: Layout) -> Survey:
        paths = {part: self._path_of(part) for part in layout.partitions}
        facts = await devices.look(list(paths.values()))
        extended, found = layout.extended, {}
        self._extended = os.path.basename(self._node(extended)) if extended is not None else ""
        inner = sum(part.size for part in layout.partitions if part.kind == LOGICAL)
        for part, path in paths.items():
            name = os.path.basename(self._node(part))
            extents = (Extent(self._device.path, part.start, part.end),)
            if part.kind == EXTENDED:
                # The kernel shows two sectors of it; it is as large as the table says.
                found[name] = VolumeFacts(
                    name, "block", path, path, "none", part.size, inner, part.size, extents=extents
                )
            elif path in facts:
                found[name] = facts[path].volume(name, path, format_="none", extents=extents)
        self._device.free_extents = [new(FreeExtent, start=free.start, end=free.end) for free in layout.free]
        free = sum(part.end - part.start for part in layout.free)
        taken = sum(part.size for part in layout.partitions if part.kind != EXTENDED)
        return Survey(layout.size, free, taken, found)

    def _node(self, part: Partition) -> str:
        """The device file of a partition, named as the kernel or the device mapper does."""
        disk = self._device.path
        if disk.startswith("/dev/mapper/"):
            separator = "p" if disk[-1].isdigit() or self._device.part_separator else ""
            return f"{disk}{separator}{part.number}"
        disk = os.path.realpath(disk)
        return f"{disk}{'p' if disk[-1].isdigit() else ''}{part.number}"

    def _path_of(self, part: Partition) -> str:
        node = self._node(part)
        directory = self.definition.path
        return (stable_path(directory, node) if directory.startswith("/dev/") else None) or node

    async def make(self, order: Order) -> None:
        """Make a partition, whose name must be the one that the disk gives the next."""
        device, wanted = self._device.path, order.wanted
        target = wanted.target
        encryption = target.encryption if target is not None else None
        if encryption is not None and encryption.format != "luks":
            raise UnsupportedConfigError("storage pool only supports LUKS encrypted volumes", domain=Origin.STORAGE)
        format_ = target.format.type if target is not None and target.format is not None else "none"
        before = await read_layout(device)
        if self._named(before, wanted.name) is not None:
            raise taken(wanted.name, copying=order.source is not None)
        kind = kind_of_new(before, format_)
        size = capacity_of(order) + (LUKS_HEADER if encryption is not None else 0)
        start, end = place(before, size, logical=kind == LOGICAL)
        file_system = [_FILE_SYSTEMS[format_]] if before.label == "dos" and kind != EXTENDED else []
        await tools.run(
            "parted", "-s", "-a", "none", "--", device, "unit", "B", "mkpart", kind, *file_system,
            f"{start}B", f"{end - 1}B", deadline=tools.BUILD,
        )  # fmt: skip
        await tools.settle()
        after = await read_layout(device)
        known = {part.number for part in before.partitions}
        made = next((part for part in after.partitions if part.number not in known), None)
        try:
            await self._finish(order, made)
        except BaseException:  # also where nobody waits any more: half a volume must not stay
            if made is not None:
                await self._remove(made.number)
            raise

    async def _finish(self, order: Order, made: Partition | None) -> None:
        if made is None:
            raise InternalError("the new partition is not in the table", domain=Origin.STORAGE)
        name = os.path.basename(self._node(made))
        if name != order.wanted.name:
            raise LibvirtError(
                f"invalid partition name '{order.wanted.name}', expected '{name}'",
                code=Code.INVALID_ARG, domain=Origin.STORAGE,
            )  # fmt: skip
        path = self._path_of(made)
        if order.wanted.target is not None and order.wanted.target.encryption is not None:
            await self.encrypt(order, path)
        await self.copy_into(order, path)

    async def discard(self, name: str) -> None:
        """Remove the partition that was half made under this name."""
        part = self._named(await read_layout(self._device.path), name)
        if part is not None:
            await self._remove(part.number)

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Remove a partition."""
        part = self._named(await read_layout(self._device.path), volume.name)
        if part is None:
            raise InternalError(f"cannot parse partition number from target '{volume.name}'", domain=Origin.STORAGE)
        await self._remove(part.number)

    def _named(self, layout: Layout, name: str) -> Partition | None:
        return next((part for part in layout.partitions if os.path.basename(self._node(part)) == name), None)

    async def _remove(self, number: int) -> None:
        await tools.run("parted", "-s", "--", self._device.path, "rm", str(number), deadline=tools.BUILD)
        await tools.settle()

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """Destroy the content. In the extended partition are others."""
        if volume.name == self._extended:
            raise no_support(f"cannot wipe extended partition '{volume.path}'")
        await super().wipe(volume, algorithm, work)


class DiskPool(PoolBackend):
    """A disk with a table of partitions."""

    needs: ClassVar[tuple[str, ...]] = ("parted", "sfdisk", "blkid")
    deletes: ClassVar[bool] = True
    builds: ClassVar[bool] = True

    @property
    def device(self) -> str:
        """The disk."""
        return self.source.devices[0].path

    def volumes(self) -> VolumeBackend:
        """The partitions."""
        return DiskVolumes(self.definition)

    async def check(self) -> bool:
        """Whether the disk is there and has the label that the definition asks for."""
        if not await tools.exists(self.device):
            return False
        await self._need_label()
        return True

    async def start(self) -> None:
        """Only look whether the disk is what it should be."""
        await tools.settle()
        if not await tools.exists(self.device):
            raise missing(self.device)
        await self._need_label()

    async def _need_label(self) -> None:
        if self.source.format in (None, "unknown"):
            self.source.format = "dos"
        await probing.need_content(self.device, self.source.format or "dos")

    async def build(self, flags: int) -> None:
        """Write an empty table of partitions."""
        build_flags(flags, "virStorageBackendDiskBuildPool")
        if not await tools.exists(self.device):
            raise missing(self.device)
        kind = self.source.format or "unknown"
        if not flags & OVERWRITE:
            await probing.need_empty(self.device, kind)
        await probing.erase(self.device)
        if kind == "unknown":
            self.source.format = kind = "dos"
        label = "msdos" if kind == "dos" else kind
        await tools.run("parted", "-s", "--", self.device, "mklabel", label, deadline=tools.BUILD)

    async def delete(self) -> None:
        """Destroy the table of partitions."""
        await probing.erase(self.device)


def missing(device: str) -> LibvirtError:
    """There is no such disk."""
    return LibvirtError(f"device path '{device}' doesn't exist", code=Code.INVALID_ARG, domain=Origin.STORAGE)
