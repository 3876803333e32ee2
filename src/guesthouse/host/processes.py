"""Processes: start them, take them up again after a restart, watch and end them. All through pidfds.

Rules:

1. A pid is only a name. What we hold is a pidfd, which never means another process.
2. A process that outlived its daemon is taken up by pid *and* start time (`/proc/PID/stat` field 22), checked after
   the pidfd is open: a pid that was used again is never taken for ours.
3. We reap exactly what we started, with `waitid(P_PIDFD)`. No SIGCHLD handler, no `waitpid(-1)`.
4. A child gets the descriptors that are listed, and no others.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal as signals
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guesthouse.host.procfs import start_time

Callback = Callable[["Process"], None]


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: `code` is 0 to 255, or None when a signal (`signal`) ended it or nobody can tell.

    Of a process that is not our child (taken up after a restart) the kernel tells only that it ended; then both
    are None.
    """

    code: int | None = None
    signal: int | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with code 0."""
        return self.code == 0

    def __str__(self) -> str:
        if self.signal is not None:
            return f"killed by signal {self.signal}"
        return "unknown exit status" if self.code is None else f"exit status {self.code}"


class Process:
    """One process, by pidfd. Created by `spawn` or `adopt`.

    `pid` and `start_time` (clock ticks since boot) name it durably: write both down to `adopt` it later.
    `exit` is how it ended, None while it runs or as long as nobody looked; `poll` looks.
    """

    __slots__ = ("_callbacks", "_loop", "exit", "pid", "pidfd", "start_time")

    def __init__(self, pid: int, pidfd: int, started: int) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.start_time = started
        self.exit: Exit | None = None
        self._callbacks: list[Callback] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def poll(self) -> Exit | None:
        """How the process ended, or None while it runs. Reaps it when it is our child. Never blocks."""
        if self.exit is None and self.pidfd >= 0:
            self.exit = _reap(self.pidfd)
        return self.exit

    def watch(self, callback: Callback) -> Callable[[], None]:
        """Call `callback(process)` once from the running event loop when the process has ended.

        Returns a function that takes the wish back. A process that ended already is reported in the next turn.
        """
        loop = asyncio.get_running_loop()
        if self.exit is not None or self.pidfd < 0:
            return loop.call_soon(callback, self).cancel
        self._callbacks.append(callback)
        if self._loop is None:
            self._loop = loop
            loop.add_reader(self.pidfd, self._ended)

        def forget() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return forget

    async def wait(self, deadline: float) -> Exit | None:
        """Wait at most `deadline` seconds for the end. Returns how it ended, or None when it still runs.

        May return before those who `watch` have been called.
        """
        if self.poll() is not None:
            return self.exit
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(_: Process) -> None:
            if not done.done():
                done.set_result(None)

        forget = self.watch(ended)
        try:
            await asyncio.wait_for(done, deadline)
        except TimeoutError:
            return None
        finally:
            forget()
        return self.exit

    def signal(self, number: int) -> bool:
        """Send a signal. Returns False when the process is gone already."""
        if self.pidfd < 0:
            return False
        try:
            signals.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            return False
        return True

    async def end(self, grace: float, deadline: float) -> Exit | None:
        """SIGTERM, and SIGKILL after `grace` seconds. Returns how it ended, or None if it stood after `deadline` more.

        A process survives SIGKILL only while the kernel itself is stuck, for instance on dead storage.
        """
        self.signal(signals.SIGTERM)
        if (ended := await self.wait(grace)) is not None:
            return ended
        self.signal(signals.SIGKILL)
        return await self.wait(deadline)

    def close(self) -> None:
        """Stop watching and let go of the descriptor. The process runs on."""
        self._unwatch()
        self._callbacks.clear()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def _ended(self) -> None:
        if self.poll() is None:
            return
        self._unwatch()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    def _unwatch(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self.pidfd)
            self._loop = None


def spawn(
    argv: Sequence[str],
    *,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    log_fd: int | None = None,
    stdin_fd: int | None = None,
    stdout_fd: int | None = None,
    new_session: bool = True,
    umask: int = 0o002,
) -> Process:
    """Start a program and return at once. It keeps running when the daemon ends, in its own session by default.

    `argv[0]` is looked up on the PATH of `env`. The child's input is `stdin_fd` or `/dev/null`; its output goes to
    `stdout_fd`, its errors (and its output, without `stdout_fd`) to `log_fd`, each `/dev/null` when not given.
    Descriptors of `pass_fds` keep their numbers; all others are closed in the child. `env` None inherits ours.
    Costs a vfork (under half a millisecond, however big the daemon). Raises OSError when it cannot be run.
    """
    log = subprocess.DEVNULL if log_fd is None else log_fd
    child = subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL if stdin_fd is None else stdin_fd,
        stdout=log if stdout_fd is None else stdout_fd,
        stderr=log,
        pass_fds=tuple(pass_fds),
        close_fds=True,
        env=env,
        cwd=cwd,
        start_new_session=new_session,
        umask=umask,
    )
    child.returncode = 0  # its pid is ours to reap from here on: subprocess must never wait for it
    started = start_time(child.pid)
    return Process(child.pid, os.pidfd_open(child.pid), 0 if started is None else started)


def adopt(pid: int, started: int) -> Process | None:
    """Take up a process that is known by pid and start time. None when it has ended (or the pid is another's now)."""
    try:
        pidfd = os.pidfd_open(pid)
    except (OSError, OverflowError):
        return None  # ESRCH: gone; EINVAL: not the pid of a process
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    process = Process(pid, pidfd, started)
    if process.poll() is not None:
        process.close()
        return None
    return process


def _reap(pidfd: int) -> Exit | None:
    """How the process of a pidfd ended, None while it runs."""
    try:
        info = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return _end_of_stranger(pidfd)
    if info is None:
        return None
    if info.si_code == os.CLD_EXITED:
        return Exit(code=info.si_status)
    return Exit(signal=info.si_status)


def _end_of_stranger(pidfd: int) -> Exit | None:
    """A process that is not our child: its pidfd is readable once it has ended."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return Exit() if poller.poll(0) else None


def find(program: str, *fragments: str) -> list[Process]:
    """The running processes whose program is named `program*` and whose command line contains all `fragments`.

    For what a daemon started in the instant before it was killed, and so never wrote down. Reads all of `/proc`.
    """
    wanted = [os.fsencode(fragment) for fragment in fragments]
    found = []
    for name in os.listdir("/proc"):
        if name.isdecimal() and _runs(int(name), os.fsencode(program), wanted):
            process = adopt(int(name), start_time(int(name)) or 0)
            if process is not None:
                found.append(process)
    return found


def _runs(pid: int, program: bytes, wanted: list[bytes]) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
    except OSError:
        return False
    return os.path.basename(line.split(b"\0")[0]).startswith(program) and all(part in line for part in wanted)
