"""Volumes that are block devices of the host: what the back ends for them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

from guesthouse.drivers.storage.backend import Ability, Order, Survey, VolumeFacts
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import no_support
from guesthouse.drivers.storage.volumes.local import LocalVolumes
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.qemu.image_options import VOLUME_KEY, create_size, encryption_options
from guesthouse.qemu.image_runs import run_image_tool

_DEFAULT_MODE = 0o600

#: What the header of an encrypted volume may take besides its capacity, in bytes.
LUKS_HEADER = 2 * 1024 * 1024


class BlockVolumes(LocalVolumes, ABC):
    """Devices in the pool's target directory. What is made, removed or resized is refused unless a type can do it."""

    @abstractmethod
    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All volumes, and the sizes of the pool."""

    def path(self, name: str) -> str:
        """Where the device of a volume is."""
        return f"{self.definition.path}/{name}"

    async def look(self, name: str) -> Survey:
        """One volume as it is now, and the sizes of the pool."""
        found = await self.survey({})
        return replace(found, volumes={name: found.volumes[name]} if name in found.volumes else {})

    async def make(self, order: Order) -> None:
        """Make a volume."""
        raise no_support(Ability.CREATE.value)

    async def discard(self, name: str) -> None:
        """Remove what was half made under this name."""

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Remove a volume."""
        raise no_support(Ability.DELETE.value)

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Change the size of a volume."""
        raise no_support(Ability.RESIZE.value)

    async def encrypt(self, order: Order, path: str) -> None:
        """Write the header of an encrypted volume on a new device."""
        if order.secret is None:
            raise LibvirtError("no secret provided for luks encryption", code=Code.XML_ERROR, domain=Origin.STORAGE)
        if order.source is not None:
            raise UnsupportedConfigError(
                "a volume cannot be copied into an encrypted one of this pool", domain=Origin.STORAGE
            )
        target = order.wanted.target
        options = [f"key-secret={VOLUME_KEY}"]
        if target is not None and target.encryption is not None:
            options = encryption_options(target.encryption, "luks")
        size = create_size(capacity_of(order))
        await run_image_tool(
            "create", "-f", "luks", "-o", ",".join(options), path, size, secrets={VOLUME_KEY: order.secret}
        )

    async def give_away(self, order: Order, path: str) -> None:
        """Give a new device the owner and the permission bits that its document asks for."""
        wanted = order.wanted.target.permissions if order.wanted.target is not None else None
        if wanted is not None and (owner := wanted.chown_argument):
            await tools.run("chown", owner, "--", path)
        mode = _DEFAULT_MODE if wanted is None or wanted.mode is None else wanted.mode
        await tools.run("chmod", f"{mode:o}", "--", path)


def refuse_encryption(order: Order) -> None:
    """Refuse to make an encrypted volume on a type that cannot."""
    target = order.wanted.target
    if target is not None and target.encryption is not None:
        raise UnsupportedConfigError("storage pool does not support encrypted volumes", domain=Origin.STORAGE)


def capacity_of(order: Order) -> int:
    """The size of the volume that is to be made, in bytes."""
    return order.wanted.capacity.bytes_ if order.wanted.capacity is not None else 0


def allocation_of(order: Order) -> int:
    """How much of it is to be taken at once, in bytes."""
    return order.wanted.allocation.bytes_ if order.wanted.allocation is not None else capacity_of(order)
