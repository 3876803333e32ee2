"""How large the images of guests are that are off: read from their headers, and again only when a file has changed.

Storage can hang. So files are looked at in a thread of their own, at most one round at a time, headers in a child
process; nobody waits longer than a query may take, and what is not known yet is not told.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, TypeAlias

from guesthouse.errors import LibvirtError
from guesthouse.qemu.json_value import as_int, objects, text_of
from guesthouse.qemu.volume_agent import SURVEY_DEADLINE, Agent

#: How many images are remembered; those that were asked for longest ago are forgotten.
_MOST: Final = 20_000
_SIZES: Final = ("allocation", "capacity", "physical")


#: Of a file: its inode, size, blocks and time of change.
Mark: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """In bytes: what is in use, what a guest sees, how long the file is. `mark` changes when the file does."""

    allocation: int
    capacity: int
    physical: int
    mark: Mark


#: The sizes of an image by its path; None where they are not known.
SizeOf: TypeAlias = Callable[[str], Sizes | None]


def nothing_known(_path: str) -> Sizes | None:
    """What is told where nobody has looked."""
    return None


class ImageSizes:
    """What was found out about images, by path."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Sizes] = OrderedDict()
        self._round: asyncio.Task[bool] | None = None
        self._agent = Agent()

    def of(self, path: str) -> Sizes | None:
        """What was found out about an image."""
        return self._known.get(path)

    async def refresh(self, paths: Iterable[str], patience: float) -> bool:
        """Look at these images, as far as that takes no longer than `patience` seconds. True where anything is new."""
        wanted = [path for path in dict.fromkeys(paths) if path.startswith("/")]
        if not wanted:
            return False
        if self._round is None or self._round.done():
            self._round = asyncio.get_running_loop().create_task(self._look(wanted))
        done, _ = await asyncio.wait([self._round], timeout=patience)
        return any(task.result() for task in done if not task.cancelled() and task.exception() is None)

    async def _look(self, paths: list[str]) -> bool:
        marks = await asyncio.to_thread(_marks, paths)
        folders: dict[str, list[str]] = {}
        changed = False
        for path, mark in marks.items():
            before = self._known.get(path)
            if mark is None:
                changed |= self._known.pop(path, None) is not None
            elif before is None or before.mark != mark:
                folders.setdefault(str(PurePath(path).parent), []).append(PurePath(path).name)
            else:
                self._known.move_to_end(path)
        for folder, names in folders.items():
            changed |= await self._read(folder, names, marks)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return changed

    async def _read(self, folder: str, names: list[str], marks: dict[str, Mark | None]) -> bool:
        try:
            answer = await self._agent.ask(
                "look_several", {"path": folder, "names": [*names]}, deadline=SURVEY_DEADLINE
            )
            entries = objects(answer["entries"], "the images")
        except LibvirtError:
            return False
        for entry in entries:
            path = f"{folder.rstrip('/')}/{text_of(entry, 'name')}"
            mark = marks.get(path)
            if mark is not None:
                allocation, capacity, physical = (as_int(entry[key], key) for key in _SIZES)
                self._known[path] = Sizes(allocation, capacity, physical, mark)
        return bool(entries)


def _marks(paths: list[str]) -> dict[str, Mark | None]:
    """What changes when the images do; None for those that are not there."""
    return {path: _mark(path) for path in paths}


def _mark(path: str) -> Mark | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_blocks, status.st_mtime_ns
