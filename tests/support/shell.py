"""The shell of the tiny guest, on its serial terminal: what the guest itself sees."""

from __future__ import annotations

import contextlib
import os
import select
import time
import tty
from collections.abc import Callable

_MARK = "-=done=-"


class GuestShell:
    """Commands typed into the terminal at `path` (what `ttyconsole` tells), and what they print."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._descriptor)
        self._count = 0

    def close(self) -> None:
        """Let go of the terminal."""
        os.close(self._descriptor)

    def until_ready(self, deadline: float = 60.0) -> None:
        """Wait until a shell answers, logging in if it asks who is there."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                self.run("true", deadline=2.0)
                return
            os.write(self._descriptor, b"root\n")
            time.sleep(0.3)
        raise TimeoutError("no shell answers on the terminal")

    def run(self, command: str, deadline: float = 20.0) -> str:
        """What the command prints. Raises TimeoutError."""
        self._count += 1
        # The marks are put together by the shell, so that the echo of what is typed does not hold them.
        begin, end = f"{_MARK}{self._count}<", f"{_MARK}{self._count}>"
        halves = f"{_MARK[:3]}'{_MARK[3:]}{self._count}"
        os.write(self._descriptor, f"echo {halves}<'; {command}; echo {halves}>'\n".encode())
        seen = self._read_until(end, deadline).replace("\r", "")
        return seen.partition(begin)[2].partition(end)[0].strip()

    def until(self, command: str, wanted: str, deadline: float = 20.0) -> str:
        """Run the command again and again until `wanted` is in what it prints. Raises TimeoutError."""
        return self._until(command, lambda seen: wanted in seen, f"{wanted!r} did not appear", deadline)

    def until_gone(self, command: str, unwanted: str, deadline: float = 20.0) -> str:
        """Run the command again and again until `unwanted` is not in what it prints. Raises TimeoutError."""
        return self._until(command, lambda seen: unwanted not in seen, f"{unwanted!r} stays", deadline)

    def _until(self, command: str, good: Callable[[str], bool], complaint: str, deadline: float) -> str:
        end = time.monotonic() + deadline
        while True:
            seen = self.run(command)
            if good(seen):
                return seen
            if time.monotonic() > end:
                raise TimeoutError(f"{complaint}: {command}: {seen}")
            time.sleep(0.2)

    def _read_until(self, mark: str, deadline: float) -> str:
        end = time.monotonic() + deadline
        seen = ""
        while mark not in seen:
            rest = end - time.monotonic()
            if rest <= 0 or not select.select([self._descriptor], [], [], rest)[0]:
                raise TimeoutError(f"no {mark!r} in {seen!r}")
            with contextlib.suppress(BlockingIOError):
                seen += os.read(self._descriptor, 65536).decode(errors="replace")
        return seen
