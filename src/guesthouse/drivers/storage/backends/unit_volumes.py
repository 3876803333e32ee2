"""The logical units of a SCSI adapter as volumes. They are made and removed by whoever runs the storage, not by us."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from guesthouse.drivers.storage.backend import Survey, VolumeFacts
from guesthouse.drivers.storage.backends import devices
from guesthouse.drivers.storage.backends.block import BlockVolumes
from guesthouse.drivers.storage.backends.units import list_units, need_stable, serial, stable_path
from guesthouse.model.pool import Pool


class UnitVolumes(BlockVolumes):
    """The units behind the adapter whose number `find` tells, after having it looked for new ones."""

    def __init__(self, definition: Pool, find: Callable[[], Awaitable[int]]) -> None:
        super().__init__(definition)
        self._find = find

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All units that have a stable path."""
        directory = self.definition.path
        need_stable(directory)
        units = list_units(await self._find())
        paths = {unit.name: path for unit in units if (path := stable_path(directory, unit.node))}
        facts = await devices.look(list(paths.values()))
        found = {}
        for name, path in paths.items():
            if path in facts:
                before = known.get(name)
                key = before.key if before is not None and before.path == path else await serial(path)
                found[name] = facts[path].volume(name, path, key=key)
        total = sum(volume.capacity for volume in found.values())
        return Survey(capacity=total, available=0, allocation=total, volumes=found)
