"""Reading /proc and /sys: on small trees written by hand, and once on the machine that runs the tests."""

from __future__ import annotations

import os
import struct
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.host.cpu import (
    CacheBank,
    CpuCounts,
    CpuSet,
    CpuTimes,
    LogicalCpu,
    count_cpus,
    kvm_max_vcpus,
    parse_cpuinfo,
    parse_stat,
    read_caches,
    read_counts,
    read_cpu_set,
    read_cpuid,
    read_cpuinfo,
    read_msrs,
    read_times,
)
from guesthouse.host.identity import dmi_uuid, has_iommu, machine_uuid, sleep_states, valid_uuid
from guesthouse.host.memory import (
    PagePool,
    base_page_size,
    page_sizes,
    parse_meminfo,
    read_cells,
    read_meminfo,
    read_merging,
    read_pages,
)
from guesthouse.host.sysfs import HostTree, format_list, parse_list, read_int, read_text
from tests.support.host_tree import two_nodes, write

CPUINFO = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 1
stepping\t: 1
microcode\t: 0xa0011d5
cpu MHz\t\t: 1500.123
flags\t\t: fpu vme sse4_1
address sizes\t: 48 bits physical, 48 bits virtual

processor\t: 1
vendor_id\t: AuthenticAMD
cpu MHz\t\t: 2994.373
"""


def test_cpuinfo() -> None:
    info = parse_cpuinfo(CPUINFO)
    assert (info.vendor, info.family, info.model, info.stepping) == ("AuthenticAMD", 25, 1, 1)
    assert info.microcode == 0xA0011D5
    assert info.mhz == 2994
    assert info.physical_bits == 48
    assert info.flags == {"fpu", "vme", "sse4_1"}


def test_cpuinfo_of_another_architecture() -> None:
    info = parse_cpuinfo("processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\nCPU part\t: 0xd0c\n")
    assert (info.vendor, info.family, info.mhz, info.flags) == ("", None, 0, frozenset())


def test_counts_of_two_nodes(tmp_path: Path) -> None:
    tree = two_nodes(tmp_path)
    assert read_cpu_set(tree) == CpuSet(tuple(range(8)), tuple(range(7)))
    assert read_counts(tree) == CpuCounts(cpus=7, nodes=2, sockets=1, cores=2, threads=2)


def test_counts_without_numa(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    write(tree.cpus / "present", "0-1")
    write(tree.cpus / "online", "0-1")
    for cpu in range(2):
        write(tree.cpus / f"cpu{cpu}/topology/core_id", str(cpu))
    assert read_counts(tree) == CpuCounts(2, 1, 1, 2, 1)


def test_an_irregular_layout_is_told_flat() -> None:
    """One core with two threads beside one with a single thread does not multiply out."""
    cpus = [LogicalCpu(0, 0, 0, 0, 0, (0, 1)), LogicalCpu(1, 0, 0, 0, 0, (0, 1)), LogicalCpu(2, 0, 0, 0, 1, (2,))]
    assert count_cpus([cpus], 0) == CpuCounts(cpus=3, nodes=1, sockets=1, cores=3, threads=1)


def test_bitmap_of_online_processors() -> None:
    assert CpuSet((0, 1, 2, 8), (0, 2, 8)).bitmap == b"\x05\x01"


def test_stat() -> None:
    text = "cpu  100 10 50 1000 7 3 2 0 0 0\ncpu0 100 10 50 1000 7 3 2\ncpu1 1 2 3 4\nintr 5 1\n"
    tick = 10_000_000
    assert parse_stat(text, 100) == {
        -1: CpuTimes(kernel=55 * tick, user=110 * tick, idle=1000 * tick, iowait=7 * tick),
        0: CpuTimes(kernel=55 * tick, user=110 * tick, idle=1000 * tick, iowait=7 * tick),
        1: CpuTimes(kernel=3 * tick, user=3 * tick, idle=4 * tick, iowait=0),
    }


def test_caches_are_listed_once(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    write(tree.cpus / "present", "0-1")
    write(tree.cpus / "online", "0-1")
    for cpu in range(2):
        for index, (level, kind, size, shared, number) in enumerate(
            [(1, "Data", "48K", str(cpu), cpu), (2, "Unified", "2048K", str(cpu), cpu), (3, "Unified", "32M", "0-1", 0)]
        ):
            directory = tree.cpus / f"cpu{cpu}/cache/index{index}"
            for name, value in (("level", level), ("type", kind), ("size", size), ("shared_cpu_list", shared)):
                write(directory / name, str(value))
            write(directory / "id", str(number))
    assert read_caches(tree) == [
        CacheBank(0, 2, "both", 2 << 20, (0,)),
        CacheBank(1, 2, "both", 2 << 20, (1,)),
        CacheBank(0, 3, "both", 32 << 20, (0, 1)),
    ]


def test_cells(tmp_path: Path) -> None:
    cells = read_cells(two_nodes(tmp_path))
    assert [(cell.number, cell.memory, cell.distances) for cell in cells] == [
        (0, 4194304, {0: 10, 1: 21}),
        (1, 2097152, {0: 21, 1: 10}),
    ]
    assert [cpu.number for cpu in cells[1].cpus] == [4, 5, 6]
    assert cells[0].cpus[0] == LogicalCpu(0, 0, 0, 0, 0, (0, 1))
    small = (4194304 - 1048576) // base_page_size()
    assert cells[0].pages == (PagePool(base_page_size(), small, 1048576 // base_page_size()), PagePool(2048, 512, 12))


def test_without_numa_all_is_one_cell(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    write(tree.cpus / "present", "0")
    write(tree.proc / "meminfo", "MemTotal: 1024 kB\nMemFree: 512 kB")
    (cell,) = read_cells(tree)
    assert (cell.number, cell.memory, cell.distances, len(cell.cpus)) == (0, 1024, {}, 1)


def test_page_sizes(tmp_path: Path) -> None:
    assert page_sizes(two_nodes(tmp_path)) == [base_page_size(), 2048, 1048576]


def test_no_such_node(tmp_path: Path) -> None:
    assert read_pages(two_nodes(tmp_path), 5) is None


def test_meminfo_of_a_node_and_of_the_host() -> None:
    assert parse_meminfo("Node 0 MemFree:  5 kB\nNode 0 HugePages_Total: 3\n") == {"MemFree": 5, "HugePages_Total": 3}
    assert parse_meminfo("MemTotal:  16 kB\nnonsense\nEmpty:\n") == {"MemTotal": 16}


def test_merging_leaves_out_what_the_kernel_lacks(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    write(tree.sys / "kernel/mm/ksm/pages_to_scan", "100")
    write(tree.sys / "kernel/mm/ksm/run", "1")
    assert read_merging(tree) == {"pages_to_scan": 100}


def test_cpuid_device(tmp_path: Path) -> None:
    """The device answers for the leaf at the offset; leaves beyond the highest are not read."""
    tree = HostTree.under(tmp_path)
    device = tree.dev / "cpu/0/cpuid"
    device.parent.mkdir(parents=True)
    with device.open("wb") as file:
        for leaf, values in ((0, (7, 1, 2, 3)), (7, (0, 0x20, 0, 0)), (0x80000000, (0x80000001, 0, 0, 0))):
            file.seek(leaf)
            file.write(struct.pack("<4I", *values))
    found = read_cpuid(tree, {(7, 0), (0xD, 0), (0x80000008, 0)})
    assert found == {(7, 0): {"eax": 0, "ebx": 0x20, "ecx": 0, "edx": 0}}


def test_absent_devices(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    assert read_cpuid(tree, {(1, 0)}) == {}
    assert read_msrs(tree, {0x10A}) == {}
    with pytest.raises(OSError):
        kvm_max_vcpus(tree)


def test_sleep_and_iommu(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    assert (sleep_states(tree), has_iommu(tree)) == ([], False)
    write(tree.sys / "power/state", "freeze mem disk")
    write(tree.sys / "power/disk", "[platform] shutdown reboot suspend test_resume")
    (tree.sys / "kernel/iommu_groups/0").mkdir(parents=True)
    assert sleep_states(tree) == ["suspend_mem", "suspend_disk", "suspend_hybrid"]
    assert has_iommu(tree)


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        ("4C4C4544-0035-3510-8057-B4C04F4A4D32", "4c4c4544-0035-3510-8057-b4c04f4a4d32"),
        ("3d1219c7c4c5404aaa1f6d2a48adfda4", "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", None),
        ("Not Settable", None),
        (None, None),
    ],
)
def test_uuids(text: str | None, uuid: str | None) -> None:
    assert valid_uuid(text) == uuid


def test_uuid_of_the_firmware_and_of_machine_id(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    assert dmi_uuid(tree) is None
    write(tree.sys / "class/dmi/id/product_uuid", "4C4C4544-0035-3510-8057-B4C04F4A4D32")
    write(tmp_path / "machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4")
    assert dmi_uuid(tree) == "4c4c4544-0035-3510-8057-b4c04f4a4d32"
    assert machine_uuid(tmp_path / "machine-id") == "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4"


@given(st.lists(st.integers(0, 4096), max_size=40))
def test_lists_of_numbers_are_read_back(numbers: list[int]) -> None:
    assert parse_list(format_list(numbers)) == sorted(set(numbers))


def test_lists_as_the_kernel_writes_them() -> None:
    assert format_list([0, 1, 2, 3, 8, 10, 11]) == "0-3,8,10-11"
    assert parse_list("") == []
    with pytest.raises(ValueError):
        parse_list("0-x")


def test_one_line_files(tmp_path: Path) -> None:
    write(tmp_path / "number", " 42")
    assert (read_int(tmp_path / "number"), read_text(tmp_path / "none"), read_int(tmp_path / "none")) == (
        42,
        None,
        None,
    )
    write(tmp_path / "word", "many")
    assert read_int(tmp_path / "word") is None


def test_this_machine() -> None:
    tree = HostTree()
    cpus, counts = read_cpu_set(tree), read_counts(tree)
    assert cpus.online
    assert set(cpus.online) <= set(cpus.present)
    assert counts.cpus == len(cpus.online)
    times = read_times(tree)
    assert times[-1].idle > 0
    assert set(times) - {-1} == set(cpus.online)
    assert (read_meminfo(tree) or {})["MemTotal"] > 0
    assert sum(len(cell.cpus) for cell in read_cells(tree)) == len(cpus.online)
    assert read_cpuinfo(tree).flags or parse_cpuinfo((tree.proc / "cpuinfo").read_text()).vendor == ""


def test_a_file_that_comes_in_pieces_is_read_to_its_end(tmp_path: Path) -> None:
    """`/proc` hands out whole records, so a read may be short although more follows; a pipe does the same."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def feed() -> None:
        descriptor = os.open(fifo, os.O_WRONLY)
        for piece in (b"one ", b"two"):
            os.write(descriptor, piece)
            time.sleep(0.02)
        os.close(descriptor)

    writer = threading.Thread(target=feed)
    writer.start()
    try:
        assert read_text(fifo) == "one two"
    finally:
        writer.join()
