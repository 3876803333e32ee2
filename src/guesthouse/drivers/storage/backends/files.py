"""Pools whose volumes are files: `dir`, and with a file system that is mounted for it `fs`, `netfs` and `vstorage`.

Source: https://libvirt.org/storage.html, "Directory pool" to "Network filesystem pool"; mount(8), nfs(5).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import VolumeBackend
from guesthouse.drivers.storage.backends import probing, tools
from guesthouse.drivers.storage.backends.base import OVERWRITE, PoolBackend, build_flags, one_device, one_host
from guesthouse.drivers.storage.backends.mounts import is_mounted
from guesthouse.drivers.storage.volumes.files import FileVolumes
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.host import child

log = logging.getLogger(__name__)

_PROGRAM: Final = Path(__file__).with_name("directory_program.py")
_DEFAULT_MODE: Final = 0o711
#: What every file system of a pool is mounted with: nothing on it is run or obeyed.
_OPTIONS: Final = ("nodev", "nosuid", "noexec")
#: What mkfs(8) needs to format a device that carries something.
_FORCE: Final = {"xfs": ("-f",), "ext2": ("-F",), "ext3": ("-F",), "ext4": ("-F",), "vfat": ("-I",)}
_BUSY: Final = "busy"
#: Seconds for unmounting what answers.
_UNMOUNT: Final = 15.0


class DirectoryPool(PoolBackend):
    """A directory of the host."""

    deletes: ClassVar[bool] = True
    builds: ClassVar[bool] = True

    def volumes(self) -> VolumeBackend:
        """The files in the directory."""
        return FileVolumes(self.definition)

    async def check(self) -> bool:
        """Whether the directory is there."""
        return await tools.exists(self.definition.path)

    async def build(self, flags: int) -> None:
        """Make the directory; with a flag also a file system on the device, where the pool has one."""
        build_flags(flags, "virStorageBackendFileSystemBuild")
        await self.make_directory()
        if flags:
            await self._format(flags)

    async def make_directory(self) -> None:
        """Make the directory and those above it, and give it the permissions that the definition asks for."""
        wanted = self.definition.target.permissions
        features = self.definition.features
        order = {
            "path": self.definition.path,
            "mode": None if wanted is None else wanted.mode,
            "default": _DEFAULT_MODE,
            "owner": -1 if wanted is None or wanted.owner is None else wanted.owner,
            "group": -1 if wanted is None or wanted.group is None else wanted.group,
            "cow": None if features is None else features.cow,
        }
        await _program("make", order)

    async def delete(self) -> None:
        """Remove the directory, which must be empty."""
        await _program("remove", {"path": self.definition.path})

    async def _format(self, flags: int) -> None:
        name = self.definition.name
        if not self.source.devices:
            raise OperationInvalidError(
                f"No source device specified when formatting pool '{name}'", domain=Origin.STORAGE
            )
        device, kind = self.source.devices[0].path, self.source.format or "auto"
        if not await tools.exists(device):
            raise OperationInvalidError(
                f"Source device does not exist when formatting pool '{name}'", domain=Origin.STORAGE
            )
        if not flags & OVERWRITE:
            await probing.need_empty(device, kind)
        await tools.run("mkfs", "-t", kind, *_FORCE.get(kind, ()), "--", device, deadline=tools.BUILD)


async def _program(action: str, order: Mapping[str, object]) -> None:
    """Run the program that changes a directory. Raises error 38 with its reason."""
    argv = [sys.executable, "-I", "-S", str(_PROGRAM), action]
    finished = await child.run(argv, deadline=tools.ASK, data=json.dumps(order).encode())
    if not finished.ok:
        raise LibvirtError(finished.error_text, code=Code.SYSTEM_ERROR, domain=Origin.STORAGE)


class MountedPool(DirectoryPool):
    """A file system that is mounted on a directory while the pool is active."""

    needs: ClassVar[tuple[str, ...]] = ("mount", "umount")

    def mount_source(self) -> str:
        """What is mounted: a device, or what a server offers. Raises `LibvirtError` where that is not said."""
        return one_device(self.source)

    def mount_arguments(self) -> list[str]:
        """The options for mount(8)."""
        return [*self.options(), "-t", self.source.format or "auto"]

    def options(self, *more: str) -> list[str]:
        """The option `-o` with those that all pools have, `more` and what the definition adds."""
        own = [option[0] for option in self.definition.options]
        if own:
            names = [option.partition("=")[0] for option in own]
            log.warning("storage pool '%s' is mounted with options of its own: %s", self.definition.name, names)
        return ["-o", ",".join([*_OPTIONS, *more, *own])]

    async def check(self) -> bool:
        """Whether it is mounted."""
        return await is_mounted(self.mount_source(), self.definition.path)

    async def start(self) -> None:
        """Mount it, if it is not."""
        if await self.check():
            return
        await tools.run(
            "mount", *self.mount_arguments(), "--", self.mount_source(), self.definition.path, deadline=tools.ATTACH
        )

    async def stop(self) -> str:
        """Unmount it. What somebody uses stays mounted; what hangs is only taken out of sight, until it answers."""
        if not await self.check():
            return ""
        try:
            finished = await tools.attempt("umount", "--", self.definition.path, deadline=_UNMOUNT)
        except child.ChildTimeoutError:
            await tools.run("umount", "--lazy", "--no-canonicalize", "--", self.definition.path)
            return f"'{self.definition.path}' does not answer, and is unmounted as soon as it does"
        if not finished.ok and _BUSY in finished.error_text:
            return f"'{self.definition.path}' stays mounted, because it is in use"
        tools.expect(finished, "umount", "--", self.definition.path)
        return ""


class NetworkPool(MountedPool):
    """A directory of a server, over NFS, CIFS or GlusterFS."""

    def mount_source(self) -> str:
        """`SERVER:PATH`, or `//SERVER/PATH` for CIFS."""
        host = one_host(self.source, "expected exactly 1 host for the storage pool").name
        path = self.source.dir or ""
        if self.source.format == "cifs":
            return f"//{host}/{path.lstrip('/')}"
        return f"[{host}]:{path}" if ":" in host else f"{host}:{path}"

    def mount_arguments(self) -> list[str]:
        """The options; a type only where it is not left to mount(8) to find it by the source."""
        kind = self.source.format or "auto"
        if kind == "glusterfs":
            return [*self.options("direct-io-mode=1"), "-t", kind]
        if kind == "cifs":
            return [*self.options("guest"), "-t", kind]
        version = [f"nfsvers={self.source.protocol_version}"] if self.source.protocol_version else []
        return [*self.options(*version), *([] if kind == "auto" else ["-t", kind])]

    async def start(self) -> None:
        """Mount it, if it is not. Raises `MissingToolError` where the host lacks the program for this kind."""
        kind = self.source.format or "auto"
        tools.locate(f"mount.{'nfs' if kind == 'auto' else kind}")
        await super().start()


class VstoragePool(MountedPool):
    """A cluster of Virtuozzo Storage, mounted with its own program."""

    needs: ClassVar[tuple[str, ...]] = ("vstorage-mount", "umount")

    def mount_source(self) -> str:
        """How the mounted cluster is listed."""
        return f"vstorage://{self.source.name}"

    async def start(self) -> None:
        """Mount it, if it is not."""
        if await self.check():
            return
        wanted = self.definition.target.permissions
        mode = _DEFAULT_MODE if wanted is None or wanted.mode is None else wanted.mode
        owner = os.geteuid() if wanted is None or wanted.owner is None else wanted.owner
        group = os.getegid() if wanted is None or wanted.group is None else wanted.group
        names = (_name("passwd", owner), _name("group", group))
        await tools.run(
            "vstorage-mount", "-c", self.source.name or "", self.definition.path,
            "-m", f"{mode:o}", "-g", names[1], "-u", names[0], deadline=tools.ATTACH,
        )  # fmt: skip

    async def build(self, flags: int) -> None:
        """Make the directory."""
        build_flags(flags, "virStorageBackendVzPoolBuild")
        await self.make_directory()


def _name(database: str, number: int) -> str:
    """The name of a user or group; the number where it has none."""
    import grp
    import pwd

    try:
        return pwd.getpwuid(number).pw_name if database == "passwd" else grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
