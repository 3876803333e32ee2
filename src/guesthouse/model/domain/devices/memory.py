"""Memory that is plugged in: `<memory>` in `<devices>`, as modules (`dimm`, `nvdimm`), as virtio devices (`virtio-mem`,
whose size the host changes, and `virtio-pmem`), or as enclaves (`sgx-epc`).

Source: https://libvirt.org/formatdomain.html#memory-devices, QEMU's `docs/nvdimm.txt` and `docs/system/i386/sgx.rst`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, choice, content, default, element, flag, must, new, one, opt, opt_leaf
from guesthouse.model.domain import memory_objects
from guesthouse.model.domain.devices.address import Address, CcwAddress, PciAddress
from guesthouse.model.domain.devices.base import NOWHERE, VIRTIO, Alias, Connection, Device, DeviceContext, alias_slot
from guesthouse.model.domain.memory import Amount
from guesthouse.model.domain.memory_objects import DIMM, NVDIMM, SGX_EPC, VIRTIO_MEM, VIRTIO_PMEM, GuestMemory, Wish
from guesthouse.model.domain.numa import no_such_node
from guesthouse.model.kinds import (
    ABSOLUTE_PATH,
    CPUSET,
    TEXT,
    UINT,
    ULL,
    UUID,
    YES_NO,
    Kind,
    hexadecimal,
    one_of,
    parse_cpuset,
)
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

#: Model to what its alias begins with.
_ALIASES: Final = {
    DIMM: "dimm",
    NVDIMM: "nvdimm",
    VIRTIO_MEM: "virtiomem",
    VIRTIO_PMEM: "virtiopmem",
    SGX_EPC: "epc",
}
#: Those that take a slot.
IN_SLOTS: Final = (DIMM, NVDIMM)
#: Modules come in pieces of so many KiB.
_ALIGNMENT: Final = 2048
#: The smallest label that a module can have, and the smallest block that virtio-mem gives out, in KiB.
_LABEL: Final = 128
_BLOCK: Final = 2048
_PAGE: Final = 4096

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
_SETTINGS: Final[dict[str, frozenset[str]]] = {
    DIMM: frozenset(("nodemask", "pagesize")),
    NVDIMM: frozenset(("path", "alignsize", "pmem", "label", "readonly")),
    VIRTIO_MEM: frozenset(("nodemask", "pagesize", "block", "requested", "current", "address", "dynamic_memslots")),
    VIRTIO_PMEM: frozenset(("path", "address")),
    SGX_EPC: frozenset(("nodemask",)),
}


def _detail(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN)


@element("memory")
class MemoryDevice(Device):
    """One piece of memory.

    `access` is `shared` (with other processes) or `private`, `discard` says whether its contents are dropped at the
    end; where they are not given, the guest's node or its memory backing decides.
    """

    ALIAS: ClassVar[str] = "dimm"

    model: str = attr(one_of(*_ALIASES))
    access: str | None = opt(one_of("shared", "private"))
    discard: bool | None = opt(YES_NO)
    uuid: str | None = opt_leaf(UUID)
    source: MemorySource | None = one(MemorySource)
    target: MemoryTarget = must(MemoryTarget)
    alias: Alias | None = alias_slot()
    address: Address | None = choice("type", {"dimm": DimmAddress, "pci": PciAddress, "ccw": CcwAddress})

    def parsed(self) -> None:
        """Check the sizes, and that no setting is there that the model has not."""
        target, known = self.target, _SETTINGS[self.model]
        for holder in (self.source, target):
            for name in _ALL_SETTINGS:
                if name not in known and getattr(holder, name, None):
                    raise UnsupportedConfigError(
                        f"<{name.replace('dynamic_memslots', 'dynamicMemslots')}> is not supported for memory model "
                        f"'{self.model}'"
                    )
        if not target.size.kib:
            raise XmlError("Missing required element 'size' in element 'target'", hint="the size cannot be 0")
        if target.label is not None and 0 < target.label.size.kib < _LABEL:
            raise XmlError("nvdimm label must be at least 128KiB")
        if target.label is not None and target.label.size.kib >= target.size.kib:
            raise XmlError("label size must be smaller than NVDIMM size")
        if self.model == VIRTIO_MEM:
            target.requested = target.requested or new(Requested, kib=0)

    @property
    def kib(self) -> int:
        """How much memory it is at most, in KiB."""
        return self.target.size.kib

    @property
    def requested_kib(self) -> int:
        """How much of a virtio-mem device the guest shall have, in KiB."""
        return self.target.requested.kib if self.target.requested is not None else 0

    def request(self, kib: int) -> None:
        """Change how much of a virtio-mem device the guest shall have.

        Raises a `LibvirtError` for an amount that is no number of blocks, or more than there is.
        """
        if self.model != VIRTIO_MEM:
            raise UnsupportedConfigError(f"memory model '{self.model}' has no requested size")
        self.target.requested = new(Requested, kib=kib)
        self._check_blocks()

    @property
    def requestable(self) -> bool:
        """Whether the guest can be given more or less of it."""
        return self.model == VIRTIO_MEM

    def tell_base(self, base: int) -> None:
        """Note where in the guest's memory it begins, in bytes, as QEMU tells it."""
        if isinstance(self.address, DimmAddress):
            self.address.base = base
        elif self.model in (VIRTIO_MEM, VIRTIO_PMEM):
            self.target.address = new(MemoryBase, base=base)

    def tell_current(self, kib: int) -> None:
        """Note how much of a virtio-mem device the guest has, as QEMU tells it."""
        self.target.current = new(Current, kib=kib)

    def default_alias(self, index: int, ctx: DeviceContext) -> str:
        """The model's word and a number: that of the slot, for what is in one."""
        if isinstance(self.address, DimmAddress):
            index = self.address.slot
        return f"{_ALIASES[self.model]}{index}"

    def connection(self, ctx: DeviceContext) -> Connection:
        """What is not virtio is plugged into slots of their own kind."""
        return VIRTIO if self.model in (VIRTIO_MEM, VIRTIO_PMEM) else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """Writes of the guest to virtio-pmem must reach the file."""
        if self.model == VIRTIO_PMEM and self.access is None:
            self.access = "shared"

    def align(self) -> None:
        """Round the size up to what a module can have."""
        self.target.size.kib = -(-self.kib // _ALIGNMENT) * _ALIGNMENT

    def check_address(self, ctx: DeviceContext) -> None:
        """Modules have slots, virtio devices places on their bus, enclaves nothing."""
        if self.address is None:
            return
        if self.model == SGX_EPC:
            raise UnsupportedConfigError(f"memory device address is not supported for model '{self.model}'")
        if self.model in IN_SLOTS:
            if not isinstance(self.address, DimmAddress):
                raise UnsupportedConfigError("only 'dimm' addresses are supported for the pc-dimm device")
            if self.address.slot >= ctx.memory.slots:
                raise UnsupportedConfigError(
                    f"memory device slot '{self.address.slot}' exceeds slots count '{ctx.memory.slots}'"
                )
        elif isinstance(self.address, DimmAddress) or (
            self.model == VIRTIO_PMEM and not isinstance(self.address, PciAddress)
        ):
            words = "only 'pci' addresses are" if self.model == VIRTIO_PMEM else "only 'pci' and 'ccw' addresses are"
            raise UnsupportedConfigError(f"{words} supported for the {self.model} device")

    def check(self, ctx: DeviceContext) -> None:
        """What the model needs, what this QEMU has, and that the guest's node exists."""
        cells = len(ctx.memory.cells)
        if self.target.node is not None and self.target.node >= cells:
            raise no_such_node(self.target.node, cells)
        _CHECKS[self.model](self, ctx)
        if self.model in (DIMM, NVDIMM, VIRTIO_MEM) and cells and self.target.node is None:
            raise UnsupportedConfigError("target NUMA node needs to be specified for memory device")

    def check_dimm(self, ctx: DeviceContext) -> None:
        """QEMU must have modules at all."""
        if not ctx.qemu.has_device("pc-dimm"):
            raise UnsupportedConfigError("memory hotplug isn't supported by this QEMU binary")

    def check_nvdimm(self, ctx: DeviceContext) -> None:
        """A persistent module lies in a file, whose contents stay."""
        if self.source is None or self.source.path is None:
            raise _detail("path is required for model 'nvdimm'")
        if self.discard:
            raise UnsupportedConfigError("discard is not supported for nvdimms")
        if self.uuid is not None:
            raise UnsupportedConfigError("UUID is not supported for NVDIMM device", hint="only ppc64 guests have one")
        if not ctx.qemu.has_device("nvdimm"):
            raise UnsupportedConfigError("nvdimm isn't supported by this QEMU binary")
        if self.source.pmem and not ctx.qemu.has_object_property("memory-backend-file", "pmem"):
            raise UnsupportedConfigError("nvdimm pmem property is not available with this QEMU binary")

    def check_virtio_pmem(self, ctx: DeviceContext) -> None:
        """It lies in a file, which it shares."""
        if self.source is None or self.source.path is None:
            raise _detail(f"path is required for model '{self.model}'")
        if self.discard:
            raise UnsupportedConfigError(f"discard is not supported for model '{self.model}'")
        if self.access != "shared":
            raise UnsupportedConfigError("shared access mode required for virtio-pmem device")
        if self.target.node is not None:
            raise UnsupportedConfigError("virtio-pmem does not support NUMA nodes")
        if self._base % _PAGE:
            raise UnsupportedConfigError(f"memory address must be aligned to {_PAGE} bytes")
        if not ctx.qemu.has_device("virtio-pmem-pci"):
            raise UnsupportedConfigError("virtio-pmem isn't supported by this QEMU binary")

    def check_virtio_mem(self, ctx: DeviceContext) -> None:
        """It is given out in blocks."""
        self._check_blocks()
        if not ctx.qemu.has_device("virtio-mem-ccw" if isinstance(self.address, CcwAddress) else "virtio-mem-pci"):
            raise UnsupportedConfigError("virtio-mem isn't supported by this QEMU binary")
        if isinstance(self.address, CcwAddress) and self.target.node:
            raise UnsupportedConfigError("NUMA nodes are not supported for virtio-mem-ccw")
        if self.target.dynamic_memslots and not ctx.qemu.has_property("virtio-mem-pci", "dynamic-memslots"):
            raise UnsupportedConfigError("virtio-mem does not support dynamicMemslots")

    def _check_blocks(self) -> None:
        block = self.target.block.kib if self.target.block is not None else 0
        if self.requested_kib > self.kib:
            raise _detail(f"requested size must be smaller than or equal to @size ({self.kib}KiB)")
        if block & (block - 1):
            raise _detail("block size must be a power of two")
        if block < _BLOCK:
            raise _detail(f"block size too small, must be at least {_BLOCK}KiB")
        if self.requested_kib % block:
            raise _detail("requested size must be an integer multiple of block size")
        if self._base % (block * 1024):
            raise _detail("memory device address must be aligned to blocksize")

    def check_sgx_epc(self, ctx: DeviceContext) -> None:
        """QEMU must have enclaves; the host's processor must, too, which shows at the start."""
        if not ctx.qemu.has_object("memory-backend-epc"):
            raise UnsupportedConfigError("sgx epc isn't supported by this QEMU binary")

    @property
    def _base(self) -> int:
        """Where it begins in the guest's memory, in bytes; 0 where QEMU chooses."""
        if isinstance(self.address, DimmAddress):
            return self.address.base or 0
        return (self.target.address.base if self.target.address is not None else None) or 0

    @property
    def span(self) -> tuple[int, int] | None:
        """Where it begins and ends in the guest's memory, in bytes, if that is said."""
        return (self._base, self._base + (self.kib - self._label_kib) * 1024) if self._base else None

    @property
    def _label_kib(self) -> int:
        """What the label takes of the size, in whole parts of the file's alignment: it is mapped elsewhere."""
        label = self.target.label.size.kib if self.target.label is not None else 0
        aligned = self.source is not None and self.source.alignsize is not None and self.source.alignsize.kib
        part = aligned or _PAGE // 1024
        return -(-label // part) * part

    @property
    def backend(self) -> str:
        """The id of the object that holds the memory."""
        return f"mem{self.name}"

    def wish(self) -> Wish:
        """What the object that holds the memory has to be."""
        source = self.source or new(MemorySource)
        return Wish(
            self.backend,
            self.name,
            self.kib,
            self.target.node,
            self.model,
            access=self.access,
            discard=self.discard,
            page_kib=source.pagesize.kib if source.pagesize is not None else None,
            nodes=parse_cpuset(source.nodemask) if source.nodemask is not None else frozenset(),
            path=source.path,
            align_kib=source.alignsize.kib if source.alignsize is not None else None,
            pmem=source.pmem,
        )

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """What holds the memory, and the device; enclaves are part of the machine instead."""
        made = ctx.memory.realise(self.wish(), ctx.qemu).objects
        if self.model == SGX_EPC:
            return made
        target = self.target
        props: Props = {"driver": self._driver()}
        props |= without_none(
            {
                "node": target.node,
                "label-size": target.label.size.kib * 1024 if target.label and target.label.size.kib else None,
                "block-size": target.block.kib * 1024 if target.block is not None else None,
                "requested-size": self.requested_kib * 1024 or None,
                "unarmed": True if target.readonly else None,
                "memdev": self.backend,
                "prealloc": True if self._prealloc(ctx.memory) else None,
                "memaddr": self._base or None if self.model in (VIRTIO_MEM, VIRTIO_PMEM) else None,
                "dynamic-memslots": target.dynamic_memslots,
                "id": self.name,
            }
        )
        return [*made, QemuDevice(props | self.address_props(ctx))]

    def _driver(self) -> str:
        if self.model == DIMM:
            return "pc-dimm"
        return NVDIMM if self.model == NVDIMM else self.virtio_driver(self.model)

    def _prealloc(self, memory: GuestMemory) -> bool:
        """QEMU's virtio-mem takes the pages of what it gives out, not of all that it could."""
        return self.model == VIRTIO_MEM and memory.pages(self.wish()).prealloc


_ALL_SETTINGS: Final = sorted(frozenset().union(*_SETTINGS.values()))
_CHECKS: Final[dict[str, Callable[[MemoryDevice, DeviceContext], None]]] = {
    DIMM: MemoryDevice.check_dimm,
    NVDIMM: MemoryDevice.check_nvdimm,
    VIRTIO_PMEM: MemoryDevice.check_virtio_pmem,
    VIRTIO_MEM: MemoryDevice.check_virtio_mem,
    SGX_EPC: MemoryDevice.check_sgx_epc,
}


def numbered(devices: Iterable[MemoryDevice]) -> Iterator[tuple[int, MemoryDevice]]:
    """The devices, each with its number among those of its model."""
    counts: dict[str, int] = {}
    for device in devices:
        yield counts.setdefault(device.model, 0), device
        counts[device.model] += 1


def assign_slots(devices: Iterable[MemoryDevice], memory: GuestMemory) -> None:
    """Give modules without an address the lowest free slots. Nothing is done where the guest has none."""
    if not memory.hotpluggable:
        return
    modules = [device for device in devices if device.model in IN_SLOTS]
    taken = {device.address.slot for device in modules if isinstance(device.address, DimmAddress)}
    for device in modules:
        if device.address is None:
            slot = next(number for number in range(len(taken) + 1) if number not in taken)
            taken.add(slot)
            device.address = new(DimmAddress, slot=slot)


def check_together(devices: list[MemoryDevice], memory: GuestMemory, *, needs_cells: bool) -> None:
    """Raise `UnsupportedConfigError` where the devices have no place, alone or beside each other.

    `needs_cells` says that the guest must have nodes of its own to have such devices.
    """
    if not memory.hotpluggable:
        if devices:
            raise UnsupportedConfigError("cannot use/hotplug a memory device when domain 'maxMemory' is not defined")
        return
    if needs_cells and not memory.cells:
        raise UnsupportedConfigError("At least one numa node has to be configured when enabling memory hotplug")
    modules = [device for device in devices if device.model in IN_SLOTS]
    if len(modules) > memory.slots:
        raise UnsupportedConfigError(
            f"count of memory devices requiring memory slots '{len(modules)}' exceeds slots count '{memory.slots}'"
        )
    _check_places(devices)


def _check_places(devices: list[MemoryDevice]) -> None:
    for number, device in enumerate(devices):
        for other in devices[:number]:
            slots = [item.address.slot for item in (device, other) if isinstance(item.address, DimmAddress)]
            if len(slots) > len(set(slots)):
                raise UnsupportedConfigError(
                    f"memory device slot '{slots[0]}' is already being used by another memory device"
                )
            mine, its = device.span, other.span
            if mine and its and mine[0] < its[1] and its[0] < mine[1]:
                raise UnsupportedConfigError(
                    f"memory device address [0x{mine[0]:x}:0x{mine[1]:x}] overlaps with other memory device "
                    f"(0x{its[0]:x})"
                )


def machine_words(devices: Iterable[MemoryDevice]) -> list[str]:
    """What `-machine` says of the devices, whose aliases must be assigned."""
    words: list[str] = []
    enclaves = 0
    for device in devices:
        if device.model == memory_objects.NVDIMM and "nvdimm=on" not in words:
            words.append("nvdimm=on")
        elif device.model == SGX_EPC:
            words.append(f"sgx-epc.{enclaves}.memdev={device.backend}")
            words.append(f"sgx-epc.{enclaves}.node={device.target.node or 0}")
            enclaves += 1
    return words
