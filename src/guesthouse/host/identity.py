"""Who the host is: its name, its UUID, and what it can do besides running guests.

Sources: gethostname(2), `/sys/class/dmi/id`, machine-id(5), the kernel's
`Documentation/admin-guide/pm/sleep-states.rst`.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from typing import TYPE_CHECKING, Final

from guesthouse.host.sysfs import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from guesthouse.host.sysfs import HostTree

_RESOLVE_SECONDS: Final = 2.0


async def canonical_hostname() -> str:
    """The host's name, with its domain where the resolver knows it within two seconds."""
    name = socket.gethostname()
    if "." in name or name.startswith("localhost"):
        return name
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await loop.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
    except (OSError, TimeoutError, UnicodeError):
        return name
    canonical = found[0][3] if found else ""
    return canonical if canonical and not canonical.startswith("localhost") else name


def valid_uuid(text: str | None) -> str | None:
    """`text` as a UUID in lower case, or None: a UUID of one repeated digit is a firmware that has none."""
    try:
        value = uuid.UUID(text or "")
    except ValueError:
        return None
    return str(value) if len(set(value.hex)) > 1 else None


def dmi_uuid(tree: HostTree) -> str | None:
    """The UUID that the firmware gave the machine; the kernel shows it to root only."""
    return valid_uuid(read_text(tree.sys / "class/dmi/id/product_uuid"))


def machine_uuid(path: Path) -> str | None:
    """The UUID in a machine-id(5) file."""
    return valid_uuid(read_text(path))


def sleep_states(tree: HostTree) -> list[str]:
    """What the host can do to sleep, in libvirt's words: `suspend_mem`, `suspend_disk`, `suspend_hybrid`."""
    states = (read_text(tree.sys / "power/state") or "").split()
    disk = (read_text(tree.sys / "power/disk") or "").replace("[", " ").replace("]", " ").split()
    found = []
    if "mem" in states:
        found.append("suspend_mem")
    if "disk" in states:
        found.append("suspend_disk")
    if "disk" in states and "suspend" in disk:
        found.append("suspend_hybrid")
    return found


def has_iommu(tree: HostTree) -> bool:
    """Whether devices of this host can be given to guests safely: whether there are IOMMU groups."""
    try:
        return next((tree.sys / "kernel/iommu_groups").iterdir(), None) is not None
    except OSError:
        return False
