"""What block devices are, found out by a child process with a deadline. See `device_program`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.drivers.storage.backend import BackingFacts, Extent, VolumeFacts
from guesthouse.drivers.storage.backends.tools import ASK
from guesthouse.errors import InternalError, Origin
from guesthouse.host import child
from guesthouse.qemu.json_value import Json, as_int, as_list, as_object

_PROGRAM: Final = Path(__file__).with_name("device_program.py")
#: The most devices that one child is asked about: a command line is bounded.
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """One device: its size in bytes, its file's owner and bits, and when it was read, written and changed."""

    size: int
    mode: int
    uid: int
    gid: int
    times: tuple[int, int, int]

    def volume(
        self,
        name: str,
        path: str,
        *,
        key: str = "",
        format_: str = "",
        allocation: int | None = None,
        backing: BackingFacts | None = None,
        extents: tuple[Extent, ...] = (),
    ) -> VolumeFacts:
        """The device as a volume; its key is its path where nothing better is known."""
        return VolumeFacts(
            name=name, kind="block", path=path, key=key or path, format=format_,
            capacity=self.size, allocation=self.size if allocation is None else allocation, physical=self.size,
            mode=self.mode, uid=self.uid, gid=self.gid, times=self.times, backing=backing, extents=extents,
        )  # fmt: skip


async def look(paths: Sequence[str]) -> dict[str, DeviceFacts]:
    """Path to what is there, for those that can be opened. Raises `guesthouse.host.child.ChildError` (deadline)."""
    found: dict[str, DeviceFacts] = {}
    for begin in range(0, len(paths), _BATCH):
        part = paths[begin : begin + _BATCH]
        finished = await child.run([sys.executable, "-I", "-S", str(_PROGRAM), *part], deadline=ASK)
        if not finished.ok:
            raise InternalError(f"cannot look at devices: {finished.error_text}", domain=Origin.STORAGE)
        answer: Json = json.loads(finished.output)
        for path, item in zip(part, as_list(answer, "the devices"), strict=True):
            if item is not None:
                found[path] = _facts(item)
    return found


def _facts(item: Json) -> DeviceFacts:
    entry = as_object(item, "a device")
    read, written, changed = (as_int(time, "a time") for time in as_list(entry["times"], "the times"))
    return DeviceFacts(
        as_int(entry["size"], "size"), as_int(entry["mode"], "mode"), as_int(entry["uid"], "uid"),
        as_int(entry["gid"], "gid"), (read, written, changed),
    )  # fmt: skip
