"""Pools of a Ceph cluster: an RBD image is a volume. The programs rbd(8) and ceph(8) are asked, in JSON.

The key of a user reaches them as a file in memory, never on a command line.

Source: https://libvirt.org/storage.html, "RBD pool"; https://docs.ceph.com/en/latest/man/8/rbd/.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from guesthouse.drivers.storage.backend import Ability, Order, Survey, VolumeBackend, VolumeFacts, Work
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import Host, PoolBackend, no_support
from guesthouse.drivers.storage.backends.block import capacity_of, refuse_encryption
from guesthouse.drivers.storage.volumes.local import LocalVolumes
from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.pool import Pool


class CephError(LibvirtError):
    """A program of Ceph printed something else than it documents."""

    code = Code.INTERNAL_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class Image:
    """An RBD image: its name and its size in bytes."""

    name: str
    size: int


def parse_images(output: str) -> list[Image]:
    """What `rbd ls -l --format json` printed; snapshots, which have an image's name too, are left out."""
    try:
        rows = json.loads(output)
        return [Image(str(row["image"]), int(row["size"])) for row in rows if "snapshot" not in row]
    except (ValueError, LookupError, TypeError) as error:
        raise CephError("rbd printed no list of images") from error


def parse_usage(output: str) -> dict[str, int]:
    """Image to what it takes in bytes, from `rbd du --format json`: of an image with snapshots, all together."""
    try:
        taken: dict[str, int] = {}
        for row in json.loads(output)["images"]:
            taken[str(row["name"])] = taken.get(str(row["name"]), 0) + int(row["used_size"])
    except (ValueError, LookupError, TypeError) as error:
        raise CephError("rbd printed no usage of images") from error
    return taken


def parse_sizes(output: str, pool: str) -> tuple[int, int, int]:
    """The cluster's size, what is free in it, and what the pool takes, in bytes, from `ceph df --format json`."""
    try:
        found = json.loads(output)
        total, free = int(found["stats"]["total_bytes"]), int(found["stats"]["total_avail_bytes"])
        stats = next(entry["stats"] for entry in found["pools"] if entry["name"] == pool)
        return total, free, int(stats.get("stored", stats["bytes_used"]))
    except StopIteration:
        raise LibvirtError(
            f"failed to create the RBD IoCTX. Does the pool '{pool}' exist?: No such file or directory",
            code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
        ) from None  # fmt: skip
    except (ValueError, LookupError, TypeError) as error:
        raise CephError("ceph printed no sizes") from error


class Cluster:
    """A cluster as the programs are told of it."""

    def __init__(self, definition: Pool, host: Host) -> None:
        self._definition = definition
        self._host = host

    @property
    def pool(self) -> str:
        """The name of the pool."""
        source = self._definition.source
        return (source.name if source is not None else None) or self._definition.name

    async def run(self, program: str, *words: str, deadline: float = tools.ASK) -> str:
        """Run a program about this cluster. Raises `LibvirtError`."""
        connecting, key = self._connecting(), self._key()
        if key is None:
            return await tools.run(program, *connecting, *words, deadline=deadline)
        descriptor = os.memfd_create("ceph-key")
        try:
            os.write(descriptor, key)
            secret = ("--keyfile", f"/proc/self/fd/{descriptor}")
            finished = await tools.attempt(
                program, *connecting, *secret, *words, deadline=deadline, pass_fds=(descriptor,)
            )
        finally:
            os.close(descriptor)
        return tools.expect(finished, program, *words)

    def _connecting(self) -> list[str]:
        source = self._definition.source
        hosts = source.hosts if source is not None else []
        names = [(f"[{host.name}]" if ":" in host.name else host.name, host.port) for host in hosts]
        words = ["-m", ",".join(f"{name}:{port}" if port else name for name, port in names)] if names else []
        if source is not None and source.auth is not None:
            words += ["--id", source.auth.username]
        return words + [f"--{name}={value}" for name, value in self._definition.options]

    def _key(self) -> bytes | None:
        """The user's key, in the base64 that Ceph keeps it in."""
        import base64

        auth = self._definition.source.auth if self._definition.source is not None else None
        if auth is None:
            return None
        if auth.type != "ceph":
            raise LibvirtError("rbd pool only supports 'ceph' auth type", code=Code.XML_ERROR, domain=Origin.STORAGE)
        if self._host.secret is None:
            raise InternalError("there is no secret for the pool's authentication", domain=Origin.STORAGE)
        return base64.b64encode(self._host.secret("ceph", auth.secret))


