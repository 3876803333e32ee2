"""The types of pools, a module each: what attaches, makes and removes the storage, and what serves its volumes.

`table` says which class is whose. `base` is what all have in common; `files`, `logical`, `disk`, `iscsi`, `scsi`,
`mpath`, `zfs`, `rbd`, `gluster` and `iscsi_direct` are the types; `sources` finds what pools can be made of.
`tools` runs programs, `probing` looks what a device carries, `mounts`, `units`, `devices` and `iscsi_text` read what
the host tells. All parsers are plain functions of text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guesthouse.drivers.storage.backend import VolumeBackend
    from guesthouse.model.pool import Pool


def volume_backend(definition: Pool) -> VolumeBackend:
    """What serves the volumes of a pool that is defined so."""
    from guesthouse.drivers.storage.backends.base import Host
    from guesthouse.drivers.storage.backends.table import pool_backend

    return pool_backend(definition, Host()).volumes()
