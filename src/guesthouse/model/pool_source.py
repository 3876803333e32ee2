"""Where a pool's storage comes from: `<source>`.

Format: https://libvirt.org/formatstorage.html#source-elements
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    choice,
    default,
    element,
    many,
    must,
    one,
    opt,
    opt_leaf,
    read,
    write,
)
from guesthouse.model.domain.devices.disk.source_parts import Initiator
from guesthouse.model.domain.devices.hostdev_pci import HostPciAddress
from guesthouse.model.domain.secrets import Auth
from guesthouse.model.kinds import TEXT, UINT, ULL, YES_NO, integer, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.pool_types import POOL_TYPES, PoolType
from guesthouse.model.xmltext import Lines, parse_document

_WWN: Final = re.compile(r"[0-9a-fA-F]{16}")


@element("host")
class PoolHost:
    """A server."""

    name: str = attr(TEXT)
    port: int | None = opt(integer(0, 65535))

    def parsed(self) -> None:
        """Port 0 is the usual one."""
        self.port = self.port or None


@element("freeExtent")
class FreeExtent:
    """A part of a disk that no partition has, in bytes."""

    start: int = attr(ULL)
    end: int = attr(ULL)


@element("device")
class PoolDevice:
    """A device of the host, or a target of an iSCSI server. `part_separator` puts a `p` before partitions' numbers.

    What is free is shown of a disk, and void on input.
    """

    path: str = attr(TEXT)
    part_separator: bool | None = opt(YES_NO)
    free_extents: list[FreeExtent] = many(FreeExtent)

    def parsed(self) -> None:
        """Drop what is void."""
        self.free_extents = []


class Adapter:
    """A SCSI host adapter."""

    __slots__ = ()

    type: str

    def check(self) -> None:
        """Raise `XmlError` where it is not said which one."""


@element("parentaddr")
class AdapterParent:
    """The PCI card of an adapter, and which of the card's it is."""

    unique_id: int = attr(UINT)
    address: HostPciAddress = must(HostPciAddress)


@element("adapter")
class ScsiHostAdapter(Adapter):
    """An adapter, by its name or its card."""

    type: str = default(one_of("scsi_host"), "scsi_host")
    name: str | None = opt(TEXT)
    parent: AdapterParent | None = one(AdapterParent)

    def check(self) -> None:
        """It is known by one of the two."""
        if self.name is None and self.parent is None:
            raise XmlError("Either 'name' or 'parent' must be specified for the 'scsi_host' adapter")
        if self.name is not None and self.parent is not None:
            raise XmlError("Both 'name' and 'parent' cannot be specified for the 'scsi_host' adapter")


@element("adapter")
class FcHostAdapter(Adapter):
    """A virtual adapter for Fibre Channel, which is made when the pool starts."""

    type: str = default(one_of("fc_host"), "fc_host")
    parent: str | None = opt(TEXT)
    parent_wwnn: str | None = opt(TEXT)
    parent_wwpn: str | None = opt(TEXT)
    parent_fabric_wwn: str | None = opt(TEXT)
    managed: bool | None = opt(YES_NO)
    wwnn: str | None = opt(TEXT)
    wwpn: str | None = opt(TEXT)

    def check(self) -> None:
        """The names are whole, and of 16 digits."""
        if self.wwnn is None or self.wwpn is None:
            raise XmlError("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'")
        if (self.parent_wwnn is None) != (self.parent_wwpn is None):
            given, other = ("wwnn", "wwpn") if self.parent_wwpn is None else ("wwpn", "wwnn")
            value = self.parent_wwnn or self.parent_wwpn
            raise XmlError(f"when providing parent_{given}='{value}', the parent_{other} must also be provided")
        for name in (self.wwnn, self.wwpn, self.parent_wwnn, self.parent_wwpn, self.parent_fabric_wwn):
            if name is not None and not _WWN.fullmatch(name):
                raise XmlError(f"malformed wwn: {name}")


