"""Tuning without root: what needs control groups is refused by name, what the kernel lets a user do is done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import need
from tests.support.tiny import tiny_xml
from tests.support.user import User

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def user(short_path: Path) -> Iterator[User]:
    need("setpriv", "virsh")
    one = User(short_path)
    try:
        yield one
    finally:
        one.stop()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("<memtune><hard_limit>500000</hard_limit></memtune>", "Memory tuning is not available in session mode"),
        ("<blkiotune><weight>300</weight></blkiotune>", "Block I/O tuning is not available in session mode"),
        ("<cputune><shares>300</shares></cputune>", "CPU tuning is not available in session mode"),
        ("<resource><partition>/shop</partition></resource>", "Resource partitions are not available in session mode"),
        ("<numatune><memory mode='restrictive' nodeset='0'/></numatune>", "NUMA tuning is not available in session"),
    ],
)
def test_settings_that_need_control_groups(user: User, settings: str, message: str) -> None:
    user.guest("define", user.write("box.xml", tiny_xml("box", extra=settings)))
    refused = user.virsh("start", "box", check=False)
    assert f"error: unsupported configuration: {message}" in refused.stderr
    assert user.virsh("domstate", "box").stdout == "shut off\n\n"


def test_what_a_user_may_do(user: User) -> None:
    pins = "<iothreads>1</iothreads><cputune><vcpupin vcpu='0' cpuset='0'/><emulatorpin cpuset='0'/></cputune>"
    numa = "<numatune><memory mode='interleave' nodeset='0'/></numatune>"
    user.guest("define", user.write("box.xml", tiny_xml("box", extra=pins + numa)))
    user.guest("start", "box")
    pid = int(user.virsh("qemu-monitor-command", "box", "--hmp", "info cpus").stdout.split("thread_id=")[1].split()[0])
    assert os.sched_getaffinity(pid) == {0}
    # Of the memory that QEMU took by itself, all was taken under the policy.
    assert " interleave:0 " in Path(f"/proc/{pid}/numa_maps").read_text()
    cpus = f"0-{max(os.sched_getaffinity(0))}" if len(os.sched_getaffinity(0)) > 1 else "0"
    user.virsh("vcpupin", "box", "0", cpus)
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
    for command, message in (
        ("schedinfo", "unsupported configuration: CPU tuning is not available in session mode"),
        ("memtune", "Operation not supported: Memory tuning is not available in session mode"),
        ("blkiotune", "unsupported configuration: Block I/O tuning is not available in session mode"),
    ):
        for run in (user.virsh, user.guest):
            assert f"error: {message}\n" in run(command, "box", check=False).stderr
    assert "emulator: CPU Affinity" in user.virsh("emulatorpin", "box").stdout
    user.virsh("destroy", "box")
