"""Where huge pages are mounted, and which of the host's places a guest's memory gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from guesthouse.drivers.domain.memory.places import mounts, settings
from guesthouse.model.domain.host_settings import UNCHANGED

_MOUNTS = r"""proc /proc proc rw 0 0
hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0
none /mnt/big\040pages hugetlbfs rw,gid=36,pagesize=1024M 0 0
none /mnt/old hugetlbfs rw 0 0
none /mnt/ä hugetlbfs rw,pagesize=64K 0 0
broken
"""


def test_mounts_of_huge_pages_are_found_with_their_sizes() -> None:
    assert mounts(_MOUNTS.splitlines()) == [
        (2048, "/dev/hugepages"),
        (1048576, "/mnt/big pages"),
        (0, "/mnt/old"),
        (64, "/mnt/ä"),
    ]


def test_memory_in_files_lies_in_the_drivers_own_place_unless_that_was_set() -> None:
    assert settings(UNCHANGED, Path("/root/lib/qemu")).memory_backing_dir == "/root/lib/qemu/ram"
    told = replace(UNCHANGED, memory_backing_dir="/fast", hugetlbfs_mount=((2048, "/huge"),))
    assert settings(told, Path("/root/lib/qemu")) == replace(told, memory_backing_dir="/fast/libvirt/qemu")
