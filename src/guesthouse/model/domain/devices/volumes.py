"""Disks that are volumes of storage pools: where such a volume really is.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`volume`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from guesthouse.errors import Code, LibvirtError, Origin

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.source import PlainSource

#: Finds a volume by the names of its pool and its own, and the mode (`host`, `direct`, None): type and source.
#: Raises a `LibvirtError` where there is no such pool (49) or volume (50), or the pool is not active (55).
VolumeLookup: TypeAlias = "Callable[[str, str, str | None], tuple[str, PlainSource]]"


def no_volume(pool: str, _volume: str, _mode: str | None) -> tuple[str, PlainSource]:
    """The lookup where there are no pools. Raises a `LibvirtError` (49)."""
    raise LibvirtError(f"no storage pool with matching name '{pool}'", code=Code.NO_STORAGE_POOL, domain=Origin.STORAGE)
