"""Real processes: spawning, watching, adopting after the spawner died, children with limits."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from guesthouse.host.child import ChildError, ChildTimeoutError, check, run
from guesthouse.host.processes import Exit, Process, adopt, find, spawn
from guesthouse.host.procfs import is_dead, start_time

pytestmark = pytest.mark.real


def in_loop(test: Coroutine[None, None, None]) -> None:
    """Run a test in the loop that the daemon has."""
    asyncio.run(asyncio.wait_for(test, 30))


def test_exit_codes_and_signals() -> None:
    async def test() -> None:
        seen: list[Process] = []
        process = spawn(["/bin/sh", "-c", "exit 7"])
        process.watch(seen.append)
        assert await process.wait(5) == Exit(code=7)
        await asyncio.sleep(0.01)  # a wait that finds the end by looking returns before the watchers are called
        assert seen == [process]
        process.watch(seen.append)
        await asyncio.sleep(0.01)
        assert len(seen) == 2
        process.close()

        process = spawn(["/bin/sleep", "60"])
        assert await process.wait(0.02) is None
        assert process.signal(signal.SIGKILL)
        assert await process.wait(5) == Exit(signal=signal.SIGKILL)
        assert not process.signal(signal.SIGTERM)
        process.close()

    in_loop(test())


def test_end_is_gentle_first() -> None:
    async def test() -> None:
        stubborn = spawn(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"])
        await asyncio.sleep(0.1)
        assert await stubborn.end(0.1, 5) == Exit(signal=signal.SIGKILL)
        stubborn.close()
        gentle = spawn(["/bin/sleep", "60"])
        assert await gentle.end(5, 5) == Exit(signal=signal.SIGTERM)
        gentle.close()

    in_loop(test())


def test_only_listed_descriptors_reach_the_child(tmp_path: Path) -> None:
    async def test() -> None:
        wanted = os.open("/dev/zero", os.O_RDONLY)
        unwanted = os.open("/dev/full", os.O_RDONLY)
        os.set_inheritable(unwanted, True)
        log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
        try:
            process = spawn(["/bin/ls", "-l", "/proc/self/fd"], pass_fds=[wanted], log_fd=log)
            assert await process.wait(5) == Exit(code=0)
            process.close()
        finally:
            for descriptor in (wanted, unwanted, log):
                os.close(descriptor)
        listing = (tmp_path / "log").read_text()
        assert f"{wanted} -> /dev/zero" in listing
        assert "/dev/full" not in listing

    in_loop(test())


_SPAWNER = """
from guesthouse.host.processes import spawn
process = spawn(["/bin/sleep", "60"])
print(process.pid, process.start_time, flush=True)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_adopting_what_outlived_its_daemon() -> None:
    async def test() -> None:
        spawner = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", _SPAWNER], stdout=subprocess.PIPE, check=False
        )
        pid, started = (int(word) for word in spawner.stdout.split())
        assert adopt(pid, started + 1) is None
        process = adopt(pid, started)
        assert process is not None
        assert process.poll() is None
        assert await process.wait(0.02) is None
        process.signal(signal.SIGTERM)
        assert await process.wait(5) == Exit()
        process.close()
        assert adopt(pid, started) is None

    in_loop(test())


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 5, 2**40])
def test_nonsense_is_never_adopted(pid: int) -> None:
    assert adopt(pid, 1) is None


def wait_for_command_line(pid: int) -> None:
    """The kernel ends the call that starts a program a moment before the program's command line can be read."""
    deadline = time.monotonic() + 10
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_find() -> None:
    async def test() -> None:
        marker = f"86400.{os.getpid()}"
        process = spawn(["/bin/sleep", marker])
        wait_for_command_line(process.pid)
        (found,) = find("sle", marker)
        assert found.pid == process.pid
        assert found.start_time == start_time(process.pid)
        assert find("sleep", marker, "other") == []
        found.close()
        process.signal(signal.SIGKILL)
        await process.wait(5)
        assert is_dead(process.pid)
        process.close()

    in_loop(test())


def test_child_output_and_input() -> None:
    async def test() -> None:
        finished = await run(["/bin/sh", "-c", "cat; echo trouble >&2; exit 3"], deadline=5, data=b"x" * 200_000)
        assert finished.exit == Exit(code=3)
        assert finished.output == b"x" * 200_000
        assert finished.error_text == "trouble"
        assert await check(["/bin/echo", "well"], deadline=5) == b"well\n"
        with pytest.raises(ChildError, match=r"unexpected exit status 2: /bin/ls: cannot access"):
            await check(["/bin/ls", "/nowhere"], deadline=5, env={"LC_ALL": "C"})
        with pytest.raises(ChildError, match=r"Cannot run '/nowhere': No such file"):
            await run(["/nowhere"], deadline=5)

    in_loop(test())


def test_child_limits() -> None:
    async def test() -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(ChildTimeoutError, match=r"within 0.1 seconds"):
            await run(["/bin/sh", "-c", "sleep 61.5; true"], deadline=0.1)
        with pytest.raises(ChildError, match="more than 1000 bytes"):
            await run(["/bin/cat", "/dev/zero"], deadline=5, output_limit=1000)
        under_way = asyncio.ensure_future(run(["/bin/sleep", "61.5"], deadline=50))
        await asyncio.sleep(0.05)
        under_way.cancel()
        with pytest.raises(asyncio.CancelledError):
            await under_way
        await asyncio.sleep(0.1)
        assert find("sleep", "61.5") == []
        assert len(os.listdir("/proc/self/fd")) == before

    in_loop(test())


def test_child_with_a_lingering_grandchild_ends() -> None:
    async def test() -> None:
        before = time.monotonic()
        finished = await run(["/bin/sh", "-c", "sleep 3 & echo done"], deadline=10)
        assert finished.output == b"done\n"
        assert time.monotonic() - before < 2

    in_loop(test())
