"""The life of a helper program, with a real one (qemu-pr-helper) and with shells that misbehave."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from guesthouse.drivers.domain.files.status import parse_status
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.guests import DomainSettings, Guests
from guesthouse.drivers.domain.helpers import programs
from guesthouse.drivers.domain.helpers import traces as helper_traces
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.helper_programs import Handed, HelperProgram, ListeningSocket, OwnLog, Preparation, SecretText
from guesthouse.places import Places
from tests.support.daemon import need

DOMAIN = """<domain type='qemu'><name>web</name><memory>1024</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""


class Bench:
    """A guest that runs, as far as its helpers are concerned: nothing is behind it but a directory."""

    def __init__(self, root: Path) -> None:
        self.driver = Guests(Places.under(root), DomainSettings())
        self.driver.store.prepare()
        live = parse_domain(DOMAIN)
        self.guest = Guest(live, persistent=True)
        self.run = Run(live, self.driver.store.where(1, "web"), booted=True)
        self.guest.run = self.run
        self.driver.registry.add(self.guest)
        self.driver.store.make_room(self.run.where)

    async def start(self, program: HelperProgram) -> int:
        """Start a program; its pid."""
        await programs.start(self.driver, self.guest, self.run, program)
        return self.run.helpers[program.name].process.pid

    @property
    def log(self) -> str:
        """What a helper with the name `sh` said."""
        return (self.driver.places.guest_logs / "web-sh.log").read_text()

    def on_file(self) -> list[str]:
        """The helpers in the status file."""
        text = self.run.where.status.read_text()
        return [trace.name for trace in parse_status("web", text).helpers]


def shell(script: str, *words: str | Handed, **options: object) -> HelperProgram:
    return HelperProgram("sh", ("/bin/sh", "-c", script, "sh", *words), **options)  # type: ignore[arg-type]


def on_bench(root: Path, story: Callable[[Bench], Awaitable[None]]) -> None:
    """Tell a story on a bench, and end what it left."""

    async def told() -> None:
        bench = Bench(root)
        try:
            async with asyncio.timeout(30):
                await story(bench)
        finally:
            programs.end_all(bench.driver, bench.guest, bench.run)
            await asyncio.gather(*bench.driver.farewells)

    asyncio.run(told())


async def until(wanted: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_helper_that_dies_is_started_again_unless_it_dies_all_the_time(tmp_path: Path) -> None:
    need("qemu-pr-helper")

    async def story(bench: Bench) -> None:
        socket = str(bench.run.where.private / "pr.sock")
        program = HelperProgram("pr", ("qemu-pr-helper", "-k", socket), ready=socket, restart=True)
        pid = await bench.start(program)
        assert bench.on_file() == ["pr"]
        for _ in range(programs.RESTARTS):
            os.kill(pid, signal.SIGKILL)
            await until(lambda: "pr" in bench.run.helpers and bench.run.helpers["pr"].process.pid != pid)  # noqa: B023
            pid = bench.run.helpers["pr"].process.pid
        await until(lambda: bench.on_file() == ["pr"])
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not bench.run.helpers)
        await until(lambda: bench.on_file() == [])

    on_bench(tmp_path, story)


def test_what_is_handed_over(tmp_path: Path) -> None:
    """A secret, a socket and the log come as descriptors, and nothing else does."""

    async def story(bench: Bench) -> None:
        script = """
            cd /proc/$$/fd; cat "${1#key=}" >&2; test -S "$2" && echo socket; test "$3" -ef 2 && echo log
            exec sleep 60"""
        socket = bench.run.where.private / "s.sock"
        handed = Handed(SecretText(b"hidden\n"), "key="), Handed(ListeningSocket(str(socket))), Handed(OwnLog())
        pid = await bench.start(shell(script, *handed))
        await until(lambda: helper_traces.command_of(pid) == ("sleep", "60"))
        assert bench.log == "hidden\nsocket\nlog\n"
        assert len(os.listdir(f"/proc/{pid}/fd")) == 3 + len(handed)

    on_bench(tmp_path, story)


def test_who_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        pid = await bench.start(shell("trap '' TERM; sleep 60 & echo $!; wait; wait"))
        await until(lambda: bench.log.endswith("\n"))
        child = int(bench.log)
        before = time.monotonic()
        programs.end(bench.driver, bench.guest, bench.run, "sh")
        assert bench.on_file() == []
        # The next start of the guest waits until the former helpers are gone.
        await bench.start(HelperProgram("next", ("sleep", "60")))
        assert programs.GRACE - 0.1 < time.monotonic() - before < programs.GRACE + 3
        assert is_gone(pid)
        await until(
            lambda: not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()
        )

    on_bench(tmp_path, story)


def test_what_has_to_be_done_before_is_done_once(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        state = tmp_path / "deep/state"
        step = Preparation(("/bin/sh", "-c", f"echo made >>{state}/file"), directory=str(state))
        await bench.start(shell("exec sleep 60", before=(step,)))
        programs.end(bench.driver, bench.guest, bench.run, "sh")
        await bench.start(shell("exec sleep 60", before=(step,)))
        assert (state / "file").read_text() == "made\n"
        assert state.stat().st_mode & 0o777 == 0o700
        broken = Preparation(
            ("/bin/sh", "-c", f"touch {tmp_path}/other/x; echo why >&2; exit 3"), str(tmp_path / "other")
        )
        with pytest.raises(LibvirtError, match=r"exitstatus: 3; why"):
            await bench.start(HelperProgram("other", ("sleep", "60"), before=(broken,)))
        assert not (tmp_path / "other").exists()

    on_bench(tmp_path, story)


def test_who_is_never_ready_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        nowhere = str(bench.run.where.private / "never")
        with pytest.raises(LibvirtError, match=r"'sleep' was not ready within 0.2 seconds"):
            await bench.start(HelperProgram("slow", ("sleep", "60"), ready=nowhere, deadline=0.2))
        with pytest.raises(LibvirtError, match=r"ended unexpectedly: exit status 7: last words"):
            await bench.start(shell("echo last words; exit 7", ready=nowhere))
        with pytest.raises(LibvirtError, match=r"Unable to find 'nowhere' binary.*install the package 'some'"):
            await bench.start(HelperProgram("none", ("nowhere",), package="some"))
        assert not bench.run.helpers
        assert helper_traces.find(f"GUESTHOUSE_INSTANCE={bench.driver.store.instance}") == []

    on_bench(tmp_path, story)


def test_the_next_daemon_takes_helpers_up_and_ends_strays(tmp_path: Path) -> None:
    async def story(bench: Bench) -> None:
        known = await bench.start(HelperProgram("known", ("sleep", "60"), restart=True))
        stray = await bench.start(HelperProgram("stray", ("sleep", "60")))
        # What /proc tells of a program is there a moment after it was started.
        await until(lambda: helper_traces.command_of(stray) == ("sleep", "60"))
        traces = tuple(helper.trace for name, helper in bench.run.helpers.items() if name == "known")
        programs.let_go(bench.run)
        programs.take_up(bench.driver, bench.guest, bench.run, traces)
        await programs.end_strays(bench.driver, set())
        assert is_gone(stray)
        os.kill(known, signal.SIGKILL)
        await until(lambda: "known" in bench.run.helpers and bench.run.helpers["known"].process.pid != known)

    on_bench(tmp_path, story)
