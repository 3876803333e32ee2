"""From which NUMA nodes of the host a guest's memory comes: `<numatune>`.

Format: https://libvirt.org/formatdomain.html#numa-node-tuning
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, many, one, opt
from guesthouse.model.kinds import CPUSET, UINT, one_of, parse_cpuset

_MODE: Final = one_of("strict", "preferred", "interleave", "restrictive")


@element("memory")
class NumaMemory:
    """The policy for all memory.

    `mode` is `strict` (only those nodes), `preferred`, `interleave` or `restrictive` (as strict, by the host's control
    groups alone, so that it can change). `placement` is `auto` where numad chooses the nodes, else `nodeset` has them;
    after `settle` it is not `static`, as libvirt never writes that.
    """

    mode: str = default(_MODE, "strict")
    nodeset: str | None = opt(CPUSET)
    placement: str | None = opt(one_of("static", "auto", "default"))

    @property
    def nodes(self) -> frozenset[int]:
        """The host's nodes; empty where numad is to choose."""
        return parse_cpuset(self.nodeset) if self.nodeset is not None else frozenset()


@element("memnode")
class MemNode:
    """The policy for one of the guest's own nodes."""

    cellid: int = attr(UINT)
    mode: str = default(_MODE, "strict")
    nodeset: str = attr(CPUSET)

    @property
    def nodes(self) -> frozenset[int]:
        """The host's nodes."""
        return parse_cpuset(self.nodeset)


@element("numatune", omit_empty=True)
class Numatune:
    """The policy for all memory, and for single nodes of the guest."""

    memory: NumaMemory | None = one(NumaMemory)
    memnodes: list[MemNode] = many(MemNode)

    @property
    def automatic(self) -> bool:
        """Whether numad chooses the nodes."""
        return self.memory is not None and self.memory.placement == "auto"

    def settle(self, *, static: bool, cells: int) -> None:
        """Fill in the placement, and check the nodes. `static` says that the processors' placement is not left to
        numad; `cells` is how many nodes the guest has.

        Raises `UnsupportedConfigError` and `XmlError` with libvirt's texts.
        """
        memory = self.memory
        if memory is not None:
            if memory.placement in (None, "default") and not static and memory.nodeset is None:
                memory.placement = "auto"
            if memory.placement == "auto":
                memory.nodeset = None
            elif memory.nodeset is None:
                raise UnsupportedConfigError("nodeset for NUMA memory tuning must be set if 'placement' is 'static'")
            else:
                memory.placement = None
        if self.memnodes:
            self._settle_nodes(cells)

    def _settle_nodes(self, cells: int) -> None:
        if self.automatic:
            raise UnsupportedConfigError("Per-node binding is not compatible with automatic NUMA placement.")
        if not cells:
            raise XmlError("Element 'memnode' is invalid without any guest NUMA cells", hint="see <numa> in <cpu>")
        seen: set[int] = set()
        for node in self.memnodes:
            if node.cellid >= cells:
                raise XmlError(
                    "Argument 'cellid' in memnode element must correspond to existing guest's NUMA cell",
                    hint=f"there is none with the number {node.cellid}",
                )
            if node.cellid in seen:
                raise XmlError(f"Multiple memnode elements with cellid {node.cellid}")
            seen.add(node.cellid)
        self.memnodes.sort(key=lambda node: node.cellid)

    def check(self) -> None:
        """Raise `XmlError` where only one of the elements is restrictive."""
        restrictive = self.memory is not None and self.memory.mode == "restrictive"
        for node in self.memnodes:
            if restrictive and node.mode != "restrictive":
                raise XmlError(
                    "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
                )
            if not restrictive and node.mode == "restrictive":
                raise XmlError(
                    "'restrictive' mode is required in memory element when mode is 'restrictive' in memnode element"
                )

    def policy(self, cell: int | None = None) -> tuple[str, frozenset[int]] | None:
        """The mode and the host's nodes for one of the guest's nodes (for none of them: None), or None for no policy.

        The nodes are empty where numad is to choose.
        """
        for node in self.memnodes:
            if node.cellid == cell:
                return node.mode, node.nodes
        return (self.memory.mode, self.memory.nodes) if self.memory is not None else None
