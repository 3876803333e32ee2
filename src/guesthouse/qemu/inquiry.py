"""A QEMU without a machine, started only to answer questions about itself, and killed after them."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.mortal import mortal
from guesthouse.host.processes import Process, spawn
from guesthouse.qemu.monitor import Monitor

#: How long such a QEMU may take for each answer, in seconds.
PROBE_DEADLINE = 30.0

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


class ProbeError(LibvirtError):
    """A binary is missing, cannot be run, or is no QEMU that we understand."""

    code = Code.INTERNAL_ERROR
    domain = Origin.QEMU


@asynccontextmanager
async def questioned(binary: str, accelerator: str = "tcg", deadline: float = PROBE_DEADLINE) -> AsyncIterator[Monitor]:
    """The monitor of a QEMU that answers questions. It has no files: its socket is a pair, its words stay in memory.

    Raises `ProbeError` (libvirt's `Failed to probe QEMU binary with QMP: ...`) with what QEMU said, also for an error
    of the monitor inside the block that nobody caught.
    """
    _check_program(binary)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    words = os.memfd_create("qemu-probe-output")
    process: Process | None = None
    try:
        argv = _argv(binary, accelerator, theirs.fileno())
        try:
            process = spawn(argv, pass_fds=[theirs.fileno()], env=_ENVIRONMENT, log_fd=words)
        except OSError as error:
            raise ProbeError(f"Cannot run QEMU binary {binary}: {error.strerror}", code=Code.SYSTEM_ERROR) from error
        theirs.close()
        monitor = await Monitor.connect(ours, deadline)
        try:
            yield monitor
        finally:
            monitor.close()
    except ProbeError:
        raise
    except LibvirtError as error:
        said = os.pread(words, 1024, 0).decode("utf-8", "replace").strip()
        raise ProbeError(f"Failed to probe QEMU binary with QMP: {said or error.message}") from error
    finally:
        ours.close()
        theirs.close()
        os.close(words)
        if process is not None:
            process.signal(signal.SIGKILL)
            process.watch(Process.close)


def _check_program(binary: str) -> None:
    """Refuse early what cannot be run: behind the guard that starts it, the error would be the guard's."""
    if shutil.which(binary, path=_ENVIRONMENT["PATH"]) is None:
        reason = errno.EACCES if os.path.exists(binary) else errno.ENOENT
        raise ProbeError(f"Cannot run QEMU binary {binary}: {os.strerror(reason)}", code=Code.SYSTEM_ERROR)


def _argv(binary: str, accelerator: str, monitor_fd: int) -> list[str]:
    return [
        *mortal(),  # a killed daemon would leave it behind for ever, since no status file knows it
        binary,
        *("-S", "-no-user-config", "-nodefaults", "-nographic"),
        *("-machine", f"none,accel={accelerator}"),
        *("-chardev", f"socket,id=monitor,fd={monitor_fd}"),
        *("-mon", "chardev=monitor,mode=control"),
    ]
