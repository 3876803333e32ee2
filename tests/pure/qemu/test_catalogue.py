"""The catalogue of QEMUs: who asks at once shares a probe, and failures are not remembered."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.qemu.accel import KvmStatus
from guesthouse.qemu.catalogue import Catalogue


def qemu(binary: str) -> QemuCapabilities:
    empty: frozenset[str] = frozenset()
    return QemuCapabilities(binary, (10, 0, 2), "", "x86_64", False, {}, empty, {}, empty, {}, {}, {}, {})


class Counting(Catalogue):
    """Counts what it is asked; the first `failures` probes fail. Probes take long enough for callers to meet."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(None, self._count_trial)
        self.failures = failures
        self.probes = 0
        self.trials = 0

    async def _count_trial(self) -> KvmStatus:
        self.trials += 1
        await asyncio.sleep(0.01)
        return KvmStatus(True, "")

    async def _probe(self, program: str) -> QemuCapabilities:
        self.probes += 1
        fails = self.probes <= self.failures
        await asyncio.sleep(0.2)
        if fails:
            raise LibvirtError("no")
        return qemu(program)


@pytest.fixture
def program(tmp_path: Path) -> str:
    path = tmp_path / "qemu"
    path.write_text("")
    return str(path)


def test_one_probe_for_all_who_ask(program: str) -> None:
    async def run() -> None:
        catalogue = Counting()
        assert catalogue.known(program) is None
        first, second = await asyncio.gather(catalogue.capabilities(program), catalogue.capabilities(program))
        assert first is second is await catalogue.capabilities(program) is catalogue.known(program)
        assert catalogue.probes == 1
        os.utime(program, (1, 1))
        assert await catalogue.capabilities(program) is not first
        catalogue.forget()
        assert catalogue.known(program) is None
        await catalogue.capabilities(program)
        assert catalogue.probes == 3

    asyncio.run(run())


def test_a_failure_is_told_to_all_and_not_kept(program: str) -> None:
    async def run() -> None:
        catalogue = Counting(failures=1)
        questions = [catalogue.capabilities(program) for _ in range(3)]
        answers = await asyncio.gather(*questions, return_exceptions=True)
        assert [type(answer) for answer in answers] == [LibvirtError] * 3
        assert catalogue.known(program) is None
        assert await catalogue.capabilities(program) is not None

    asyncio.run(run())


def test_who_gives_up_does_not_end_the_probe_of_others(program: str) -> None:
    async def run() -> None:
        catalogue = Counting()
        impatient = asyncio.create_task(catalogue.capabilities(program))
        patient = asyncio.create_task(catalogue.capabilities(program))
        await asyncio.sleep(0.1)
        impatient.cancel()
        assert (await patient).binary == program
        with contextlib.suppress(asyncio.CancelledError):
            await impatient
        assert impatient.cancelled()

    asyncio.run(run())


def test_kvm_is_tried_once(program: str) -> None:
    async def run() -> None:
        catalogue = Counting()
        assert [status.usable for status in await asyncio.gather(catalogue.kvm(), catalogue.kvm())] == [True, True]
        assert catalogue.trials == 1
        catalogue.forget()
        await catalogue.kvm()
        assert catalogue.trials == 2

    asyncio.run(run())


def test_close_ends_what_is_under_way(program: str) -> None:
    async def run() -> None:
        catalogue = Counting()
        asked = asyncio.create_task(catalogue.capabilities(program))
        tried = asyncio.create_task(catalogue.kvm())
        await asyncio.sleep(0.005)
        await catalogue.close()
        with contextlib.suppress(asyncio.CancelledError):
            await tried
        await asyncio.sleep(0.05)
        await catalogue.close()
        with contextlib.suppress(asyncio.CancelledError):
            await asked
        assert asked.cancelled()

    asyncio.run(run())


def test_a_missing_program() -> None:
    with pytest.raises(LibvirtError, match="Cannot check QEMU binary /nonexistent/qemu: No such file") as caught:
        asyncio.run(Counting().capabilities("/nonexistent/qemu"))
    assert caught.value.code == Code.SYSTEM_ERROR


def test_the_drivers_of_a_daemon_share_one(tmp_path: Path) -> None:
    shared = Catalogue.at(tmp_path)
    assert Catalogue.at(tmp_path) is shared
    assert Catalogue.at(tmp_path / "other") is not shared
