"""A storage pool: `<pool>`. The only type so far is `dir`, a directory whose files are the volumes.

Format: https://libvirt.org/formatstorage.html#storage-pool-xml
"""

from __future__ import annotations

import os
import uuid as _uuid
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    content,
    default,
    element,
    leaf,
    must,
    new,
    one,
    opt_leaf,
    read,
    write,
)
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import ABSOLUTE_PATH, TEXT, ULL, UUID, Kind, integer, one_of
from guesthouse.model.xmltext import Lines, parse_document

#: Every type that libvirt documents; those other than `dir` are refused by name.
TYPES: Final = (
    "dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster",
    "zfs", "vstorage",
)  # fmt: skip

MODE: Final = Kind("permission bits in octal", integer(0, 0o7777, base=8).parse, lambda mode: f"{mode:04o}", plain=True)
#: -1 stands for the owner of the daemon's own process.
OWNER: Final = integer(-1, 2**32 - 1)


@element("capacity")
class Capacity:
    """How much there is, in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into bytes."""
        self.bytes_, self.unit = in_bytes(self.bytes_, self.unit), "bytes"


@element("allocation")
class Allocation:
    """How much of it is taken, in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into bytes."""
        self.bytes_, self.unit = in_bytes(self.bytes_, self.unit), "bytes"


@element("available")
class Available:
    """How much of it is free, in bytes."""

    unit: str = default(TEXT, "bytes")
    bytes_: int = content(ULL)


@element("permissions", drops=("label",))
class Permissions:
    """Who owns a directory or a file, and its permission bits."""

    mode: int | None = opt_leaf(MODE)
    owner: int | None = opt_leaf(OWNER)
    group: int | None = opt_leaf(OWNER)

    @property
    def chown_argument(self) -> str:
        """Owner and group as chown(1) takes them; empty where both are left open."""
        parts = ["" if number is None or number < 0 else str(number) for number in (self.owner, self.group)]
        return ":".join(parts) if any(parts) else ""


@element("source")
class Source:
    """Where a pool's storage comes from: nothing, for a directory."""


@element("target")
class Target:
    """Where the pool is on this host; `permissions` are those with which its directory is made."""

    path: str = leaf(ABSOLUTE_PATH)
    permissions: Permissions | None = one(Permissions)

    def parsed(self) -> None:
        """One path has one spelling."""
        self.path = os.path.normpath("/" + self.path.lstrip("/"))


@element("pool")
class Pool:
    """A pool. The three sizes are the file system's, printed and void on input."""

    type: str = attr(one_of(*TYPES))
    name: str = leaf(TEXT)
    uuid: str | None = opt_leaf(UUID)
    capacity: Capacity | None = one(Capacity)
    allocation: Allocation | None = one(Allocation)
    available: Available | None = one(Available)
    source: Source | None = one(Source)
    target: Target = must(Target)

    @property
    def path(self) -> str:
        """The directory."""
        return self.target.path


def parse_pool(xml: str, *, validate: bool = False) -> Pool:
    """The pool that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    node = parse_document(xml, "pool", "storage_pool_definition")
    if node.get("type") in TYPES[1:]:
        raise UnsupportedConfigError(f"storage pool type '{node.get('type')}' is not supported", hint="use type 'dir'")
    if node.find("name") is None:
        raise LibvirtError("missing pool source name element", code=Code.XML_ERROR, domain=Origin.STORAGE)
    if node.find("target/path") is None:
        raise LibvirtError("missing storage pool target path", code=Code.XML_ERROR, domain=Origin.STORAGE)
    pool = read(Pool, node, Reading(validate=validate))
    if not pool.name or "/" in pool.name or pool.name in (".", ".."):
        raise XmlError(f"name {pool.name} cannot contain '/'" if "/" in pool.name else f"name '{pool.name}' is void")
    pool.uuid = pool.uuid or str(_uuid.uuid4())
    measure(pool, 0, 0, 0)
    return pool


def measure(pool: Pool, capacity: int, allocation: int, available: int) -> None:
    """Set the sizes, in bytes."""
    pool.capacity = new(Capacity, bytes_=capacity)
    pool.allocation = new(Allocation, bytes_=allocation)
    pool.available = new(Available, bytes_=available)


def format_pool(pool: Pool) -> str:
    """The pool as libvirt writes it."""
    lines = Lines()
    pool.source = pool.source or new(Source)
    write(pool, lines, Style())
    return lines.text().replace("  <source/>\n", "  <source>\n  </source>\n", 1)
