"""Pools of huge pages, on a tree of files: what is written where, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.drivers.connect.page_pools import allocate
from guesthouse.errors import Code, LibvirtError
from guesthouse.host.memory import base_page_size
from guesthouse.host.sysfs import HostTree
from tests.support.host_tree import two_nodes, write

BIG = 2048


def pools(tree: HostTree) -> list[str]:
    found = [tree.sys / "kernel/mm", *(tree.nodes / f"node{number}" for number in (0, 1))]
    return [(folder / f"hugepages/hugepages-{BIG}kB/nr_hugepages").read_text().strip() for folder in found]


def test_pools_are_set_and_grow(tmp_path: Path) -> None:
    tree = two_nodes(tmp_path)
    assert pools(tree) == ["1024", "512", "512"]
    assert allocate(tree, [(BIG, 3)], 0, 2, add=False) == 2
    assert allocate(tree, [(BIG, 4)], 1, 1, add=True) == 1
    assert allocate(tree, [(BIG, 5), (1048576, 0)], -1, 1, add=False) == 2
    assert pools(tree) == ["5", "3", "7"]
    assert allocate(tree, [(BIG, 0)], 1, 9, add=True) == 1  # no more cells than there are


@pytest.mark.parametrize(
    ("start", "size", "code", "text"),
    [
        (2, BIG, Code.INTERNAL_ERROR, "start cell 2 out of range (0-1)"),
        (0, base_page_size(), Code.OPERATION_UNSUPPORTED, "system pages pool can't be modified"),
        (1, 77, Code.OPERATION_FAILED, "page size 77 is not available on node 1"),
        (-1, 77, Code.OPERATION_FAILED, "page size 77 is not available"),
        (-2, BIG, Code.OPERATION_FAILED, "NUMA node -2 is not available"),
    ],
)
def test_what_is_refused(tmp_path: Path, start: int, size: int, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        allocate(two_nodes(tmp_path), [(size, 1)], start, 1, add=True)
    assert (caught.value.code, caught.value.detail) == (code, text)


def test_a_host_without_cells_has_one_pool(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    pool = tree.sys / f"kernel/mm/hugepages/hugepages-{BIG}kB/nr_hugepages"
    write(pool, "2")
    assert allocate(tree, [(BIG, 2)], 0, 1, add=True) == 1
    assert pool.read_text() == "4"
