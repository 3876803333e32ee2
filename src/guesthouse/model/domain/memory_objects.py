"""What holds a guest's memory in QEMU: `memory-backend-…` objects, for its nodes and for its memory devices.

Which object it is, and with what, follows from the memory backing, from the guest's own nodes, from the NUMA policy and
from the device. The rules are libvirt's; properties: QEMU's `qapi/qom.json`, `MemoryBackendProperties` and the types
derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from guesthouse.errors import InternalError, UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings
from guesthouse.model.domain.memory_backing import SHARED, MemoryBacking
from guesthouse.model.domain.numa import Cell
from guesthouse.model.domain.numatune import Numatune
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.model.qemu_objects import Json, Object, Props, QemuObject, without_none

RAM: Final = "ram"
DIMM: Final = "dimm"
NVDIMM: Final = "nvdimm"
VIRTIO_MEM: Final = "virtio-mem"
VIRTIO_PMEM: Final = "virtio-pmem"
SGX_EPC: Final = "sgx-epc"

#: Mode of the NUMA policy to QEMU's word (`HostMemPolicy`). A restrictive one is the control group's alone.
_POLICY: Final = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}
_CANONICAL: Final = "x-use-canonical-path-for-ramblock-id"


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What the host's memory is like.

    `nodes` maps each NUMA node to its processors; None where nobody looked, and then no node is missed. `page_kib` is
    the size of ordinary pages. `advised` are the nodes that numad gave for this guest.
    """

    nodes: Mapping[int, frozenset[int]] | None = None
    page_kib: int = 4
    advised: frozenset[int] | None = None

    def need(self, nodes: frozenset[int]) -> None:
        """Raise `UnsupportedConfigError` for a node that the host has not."""
        missing = sorted(nodes - self.nodes.keys()) if self.nodes is not None else []
        if missing:
            raise UnsupportedConfigError(
                f"NUMA node {missing[0]} is unavailable", hint="the host's nodes are in /sys/devices/system/node"
            )

    def nodes_of(self, cpus: frozenset[int]) -> frozenset[int] | None:
        """The nodes that have these processors; None where nobody looked."""
        if self.nodes is None:
            return None
        return frozenset(node for node, own in self.nodes.items() if own & cpus)


UNKNOWN_HOST: Final = HostMemory()


