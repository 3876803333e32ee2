"""Directories of a Gluster volume: an image is a volume that QEMU opens over the network.

The daemon looks at the images through a mount of its own (glusterfs(8)); guests have nothing to do with that.

Source: https://libvirt.org/storage.html, "Gluster pool".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from guesthouse.drivers.storage.backend import Ability, Survey, VolumeBackend, VolumeFacts
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import Host, PoolBackend, one_host
from guesthouse.drivers.storage.backends.mounts import is_mounted
from guesthouse.drivers.storage.volumes.files import FileVolumes
from guesthouse.errors import XmlError
from guesthouse.model.pool import Pool

_KINDS = {"file": "network", "dir": "netdir"}


class GlusterVolumes(FileVolumes):
    """The images in a directory of a Gluster volume, named by where they are on the network."""

    abilities: ClassVar[frozenset[Ability]] = frozenset({Ability.DELETE})

    def __init__(self, definition: Pool, directory: str, url: str) -> None:
        super().__init__(definition)
        self._directory = directory
        self._url = url

    @property
    def directory(self) -> str:
        """Where the daemon sees them."""
        return self._directory

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All that is in the directory; it is read anew each time."""
        return self._renamed(await super().survey({}))

    async def look(self, name: str) -> Survey:
        """One image as it is now."""
        return self._renamed(await super().look(name))

    def _renamed(self, survey: Survey) -> Survey:
        volumes = {
            name: replace(
                volume, kind=_KINDS.get(volume.kind, volume.kind), path=f"{self._url}{name}", key=f"{self._url}{name}"
            )
            for name, volume in survey.volumes.items()
        }
        return replace(survey, volumes=volumes)


class GlusterPool(PoolBackend):
    """A directory of a Gluster volume."""

    needs: ClassVar[tuple[str, ...]] = ("mount", "mount.glusterfs", "umount")

    def __init__(self, definition: Pool, host: Host) -> None:
        super().__init__(definition, host)
        self._mount = os.path.join(host.runtime, "gluster", definition.name)

    def volumes(self) -> VolumeBackend:
        """The images."""
        host = one_host(self.source)
        place = f"[{host.name}]" if ":" in host.name else host.name
        port = f":{host.port}" if host.port else ""
        inner = (self.source.dir or "/").strip("/")
        directory = os.path.join(self._mount, inner) if inner else self._mount
        tail = f"{inner}/" if inner else ""
        return GlusterVolumes(self.definition, directory, f"gluster://{place}{port}/{self.source.name}/{tail}")

    def _mounted(self) -> str:
        return f"{one_host(self.source).name}:/{self.source.name}"

    async def check(self) -> bool:
        """Whether the daemon has it mounted."""
        return await is_mounted(self._mounted(), self._mount)

    async def start(self) -> None:
        """Mount it for the daemon."""
        if "/" in (self.source.name or ""):
            raise XmlError(f"gluster pool name '{self.source.name}' must not contain /")
        if await self.check():
            return
        await tools.run("mkdir", "-p", "--mode=700", "--", self._mount)
        await tools.run(
            "mount", "-o", "nodev,nosuid,noexec,direct-io-mode=1", "-t", "glusterfs", "--",
            self._mounted(), self._mount, deadline=tools.ATTACH,
        )  # fmt: skip

    async def stop(self) -> str:
        """Unmount it: guests do not need the mount."""
        if await self.check():
            await tools.run("umount", "--", self._mount)
        return ""
