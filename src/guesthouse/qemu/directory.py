"""What a directory of images holds, found out by a child process with a deadline.

See `image_survey`, the program that looks.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.child import run
from guesthouse.qemu.json_value import Json, JsonObject, as_int, as_list, as_object, objects, text_of

_PROGRAM = Path(__file__).with_name("image_survey.py")

#: How long looking may take, in seconds: a directory with thousands of images on a slow disk.
DEADLINE = 30.0
_OUTPUT_LIMIT = 64 * 1024 * 1024


class DirectoryError(LibvirtError):
    """A directory cannot be read. The host's or the client's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class Entry:
    """An image (or a directory) in the directory. Sizes in bytes, `times` (read, written, changed) in nanoseconds.

    `kind` is `file`, `block` or `dir`; `capacity` is what a guest sees; `backing` is the backing image's path as the
    header has it, or empty.
    """

    name: str
    kind: str
    format: str
    capacity: int
    size: int
    allocation: int
    mode: int
    uid: int
    gid: int
    times: tuple[int, int, int]
    compat: str
    cluster: int
    backing: str
    backing_format: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The directory: its file system's sizes in bytes, its owner and permission bits, and its entries by name."""

    capacity: int
    available: int
    mode: int
    uid: int
    gid: int
    entries: dict[str, Entry]


async def survey(path: str, *names: str, deadline: float = DEADLINE) -> Contents:
    """Look at a directory, or at a few of its files. What is no storage is left out.

    Raises `DirectoryError`, `guesthouse.host.child.ChildError` (deadline).
    """
    argv = [sys.executable, "-I", "-S", str(_PROGRAM), path, *names]
    finished = await run(argv, deadline=deadline, output_limit=_OUTPUT_LIMIT)
    if not finished.ok:
        raise DirectoryError(f"cannot open directory '{path}': {finished.error_text}")
    answer: Json = json.loads(finished.output)
    found = as_object(answer, "the survey")
    looked = [_entry(item) for item in objects(found["entries"], "the entries")]
    return Contents(
        capacity=as_int(found["capacity"], "capacity"),
        available=as_int(found["available"], "available"),
        mode=as_int(found["mode"], "mode"),
        uid=as_int(found["uid"], "uid"),
        gid=as_int(found["gid"], "gid"),
        entries={entry.name: entry for entry in looked},
    )


def _entry(item: JsonObject) -> Entry:
    atime, mtime, ctime = (as_int(time, "a time") for time in as_list(item["times"], "the times"))
    size = as_int(item["size"], "size")
    kind = text_of(item, "kind")
    return Entry(
        name=text_of(item, "name"),
        kind=kind,
        format=text_of(item, "format"),
        capacity=0 if kind == "dir" else as_int(item.get("capacity", size), "capacity"),
        size=size,
        allocation=0 if kind == "dir" else as_int(item["allocation"], "allocation"),
        mode=as_int(item["mode"], "mode"),
        uid=as_int(item["uid"], "uid"),
        gid=as_int(item["gid"], "gid"),
        times=(atime, mtime, ctime),
        compat=text_of(item, "compat"),
        cluster=as_int(item.get("cluster", 0), "cluster"),
        backing=text_of(item, "backing"),
        backing_format=text_of(item, "backing_format"),
    )
