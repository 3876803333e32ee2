"""SCSI devices of the host, as sysfs lists them.

Source: Documentation/scsi/scsi_eh.rst names a unit `HOST:CHANNEL:TARGET:UNIT`; the generic driver's node is listed in
the unit's directory `scsi_generic`.
"""

from __future__ import annotations

import os
from typing import Final

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.host.sysfs import HostTree

HOST: Final = HostTree()
_PREFIX: Final = "scsi_host"


def generic_device(adapter: str, bus: int, target: int, unit: int, tree: HostTree = HOST) -> str:
    """The path of the generic device (`/dev/sg0`) of a unit behind an adapter (`scsi_host0`).

    Raises `InternalError` for a name that is none, and a `LibvirtError` (38) where there is no such unit.
    """
    number = adapter.removeprefix(_PREFIX)
    if number == adapter or not number.isdigit():
        raise InternalError(f"Cannot parse adapter '{adapter}'", domain=Origin.NONE)
    path = tree.sys / f"bus/scsi/devices/{number}:{bus}:{target}:{unit}/scsi_generic"
    try:
        names = sorted(os.listdir(path))
    except OSError as error:
        raise LibvirtError(
            f"SCSI device {adapter}:{bus}:{target}:{unit} not found: could not access {path}: {error.strerror}",
            code=Code.SYSTEM_ERROR,
            hint="is the device there, and the module 'sg' loaded?",
        ) from error
    if not names:
        raise InternalError(f"SCSI device {adapter}:{bus}:{target}:{unit} has no generic device", domain=Origin.NONE)
    return f"/dev/{names[0]}"
