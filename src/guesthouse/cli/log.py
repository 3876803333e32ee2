"""The log file of `-l`: one line an error or a step of tracing, in virsh's form."""

from __future__ import annotations

import os
import time

LEVELS = ("DEBUG", "INFO", "NOTICE", "WARNING", "ERROR")


def append(path: str, program: str, level: int, text: str) -> None:
    """Append a line; a log that cannot be written must not stop the command."""
    stamp = time.strftime("%Y.%m.%d %H:%M:%S", time.localtime())
    line = f"[{stamp} {program} {os.getpid()}] {LEVELS[level]} {text}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "surrogateescape"))
        finally:
            os.close(descriptor)
    except OSError:
        return
