"""Pools of ZFS, or a file system in one: a ZFS volume is a volume.

Source: https://libvirt.org/storage.html, "ZFS pool"; zfs-list(8), zfs-create(8), zpool-get(8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from guesthouse.drivers.storage.backend import Ability, Order, Survey, VolumeBackend, VolumeFacts
from guesthouse.drivers.storage.backends import devices, tools
from guesthouse.drivers.storage.backends.base import PoolBackend
from guesthouse.drivers.storage.backends.block import (
    BlockVolumes,
    allocation_of,
    capacity_of,
    refuse_encryption,
)
from guesthouse.errors import InvalidArgumentError, Origin, UnsupportedConfigError


@dataclass(frozen=True, slots=True)
class ZfsVolume:
    """What `zfs list` tells of a volume: its whole name, its size and what is reserved for it, in bytes."""

    dataset: str
    size: int
    reserved: int

    @property
    def name(self) -> str:
        """Its name in the pool."""
        return self.dataset.rpartition("/")[2]


def parse_volumes(output: str) -> list[ZfsVolume]:
    """What `zfs list -Hp -o name,volsize,refreservation` printed; lines of another form are left out."""
    found = []
    for line in output.splitlines():
        fields = line.split("\t")
        if len(fields) == 3 and fields[1].isdigit():
            found.append(ZfsVolume(fields[0], int(fields[1]), int(fields[2]) if fields[2].isdigit() else 0))
    return found


def parse_properties(output: str) -> dict[str, int]:
    """The numbers of `zpool get -Hp`: property to value."""
    lines = [line.split("\t") for line in output.splitlines()]
    return {fields[1]: int(fields[2]) for fields in lines if len(fields) >= 3 and fields[2].isdigit()}


class ZfsVolumes(BlockVolumes):
    """The volumes of a pool or file system of ZFS."""

    #: What libvirt's driver can do.
    abilities: ClassVar[frozenset[Ability]] = frozenset(
        {Ability.CREATE, Ability.DELETE, Ability.UPLOAD, Ability.DOWNLOAD}
    )

    @property
    def _dataset(self) -> str:
        return (self.definition.source.name if self.definition.source is not None else None) or self.definition.name

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All volumes."""
        pool = self._dataset.partition("/")[0]
        sizes = parse_properties(await tools.run("zpool", "get", "-Hp", "health,size,free,allocated", pool))
        listed = parse_volumes(
            await tools.run(
                "zfs", "list", "-Hp", "-t", "volume", "-r", "-o", "name,volsize,refreservation", self._dataset
            )
        )
        paths = {volume.name: f"{self.definition.path}/{volume.name}" for volume in listed}
        facts = await devices.look(list(paths.values()))
        found = {}
        for volume in listed:
            path = paths[volume.name]
            plain = VolumeFacts(volume.name, "block", path, volume.dataset, "", volume.size, volume.reserved)
            seen = facts.get(path)
            found[volume.name] = (
                plain if seen is None
                else replace(plain, physical=seen.size, mode=seen.mode, uid=seen.uid, gid=seen.gid, times=seen.times)
            )  # fmt: skip
        return Survey(sizes.get("size", 0), sizes.get("free", 0), sizes.get("allocated", 0), found)

    async def make(self, order: Order) -> None:
        """Make a volume, sparse where less is allocated than it is large."""
        refuse_encryption(order)
        capacity, allocation = capacity_of(order), allocation_of(order)
        arguments = ["-o", "volmode=dev"]
        if capacity != allocation:
            arguments.append("-s")
            if allocation:
                arguments += ["-o", f"refreservation={-(-allocation // 1024)}K"]
        await tools.run(
            "zfs", "create", *arguments, "-V", f"{-(-capacity // 1024)}K", f"{self._dataset}/{order.wanted.name}",
            deadline=tools.BUILD,
        )  # fmt: skip
        await tools.settle()

    async def discard(self, name: str) -> None:
        """Remove what was half made."""
        await tools.attempt("zfs", "destroy", f"{self._dataset}/{name}", deadline=tools.BUILD)

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Remove a volume."""
        await tools.run(
            "zfs", "destroy", *(["-r"] if snapshots else []), f"{self._dataset}/{volume.name}", deadline=tools.BUILD
        )


class ZfsPool(PoolBackend):
    """A pool of ZFS, or a file system in one."""

    needs: ClassVar[tuple[str, ...]] = ("zfs", "zpool")
    deletes: ClassVar[bool] = True
    builds: ClassVar[bool] = True

    @property
    def dataset(self) -> str:
        """Its name."""
        return self.source.name or self.definition.name

    def volumes(self) -> VolumeBackend:
        """The volumes."""
        return ZfsVolumes(self.definition)

    async def check(self) -> bool:
        """Whether it is there."""
        return (await tools.attempt("zfs", "list", "-H", "-t", "filesystem", "-o", "name", self.dataset)).ok

    async def build(self, flags: int) -> None:
        """Make it: a file system where its name has a slash, else a pool of the devices."""
        if flags:
            raise InvalidArgumentError(
                f"unsupported flags (0x{flags:x}) in function virStorageBackendZFSBuildPool",
                domain=Origin.STORAGE, bare=True,
            )  # fmt: skip
        if "/" in self.dataset:
            await tools.run("zfs", "create", "-o", "mountpoint=none", self.dataset, deadline=tools.BUILD)
            return
        if not self.source.devices:
            raise UnsupportedConfigError("missing source devices", domain=Origin.STORAGE)
        devices_ = [device.path for device in self.source.devices]
        await tools.run("zpool", "create", self.dataset, *devices_, deadline=tools.BUILD)

    async def delete(self) -> None:
        """Remove it with all that is in it."""
        if "/" in self.dataset:
            await tools.run("zfs", "destroy", "-r", self.dataset, deadline=tools.BUILD)
        else:
            await tools.run("zpool", "destroy", self.dataset, deadline=tools.BUILD)
