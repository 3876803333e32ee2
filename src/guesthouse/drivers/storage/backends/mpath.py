"""The multipath devices of the host: each is a volume.

Source: https://libvirt.org/storage.html, "Multipath pool"; dmsetup(8), `ls --target multipath`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import Survey, VolumeBackend, VolumeFacts
from guesthouse.drivers.storage.backends import devices, tools
from guesthouse.drivers.storage.backends.base import PoolBackend
from guesthouse.drivers.storage.backends.block import BlockVolumes

_MAPPER: Final = Path("/dev/mapper")
_MAP: Final = re.compile(r"(\S+)\s+\((\d+)[:,]\s*(\d+)\)")


def parse_maps(output: str) -> dict[str, str]:
    """Name of a volume (`dm-3`) to its path, from `dmsetup ls --target multipath`."""
    found = {}
    for line in output.splitlines():
        if match := _MAP.fullmatch(line.strip()):
            found[f"dm-{match[3]}"] = f"/dev/mapper/{match[1]}"
    return found


class MultipathVolumes(BlockVolumes):
    """The devices."""

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All multipath devices."""
        await tools.settle()
        maps = parse_maps(await tools.run("dmsetup", "ls", "--target", "multipath"))
        facts = await devices.look(list(maps.values()))
        found = {name: facts[path].volume(name, path) for name, path in maps.items() if path in facts}
        total = sum(volume.capacity for volume in found.values())
        return Survey(capacity=total, available=0, allocation=total, volumes=found)


class MultipathPool(PoolBackend):
    """All multipath devices of the host: there is one such pool at most."""

    needs: ClassVar[tuple[str, ...]] = ("dmsetup",)

    def volumes(self) -> VolumeBackend:
        """The devices."""
        return MultipathVolumes(self.definition)

    async def check(self) -> bool:
        """Whether the host has a device mapper."""
        return _MAPPER.exists()
