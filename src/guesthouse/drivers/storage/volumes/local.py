"""Volumes that have a path on this host: wiping them, copying into them, and their bytes.

A base for back ends. One that derives from it says by `survey`, `look`, `path`, `make`, `delete` and `resize` what is
its own.
"""

from __future__ import annotations

from guesthouse.drivers.storage.backend import Ability, CopySource, Order, VolumeFacts, Work
from guesthouse.drivers.storage.volumes.wiping import scrub_pattern
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.pool import Pool
from guesthouse.qemu.image_options import SOURCE_KEY, driver, image_options
from guesthouse.qemu.image_runs import run_image_tool
from guesthouse.qemu.json_value import JsonObject
from guesthouse.qemu.volume_agent import Agent, StorageError

#: Seconds that `scrub` may take: up to 35 passes over a big disk.
_SCRUB_DEADLINE = 48 * 3600.0


class LocalVolumes:
    """What all back ends with paths have in common. `agent` does what touches the storage."""

    def __init__(self, definition: Pool) -> None:
        self.definition = definition
        self.agent = Agent()

    @property
    def abilities(self) -> frozenset[Ability]:
        """Whoever has a path can be read and written."""
        return frozenset((Ability.WIPE, Ability.UPLOAD, Ability.DOWNLOAD))

    @property
    def makes_hidden(self) -> bool:
        """What is made stands under its own name at once, unless a back end says otherwise."""
        return False

    @property
    def needs_capacity(self) -> bool:
        """A device always has a size."""
        return True

    def close(self) -> None:
        """Let the helper processes go."""
        self.agent.close()

    def image(self, volume: VolumeFacts) -> str:
        """What `qemu-img` opens."""
        return volume.path

    def stream_path(self, volume: VolumeFacts) -> str:
        """What is opened for the bytes of a volume."""
        return volume.path

    def staging(self, volume: VolumeFacts) -> tuple[str, str] | None:
        """The directory and the hidden name where new content can be written as a whole before it takes its place.

        None where it must be written in place.
        """
        return None

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """Destroy the content. Raises error 1 where `scrub` is needed and missing, or failed."""
        try:
            if algorithm in ("zero", "trim"):
                await self.agent.run(f"wipe_{algorithm}", {"place": volume.path}, report=work.report)
                return
        except StorageError as error:
            raise LibvirtError(
                f"Failed to wipe storage volume with path '{volume.path}': {error.reason}",
                code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
            ) from error  # fmt: skip
        work.report(0, volume.physical or volume.allocation)
        await run_image_tool(
            "-f", "-p", scrub_pattern(algorithm), volume.path, program="scrub", silence=_SCRUB_DEADLINE
        )

    async def copy_into(self, order: Order, place: str) -> None:
        """Copy the source of an order over a device that is there already."""
        source, capacity = order.source, order.wanted.capacity
        if source is None or capacity is None:
            return
        if order.metadata:
            raise LibvirtError(
                "metadata preallocation is not supported for block volumes",
                code=Code.CONFIG_UNSUPPORTED, domain=Origin.STORAGE,
            )  # fmt: skip
        if plain(source):
            fields: JsonObject = {"source": source.image, "place": place, "capacity": capacity.bytes_}
            await self.agent.run("copy_into", fields, report=order.work.report)
            return
        kind, secrets = driver(source.volume.format, source.volume.encryption), {}
        if source.secret is not None:
            secrets[SOURCE_KEY] = source.secret
        reading = image_options(source.image, kind, SOURCE_KEY if secrets else "")
        await run_image_tool(
            "convert", "-p", "-n", "-t", "writeback", "--image-opts", "--target-image-opts", reading,
            image_options(place, "host_device"),
            secrets=secrets, report=order.work.report, total=source.volume.capacity,
        )  # fmt: skip


def plain(source: CopySource) -> bool:
    """Whether the bytes of a volume are what a guest sees."""
    return source.image.startswith("/") and not source.volume.encryption and driver(source.volume.format) == "raw"
