"""What a disk's data is made of: sources, backing chains, and the block nodes that realise them.

A layer of the chain has a number, its `index`: a running guest shows it, events name it, and its nodes are called
`libvirt-INDEX-storage` and `libvirt-INDEX-format`. A raw image needs no format node.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms; `BlockdevOptions` in QEMU's
`qapi/block-core.json`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, itself, one, opt, unbound
from guesthouse.model.domain.devices.base import refusing
from guesthouse.model.kinds import ABSOLUTE_PATH, UINT, one_of
from guesthouse.model.qemu_objects import Blockdev, Props, QemuObject, without_none

#: libvirt's format to QEMU's driver. Those in `_WITH_BACKING` can have a backing image.
FORMATS: Final = {
    "raw": "raw",
    "bochs": "bochs",
    "cloop": "cloop",
    "dmg": "dmg",
    "vdi": "vdi",
    "vpc": "vpc",
    "vhd": "vhdx",
    "ploop": "parallels",
    "qcow": "qcow",
    "qcow2": "qcow2",
    "qed": "qed",
    "vmdk": "vmdk",
}
_WITH_BACKING: Final = ("qcow", "qcow2", "qed", "vmdk")
_CDROM: Final = re.compile(r"/dev/(cdrom|dvd|sr[0-9]+)")

#: Cache mode to the nodes' flags (direct, no-flush) and the device's write cache.
CACHE_MODES: Final[dict[str, tuple[bool, bool, bool]]] = {
    "none": (True, False, True),
    "writethrough": (False, False, False),
    "writeback": (False, False, True),
    "directsync": (True, False, False),
    "unsafe": (False, True, True),
}


#: The types of storage. Only local images can be used; the others are refused by name.
STORAGE_TYPE: Final = refusing(
    ("file", "block"),
    {
        name: f"disk type '{name}' is not supported; use type='file' or type='block' with the path of the image"
        for name in ("dir", "network", "volume", "nvme", "vhostuser", "vhostvdpa")
    },
)


@element("source")
class Source:
    """A local image: `file`, or `dev` for a block device. An empty path is no medium."""

    file: str | None = opt(ABSOLUTE_PATH)
    dev: str | None = opt(ABSOLUTE_PATH)
    startup_policy: str | None = opt(one_of("mandatory", "requisite", "optional"), "startupPolicy")
    index: int | None = opt(UINT, live=True)

    @property
    def path(self) -> str | None:
        """The path of the image."""
        return self.file or self.dev


@element("format")
class BackingFormat:
    """The format of a backing image. It must be given: it is never guessed from an image that a guest can write."""

    type: str = attr(one_of(*FORMATS))


@element("backingStore")
class BackingStore:
    """The next image of a chain; without a type it ends the chain.

    `detected` ones were read from the image when the guest started, and are not part of its definition.
    """

    type: str | None = opt(STORAGE_TYPE)
    index: int | None = opt(UINT, live=True)
    format: BackingFormat | None = one(BackingFormat)
    source: Source | None = one(Source)
    backing: BackingStore | None = itself(live=True, keep=lambda store: not store.detected)
    detected: bool = unbound(False)

    def parsed(self) -> None:
        """A link of the chain is whole, or it is the end."""
        if self.type is None:
            if self.format is not None or self.source is not None or self.backing is not None:
                raise XmlError("Missing required attribute 'type' in element 'backingStore'")
            return
        if self.format is None:
            raise XmlError("missing disk backing store format")
        if self.source is None or self.source.path is None:
            raise XmlError("missing disk backing store source")

    @property
    def end(self) -> bool:
        """Whether the chain ends here."""
        return self.type is None


@dataclass(frozen=True, slots=True)
class Layer:
    """One image of a chain, with everything that its nodes need to know."""

    index: int
    type: str
    path: str
    format: str
    readonly: bool
    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    detect_zeroes: str | None = None
    discard_no_unref: bool | None = None
    cdrom: bool = False

    @property
    def storage_node(self) -> str:
        """The node that reads the file or device."""
        return f"libvirt-{self.index}-storage"

    @property
    def node(self) -> str:
        """The uppermost node of the layer: what a device or another layer is put on."""
        return self.storage_node if self.format == "raw" else f"libvirt-{self.index}-format"

    def _cache_props(self) -> Props:
        if self.cache not in CACHE_MODES:
            return {}
        direct, no_flush, _ = CACHE_MODES[self.cache]
        return {"cache": {"direct": direct, "no-flush": no_flush}}

    def _effective_props(self, node: str) -> Props:
        zeroes = "on" if self.detect_zeroes == "unmap" and self.discard != "unmap" else self.detect_zeroes
        props = without_none(
            {"node-name": node, "read-only": self.readonly, "discard": self.discard, "detect-zeroes": zeroes}
        )
        return props | self._cache_props()

    def _storage(self) -> Blockdev:
        driver = "file"
        if self.type == "block":
            driver = "host_cdrom" if self.cdrom and _CDROM.fullmatch(self.path) else "host_device"
        props = without_none({"driver": driver, "filename": self.path, "aio": self.io})
        if self.format == "raw":
            return Blockdev(props | self._effective_props(self.storage_node))
        props |= {"node-name": self.storage_node, "auto-read-only": True, "discard": "unmap"}
        return Blockdev(props | self._cache_props())

    def objects(self, backing: Layer | None, *, ended: bool) -> list[QemuObject]:
        """The nodes, the storage node first. With `ended` QEMU is told that there is no backing image.

        Raises `UnsupportedConfigError` for a backing image under a format that has none.
        """
        if backing is not None and self.format not in _WITH_BACKING:
            raise UnsupportedConfigError(f"storage format '{self.format}' does not support backing store")
        storage = self._storage()
        if self.format == "raw":
            return [storage]
        props = self._effective_props(self.node) | {"driver": FORMATS[self.format]}
        if self.discard_no_unref is not None:
            props["discard-no-unref"] = self.discard_no_unref
        props["file"] = self.storage_node
        if backing is not None:
            props["backing"] = backing.node
        elif ended and self.format in _WITH_BACKING:
            props["backing"] = None
        return [storage, Blockdev(props)]
