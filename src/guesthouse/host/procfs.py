"""What `/proc/PID` says about one process. Formats: proc(5)."""

from __future__ import annotations

_START_TIME = 22
_STATE = 3


def stat_fields(pid: int) -> list[str] | None:
    """The fields of `/proc/PID/stat` from the third on (the state is item 0), or None when there is no such process.

    The name, field 2, may hold blanks and parentheses; whatever stands before the last `)` is skipped.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            text = file.read(4096)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rfind(b")") + 2 :].decode("ascii", "replace").split()


def start_time(pid: int) -> int | None:
    """When the process started, in clock ticks since the host booted; None when there is no such process.

    A pid may be used again, but never with the same start time.
    """
    fields = stat_fields(pid)
    return int(fields[_START_TIME - _STATE]) if fields else None


def is_dead(pid: int) -> bool:
    """Whether the process has ended, reaped or not."""
    fields = stat_fields(pid)
    return fields is None or fields[0] in ("Z", "X")
