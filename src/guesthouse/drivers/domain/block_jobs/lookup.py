"""Which image of a disk's chain a client means: by its number (`vda[2]`), or by its path.

Source: libvirt's `docs/kbase/backing_chains.rst`; `virDomainBlockCommit` and its neighbours.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Final

from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES

_NUMBERED: Final = re.compile(r"([^\[]*)\[([0-9]{1,9})\]")
#: What stands before the first colon of what is no path.
_PROTOCOL: Final = re.compile(r"[^/]+:")
_LOOK_DEADLINE: Final = 10.0


def numbered(name: str) -> tuple[str, int]:
    """The target and the number of `vda[2]`; the number is 0 for what is not of this form."""
    found = _NUMBERED.fullmatch(name)
    return (found[1], int(found[2])) if found is not None else (name, 0)


async def find(disk: Disk, name: str | None, *, beneath: int | None = None) -> int:
    """The place of the image that is meant, looked for from the top, or beneath another; None means the last one.

    Raises `InvalidArgumentError` with libvirt's texts.
    """
    target, number = numbered(name) if name is not None else ("", 0)
    if number and target != disk.target.dev:
        raise _refusal(f"requested target '{target}' does not match target '{disk.target.dev}'")
    layers = disk.layers()
    first = 0 if beneath is None else beneath + 1
    if name is None:
        if first < len(layers):
            return len(layers) - 1
    elif number:
        for place, image in enumerate(layers[first:], first):
            if image.index == number:
                return place
    else:
        found = await _named(layers, name, first)
        if found is not None:
            return found
    raise _missing(disk, name, number, layers[beneath] if beneath is not None and beneath < len(layers) else None)


def _missing(disk: Disk, name: str | None, number: int, above: Image | None) -> InvalidArgumentError:
    chain = f"in chain for '{disk.target.dev}'"
    if number:
        return _refusal(f"could not find backing store index '{number}' {chain}")
    if name is None:
        return _refusal(f"could not find base image {chain}")
    beneath = f"beneath '{above.source.path or above.source.name}' " if above is not None else ""
    return _refusal(f"could not find image '{name}' {beneath}{chain}")


def _refusal(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(text, domain=Origin.STORAGE)


async def _named(layers: list[Image], name: str, first: int) -> int | None:
    for place, image in enumerate(layers[first:], first):
        if name in (image.source.path, image.source.name):
            return place
    if _PROTOCOL.match(name):
        return None
    candidates = [(place, _paths(layers, place, name)) for place in range(first, len(layers))]
    looked = [(place, *pair) for place, pair in candidates if pair is not None]
    try:
        async with asyncio.timeout(_LOOK_DEADLINE):
            return await asyncio.to_thread(_same_file, looked)
    except TimeoutError:
        return None


def _paths(layers: list[Image], place: int, name: str) -> tuple[str, str] | None:
    """The path that `name` is, seen from the image above, and that of the image itself."""
    image = layers[place]
    if image.type not in LOCAL_TYPES or image.source.path is None:
        return None
    above = layers[place - 1].source.path if place else None
    return os.path.join(os.path.dirname(above) if above is not None else ".", name), image.source.path


def _same_file(looked: list[tuple[int, str, str]]) -> int | None:
    for place, named, path in looked:
        try:
            if os.path.samefile(named, path):
                return place
        except (OSError, ValueError):
            continue
    return None
