"""Control groups, on trees that are built of plain files: where they are, and what is written into which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.errors import InvalidArgumentError, LibvirtError
from guesthouse.host import cgroup_limits as limits
from guesthouse.host.cgroup_places import partition_folder, partition_slice, unit_escaped
from guesthouse.host.cgroups import CgroupError, Group, Hierarchies


def mountinfo(path: Path, *mounts: tuple[Path, str, str]) -> Path:
    """A `mountinfo` with these mounts: place, type, options."""
    lines = [f"{at} 1 0:{at} / {place} rw - {kind} none {opts}\n" for at, (place, kind, opts) in enumerate(mounts)]
    path.write_text("".join(lines))
    return path


@pytest.fixture
def first(tmp_path: Path) -> Hierarchies:
    """A host with version 1: `cpu` and `cpuacct` share a tree, `memory` has its own."""
    mounts = [(tmp_path / "cpu", "cgroup", "rw,cpu,cpuacct"), (tmp_path / "memory", "cgroup", "rw,memory")]
    for place, _, _ in mounts:
        place.mkdir()
    return Hierarchies.read(mountinfo(tmp_path / "mountinfo", *mounts))


@pytest.fixture
def second(tmp_path: Path) -> Hierarchies:
    """A host with version 2 alone."""
    place = tmp_path / "fs"
    place.mkdir()
    (place / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    return Hierarchies.read(mountinfo(tmp_path / "mountinfo", (place, "cgroup2", "rw,nsdelegate")))


def with_files(group: Group, **files: str) -> Group:
    """The group with these files in every folder, as the kernel makes them; `__` stands for a dot."""
    for folder in group.folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name.replace("__", ".")).write_text(content)
    return group


def test_controllers_are_found_in_the_trees_that_have_them(first: Hierarchies, tmp_path: Path) -> None:
    assert first.first == {"cpu": tmp_path / "cpu", "cpuacct": tmp_path / "cpu", "memory": tmp_path / "memory"}
    assert first.available
    group = first.group("/machine/web")
    assert group.folders == [tmp_path / "cpu/machine/web", tmp_path / "memory/machine/web"]
    assert group.has("memory")
    assert not group.has("blkio")
    with pytest.raises(CgroupError, match="Controller 'blkio' is not mounted"):
        group.write("blkio", "blkio.weight", 1)


def test_the_second_version_has_all_controllers_in_one_folder(second: Hierarchies, tmp_path: Path) -> None:
    group = second.group("/machine/web")
    assert group.folders == [tmp_path / "fs/machine/web"]
    assert {name for name in ("cpu", "cpuset", "memory", "blkio", "cpuacct", "devices") if group.has(name)} == {
        "cpu", "cpuset", "memory", "blkio", "cpuacct", "devices",
    }  # fmt: skip
    assert group.version("blkio") == 2


def test_a_host_without_control_groups_has_none(tmp_path: Path) -> None:
    none = Hierarchies.read(mountinfo(tmp_path / "mountinfo", (tmp_path, "tmpfs", "rw")))
    assert not none.available


def test_an_empty_second_tree_beside_the_first_serves_nothing(tmp_path: Path) -> None:
    unified = tmp_path / "unified"
    unified.mkdir()
    (unified / "cgroup.controllers").write_text("\n")
    found = Hierarchies.read(
        mountinfo(tmp_path / "mountinfo", (tmp_path / "cpu", "cgroup", "rw,cpu"), (unified, "cgroup2", "rw"))
    )
    assert found.second_controllers == frozenset()
    assert found.group("/web").folders == [tmp_path / "cpu/web"]


def test_the_files_of_the_first_version(first: Hierarchies, tmp_path: Path) -> None:
    files = {
        "cpu__shares": "1024\n", "cpu__cfs_period_us": "100000\n", "cpu__cfs_quota_us": "-1\n",
        "memory__limit_in_bytes": "9223372036854771712\n", "memory__soft_limit_in_bytes": "1048576\n",
        "memory__memsw__limit_in_bytes": "0\n",
    }  # fmt: skip
    group = with_files(first.group("/machine/web"), **files)
    assert limits.cpu_shares(group) == 1024
    assert limits.bandwidth(group) == (100000, -1)
    limits.set_cpu_shares(group, 2048)
    limits.set_bandwidth(group, 50000, 25000)
    assert (limits.cpu_shares(group), limits.bandwidth(group)) == (2048, (50000, 25000))
    limits.set_quota(group, limits.QUOTA_MAX)
    assert limits.bandwidth(group) == (50000, -1)
    assert limits.memory_limit(group, "hard_limit") == limits.UNLIMITED
    assert limits.memory_limit(group, "soft_limit") == 1024
    limits.set_memory_limit(group, "swap_hard_limit", limits.UNLIMITED)
    assert (tmp_path / "memory/machine/web/memory.memsw.limit_in_bytes").read_text() == "-1"


def test_the_files_of_the_second_version(second: Hierarchies, tmp_path: Path) -> None:
    files = {
        "cpu__weight": "100\n", "cpu__max": "max 100000\n", "memory__max": "max\n", "memory__high": "max\n",
        "memory__swap__max": "max\n", "io__weight": "default 100\n", "cpuset__cpus": "",
    }  # fmt: skip
    group = with_files(second.group("/machine/web"), **files)
    folder = tmp_path / "fs/machine/web"
    assert limits.cpu_shares(group) == 100
    assert limits.bandwidth(group) == (100000, 18446744073709551)
    limits.set_bandwidth(group, 50000, None)
    assert (folder / "cpu.max").read_text() == "max 50000"
    limits.set_quota(group, 20000)
    assert (folder / "cpu.max").read_text() == "20000"
    limits.set_quota(group, -1)
    assert (folder / "cpu.max").read_text() == "max"
    limits.set_memory_limit(group, "soft_limit", 1024)
    assert (folder / "memory.high").read_text() == "1048576"
    assert limits.memory_limit(group, "hard_limit") == limits.UNLIMITED
    limits.set_io_weight(group, 300)
    assert (folder / "io.weight").read_text() == "default 300"
    assert limits.io_weight(group) == 300
    limits.set_cpus(group, "0-1")
    assert (folder / "cpuset.cpus").read_text() == "0-1"
    with pytest.raises(InvalidArgumentError, match=r"shares '262144' must be in range \[1, 10000\]"):
        limits.set_cpu_shares(group, 262144)


def test_a_part_of_the_second_version_holds_threads(second: Hierarchies, tmp_path: Path) -> None:
    group = with_files(second.group("/machine/web"), cgroup__subtree_control="")
    part = group.part("vcpu0")
    with_files(part, cgroup__type="domain\n", cgroup__threads="")
    part = group.create_part("vcpu0")
    part.add_thread(4711)
    folder = tmp_path / "fs/machine/web"
    assert (folder / "vcpu0/cgroup.type").read_text() == "threaded"
    assert (folder / "vcpu0/cgroup.threads").read_text() == "4711"
    assert (folder / "cgroup.subtree_control").read_text() in ("+cpu", "+cpuset")
    assert not part.has("memory")


def test_only_block_devices_have_limits(tmp_path: Path) -> None:
    with pytest.raises(LibvirtError, match="must be a block device"):
        limits.device_number("/dev/null")
    with pytest.raises(LibvirtError, match="is not accessible: No such file or directory"):
        limits.device_number(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("partition", "folder", "slice_"),
    [
        ("/machine", "/machine", "machine.slice"),
        ("/machine/web", "/machine/web.partition", "machine-web.slice"),
        ("/shop/web.x", "/shop.partition/web.x", "shop-web.x.slice"),
        ("/user/a-b", "/user/a-b.partition", r"user-a\x2db.slice"),
    ],
)
def test_partitions_are_called_as_libvirt_calls_them(partition: str, folder: str, slice_: str) -> None:
    assert partition_folder(partition) == folder
    assert partition_slice(partition) == slice_


def test_names_of_units_are_escaped() -> None:
    assert unit_escaped("qemu-3-web 1") == r"qemu\x2d3\x2dweb\x201"
    assert unit_escaped(".x") == r"\x2ex"


def test_what_is_in_a_scope_moves_to_the_part_that_holds_all(second: Hierarchies, tmp_path: Path) -> None:
    """Where systemd made the scope: a group of version 2 with members can pass nothing on."""
    folder = tmp_path / "fs/machine.slice/machine-qemu.scope"
    scope = with_files(second.group("/machine.slice/machine-qemu.scope"), cgroup__procs="4711\n")
    (folder / "libvirt").mkdir()
    for place in (folder, folder / "libvirt"):
        (place / "cgroup.subtree_control").write_text("")
    (folder / "libvirt/cgroup.procs").write_text("")
    scope.nest()
    assert (folder / "libvirt/cgroup.procs").read_text() == "4711"
    assert (folder / "cgroup.subtree_control").read_text() in ("+cpu", "+cpuset")
    assert scope.part("vcpu1").second == folder / "libvirt/vcpu1"
