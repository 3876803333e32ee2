"""The map of a container's users: `<idmap>` of a guest as a whole.

A guest of QEMU has users of its own, and nothing to map: libvirt keeps the element and does nothing with it, and so do
we, but the start says so in the log.

Format: https://libvirt.org/formatdomain.html#container-boot
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.devices.virtiofsd import IdMap

__all__ = ["IdMap", "check"]


def check(idmap: IdMap) -> None:
    """Raise `UnsupportedConfigError` for a map of users alone, of groups alone, or without the first of them."""
    if bool(idmap.uids) != bool(idmap.gids):
        raise UnsupportedConfigError("uid and gid should be mapped both")
    if any(entry.start for entry in idmap.uids[:1]) or any(entry.start for entry in idmap.gids[:1]):
        raise UnsupportedConfigError("You must map the root user of container")
