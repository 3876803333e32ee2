"""Open files that a client hands over for a guest's disks, by the name of their group.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`fdgroup`); `virDomainFDAssociate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from guesthouse.errors import InvalidArgumentError, Origin


@dataclass(frozen=True, slots=True)
class HandedFiles:
    """The descriptors of one group. `writable` says that a single one was opened for writing too."""

    descriptors: tuple[int, ...]
    writable: bool = False


#: Finds a group by its name. Raises `InvalidArgumentError`.
HandedLookup: TypeAlias = Callable[[str], HandedFiles]


def nothing_handed(group: str) -> HandedFiles:
    """The lookup where nobody handed anything over. Raises `InvalidArgumentError`."""
    raise InvalidArgumentError(
        f"file descriptor group '{group}' was not associated with the domain", domain=Origin.QEMU
    )