@element("source", two_lines=True)
class Source:
    """The storage: which parts there are is the type's matter. `vendor` and `product` describe it."""

    hosts: list[PoolHost] = many(PoolHost)
    devices: list[PoolDevice] = many(PoolDevice)
    dir: str | None = opt(TEXT, "path", within="dir")
    adapter: Adapter | None = choice("type", {"scsi_host": ScsiHostAdapter, "fc_host": FcHostAdapter})
    name: str | None = opt_leaf(TEXT)
    initiator: Initiator | None = one(Initiator)
    format: str | None = opt(TEXT, "type", within="format")
    auth: Auth | None = one(Auth)
    protocol_version: str | None = opt(TEXT, "ver", within="protocol")
    vendor: str | None = opt(TEXT, "name", within="vendor")
    product: str | None = opt(TEXT, "name", within="product")

    def settle(self, kind: str, pool_name: str) -> None:
        """Fill in what the source of a pool of this type leaves out. Raises `LibvirtError` for what is missing."""
        facts = POOL_TYPES[kind]
        if kind == "rbd" and self.name is None:
            raise XmlError("element 'name' is mandatory for RBD pool")
        if self.dir is not None:
            self.dir = _sanitized(self.dir)
        elif kind == "gluster":
            self.dir = "/"
        if "name" in facts.parts:
            self.name = self.name or pool_name
        self._settle_format(facts)
        self.drop_foreign(facts)
        self._check_parts(kind, facts)
        self._check_details()

    def _settle_format(self, facts: PoolType) -> None:
        if not facts.formats:
            self.format = None
        elif self.format is None:
            self.format = facts.formats[0]
        elif self.format not in facts.formats:
            raise UnsupportedConfigError(
                f"unknown pool format type {self.format}", hint=f"it is one of {', '.join(facts.formats)}"
            )

    def drop_foreign(self, facts: PoolType) -> None:
        """What does not locate storage of this type is void, as it is for libvirt."""
        parts = facts.parts
        self.hosts = self.hosts if "host" in parts else []
        self.devices = self.devices if "device" in parts else []
        self.dir = self.dir if "dir" in parts else None
        self.name = self.name if "name" in parts else None
        self.adapter = self.adapter if "adapter" in parts else None
        self.initiator = self.initiator if "initiator" in parts else None

    def _check_parts(self, kind: str, facts: PoolType) -> None:
        if "host" in facts.parts and not self.hosts:
            raise XmlError("missing storage pool source host name")
        if "dir" in facts.parts and self.dir is None:
            raise XmlError("missing storage pool source path")
        if "adapter" in facts.parts:
            if self.adapter is None:
                raise XmlError("missing storage pool source adapter")
            self.adapter.check()
        if facts.parts == {"device"} and not self.devices:
            raise XmlError("missing storage pool source device name")
        if kind == "iscsi-direct" and (self.initiator is None or self.initiator.iqn is None):
            raise UnsupportedConfigError("missing initiator IQN")

    def _check_details(self) -> None:
        if self.auth is not None and self.auth.type is None:
            raise UnsupportedConfigError("storage pool missing auth type")
        if self.protocol_version is None:
            return
        if self.format not in ("nfs", "auto"):
            raise UnsupportedConfigError(f"storage pool protocol ver unsupported for pool type '{self.format}'")
        if "," in self.protocol_version:
            raise LibvirtError(
                f"storage pool protocol ver '{self.protocol_version}' must not contain ','",
                code=Code.XML_DETAIL,
                domain=Origin.STORAGE,
            )


def parse_source(xml: str, kind: str) -> Source:
    """A source alone, which says where to look for others of the same type. Raises `LibvirtError`."""
    with noticed_by(Origin.STORAGE):
        source = read(Source, parse_document(xml, "source", "storage_source_specification"), Reading())
    source.drop_foreign(POOL_TYPES[kind])
    return source


def format_sources(sources: Iterable[Source]) -> str:
    """Sources that were found, as libvirt lists them."""
    lines = Lines()
    lines.open("sources")
    for source in sources:
        write(source, lines, Style())
    lines.close("sources")
    return lines.text()


def _sanitized(path: str) -> str:
    """A path with each slash once, and none at its end; two at its beginning stay, they name a server."""
    start = "//" if path.startswith("//") and not path.startswith("///") else "/" if path.startswith("/") else ""
    return start + os.path.normpath(path.strip("/")) if path.strip("/") else start or path
