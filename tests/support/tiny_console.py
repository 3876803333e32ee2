"""Tiny guests of a test's daemon, and their shells on the serial console."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from tests.support.daemon import Daemon
from tests.support.terminal import Terminal
from tests.support.tiny import tiny_xml

#: How long a guest may take to its login prompt where the machine has much else to do, in seconds.
_BOOT_DEADLINE = 110.0
#: How long a prompt is waited for before another line is typed, in seconds.
_KNOCK_PAUSE = 4.0


class TinyConsole:
    """The shell of a tiny guest, on `terminal`: its serial console, which the caller opened and closes."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.terminal.expect("Escape character")
        self._knock()
        self.terminal.expect("login:")
        self.terminal.type("root\n")
        self.terminal.expect("#")

    def _knock(self) -> None:
        """Type lines until the guest asks for a name.

        QEMU drops what the guest prints before it sees that its terminal is open, which takes it up to a second; and
        the guest drops what is typed before it listens.
        """
        end, again = time.monotonic() + _BOOT_DEADLINE, 0.0
        while "login:" not in self.terminal.seen:
            now = time.monotonic()
            assert now < end, f"no prompt in {self.terminal.seen!r}"
            if now >= again:
                self.terminal.type("\n")
                again = now + _KNOCK_PAUSE
            self.terminal.wait_for_output(1.0)

    def run(self, command: str) -> str:
        """What a command of the guest's shell prints, after the command itself."""
        self.terminal.type(f"{command}; echo the''end\n")
        return self.terminal.expect("theend").replace("\r", "")


def define(daemon: Daemon, name: str, devices: str) -> None:
    """Define a tiny guest with these devices, instead of one of this name that is off."""
    daemon.virsh("undefine", name, check=False)
    path = daemon.root / f"{name}.xml"
    path.write_text(tiny_xml(name, devices=devices))
    daemon.virsh("define", str(path))


@contextlib.contextmanager
def console(daemon: Daemon, name: str) -> Iterator[TinyConsole]:
    """A guest's console, as long as the block lasts."""
    with Terminal("virsh", "-c", daemon.uri, "console", "--force", name) as terminal:
        yield TinyConsole(terminal)


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
