"""Going into the background (`--daemon`): the command returns when clients are served, or fails as the daemon did."""

from __future__ import annotations

import os
from collections.abc import Callable

_FAILED = 3


def detach() -> Callable[[], None]:
    """Continue in a child process without a terminal; returns what the child calls when it is ready.

    The parent waits for that call or for the child's end, and exits: with 0, or with the child's status.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child:
        os.close(writer)
        ready = os.read(reader, 1)
        if ready:
            os._exit(0)
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) or _FAILED)
    os.close(reader)
    os.setsid()
    os.chdir("/")

    def ready_now() -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.close(null)
        os.write(writer, b"1")
        os.close(writer)

    return ready_now
