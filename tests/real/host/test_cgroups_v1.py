"""Control groups of the kernel that runs the tests: a process is put into one, limited, and let out again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.host import cgroup_limits as limits
from guesthouse.host import cgroup_places, cgroups

NAME = f"qemu-embed-{os.getpid():08d}-1-test.libvirt-qemu"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


@pytest.fixture
def group(process: subprocess.Popen[bytes]) -> Iterator[cgroups.Group]:
    hierarchies = cgroups.Hierarchies.read()
    if os.geteuid() or not hierarchies.first.get("cpu"):
        pytest.skip("needs root and control groups of version 1")
    cgroup_places.prepare_partition(hierarchies, "/machine")
    made = hierarchies.group(f"/machine/{NAME}")
    made.create()
    made.add(process.pid)
    yield made
    process.kill()
    process.wait()
    assert made.remove()
    assert not made.exists()


def test_a_process_lives_in_a_group_with_parts(process: subprocess.Popen[bytes], group: cgroups.Group) -> None:
    part = group.create_part("emulator")
    part.add_thread(process.pid)
    placed = Path(f"/proc/{process.pid}/cgroup").read_text()
    assert f"memory:/machine/{NAME}\n" in placed
    assert f"cpu:/machine/{NAME}/emulator\n" in placed
    found = cgroup_places.of_process(cgroups.Hierarchies.read(), process.pid, NAME)
    assert found is not None
    assert found.first == group.first
    assert not group.remove()  # as long as somebody is in it


def test_the_kernel_takes_what_is_written(process: subprocess.Popen[bytes], group: cgroups.Group) -> None:
    limits.set_cpu_shares(group, 2048)
    limits.set_bandwidth(group, 50000, 20000)
    assert (limits.cpu_shares(group), limits.bandwidth(group)) == (2048, (50000, 20000))
    with pytest.raises(cgroups.CgroupError, match=r"Invalid value '5' for 'cpu.cfs_quota_us': Invalid argument"):
        limits.set_bandwidth(group, 70000, 5)
    assert limits.bandwidth(group) == (50000, 20000)
    assert limits.memory_limit(group, "hard_limit") == limits.UNLIMITED
    limits.set_memory_limit(group, "hard_limit", 65536)
    assert limits.memory_limit(group, "hard_limit") == 65536
    part = group.create_part("vcpu0")
    part.add_thread(process.pid)
    limits.set_cpus(part, "0")
    assert os.sched_getaffinity(process.pid) == {0}
