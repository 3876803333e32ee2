"""Which file systems are mounted where.

Source: proc(5), `/proc/PID/mountinfo`.
"""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.errors import OperationTimeoutError, Origin

_TABLE: Final = Path("/proc/self/mountinfo")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_DEADLINE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Mount:
    """One mounted file system: what is mounted, where, and its type."""

    source: str
    target: str
    type: str


def parse_mounts(text: str) -> list[Mount]:
    """The mounts that a mountinfo file lists, in its order."""
    found = []
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        if dash and len(before) > 4 and len(after) > 1:
            found.append(Mount(_unescape(after[1]), _unescape(before[4]), after[0]))
    return found


def _unescape(word: str) -> str:
    raw = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), word)
    return raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape") if "\\" in word else raw


def read_mounts() -> list[Mount]:
    """All mounts of this process's namespace. Answered from memory."""
    return parse_mounts(_TABLE.read_text(encoding="utf-8", errors="surrogateescape"))


async def is_mounted(source: str, target: str) -> bool:
    """Whether `source` is mounted at `target`. Neither is looked into: the server may hang."""
    try:
        places = await asyncio.wait_for(asyncio.to_thread(_spellings, target), _DEADLINE)
    except TimeoutError:
        raise OperationTimeoutError(f"cannot look at '{target}': its storage hangs", domain=Origin.STORAGE) from None
    sources = _source_spellings(source)
    return any(mount.target in places and sources & {mount.source, mount.source.rstrip("/")} for mount in read_mounts())


def _spellings(target: str) -> set[str]:
    """The path, and the same with the links before its last part followed: the last may be the root of what hangs."""
    clean = os.path.normpath(target)
    parent, name = os.path.split(clean)
    return {clean, os.path.join(os.path.realpath(parent), name)}


def _source_spellings(source: str) -> set[str]:
    """What the table may call the source: for a device that a link names, the device; of a server, from its root."""
    found = {source, source.rstrip("/")}
    server, colon, path = source.rpartition(":")
    if colon:
        found.add(f"{server}:/{path.strip('/')}")
    return found | {os.path.realpath(source)} if source.startswith("/dev/") else found
