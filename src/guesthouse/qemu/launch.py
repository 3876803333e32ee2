"""Start a QEMU and greet it.

The monitor's socket is made here, listening, and handed to QEMU as a descriptor. So the connection stands before QEMU
runs, nothing polls, and the first commands wait in the socket for QEMU to read them:

    bind, listen, connect, write qmp_capabilities   us, under a millisecond
    spawn                                           QEMU inherits the listening socket
    accept, greet, read the command, answer         QEMU, when it has built its machine

The socket stays in the file system, so that the next daemon can connect to a guest that outlived this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import LibvirtError, Origin
from guesthouse.host.files import directory_descriptor, remove
from guesthouse.host.processes import Process, spawn
from guesthouse.qemu.guest_log import GuestLog
from guesthouse.qemu.monitor import Monitor, MonitorClosed, MonitorTimeout, OnClosed, OnEvent

#: How long QEMU may take until it answers its monitor, in seconds. Guests with very much memory need long.
START_DEADLINE = 30.0

_DEATH_DEADLINE = 2.0


class LaunchError(LibvirtError):
    """QEMU ended, or said nothing, before it answered its monitor; the text holds its last words."""

    domain = Origin.QEMU


@dataclass(frozen=True, slots=True)
class Launched:
    """A QEMU that answers. Its `monitor` is past the negotiation; its guest waits for `cont` if started with `-S`."""

    process: Process
    monitor: Monitor


def monitor_arguments(fd: int) -> list[str]:
    """The options that give QEMU its monitor on a listening socket with the number `fd`."""
    chardev = f"socket,id=charmonitor,fd={fd},server=on,wait=off"
    return ["-chardev", chardev, "-mon", "chardev=charmonitor,id=monitor,mode=control"]


async def launch(
    argv: Sequence[str],
    *,
    monitor_path: Path,
    log_path: Path,
    on_event: OnEvent,
    on_closed: OnClosed,
    on_spawned: Callable[[Process], None] | None = None,
    pass_fds: Sequence[int] = (),
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    deadline: float = START_DEADLINE,
    library: str = "libvirt version: 11.3.0",
    qemu_version: str = "unknown",
    notes: Sequence[str] = (),
) -> Launched:
    """Start QEMU with `argv` (all but the monitor's options, which are added) and wait until it answers.

    `pass_fds` stay the caller's to close, after this returns or raises. `on_spawned` is called as soon as there is a
    process, so that its pid and start time can be written down. `env` None inherits the daemon's environment; give
    one. `library` and `qemu_version` go into the log's start line, `notes` behind it.

    Raises `LaunchError` (libvirt's `process exited while connecting to monitor: ...`), `MonitorTimeout`, OSError.
    When it raises, or is cancelled, QEMU is dead and the socket is gone.
    """
    log = GuestLog(log_path)
    try:
        with contextlib.closing(listen(monitor_path)) as listener:
            command = [*argv, *monitor_arguments(listener.fileno())]
            log.starting(command, env, library, qemu_version)
            for note in notes:
                log.note(note)
            monitor = Monitor.attach(monitor_path, on_event)
            try:
                fds = [*pass_fds, listener.fileno()]
                process = spawn(command, pass_fds=fds, env=env, cwd=cwd, log_fd=log.descriptor)
            except OSError as error:
                monitor.close()
                remove(monitor_path)
                raise LaunchError(f"Cannot run '{argv[0]}': {error.strerror}", hint="is QEMU installed?") from error
        return await _greet(process, monitor, log, monitor_path, on_closed, on_spawned, deadline)
    finally:
        log.close()


async def _greet(
    process: Process,
    monitor: Monitor,
    log: GuestLog,
    monitor_path: Path,
    on_closed: OnClosed,
    on_spawned: Callable[[Process], None] | None,
    deadline: float,
) -> Launched:
    try:
        if on_spawned is not None:
            on_spawned(process)
        await monitor.negotiate(deadline)
    except BaseException as error:  # also where nobody waits any more: no QEMU may stay that nobody knows
        monitor.close()
        process.signal(signal.SIGKILL)
        remove(monitor_path)
        process.watch(Process.close)
        await asyncio.shield(process.wait(_DEATH_DEADLINE))
        if isinstance(error, MonitorClosed):
            raise LaunchError(_last_words("process exited while connecting to monitor", log)) from error
        if isinstance(error, MonitorTimeout):
            message = f"QEMU did not answer its monitor within {deadline:g} seconds of its start"
            raise MonitorTimeout(_last_words(message, log)) from error
        raise
    monitor.on_closed = on_closed
    return Launched(process, monitor)


def listen(path: Path) -> socket.socket:
    """A listening Unix socket at `path`, for us alone; whatever socket stood there is removed. Raises OSError.

    It does not block: QEMU sometimes accepts once more than there are connections, and would wait there for ever.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        os.fchmod(listener.fileno(), 0o600)  # the file of the socket gets these bits when it is bound
        remove(path)
        with directory_descriptor(path.parent) as directory:
            listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        listener.listen(1)
    except Exception:
        listener.close()
        raise
    return listener


def _last_words(message: str, log: GuestLog) -> str:
    tail = log.tail()
    return f"{message}: {tail}" if tail else message
