"""A program on a terminal of its own, for tests that type and read as a person would."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from types import TracebackType


def _own_terminal() -> None:
    """In the new process: let what is typed be heard as signals too (Ctrl+C)."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A running program whose input and output are a pseudo-terminal. `seen` is all that it has printed."""

    def __init__(self, *argv: str, env: dict[str, str] | None = None) -> None:
        ours, theirs = pty.openpty()
        self._descriptor = ours
        self.seen = ""
        self._read_to = 0
        self.process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "dumb", **(env or {})}, preexec_fn=_own_terminal,
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # with all that it started
        self.process.wait(10)
        os.close(self._descriptor)

    def type(self, text: str) -> None:
        """Type `text`."""
        os.write(self._descriptor, text.encode())

    def expect(self, text: str, deadline: float = 60.0) -> str:
        """Wait until `text` is printed after what was expected before. Returns what stood before it."""
        end = time.monotonic() + deadline
        while (found := self.seen.find(text, self._read_to)) < 0:
            assert time.monotonic() < end, f"no {text!r} in {self.seen[self._read_to :]!r}"
            assert self._read(end), f"ended without {text!r}: {self.seen[self._read_to :]!r}"
        before = self.seen[self._read_to : found]
        self._read_to = found + len(text)
        return before

    def wait_for_output(self, seconds: float) -> None:
        """Take what is printed within so many seconds."""
        self._read(time.monotonic() + seconds)

    def wait(self, deadline: float = 60.0) -> int:
        """Wait until the program ends. Returns its exit status."""
        end = time.monotonic() + deadline
        while self._read(end):
            assert time.monotonic() < end, f"still runs: {self.seen[self._read_to :]!r}"
        return self.process.wait(max(0.1, end - time.monotonic()))

    def _read(self, end: float) -> bool:
        if not select.select([self._descriptor], [], [], max(0.0, min(1.0, end - time.monotonic())))[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # the program has closed the terminal
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)