@dataclass(frozen=True, slots=True)
class Wish:
    """One object that is wanted: its id, and `kib` of memory for one of the guest's nodes (None: for none).

    `kind` is `RAM`, or the model of the memory device. The rest is what the device says itself: `access` (`shared` or
    `private`), `discard`, the size of its pages, the host's `nodes`, the `path` of a file, its alignment in KiB, and
    whether the file is persistent memory. `name` is the file's name where memory lies in one.
    """

    id: str
    name: str
    kib: int
    node: int | None = None
    kind: str = RAM
    access: str | None = None
    discard: bool | None = None
    page_kib: int | None = None
    nodes: frozenset[int] = frozenset()
    path: str | None = None
    align_kib: int | None = None
    pmem: bool = False


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of one object: `huge` ones of `kib` KiB, of which `named` says that the node or device names them.

    `prealloc` says that all of them are taken at the start.
    """

    huge: bool = False
    kib: int = 0
    named: bool = False
    prealloc: bool = False


@dataclass(frozen=True, slots=True)
class Backing:
    """The objects for a wish, the last of which is the memory; `plain` says that ordinary memory does as well."""

    objects: list[QemuObject]
    plain: bool


#: What nobody says anything of. They are never changed.
NO_BACKING: Final = new(MemoryBacking)
NO_POLICY: Final = new(Numatune)


@dataclass(frozen=True, slots=True)
class GuestMemory:
    """What is said of a guest's memory as a whole.

    `initial_kib` is what the guest has without memory devices, `balloon_kib` what the balloon shall leave it, if that
    is less than all. Devices may go up to `maximum_kib` (0: there can be none), in so many `slots`. `cells` are the
    guest's nodes. `emulator_cpus` are the host's processors on which QEMU's threads may run, where that is limited.
    `short_name` is the guest's directory below those for memory.
    """

    initial_kib: int = 0
    balloon_kib: int | None = None
    maximum_kib: int = 0
    slots: int = 0
    backing: MemoryBacking = field(default_factory=lambda: NO_BACKING)
    numatune: Numatune = field(default_factory=lambda: NO_POLICY)
    cells: tuple[Cell, ...] = ()
    emulator_cpus: frozenset[int] | None = None
    short_name: str = ""
    settings: HostSettings = UNCHANGED
    host: HostMemory = UNKNOWN_HOST

    @property
    def hotpluggable(self) -> bool:
        """Whether memory devices have a place."""
        return self.slots > 0 or self.maximum_kib > 0

    @property
    def shared(self) -> bool:
        """Whether all of the memory can be given to other processes."""
        if self.cells:
            return all((cell.access or self.backing.access) == SHARED for cell in self.cells)
        return self.backing.access == SHARED

    def file_directory(self) -> str:
        """Where memory lies that is held in files."""
        return f"{self.settings.memory_backing_dir}/{self.short_name}"

    def huge_directory(self, kib: int) -> str:
        """Where huge pages of a size are taken from.

        Raises `InternalError` where the host has none of that size.
        """
        for size, mount in self.settings.hugetlbfs_mount:
            if size == kib:
                return f"{mount}/libvirt/qemu/{self.short_name}"
        raise InternalError(
            f"Unable to find any usable hugetlbfs mount for {kib} KiB", hint="see hugetlbfs_mount in qemu.conf"
        )

    def directory(self, wish: Wish) -> str | None:
        """The guest's own directory that the memory lies in; None where it lies in none."""
        pages = self.pages(wish)
        if wish.path is not None or wish.kind == SGX_EPC or self.backing.source == "memfd":
            return None
        if pages.huge:
            return self.huge_directory(pages.kib)
        return self.file_directory() if self._access(wish) or self.backing.source == "file" else None

    def _cell(self, wish: Wish) -> Cell | None:
        return self.cells[wish.node] if wish.node is not None and wish.node < len(self.cells) else None

    def _access(self, wish: Wish) -> str | None:
        cell = self._cell(wish)
        return wish.access or (cell.access if cell is not None else None) or self.backing.access

    def pages(self, wish: Wish) -> Pages:
        """The pages for a wish."""
        immediate = self.backing.allocation == "immediate"
        if wish.page_kib:
            huge, kib, named = True, wish.page_kib, True
        else:
            huge, kib, named = self._pages_of_node(wish.node)
        if huge and kib == self.host.page_kib:
            huge, kib, named = False, 0, False
        elif huge and not kib:
            kib = self._default_page()
        if wish.path is not None:
            immediate = immediate or (wish.kind == NVDIMM and not wish.pmem)
        else:
            immediate = immediate or huge
        return Pages(huge, kib, named, immediate)

    def _pages_of_node(self, node: int | None) -> tuple[bool, int, bool]:
        """Whether a node has huge pages, of which size (0: the host's default), and whether it is named for them."""
        hugepages = self.backing.hugepages
        if hugepages is None:
            return False, 0, False
        if not hugepages.pages:
            return True, 0, False
        everywhere = None
        for page in hugepages.pages:
            if not page.nodes:
                everywhere = page
            elif node in page.nodes:
                return True, page.kib, True
        return (True, everywhere.kib, False) if everywhere is not None else (False, 0, False)

    def _default_page(self) -> int:
        if not self.settings.hugetlbfs_mount:
            raise InternalError("hugetlbfs filesystem is not mounted or disabled by administrator config")
        return self.settings.hugetlbfs_mount[0][0]

    def realise(self, wish: Wish, qemu: QemuCapabilities, *, system: bool = False) -> Backing:
        """The objects for a wish; `system` says that it is the memory of a guest without nodes.

        Raises `UnsupportedConfigError` for what this QEMU or this host has not.
        """
        access = self._access(wish)
        pages = self.pages(wish)
        kind, props = self._source(wish, pages, qemu, system=system)
        if wish.kind == VIRTIO_MEM:
            props |= {"reserve": False} if qemu.has_object_property(kind, "reserve") else {}
        elif pages.prealloc or wish.kind == SGX_EPC:
            props |= without_none({"prealloc": True, "prealloc-threads": self.backing.threads})
        props["size"] = wish.kib * 1024
        if wish.kind == NVDIMM:
            props |= {"align": wish.align_kib * 1024} if wish.align_kib else {}
            props |= {"pmem": True} if wish.pmem else {}
        nodes = self._place(wish, props)
        objects = [self._threads(wish, nodes, props)] if self._wants_threads(props, nodes, qemu) else []
        made: Props = {"qom-type": kind, "id": wish.id}
        of_node = any(item.cellid == wish.node for item in self.numatune.memnodes)
        plain = not (
            pages.named or wish.nodes or of_node or wish.path or access or self.backing.source in ("file", "memfd")
        )
        return Backing([*(item for item in objects if item is not None), Object(made | props)], plain)

    def _source(self, wish: Wish, pages: Pages, qemu: QemuCapabilities, *, system: bool) -> tuple[str, Props]:
        """The type of the object, and where it takes the memory from."""
        access = self._access(wish)
        share = None if access is None else access == SHARED
        canonical: Props = {}
        if wish.kind == SGX_EPC:
            return "memory-backend-epc", {}
        if wish.path is None and self.backing.source == "memfd":
            kind = "memory-backend-memfd"
            if not qemu.has_object(kind):
                raise UnsupportedConfigError("this qemu doesn't support the memory-backend-memfd object")
            huge: Props = {"hugetlb": True, "hugetlbsize": pages.kib << 10} if pages.huge else {}
            props = huge | without_none({"share": share})
        elif pages.huge or wish.path is not None or access is not None or self.backing.source == "file":
            kind = "memory-backend-file"
            props = {"mem-path": self._path(wish, pages)}
            props |= without_none({"discard-data": self._discards(wish), "share": share})
        else:
            return "memory-backend-ram", {}
        if system and qemu.has_object_property(kind, _CANONICAL):
            canonical = {_CANONICAL: False}
        return kind, props | canonical

    def _path(self, wish: Wish, pages: Pages) -> str:
        if wish.path is not None:
            return wish.path
        return self.huge_directory(pages.kib) if pages.huge else f"{self.file_directory()}/{wish.name}"

    def _discards(self, wish: Wish) -> bool | None:
        cell = self._cell(wish)
        if wish.path is not None:
            return None
        if wish.discard is not None:
            return wish.discard
        if cell is not None and cell.discard is not None:
            return cell.discard
        return True if self.backing.discard else None

    def _place(self, wish: Wish, props: Props) -> frozenset[int]:
        """Say from which of the host's nodes the memory comes, and return them."""
        policy = self.numatune.policy(wish.node)
        mode = policy[0] if policy is not None else "strict"
        nodes = wish.nodes or (policy[1] if policy is not None else frozenset())
        if not nodes and self.numatune.automatic:
            if self.host.advised is None:
                raise InternalError("Advice from numad is needed in case of automatic numa placement")
            nodes = self.host.advised
        if nodes:
            self.host.need(nodes)
            if mode in _POLICY:
                numbers: list[Json] = [*sorted(nodes)]
                props |= {"host-nodes": numbers, "policy": _POLICY[mode]}
        return nodes

    def _wants_threads(self, props: Props, nodes: frozenset[int], qemu: QemuCapabilities) -> bool:
        return bool(nodes) and props.get("prealloc") is True and qemu.has_object("thread-context")

    def _threads(self, wish: Wish, nodes: frozenset[int], props: Props) -> QemuObject | None:
        """Threads on the host's nodes that take the memory; QEMU's own may not be allowed there."""
        if self.emulator_cpus is not None:
            own = self.host.nodes_of(self.emulator_cpus)
            nodes = nodes if own is None else nodes & own
            if not nodes:
                return None
        name = f"tc-{wish.id}"
        props["prealloc-context"] = name
        numbers: list[Json] = [*sorted(nodes)]
        return Object({"qom-type": "thread-context", "id": name, "node-affinity": numbers})


#: The memory of a guest of which nothing is said.
NO_MEMORY: Final = GuestMemory()
