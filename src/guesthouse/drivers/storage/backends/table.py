"""Which class serves which type of pool, and what this host can do."""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.storage.backends.base import Host, PoolBackend, require_tools
from guesthouse.drivers.storage.backends.disk import DiskPool
from guesthouse.drivers.storage.backends.files import DirectoryPool, MountedPool, NetworkPool, VstoragePool
from guesthouse.drivers.storage.backends.gluster import GlusterPool
from guesthouse.drivers.storage.backends.iscsi import IscsiPool
from guesthouse.drivers.storage.backends.iscsi_direct import DirectPool
from guesthouse.drivers.storage.backends.logical import LogicalPool
from guesthouse.drivers.storage.backends.mpath import MultipathPool
from guesthouse.drivers.storage.backends.rbd import RbdPool
from guesthouse.drivers.storage.backends.scsi import ScsiPool
from guesthouse.drivers.storage.backends.tools import installed
from guesthouse.drivers.storage.backends.zfs import ZfsPool
from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.pool import Pool

#: Type to its class. Sheepdog is not there: it is developed no longer, and no distribution has it.
BACKENDS: Final[dict[str, type[PoolBackend]]] = {
    "dir": DirectoryPool,
    "fs": MountedPool,
    "netfs": NetworkPool,
    "logical": LogicalPool,
    "disk": DiskPool,
    "iscsi": IscsiPool,
    "iscsi-direct": DirectPool,
    "scsi": ScsiPool,
    "mpath": MultipathPool,
    "rbd": RbdPool,
    "gluster": GlusterPool,
    "zfs": ZfsPool,
    "vstorage": VstoragePool,
}


def pool_backend(definition: Pool, host: Host) -> PoolBackend:
    """What serves a pool that is defined so. Raises `UnsupportedConfigError` for a type that nothing serves."""
    return _class(definition.type)(definition, host)


def require(kind: str) -> None:
    """Refuse a type that this host cannot run, naming what it lacks."""
    require_tools(kind, _class(kind).needs)


def available(kind: str) -> bool:
    """Whether this host can run pools of a type."""
    found = BACKENDS.get(kind)
    return found is not None and all(installed(program) for program in found.needs)


def _class(kind: str) -> type[PoolBackend]:
    found = BACKENDS.get(kind)
    if found is None:
        raise UnsupportedConfigError(
            f"storage pool type '{kind}' is not supported", domain=Origin.STORAGE,
            hint="Sheepdog is not developed any more; move its volumes to another type",
        )  # fmt: skip
    return found
