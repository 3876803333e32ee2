"""The chains of images that guests' disks lie on, found out by a child process with a deadline.

See `image_survey`, the program that looks. Only headers are read, and only of what a header names as a plain file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.child import run
from guesthouse.qemu.json_value import Json, JsonObject, as_list, as_object, objects, text_of

_PROGRAM = Path(__file__).with_name("image_survey.py")

#: What the program calls a format that guests' definitions have under another name, or as plain bytes.
_NAMES = {"vhdx": "vhd", "iso": "raw", "luks": "raw"}

#: How long looking may take, in seconds.
DEADLINE = 30.0


class ChainError(LibvirtError):
    """A chain is broken, or cannot be followed safely. The client's fault, or the host's."""

    code = Code.SYSTEM_ERROR
    domain = Origin.STORAGE


@dataclass(frozen=True, slots=True)
class Link:
    """One image: its path, whether it is a `file` or a `block` device (perhaps a CD-ROM drive), and its format.

    `data` is the path of the file with a qcow2 image's data, where that is another one.
    """

    path: str
    kind: str
    format: str
    cdrom: bool = False
    data: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """An image and those below it, the uppermost first. `ended` says that nothing follows the last: else something
    does that is not a plain file, and is left to QEMU.
    """

    links: tuple[Link, ...]
    ended: bool


async def follow(images: Sequence[tuple[str, str]], *, deadline: float = DEADLINE) -> list[Chain]:
    """Follow images, each given as path and format; an empty format is looked for.

    Raises `ChainError` (38: an image is missing; 55: its format would have to be guessed from what a guest can write;
    1: it lies on itself) and `guesthouse.host.child.ChildError` (deadline).
    """
    words = [word for path, format_ in images for word in (format_, path)]
    finished = await run([sys.executable, "-I", "-S", str(_PROGRAM), *words], deadline=deadline)
    if not finished.ok:
        raise ChainError(f"cannot look at images: {finished.error_text}")
    answer: Json = json.loads(finished.output)
    return [_chain(as_object(item, "a chain")) for item in as_list(answer, "the chains")]


def _chain(item: JsonObject) -> Chain:
    links = objects(item["links"], "the links")
    failed = text_of(item, "failed")
    if failed:
        raise _broken(links, failed, text_of(item, "reason"))
    for number, found in enumerate(links[1:]):
        if found.get("guessed") is True and (text_of(found, "backing") or text_of(found, "data")):
            raise ChainError(
                f"format of backing image '{text_of(links[number], 'backing')}' of image "
                f"'{text_of(links[number], 'path')}' was not specified in the image metadata "
                "(See https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
                code=Code.OPERATION_INVALID,
            )
    return Chain(tuple(_link(found) for found in links), ended=not text_of(item, "rest"))


def _broken(links: list[JsonObject], failed: str, reason: str) -> ChainError:
    if reason == "too deep":
        top = text_of(links[0], "path")
        return ChainError(f"backing store for {top} is self-referential or too deeply nested", code=Code.INTERNAL_ERROR)
    if links:
        owner = text_of(links[-1], "path")
        return ChainError(f"Cannot access backing file '{failed}' of storage file '{owner}': {reason}")
    return ChainError(f"Cannot access storage file '{failed}': {reason}")


def _link(found: JsonObject) -> Link:
    path = text_of(found, "path")
    data = text_of(found, "data")
    format_ = text_of(found, "format")
    return Link(
        path=path,
        kind=text_of(found, "kind"),
        format=_NAMES.get(format_, format_),
        cdrom=found.get("cdrom") is True,
        data=str(Path(path).parent / data) if data else "",
    )
