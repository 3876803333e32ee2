"""Memory that is plugged in: `<memory>` in `<devices>`, as modules (`dimm`, `nvdimm`), as virtio devices (`virtio-mem`,
whose size the host changes, and `virtio-pmem`), or as enclaves (`sgx-epc`).

Source: https://libvirt.org/formatdomain.html#memory-devices, QEMU's `docs/nvdimm.txt` and `docs/system/i386/sgx.rst`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, choice, element, must, new, one, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address, CcwAddress, PciAddress
from guesthouse.model.domain.devices.base import NOWHERE, VIRTIO, Alias, Connection, Device, DeviceContext, alias_slot
from guesthouse.model.domain.devices.memory_checks import CHECKS, check_blocks
from guesthouse.model.domain.devices.memory_parts import (
    ALL_SETTINGS,
    SETTINGS,
    Current,
    DimmAddress,
    MemoryBase,
    MemorySource,
    MemoryTarget,
    Requested,
)
from guesthouse.model.domain.memory_objects import DIMM, NVDIMM, SGX_EPC, VIRTIO_MEM, VIRTIO_PMEM, GuestMemory, Wish
from guesthouse.model.domain.numa import no_such_node
from guesthouse.model.kinds import (
    UUID,
    YES_NO,
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
#: The smallest label that a module can have, and a page, in KiB.
_LABEL: Final = 128
_PAGE: Final = 4


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
        target, known = self.target, SETTINGS[self.model]
        for holder in (self.source, target):
            for name in ALL_SETTINGS:
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
        check_blocks(self)

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
        CHECKS[self.model](self, ctx)
        if self.model in (DIMM, NVDIMM, VIRTIO_MEM) and cells and self.target.node is None:
            raise UnsupportedConfigError("target NUMA node needs to be specified for memory device")

    @property
    def base(self) -> int:
        """Where it begins in the guest's memory, in bytes; 0 where QEMU chooses."""
        if isinstance(self.address, DimmAddress):
            return self.address.base or 0
        return (self.target.address.base if self.target.address is not None else None) or 0

    @property
    def span(self) -> tuple[int, int] | None:
        """Where it begins and ends in the guest's memory, in bytes, if that is said."""
        return (self.base, self.base + (self.kib - self._label_kib) * 1024) if self.base else None

    @property
    def _label_kib(self) -> int:
        """What the label takes of the size, in whole parts of the file's alignment: it is mapped elsewhere."""
        label = self.target.label.size.kib if self.target.label is not None else 0
        aligned = self.source is not None and self.source.alignsize is not None and self.source.alignsize.kib
        part = aligned or _PAGE
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
                "memaddr": self.base or None if self.model in (VIRTIO_MEM, VIRTIO_PMEM) else None,
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