class RbdVolumes(LocalVolumes):
    """The images of a pool."""

    abilities: ClassVar[frozenset[Ability]] = frozenset({Ability.CREATE, Ability.DELETE, Ability.RESIZE, Ability.COPY})

    def __init__(self, definition: Pool, cluster: Cluster) -> None:
        super().__init__(definition)
        self._cluster = cluster

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All images."""
        pool = self._cluster.pool
        total, free, taken = parse_sizes(await self._cluster.run("ceph", "df", "--format", "json"), pool)
        images = parse_images(await self._cluster.run("rbd", "-p", pool, "ls", "-l", "--format", "json"))
        refresh = self.definition.refresh
        usage = {}
        if images and refresh is not None and refresh.allocation == "default":
            usage = parse_usage(await self._cluster.run("rbd", "-p", pool, "du", "--format", "json"))
        found = {image.name: self._facts(image, usage.get(image.name, image.size)) for image in images}
        return Survey(total, free, taken, found)

    def _facts(self, image: Image, taken: int) -> VolumeFacts:
        path = self.path(image.name)
        return VolumeFacts(image.name, "network", path, path, "raw", image.size, taken)

    async def look(self, name: str) -> Survey:
        """One image, and the sizes of the cluster."""
        found = await self.survey({})
        return Survey(
            found.capacity, found.available, found.allocation,
            {name: found.volumes[name]} if name in found.volumes else {},
        )  # fmt: skip

    def path(self, name: str) -> str:
        """`POOL/IMAGE`."""
        return f"{self._cluster.pool}/{name}"

    def image(self, volume: VolumeFacts) -> str:
        """What QEMU opens, by the host's own configuration of Ceph."""
        return f"rbd:{volume.path}"

    async def make(self, order: Order) -> None:
        """Make an image, or clone one of the same pool."""
        refuse_encryption(order)
        target = order.wanted.target
        if target is not None and target.format is not None and target.format.type != "raw":
            raise no_support("only RAW volumes are supported by this storage pool")
        place = self.path(order.wanted.name)
        if order.source is None:
            size = f"{-(-capacity_of(order) // 1024)}K"
            await self._cluster.run("rbd", "create", "--size", size, place, deadline=tools.BUILD)
            return
        if order.source.volume.kind != "network":
            raise UnsupportedConfigError(
                "a volume of files or devices cannot be copied into this pool", domain=Origin.STORAGE,
                hint="import it with rbd(8)",
            )  # fmt: skip
        await self._cluster.run("rbd", "cp", order.source.volume.path, place, deadline=tools.BUILD)
        if capacity_of(order) > order.source.volume.capacity:
            await self._resize(place, capacity_of(order))

    async def discard(self, name: str) -> None:
        """Remove what was half made."""
        await self._cluster.run("rbd", "rm", self.path(name), deadline=tools.BUILD)

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Remove an image, with its snapshots where that is asked for."""
        if snapshots:
            await self._cluster.run("rbd", "snap", "purge", volume.path, deadline=tools.BUILD)
        await self._cluster.run("rbd", "rm", volume.path, deadline=tools.BUILD)

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Change the size of an image."""
        await self._resize(volume.path, capacity, shrink=shrink)

    async def _resize(self, place: str, capacity: int, *, shrink: bool = False) -> None:
        words = ["--allow-shrink"] if shrink else []
        await self._cluster.run(
            "rbd", "resize", *words, "--size", f"{-(-capacity // 1024)}K", place, deadline=tools.BUILD
        )

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """Images are not wiped: their objects are spread over the cluster."""
        raise no_support(Ability.WIPE.value)


class RbdPool(PoolBackend):
    """A pool of a Ceph cluster."""

    needs: ClassVar[tuple[str, ...]] = ("rbd", "ceph")
    durable: ClassVar[bool] = False

    def volumes(self) -> VolumeBackend:
        """The images."""
        return RbdVolumes(self.definition, Cluster(self.definition, self.host))
