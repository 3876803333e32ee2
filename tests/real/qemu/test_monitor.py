"""The monitor and the launch against real QEMU: answers, deadlines, deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.host.processes import Process
from guesthouse.host.procfs import start_time
from guesthouse.qemu.json_value import CommandTextError, objects
from guesthouse.qemu.launch import Launched, LaunchError, launch
from guesthouse.qemu.monitor import Monitor, MonitorClosed, MonitorTimeout, QmpError
from guesthouse.qemu.qmp import Event

pytestmark = pytest.mark.real

QEMU = "/usr/bin/qemu-system-x86_64"
BARE = [QEMU, "-S", "-machine", "none,accel=tcg", "-nodefaults", "-display", "none", "-no-user-config"]
BOARD = [QEMU, "-S", "-machine", "q35,accel=tcg", "-m", "32", "-nodefaults", "-display", "none", "-no-user-config"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}

Test = Callable[[], Coroutine[None, None, None]]


def run(test: Coroutine[None, None, None]) -> None:
    """Run a test in the loop that the daemon has."""
    asyncio.run(asyncio.wait_for(test, 60))


@asynccontextmanager
async def running(
    directory: Path, argv: list[str], events: list[Event] | None = None, endings: list[LibvirtError] | None = None
) -> AsyncIterator[Launched]:
    """A QEMU for one test."""
    launched = await launch(
        argv,
        monitor_path=directory / "monitor.sock",
        log_path=directory / "guest.log",
        on_event=(events if events is not None else []).append,
        on_closed=(endings if endings is not None else []).append,
        env=ENVIRONMENT,
    )
    try:
        yield launched
    finally:
        launched.monitor.close()
        launched.process.signal(signal.SIGKILL)
        assert await launched.process.wait(5) is not None
        launched.process.close()


def test_launch_answers_and_reports_events(tmp_path: Path) -> None:
    async def test() -> None:
        events: list[Event] = []
        endings: list[LibvirtError] = []
        async with running(tmp_path, BOARD, events, endings) as guest:
            assert guest.monitor.greeting is not None
            assert guest.monitor.greeting.version >= (7, 2, 0)
            status = await guest.monitor.execute("query-status")
            assert isinstance(status, dict)
            assert status["status"] == "prelaunch"
            assert await guest.monitor.execute("cont") == {}
            assert [event.name for event in events] == ["RESUME"]
            assert (tmp_path / "monitor.sock").stat().st_mode & 0o777 == 0o600
            await guest.monitor.execute("quit")
            ended = await guest.process.wait(5)
            assert ended is not None
            assert ended.ok
            await asyncio.sleep(0.05)
            assert [ending.message for ending in endings] == ["operation failed: End of file from qemu monitor"]
            assert "SHUTDOWN" in [event.name for event in events]

    run(test())


def test_log_has_libvirts_start_line_and_the_command(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, [*BARE, "-name", "guest=it's"]):
            lines = (tmp_path / "guest.log").read_text().splitlines()
            assert lines[0][23:43] == "+0000: starting up l"
            assert lines[1] == "PATH=/usr/bin:/bin \\"
            assert lines[3] == f"{QEMU} \\"
            assert """-name 'guest=it'"'"'s' \\""" in lines
            assert lines[-1] == "-mon chardev=charmonitor,id=monitor,mode=control"

    run(test())


def test_errors_keep_what_was_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, BARE) as guest:
            with pytest.raises(QmpError) as caught:
                await guest.monitor.execute("device_del", {"id": "net7"})
            assert caught.value.class_ == "DeviceNotFound"
            assert caught.value.arguments == {"id": "net7"}
            expected = "internal error: unable to execute QEMU command 'device_del': Device 'net7' not found"
            assert caught.value.message == expected

    run(test())


def test_many_commands_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, BARE) as guest:
            answers = await asyncio.gather(*(guest.monitor.execute("query-name") for _ in range(200)))
            assert answers == [{}] * 200
            version, status = await guest.monitor.pipeline([("query-version", None), ("query-status", None)])
            assert isinstance(version, dict)
            assert "qemu" in version
            assert isinstance(status, dict)
            assert status["running"] is False
            with pytest.raises(QmpError, match="has not been found"):
                await guest.monitor.pipeline([("query-version", None), ("no-such-command", None)])

    run(test())


def test_raw_and_human_commands(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, BARE) as guest:
            assert await guest.monitor.command_line('{"execute": "query-name"}') == '{"return":{},"id":"libvirt-2"}'
            refused = await guest.monitor.command_line('{"execute": "nonsense"}')
            assert refused.startswith('{"id":"libvirt-3","error":{"class":"CommandNotFound"')
            assert "VM status: paused" in await guest.monitor.human("info status")
            with pytest.raises(CommandTextError, match="Unable to append command 'id'"):
                await guest.monitor.command_line('{"execute": "query-name", "id": 1}')
            with pytest.raises(CommandTextError, match="cannot parse json info status"):
                await guest.monitor.command_line("info status")

    run(test())


def test_descriptors_travel(tmp_path: Path) -> None:
    async def test() -> None:
        (tmp_path / "content").write_text("x")
        async with running(tmp_path, BARE) as guest:
            descriptor = os.open(tmp_path / "content", os.O_RDONLY)
            await guest.monitor.execute("getfd", {"fdname": "one"}, fd=descriptor)
            added = await guest.monitor.execute("add-fd", {"fdset-id": 5}, fd=descriptor)
            os.close(descriptor)
            assert isinstance(added, dict)
            held = os.readlink(f"/proc/{guest.process.pid}/fd/{added['fd']}")
            assert held == str(tmp_path / "content")
            with pytest.raises(QmpError):
                await guest.monitor.execute("getfd", {"fdname": "two"})

    run(test())


def test_a_descriptor_whose_sender_gave_up(tmp_path: Path) -> None:
    """It is closed, and its number is that of another file by the time that QEMU reads its monitor again."""

    async def test() -> None:
        wanted, other = tmp_path / "wanted", tmp_path / "other"
        wanted.touch()
        other.touch()
        async with running(tmp_path, BARE) as guest:
            guest.process.signal(signal.SIGSTOP)
            guest.monitor.submit("x", {"blob": "y" * 300_000}, lambda _: None)  # what the socket does not take
            descriptor = os.open(wanted, os.O_RDONLY)
            with pytest.raises(MonitorTimeout):
                await guest.monitor.execute("add-fd", {"fdset-id": 5}, fd=descriptor, deadline=0.05)
            os.close(descriptor)
            again = os.open(other, os.O_RDONLY)
            guest.process.signal(signal.SIGCONT)
            sets = await guest.monitor.execute("query-fdsets", deadline=50)  # QEMU reads byte by byte
            os.close(again)
            held = {os.readlink(link.path) for link in os.scandir(f"/proc/{guest.process.pid}/fd")}
            assert len(objects(sets, "the sets")) == 1
            assert str(wanted) in held
            assert str(other) not in held
            guest.process.signal(signal.SIGSTOP)
            guest.monitor.submit("x", {"blob": "y" * 300_000}, lambda _: None)
            guest.monitor.submit("add-fd", {}, lambda _: None, fd=0)
            before = len(os.listdir("/proc/self/fd"))
            guest.monitor.close()
            assert len(os.listdir("/proc/self/fd")) == before - 2  # the copy, and the connection
            guest.process.signal(signal.SIGCONT)

    run(test())


def test_stopped_qemu_costs_only_the_deadline(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, BARE) as guest:
            guest.process.signal(signal.SIGSTOP)
            before = time.monotonic()
            with pytest.raises(MonitorTimeout) as caught:
                await guest.monitor.execute("query-status", deadline=0.2)
            assert 0.15 < time.monotonic() - before < 1
            assert caught.value.code == Code.OPERATION_TIMEOUT
            assert "'query-status' within 0.2 seconds" in caught.value.message
            guest.process.signal(signal.SIGCONT)
            assert await guest.monitor.execute("query-name") == {}

    run(test())


def test_queue_for_a_stopped_qemu_is_bounded(tmp_path: Path) -> None:
    async def test() -> None:
        endings: list[LibvirtError] = []
        async with running(tmp_path, BARE, endings=endings) as guest:
            guest.process.signal(signal.SIGSTOP)
            for _ in range(10):
                guest.monitor.submit("x", {"blob": "y" * 1_000_000}, lambda _: None)
            await asyncio.sleep(0.05)
            assert isinstance(guest.monitor.closed, MonitorClosed)
            assert "has not read its monitor" in endings[0].message

    run(test())


def test_death_in_the_middle_of_a_command(tmp_path: Path) -> None:
    async def test() -> None:
        endings: list[LibvirtError] = []
        async with running(tmp_path, BARE, endings=endings) as guest:
            guest.process.signal(signal.SIGSTOP)
            under_way = asyncio.ensure_future(guest.monitor.execute("query-status"))
            await asyncio.sleep(0.02)
            guest.process.signal(signal.SIGKILL)
            with pytest.raises(MonitorClosed):
                await under_way
            ended = await guest.process.wait(5)
            assert str(ended) == "killed by signal 9"
            assert len(endings) == 1
            with pytest.raises(MonitorClosed):
                await guest.monitor.execute("query-status")

    run(test())


def test_next_daemon_connects_to_the_same_socket(tmp_path: Path) -> None:
    async def test() -> None:
        async with running(tmp_path, BARE) as guest:
            guest.monitor.close()
            second = await Monitor.connect(tmp_path / "monitor.sock", 5)
            assert await second.execute("query-name") == {}
            second.close()

    run(test())


def test_socket_paths_may_be_long(tmp_path: Path) -> None:
    async def test() -> None:
        deep = tmp_path / ("d" * 60) / ("e" * 60)
        deep.mkdir(parents=True)
        async with running(deep, BARE) as guest:
            guest.monitor.close()
            second = await Monitor.connect(deep / "monitor.sock", 5)
            second.close()

    run(test())


async def _try_launch(directory: Path, argv: list[str], deadline: float = 10) -> tuple[LibvirtError, list[Process]]:
    spawned: list[Process] = []
    with pytest.raises(LibvirtError) as caught:
        await launch(
            argv,
            monitor_path=directory / "monitor.sock",
            log_path=directory / "guest.log",
            on_event=lambda _: None,
            on_closed=lambda _: None,
            on_spawned=spawned.append,
            env=ENVIRONMENT,
            deadline=deadline,
        )
    return caught.value, spawned


def test_failed_launch_tells_qemus_words(tmp_path: Path) -> None:
    async def test() -> None:
        error, spawned = await _try_launch(tmp_path, [*BARE, "-device", "no-such-device"])
        assert isinstance(error, LaunchError)
        assert error.code == Code.INTERNAL_ERROR
        assert error.message == (
            "internal error: process exited while connecting to monitor: qemu-system-x86_64: -device no-such-device: "
            "'no-such-device' is not a valid device model name"
        )
        assert not (tmp_path / "monitor.sock").exists()
        assert spawned[0].pidfd == -1
        assert start_time(spawned[0].pid) is None

    run(test())


def test_missing_binary(tmp_path: Path) -> None:
    async def test() -> None:
        error, spawned = await _try_launch(tmp_path, ["/usr/bin/qemu-system-nothing"])
        assert "Cannot run '/usr/bin/qemu-system-nothing': No such file or directory" in error.message
        assert spawned == []
        assert not (tmp_path / "monitor.sock").exists()

    run(test())


def test_silent_program_is_killed_at_the_deadline(tmp_path: Path) -> None:
    async def test() -> None:
        script = tmp_path / "silent"
        script.write_text("#!/bin/sh\necho I shall never answer >&2\nexec sleep 60\n")
        script.chmod(0o755)
        error, spawned = await _try_launch(tmp_path, [str(script)], deadline=0.3)
        assert isinstance(error, MonitorTimeout)
        assert error.message.endswith("within 0.3 seconds of its start: I shall never answer")
        assert start_time(spawned[0].pid) is None

    run(test())


def test_no_descriptor_leaks_into_qemu(tmp_path: Path) -> None:
    async def test() -> None:
        leak = os.open("/dev/zero", os.O_RDONLY)
        os.set_inheritable(leak, True)
        try:
            async with running(tmp_path, BARE) as guest:
                directory = Path(f"/proc/{guest.process.pid}/fd")
                held = [os.readlink(directory / name) for name in os.listdir(directory)]
                assert "/dev/zero" not in held
                assert os.getsid(guest.process.pid) == guest.process.pid
        finally:
            os.close(leak)

    run(test())
