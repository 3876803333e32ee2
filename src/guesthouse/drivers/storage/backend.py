"""The seam between volumes and the kinds of pools: what a back end does for the volumes of one pool.

A back end is one object for one pool's definition (`backends.volume_backend`). It knows nothing of the registry, of
names that are being made, of guests or of clients: the modules in `volumes` see to that before they call it. Every
method that touches storage runs it in child processes with a deadline, and raises `LibvirtError`.

- `volumes.files.FileVolumes` is the one for directories: `dir`, `fs`, `netfs`, `vstorage`.
- `volumes.local.LocalVolumes` is a base for all whose volumes have a path on this host (`logical`, `disk`, `iscsi`,
  `scsi`, `mpath`, `zfs`): looking, wiping, copying into and streams come from there; `survey` and what the back end
  makes and removes do not.

Source: https://libvirt.org/storage.html and https://libvirt.org/formatstorage.html.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from guesthouse.model.volume import Volume
from guesthouse.qemu.volume_agent import Agent


class Ability(enum.Enum):
    """What a back end can do with volumes; the value is what libvirt says of one that cannot (error 3)."""

    CREATE = "storage pool does not support volume creation"
    COPY = "storage pool does not support volume creation from an existing volume"
    DELETE = "storage pool does not support vol deletion"
    RESIZE = "storage pool does not support changing of volume capacity"
    WIPE = "storage pool doesn't support volume wiping"
    UPLOAD = "storage pool doesn't support volume upload"
    DOWNLOAD = "storage pool doesn't support volume download"


@dataclass(frozen=True, slots=True)
class Extent:
    """A part of one of the pool's devices, in bytes, that belongs to a volume."""

    device: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class BackingFacts:
    """The image that a volume lies on: its whole path, its format, and what is known of the file if it can be read."""

    path: str
    format: str
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    label: str = ""
    times: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """What a volume is. Sizes in bytes, `times` (read, written, changed) in nanoseconds.

    `kind` is `file`, `block`, `dir`, `network` or `netdir`. `path` is what a guest opens (`POOL/NAME` for what is on a
    server), `key` what identifies it for good. `format` is empty where volumes of the pool have none. `capacity` is
    what a guest sees, `allocation` what it takes, `physical` how long the file or device is (None where nobody can
    tell). `backing` is the image that it lies on, `encryption` is `luks` or empty.
    `identity` tells whether the file is still the same one: device, inode and the like, void where there is none.
    """

    name: str
    kind: str
    path: str
    key: str
    format: str
    capacity: int
    allocation: int
    physical: int | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    label: str = ""
    times: tuple[int, int, int] | None = None
    compat: str = ""
    cluster: int = 0
    features: frozenset[str] = frozenset()
    encryption: str = ""
    backing: BackingFacts | None = None
    extents: tuple[Extent, ...] = ()
    identity: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a pool: its sizes in bytes, its directory's owner, bits and label, its volumes by name.

    After `look` at one volume, `volumes` holds that one, or nothing where it is gone.
    """

    capacity: int
    available: int
    allocation: int
    volumes: dict[str, VolumeFacts] = field(default_factory=dict)
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    label: str = ""


@dataclass(slots=True, eq=False)
class Work:
    """Something long that is done to a volume: what it is called, and how far it is, in bytes (`total` 0: unknown).

    A back end reports; clients look. `abort` is set to what ends it while it can be ended.
    """

    operation: str
    done: int = 0
    total: int = 0
    started: float = field(default_factory=time.monotonic)
    abort: Callable[[], None] | None = None
    #: Nobody else may be at the volume meanwhile.
    exclusive: bool = False

    def report(self, done: int, total: int) -> None:
        """Note how far it is."""
        self.done, self.total = done, total


@dataclass(frozen=True, slots=True)
class CopySource:
    """The volume that is copied: what it is, what `qemu-img` opens for it, and the passphrase of its encryption."""

    volume: VolumeFacts
    image: str
    secret: bytes | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A volume that is to be made.

    `wanted` is checked and complete: it has a target, a capacity and an allocation, and a format where the pool's
    volumes have one. `secret` is the passphrase of its encryption. `metadata` and `reflink` are the flags of the call
    (`VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA`, `_REFLINK`). With a `source` its content is copied.
    """

    wanted: Volume
    work: Work
    secret: bytes | None = None
    source: CopySource | None = None
    metadata: bool = False
    reflink: bool = False


class VolumeBackend(Protocol):
    """What a kind of pool does for its volumes. `agent` is the process that touches its storage, for streams."""

    agent: Agent

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do. The other methods are called for these only."""

    @property
    def needs_capacity(self) -> bool:
        """Whether a volume must have a size even if it lies on another (true of all that `qemu-img` does not make)."""

    @property
    def makes_hidden(self) -> bool:
        """Whether a volume has a hidden name until it is whole, so that nothing of it is left when the daemon dies."""

    def close(self) -> None:
        """Let the helper processes go; who asks next starts others."""

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """Find out all that is in the pool. What is `known` and has not changed need not be read again."""

    async def look(self, name: str) -> Survey:
        """Find out what one volume is now, and the sizes of the pool."""

    def path(self, name: str) -> str:
        """Where a volume of this name is, or would be."""

    def image(self, volume: VolumeFacts) -> str:
        """What `qemu-img` and QEMU open for a volume: a path, or `rbd:`… where it is on a server."""

    async def make(self, order: Order) -> Survey | None:
        """Make a volume, with the content of another if the order names one. Whole, or not at all.

        Returns what `look` at it would, where that is known already.

        When the daemon dies meanwhile, what was half made must be gone after the next `survey`; what cannot be made
        under a hidden name is removed by its name, because `volumes.journal` calls `discard` then.
        """

    async def discard(self, name: str) -> None:
        """Remove what was half made under this name when a daemon died. Nothing may be there."""

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> Survey | None:
        """Remove a volume, with its snapshots if that is asked for and the storage knows such.

        Returns what `look` at it would, where that is known already.
        """

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Change what a guest sees of it, in bytes. `secret` opens an encrypted one."""

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """Destroy the content. `algorithm` is one of `volumes.wiping.ALGORITHMS`, and refused where it cannot be."""

    def staging(self, volume: VolumeFacts) -> tuple[str, str] | None:
        """The directory and a hidden name where new content of a volume can be written before it takes its place.

        None where it must be written in place.
        """

    def stream_path(self, volume: VolumeFacts) -> str:
        """What is opened to read or write the bytes of a volume as it lies there."""
