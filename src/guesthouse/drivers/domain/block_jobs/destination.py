"""Where a copy goes: what a client says of it, and whether that will do.

The document is a `<disk>` of which the type, the format, the source and what the source lies on count
(https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainBlockCopy); a `<target>` is not needed.
"""

from __future__ import annotations

import os
from typing import Final

from lxml import etree

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host.child import run as run_child
from guesthouse.model.binding import Reading, new, read
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.model.domain.devices.disk.chain import BackingStore, Mirror, check_image
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES, Source
from guesthouse.model.domain.devices.disk.source_parts import ImageFormat
from guesthouse.model.xmltext import parse_document
from guesthouse.qemu import chains

_LOOK_DEADLINE: Final = 10.0
_BLOCK_DEVICE: Final = 0o060000
_KIND_BITS: Final = 0o170000


def from_document(text: str) -> Mirror:
    """The destination that a document describes.

    Raises `XmlError`, `UnsupportedConfigError`, `InvalidArgumentError` for a path that is not absolute, and error 19
    where there is no source.
    """
    node = _parsed(text)
    _check_paths(node)
    if node.find("target") is None:
        etree.SubElement(node, "target", dev="vda", bus="virtio")
    disk = read(Disk, node, Reading())
    if disk.empty or disk.source is None:
        raise LibvirtError(code=Code.NO_SOURCE, domain=Origin.DOMAIN)
    disk.source.auth = disk.source.auth or disk.auth
    disk.source.encryption = disk.source.encryption or disk.encryption
    format_ = disk.driver.type if disk.driver is not None else None
    cache = disk.driver.metadata_cache if disk.driver is not None else None
    check_image(disk.type, disk.source, format_, cache is not None)
    for store in disk.chain():
        store.check()
    shape = new(ImageFormat, type=format_, metadata_cache=cache) if format_ is not None else None
    return new(Mirror, type=disk.type, job="copy", format=shape, source=disk.source, backing=disk.backing)


def _parsed(text: str) -> etree._Element:
    """The document's root. The origin of a refusal is that which libvirt's reader of disks gives."""
    try:
        return parse_document(text, "disk", "disk_definition")
    except LibvirtError as error:
        error.domain = Origin.XML if error.code == Code.XML_ERROR else Origin.DOMAIN
        raise


def _check_paths(node: etree._Element) -> None:
    source = node.find("source")
    for name in ("file", "dev", "dir"):
        path = source.get(name) if source is not None else None
        if path and not os.path.isabs(path):
            raise _relative()


def from_path(path: str, *, device: bool, raw: bool) -> Mirror:
    """A file, or a block device. Raises `InvalidArgumentError` for a path that is not absolute."""
    if not os.path.isabs(path):
        raise _relative()
    source = new(Source, dev=path) if device else new(Source, file=path)
    shape = new(ImageFormat, type="raw") if raw else None
    return new(Mirror, type="block" if device else "file", job="copy", format=shape, source=source)


def _relative() -> InvalidArgumentError:
    return InvalidArgumentError("absolute path must be used as block copy target", domain=Origin.QEMU)


def settle_chain(disk: Disk, mirror: Mirror, *, shallow: bool, reuse: bool) -> None:
    """A copy of everything lies on nothing. Raises where a chain, or a raw image, does not go with what is asked."""
    below = mirror.backing
    if below is not None and not below.end and not shallow:
        raise InvalidArgumentError(
            "backingStore of mirror without VIR_DOMAIN_BLOCK_COPY_SHALLOW doesn't make sense", domain=Origin.QEMU
        )
    if below is None and not shallow:
        mirror.backing = new(BackingStore)
    if shallow and not reuse and mirror.format is not None and mirror.format.type == "raw":
        raise UnsupportedConfigError(
            f"shallow copy of disk '{disk.target.dev}' into a raw file is not possible", domain=Origin.QEMU
        )


async def look(disk: Disk, mirror: Mirror, *, reuse: bool) -> tuple[bool, bool]:
    """Whether the destination is there to be used as it is, and whether there is anything at all.

    Raises error 38 where it cannot be looked at or is missing, `UnsupportedConfigError` for a file that holds
    something, and `InvalidArgumentError` for a file that was to be a device.
    """
    path = mirror.source.path if mirror.source is not None else None
    if mirror.type not in LOCAL_TYPES or path is None:
        return True, True
    target = disk.target.dev
    found = await run_child(["stat", "--dereference", "--format=%f %s", "--", path], deadline=_LOOK_DEADLINE)
    if not found.ok:
        reason = found.error_text.rpartition(": ")[2]
        if os.strerror(2) not in reason:
            raise _system_error(f"unable to verify existence of block copy target: {reason}")
        if reuse or mirror.type == "block":
            raise _system_error(f"missing destination file for disk {target}: {path}: {reason}")
        return False, False
    mode, size = found.output.decode().split()
    if int(mode, 16) & _KIND_BITS == _BLOCK_DEVICE:
        return True, True
    if int(size) and not reuse:
        raise UnsupportedConfigError(
            f"external destination file for disk {target} already exists and is not a block device: {path}",
            domain=Origin.QEMU,
        )
    if mirror.type == "block":
        raise InvalidArgumentError(
            f"blockdev flag requested for disk {target}, but file '{path}' is not a block device", domain=Origin.QEMU
        )
    return reuse, True


async def settle_format(disk: Disk, mirror: Mirror, *, reuse: bool) -> None:
    """Where no format is given: that of the disk, or of the image that is there.

    Raises `UnsupportedConfigError` where that is not known.
    """
    if mirror.format is None:
        format_ = disk.settings.type or "raw"
        if reuse:
            path = mirror.source.path if mirror.source is not None else None
            if mirror.type not in ("file", "block") or path is None:
                raise UnsupportedConfigError("reused mirror destination format must be specified", domain=Origin.QEMU)
            format_ = (await chains.follow([(path, "")]))[0].links[0].format
        mirror.format = new(ImageFormat, type=format_)


def _system_error(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.SYSTEM_ERROR, domain=Origin.QEMU)
