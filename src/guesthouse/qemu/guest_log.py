"""A guest's log file: what we write when it starts and ends, and what QEMU said in between.

Lines of ours look like libvirt's (`2026-01-31 12:00:00.123+0000: starting up ...`), because people and tools search for
them. Source: the guide, section "Log files"; https://libvirt.org/logging.html.
"""

from __future__ import annotations

import os
import shlex
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: How much of QEMU's last words goes into an error, in bytes: what libvirt takes.
TAIL_LIMIT = 1024

_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class GuestLog:
    """One guest's log, open for appending. `descriptor` is for QEMU's output; `close` it when QEMU has it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.path = path
        self.descriptor = os.open(path, _OPEN, 0o600)
        self._mark = os.fstat(self.descriptor).st_size

    def starting(
        self, argv: Sequence[str], env: Mapping[str, str] | None, library: str, qemu_version: str = "unknown"
    ) -> None:
        """Write the start line and the command line, and take what follows for QEMU's own words.

        `library` is `libvirt version: 11.3.0` or the like; `qemu_version` is `10.0.2` with the package's name.
        """
        facts = [library, f"qemu version: {qemu_version}", f"kernel: {os.uname().release}"]
        self.note(f"starting up {', '.join(facts)}, hostname: {socket.gethostname()}")
        self._append(command_text(argv, env) + "\n")
        self._mark = os.fstat(self.descriptor).st_size

    def note(self, text: str) -> None:
        """Write one line of ours, with the time in UTC."""
        self._append(f"{timestamp(datetime.now(UTC))}: {text}\n")

    def tail(self) -> str:
        """The end of what QEMU wrote since `starting`, without our own notes; empty when it said nothing."""
        size = os.fstat(self.descriptor).st_size
        begun = self._mark if self._mark <= size else 0  # the log may have been rotated meanwhile
        start = max(begun, size - TAIL_LIMIT)
        text = os.pread(self.descriptor, max(0, size - start), start).decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if not _is_chatter(line)]
        return "\n".join(lines).strip()

    def close(self) -> None:
        """Let go of the file."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def _append(self, text: str) -> None:
        os.write(self.descriptor, text.encode("utf-8", "surrogateescape"))


def timestamp(moment: datetime) -> str:
    """A moment in UTC as libvirt's logs write it: `2026-01-31 12:00:00.123+0000`."""
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}+0000"


def command_text(argv: Sequence[str], env: Mapping[str, str] | None) -> str:
    """A command as a person can paste it into a shell: the environment first, each option on a line of its own."""
    words = [f"{name}={shlex.quote(value)}" for name, value in (env or {}).items()]
    words += [shlex.quote(argument) for argument in argv]
    breaks = range(len(env or {}) + 1)
    text = ""
    for index, word in enumerate(words):
        on_new_line = index in breaks or word.startswith("-")
        text += ("" if index == 0 else " \\\n" if on_new_line else " ") + word
    return text


def _is_chatter(line: str) -> bool:
    """Whether a line is no complaint of QEMU's: a note of ours, or where a character device went."""
    return "char device redirected to" in line or line[23:30] == "+0000: "
