"""What `<memory>` in `<devices>` is made of: its place, what it lies in on the host, what the guest gets.

Source: https://libvirt.org/formatdomain.html#memory-devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.model.binding import attr, content, default, element, flag, must, one, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.memory import Amount
from guesthouse.model.domain.memory_objects import DIMM, NVDIMM, SGX_EPC, VIRTIO_MEM, VIRTIO_PMEM
from guesthouse.model.kinds import ABSOLUTE_PATH, CPUSET, TEXT, UINT, ULL, YES_NO, Kind, hexadecimal, one_of
from guesthouse.model.qemu_objects import Props, without_none

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext

_BASE = hexadecimal(1, 2**64 - 1)


def _parse_base(text: str) -> int:
    return _BASE.parse(text if text.lower().startswith("0x") else f"0x{text}")


#: An address of memory: always in base 16.
_ADDRESS: Final[Kind[int]] = Kind(_BASE.name, _parse_base, "0x{:x}".format, plain=True)


@element("address")
class DimmAddress(Address):
    """A slot for a memory module, and where in the guest's memory it begins (0: QEMU chooses)."""

    type: str = default(one_of("dimm"), "dimm")
    slot: int = attr(UINT)
    base: int | None = opt(_ADDRESS)

    def parsed(self) -> None:
        """Zero is no address."""
        self.base = self.base or None

    def props(self, ctx: DeviceContext) -> Props:
        """`slot` and `addr`."""
        return without_none({"slot": self.slot, "addr": self.base})


@element("pagesize")
class PageSize(Amount):
    """The size of the pages that the memory is made of on the host, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("alignsize")
class AlignSize(Amount):
    """The alignment of the file that the memory is mapped from, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("size")
class Size(Amount):
    """How much memory it is, or how much of it is a label, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("block")
class Block(Amount):
    """The smallest piece that is given to the guest or taken from it, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("requested")
class Requested(Amount):
    """How much the guest shall have, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("current")
class Current(Amount):
    """How much the guest has, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("label")
class Label:
    """The part of a module in which the guest keeps names of its parts."""

    size: Size = must(Size)


@element("address")
class MemoryBase:
    """Where in the guest's memory the device's memory begins."""

    base: int | None = opt(_ADDRESS)


@element("source", omit_empty=True)
class MemorySource:
    """What the memory is made of on the host: a file (`path`), or pages from some of the host's nodes."""

    path: str | None = opt_leaf(ABSOLUTE_PATH)
    alignsize: AlignSize | None = one(AlignSize, show=lambda size: size.kib > 0)
    pmem: bool = flag()
    nodemask: str | None = opt_leaf(CPUSET)
    pagesize: PageSize | None = one(PageSize, show=lambda size: size.kib > 0)


@element("target")
class MemoryTarget:
    """What the guest gets, and in which of its nodes."""

    dynamic_memslots: bool | None = opt(YES_NO, "dynamicMemslots")
    size: Size = must(Size)
    node: int | None = opt_leaf(UINT)
    label: Label | None = one(Label, show=lambda label: label.size.kib > 0)
    readonly: bool = flag()
    block: Block | None = one(Block)
    requested: Requested | None = one(Requested)
    current: Current | None = one(Current, live=True)
    address: MemoryBase | None = one(MemoryBase, show=lambda address: bool(address.base))


#: Model to the settings that it has beside size and node.
SETTINGS: Final[dict[str, frozenset[str]]] = {
    DIMM: frozenset(("nodemask", "pagesize")),
    NVDIMM: frozenset(("path", "alignsize", "pmem", "label", "readonly")),
    VIRTIO_MEM: frozenset(("nodemask", "pagesize", "block", "requested", "current", "address", "dynamic_memslots")),
    VIRTIO_PMEM: frozenset(("path", "address")),
    SGX_EPC: frozenset(("nodemask",)),
}


#: Every setting that some model has.
ALL_SETTINGS: Final = sorted(frozenset().union(*SETTINGS.values()))
