"""What a guest's memory is made of on the host: `<memoryBacking>`.

Format: https://libvirt.org/formatdomain.html#memory-backing
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.binding import attr, default, element, flag, many, one, opt
from guesthouse.model.domain.memory import in_kib
from guesthouse.model.kinds import CPUSET, TEXT, UINT, ULL, one_of, parse_cpuset

SHARED: Final = "shared"
PRIVATE: Final = "private"


@element("page")
class HugePage:
    """Pages of `kib` KiB, for some of the guest's nodes (`nodeset`) or for all that no other element names."""

    kib: int = attr(ULL, "size")
    unit: str = default(TEXT, "KiB")
    nodeset: str | None = opt(CPUSET)

    def parsed(self) -> None:
        """Turn any unit into KiB."""
        self.kib = in_kib(self.kib, self.unit)
        self.unit = "KiB"
        if not self.kib:
            raise _detail("hugepage size can't be zero")

    @property
    def nodes(self) -> frozenset[int]:
        """The guest's nodes; empty for all others."""
        return parse_cpuset(self.nodeset) if self.nodeset is not None else frozenset()


def _detail(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.XML_DETAIL, domain=Origin.DOMAIN)


@element("hugepages")
class HugePages:
    """Huge pages: of the host's default size, where no page is named."""

    pages: list[HugePage] = many(HugePage)

    def forget_first_node(self) -> None:
        """A guest without nodes has its memory on number 0: naming that names nothing."""
        for page in self.pages:
            if page.nodes == frozenset((0,)):
                page.nodeset = None

    def check(self, cells: int) -> None:
        """Raise a `LibvirtError` (code 35) where two sizes are named for one of the `cells` nodes."""
        everywhere: HugePage | None = None
        taken: dict[int, HugePage] = {}
        for page in self.pages:
            if not page.nodes:
                if everywhere is not None:
                    raise _detail(f"two master hugepages detected: {page.kib} and {everywhere.kib}")
                everywhere = page
            for node in sorted(page.nodes):
                if node in taken:
                    raise _detail(f"nodeset attribute of hugepages of sizes {page.kib} and {taken[node].kib} intersect")
                taken[node] = page
        missing = [node for node in sorted(taken) if node >= cells]
        if missing:
            raise _detail(f"hugepages: node {missing[0]} not found")


@element("memoryBacking", omit_empty=True)
class MemoryBacking:
    """Where the memory comes from.

    `source` is `file`, `anonymous` or `memfd`; `access` is `shared` (with other processes) or `private`; `allocation`
    is `immediate` or `ondemand`, by so many `threads`. `nosharepages` keeps the host from merging equal pages (KSM),
    `locked` from swapping; `discard` drops the contents at the end.
    """

    hugepages: HugePages | None = one(HugePages)
    nosharepages: bool = flag()
    locked: bool = flag()
    source: str | None = opt(one_of("file", "anonymous", "memfd"), "type", within="source")
    access: str | None = opt(one_of(SHARED, PRIVATE), "mode", within="access")
    allocation: str | None = opt(one_of("immediate", "ondemand"), "mode", within="allocation")
    threads: int | None = opt(UINT, "threads", within="allocation")
    discard: bool = flag()

    def parsed(self) -> None:
        """No threads is no setting."""
        self.threads = self.threads or None

    def check(self, cells: int) -> None:
        """Raise a `LibvirtError` for settings that contradict each other; `cells` is how many nodes the guest has."""
        if self.hugepages is None:
            return
        self.hugepages.check(cells)
        if self.allocation == "ondemand":
            raise UnsupportedConfigError("hugepages are not allowed with memory allocation ondemand")
        if self.source == "anonymous":
            raise UnsupportedConfigError("hugepages are not allowed with anonymous memory source")
