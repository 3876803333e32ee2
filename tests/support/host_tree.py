"""A small host as files: what /proc and /sys show of two NUMA nodes."""

from __future__ import annotations

from pathlib import Path

from guesthouse.host.sysfs import HostTree


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


def two_nodes(root: Path) -> HostTree:
    """Two nodes with two cores of two threads each; node 1 is one socket, node 0 another; processor 7 is offline."""
    tree = HostTree.under(root)
    write(tree.cpus / "present", "0-7")
    write(tree.cpus / "online", "0-6")
    for cpu in range(8):
        (tree.nodes / f"node{cpu // 4}" / f"cpu{cpu}").mkdir(parents=True)
        if cpu == 7:
            continue
        topology = tree.cpus / f"cpu{cpu}" / "topology"
        first = cpu // 2 * 2
        write(topology / "physical_package_id", str(cpu // 4))
        write(topology / "die_id", "0")
        write(topology / "cluster_id", "-1")
        write(topology / "core_id", str(cpu // 2))
        write(topology / "thread_siblings_list", str(first) if first == 6 else f"{first}-{first + 1}")
    for node, total in ((0, 4194304), (1, 2097152)):
        directory = tree.nodes / f"node{node}"
        write(directory / "cpulist", "0-3" if node == 0 else "4-7")
        write(directory / "distance", "10 21" if node == 0 else "21 10")
        write(directory / "meminfo", f"Node {node} MemTotal:  {total} kB\nNode {node} MemFree:   1048576 kB")
        huge = directory / "hugepages/hugepages-2048kB"
        write(huge / "nr_hugepages", "512")
        write(huge / "free_hugepages", "12")
    write(tree.sys / "kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0")
    write(tree.sys / "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1024")
    return tree
