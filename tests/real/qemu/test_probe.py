"""The probe against the real binary: what it finds, and when it asks again."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from guesthouse.errors import Code
from guesthouse.host.processes import find
from guesthouse.model.qemu_capabilities import TCG, QemuCapabilities
from guesthouse.qemu.accel import judge, probe_kvm
from guesthouse.qemu.inquiry import ProbeError
from guesthouse.qemu.kvm_trial import SLOWEST_SECONDS
from guesthouse.qemu.probe import cache_path, probe
from tests.support.children import running_child

pytestmark = pytest.mark.real

QEMU = "/usr/bin/qemu-system-x86_64"


def in_loop(test: Coroutine[None, None, None]) -> None:
    """Run a test in the loop that the daemon has."""
    asyncio.run(asyncio.wait_for(test, 60))


def test_what_the_binary_can_do(tmp_path: Path) -> None:
    async def test() -> None:
        found = await probe(QEMU, tmp_path, kvm=False)
        assert found.version >= (7, 2, 0)
        assert found.version_number >= 7_002_000
        assert found.arch == "x86_64"
        q35 = found.machine("q35")
        assert q35 is not None
        assert q35.name.startswith("pc-q35-")
        assert (q35.default_cpu, q35.default_ram_id, q35.hotpluggable_cpus) == ("qemu64", "pc.ram", True)
        assert found.canonical_machine("q35") == q35.name
        assert found.canonical_machine(q35.name) == q35.name
        assert found.canonical_machine("pdp11") is None
        assert found.default_machine == found.canonical_machine("pc")
        assert found.has_device("virtio-net-pci")
        assert not found.has_device("memory-backend-memfd")
        assert found.has_property("virtio-blk-pci", "iothread")
        assert not found.has_property("virtio-blk-pci", "warp")
        assert found.has_object("memory-backend-memfd")
        assert found.has_object_property("memory-backend-memfd", "seal")
        assert found.has_object_property(f"{q35.name}-machine", "hpet")
        assert found.has_option("sandbox", "spawn")
        assert found.has_feature("blockdev-add:qcow2/data-file")
        assert "pdpe1gb" in found.cpu_expansions[TCG]

    in_loop(test())


def test_cache(tmp_path: Path) -> None:
    async def test() -> None:
        binary = tmp_path / "emulator"
        binary.write_text(f'#!/bin/sh\necho run >>{tmp_path}/runs\nexec {QEMU} "$@"\n')
        binary.chmod(0o755)

        def runs() -> int:
            return len((tmp_path / "runs").read_text().splitlines())

        first = await probe(binary, tmp_path, kvm=False)
        assert runs() == 1
        assert await probe(binary, tmp_path, kvm=False) == first
        assert runs() == 1

        os.utime(binary, ns=(1, 1))
        assert await probe(binary, tmp_path, kvm=False) == first
        assert runs() == 2

        path = cache_path(tmp_path, binary)
        for broken in (b"", b"{", b"[]", b'{"key": 3}', path.read_bytes().replace(b'"machines":[', b'"machines":[3,')):
            path.write_bytes(broken)
            assert await probe(binary, tmp_path, kvm=False) == first
        assert runs() == 7
        assert await probe(binary, None, kvm=False) == first
        assert runs() == 8
        await asyncio.sleep(0.2)
        assert find("qemu", "monitor", f"{binary}") == []

    in_loop(test())


def test_json_there_and_back(tmp_path: Path) -> None:
    async def test() -> None:
        found = await probe(QEMU, tmp_path, kvm=False)
        assert QemuCapabilities.from_json(json.loads(json.dumps(found.to_json()))) == found

    in_loop(test())


def test_what_is_no_qemu(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(ProbeError, match="Cannot check QEMU binary /nowhere: No such file") as missing:
            await probe("/nowhere", tmp_path, kvm=False)
        assert missing.value.code == Code.SYSTEM_ERROR
        with pytest.raises(ProbeError, match=r"Failed to probe QEMU binary with QMP: .*invalid option"):
            await probe("/bin/ls", tmp_path, kvm=False)
        plain = tmp_path / "plain"
        plain.touch()
        with pytest.raises(ProbeError, match=r"Cannot run QEMU binary .*: Permission denied"):
            await probe(plain, tmp_path, kvm=False)
        plain.write_text("#!/bin/sh\nexec sleep 20\n")
        plain.chmod(0o755)
        with pytest.raises(ProbeError, match="did not answer"):
            await probe(plain, tmp_path, kvm=False, deadline=0.2)

    in_loop(test())


def test_kvm_is_tried(tmp_path: Path) -> None:
    async def test() -> None:
        status = await probe_kvm()
        assert status.usable or status.hint
        assert "crashed" not in status.reason
        assert "could not be run" not in status.reason
        missing = await probe_kvm(str(tmp_path / "kvm"))
        assert (missing.usable, missing.reason) == (False, f"{tmp_path}/kvm does not exist")
        other = await probe_kvm("/dev/null")
        assert "failed at 'version'" in other.reason

    in_loop(test())


@pytest.mark.parametrize(
    ("found", "usable", "reason"),
    [
        ({"stage": "ran", "version": 12, "exit": 5, "seconds": 0.0001}, True, "ran 200000 instructions in 100 µs"),
        ({"stage": "ran", "version": 12, "exit": 5, "seconds": SLOWEST_SECONDS * 5}, False, "emulates every"),
        ({"stage": "ran", "version": 12, "exit": 17, "seconds": 0.0001}, False, "stopped with exit 17"),
        ({"stage": "ran", "version": 11, "exit": 5, "seconds": 0.0001}, False, "version 11, not 12"),
        ({"stage": "created", "version": 12}, True, "was created"),
        ({"stage": "create", "version": 12, "error": "Device or resource busy"}, False, "failed at 'create'"),
        ({"stage": "open", "error": "Permission denied", "errno": 13}, False, "may not be opened"),
        ({"version": 12}, False, "ended early"),
    ],
)
def test_kvm_verdicts(found: dict[str, str | int | float], usable: bool, reason: str) -> None:
    status = judge("/dev/kvm", {**found})
    assert status.usable is usable
    assert reason in status.reason
    assert bool(status.hint) is not usable


def test_a_probe_dies_with_the_daemon() -> None:
    script = (
        "import asyncio\n"
        "from guesthouse.qemu.inquiry import questioned\n"
        "async def work():\n"
        f"    async with questioned({QEMU!r}):\n"
        "        print('asked', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(work())\n"
    )
    with running_child([sys.executable, "-c", script], stdout=subprocess.PIPE) as asker:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "asked\n"
        children = Path(f"/proc/{asker.pid}/task/{asker.pid}/children").read_text().split()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/exe").exists() and os.path.exists(f"/proc/{pid}/fd/0") for pid in children):
        assert time.monotonic() < deadline, "the QEMU that was asked outlived its asker"
        time.sleep(0.02)
    assert children
