"""What is left of helper programs on the host: how the next daemon finds those that a former one started.

Every helper carries the daemon's mark and the directory of its run in its environment. So one that was started in the
instant before the daemon died, and never written down, is found and ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from guesthouse.host.processes import Process, adopt
from guesthouse.host.procfs import start_time

#: The environment variable by which a helper is known; its value is the private directory of the run.
HOME_VARIABLE = "GUESTHOUSE_HELPER_OF"

_HOME = os.fsencode(f"{HOME_VARIABLE}=")


@dataclass(frozen=True, slots=True)
class HelperTrace:
    """What a status file knows of a helper: enough to take it up again, and whether it is to be kept running."""

    name: str
    pid: int
    start_time: int
    restart: bool = False


def kill_group(process: Process, number: int = signal.SIGKILL) -> None:
    """Signal a helper that still runs, and with it all that it started: it leads a process group of its own."""
    if process.pidfd >= 0 and process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == process.pid:
                os.killpg(process.pid, number)
            else:
                process.signal(number)


def command_of(pid: int) -> tuple[str, ...]:
    """The words of a running program's command line; none where it is gone."""
    try:
        return tuple(map(os.fsdecode, Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]))
    except OSError:
        return ()


def leaders_of(pid: int) -> set[int]:
    """The process itself, and those that lead its group and its session: what it may have been started by."""
    with contextlib.suppress(OSError):
        return {pid, os.getpgid(pid), os.getsid(pid)}
    return {pid}


def find(mark: str) -> list[tuple[Path, Process]]:
    """The running helpers that carry `mark` (`NAME=VALUE`), each with the private directory of its run."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or (started := start_time(int(entry.name))) is None:
            continue
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{entry.name}/environ").read_bytes().split(b"\0")
            home = next((word[len(_HOME) :] for word in words if word.startswith(_HOME)), None)
            if home is None or os.fsencode(mark) not in words:
                continue
            if (process := adopt(int(entry.name), started)) is not None:
                found.append((Path(os.fsdecode(home)), process))
    return found


def end(private: Path) -> None:
    """End every helper that has a pid file in `private` and the directory on its command line."""
    for path in private.glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text(encoding="ascii"))
            started = start_time(pid)
            process = adopt(pid, started) if started is not None else None
            if process is None:
                continue
            if os.fsencode(private) in Path(f"/proc/{pid}/cmdline").read_bytes():
                process.signal(signal.SIGTERM)
            process.close()
