"""A storage pool: `<pool>`.

Format: https://libvirt.org/formatstorage.html#storage-pool-xml
"""

from __future__ import annotations

import os
import uuid as _uuid
from typing import Final

from lxml import etree

from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    always,
    attr,
    content,
    default,
    element,
    leaf,
    new,
    one,
    opt,
    opt_leaf,
    read,
    unbound,
    write,
)
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import ABSOLUTE_PATH, TEXT, ULL, UUID, YES_NO, Kind, integer, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.pool_source import Source
from guesthouse.model.pool_types import POOL_TYPES
from guesthouse.model.xml_extension import Extension, Option
from guesthouse.model.xmltext import Lines, parse_document

TYPES: Final = tuple(POOL_TYPES)

MODE: Final = Kind("permission bits in octal", integer(0, 0o7777, base=8).parse, lambda mode: f"0{mode:o}", plain=True)
#: -1 stands for nobody in particular.
OWNER: Final = integer(-1, 2**32 - 1)
_NOBODY: Final = (-1, 2**32 - 1)

_MOUNT_OPTIONS: Final = Extension("fs", "http://libvirt.org/schemas/storagepool/fs/1.0", "mount_opts", ("name",))
_CEPH_OPTIONS: Final = Extension(
    "rbd", "http://libvirt.org/schemas/storagepool/rbd/1.0", "config_opts", ("name", "value")
)
#: Type to the options that go past libvirt.
EXTENSIONS: Final = {"fs": _MOUNT_OPTIONS, "netfs": _MOUNT_OPTIONS, "rbd": _CEPH_OPTIONS}


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


@element("permissions", omit_empty=True)
class Permissions:
    """Who owns a directory or a file, its permission bits, and the label that a security driver reads there."""

    mode: int | None = opt_leaf(MODE)
    owner: int | None = opt_leaf(OWNER)
    group: int | None = opt_leaf(OWNER)
    label: str | None = opt_leaf(TEXT)

    def parsed(self) -> None:
        """An owner of -1 is none."""
        self.owner = None if self.owner in _NOBODY else self.owner
        self.group = None if self.group in _NOBODY else self.group

    @property
    def chown_argument(self) -> str:
        """Owner and group as chown(1) takes them; empty where both are left open."""
        parts = ["" if number is None or number < 0 else str(number) for number in (self.owner, self.group)]
        return ":".join(parts) if any(parts) else ""


@element("target", omit_empty=True)
class Target:
    """Where the pool is on this host; `permissions` are those with which its directory is made."""

    where: str | None = opt_leaf(ABSOLUTE_PATH, "path")
    permissions: Permissions | None = one(Permissions)

    def parsed(self) -> None:
        """One path has one spelling."""
        if self.where is not None:
            self.where = os.path.normpath("/" + self.where.lstrip("/"))

    @property
    def path(self) -> str:
        """The path; empty for storage that is nowhere in the host's file system."""
        return self.where or ""


@element("features", omit_empty=True)
class PoolFeatures:
    """What the file system under the pool is to do: `cow` False keeps Btrfs from copying on write."""

    cow: bool | None = opt(YES_NO, "state", within="cow")


@element("refresh", omit_empty=True)
class Refresh:
    """How volumes are looked at; `capacity` spares asking a server how much of each is taken."""

    allocation: str | None = opt(one_of("default", "capacity"), "allocation", within="volume")


@element("pool")
class Pool:
    """A pool. The three sizes are printed and void on input; `options` go to mount(8) or to Ceph."""

    type: str = attr(one_of(*TYPES))
    name: str = leaf(TEXT)
    uuid: str | None = opt_leaf(UUID)
    capacity: Capacity | None = one(Capacity)
    allocation: Allocation | None = one(Allocation)
    available: Available | None = one(Available)
    features: PoolFeatures | None = one(PoolFeatures)
    source: Source | None = one(Source)
    target: Target = always(Target)
    refresh: Refresh | None = one(Refresh)
    options: tuple[Option, ...] = unbound(())

    @property
    def path(self) -> str:
        """Where it is on this host; empty for storage that is nowhere in the file system."""
        return self.target.path


def _missing(what: str) -> LibvirtError:
    return LibvirtError(f"missing {what}", code=Code.XML_ERROR, domain=Origin.STORAGE)


def parse_pool(xml: str, *, validate: bool = False) -> Pool:
    """The pool that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes, as `parse_domain` does."""
    reading = Reading(validate=validate)
    with noticed_by(Origin.STORAGE):
        node = parse_document(xml, "pool", "storage_pool_definition")
        kind = str(node.get("type"))
        _name_by_source(node, kind)
        _type_adapter(node)
        extension = EXTENSIONS.get(kind)
        options = extension.take(node, reading) if extension is not None else ()
        pool = read(Pool, node, reading)
        pool.options = options
        if not pool.name or "/" in pool.name or pool.name in (".", ".."):
            raise XmlError(
                f"name {pool.name} cannot contain '/'" if "/" in pool.name else f"name '{pool.name}' is void"
            )
        _settle(pool)
    pool.uuid = pool.uuid or str(_uuid.uuid4())
    measure(pool, 0, 0, 0)
    return pool


def _name_by_source(node: etree._Element, kind: str) -> None:
    """Where there is no name, a source's is taken."""
    if node.find("name") is not None:
        return
    name = node.findtext("source/name")
    if not name or kind not in POOL_TYPES or "name" not in POOL_TYPES[kind].parts:
        raise _missing("pool source name element")
    etree.SubElement(node, "name").text = name


def _type_adapter(node: etree._Element) -> None:
    """Old documents name an adapter without saying that it is one of the host's."""
    adapter = node.find("source/adapter")
    if adapter is None or adapter.get("type") is not None:
        return
    if any(adapter.get(name) is not None for name in ("wwnn", "wwpn", "parent")):
        raise XmlError("Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter 'type'")
    if adapter.find("parentaddr") is not None:
        raise XmlError("Use of 'parentaddr' element requires use of the adapter 'type'")
    adapter.set("type", "scsi_host")


def _settle(pool: Pool) -> None:
    facts = POOL_TYPES[pool.type]
    source = pool.source = pool.source or new(Source)
    source.settle(pool.type, pool.name)
    if pool.features is not None and pool.features.cow is not None and pool.type not in ("dir", "fs"):
        raise LibvirtError(
            "cow feature may only be used for 'fs' and 'dir' pools", code=Code.NO_SUPPORT, domain=Origin.STORAGE
        )
    if facts.on_network:
        pool.target = new(Target)
    elif facts.path is not None:
        pool.target.where = facts.path.format(source.name)
    elif pool.target.where is None:
        raise _missing("storage pool target path")


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
    extension = EXTENSIONS.get(pool.type)
    if extension is not None:
        extension.add(pool.options, lines)
    return lines.text()
