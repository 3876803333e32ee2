"""Mediated devices of the host, as sysfs lists them.

Source: https://docs.kernel.org/driver-api/vfio-mediated-device.html.
"""

from __future__ import annotations

from typing import Final

from guesthouse.host.sysfs import HostTree

HOST: Final = HostTree()


def exists(uuid: str, tree: HostTree = HOST) -> bool:
    """Whether the host has a mediated device of this UUID."""
    return (tree.sys / "bus/mdev/devices" / uuid).is_dir()
