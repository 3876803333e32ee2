"""A user without privileges, with a home of its own: what a session daemon needs, and nothing that root has."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import CLIENT_DEADLINE, OPENING, SYSTEM_PYTHON

BIN = Path(sys.executable).parent
#: User numbers that no system gives to people or to its services.
_FIRST_UID = 1_900_000_000


class User:
    """One user. As root, tests take the number of nobody; otherwise there is only the user who runs them.

    `runtime` False leaves `XDG_RUNTIME_DIR` unset, as for a user who has no login session.
    """

    def __init__(self, folder: Path, number: int = 1, *, runtime: bool = True) -> None:
        if os.getuid() != 0 and number > 1:
            pytest.skip("needs root to act as two users")
        self.uid = _FIRST_UID + os.getpid() * 10 % 100_000_000 + number if os.getuid() == 0 else os.getuid()
        self.home = folder / f"u{number}"
        self.home.mkdir(mode=0o700)
        folder.chmod(0o755)
        self.environment = {"HOME": str(self.home), "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C"}
        if runtime:
            self.environment["XDG_RUNTIME_DIR"] = str(self.home / "run")
            (self.home / "run").mkdir(mode=0o700)
        if os.getuid() == 0:
            for path in (self.home, *self.home.iterdir()):
                os.chown(path, self.uid, self.uid)
            if self.run("test", "-r", str(BIN / "guesthoused"), check=False).returncode:
                pytest.skip("the package is not readable for other users")

    @property
    def state(self) -> Path:
        """The directory of the daemon's sockets."""
        return self.home / ("run/libvirt" if "XDG_RUNTIME_DIR" in self.environment else ".cache/libvirt")

    @property
    def config(self) -> Path:
        """The directory of definitions."""
        return self.home / ".config/libvirt"

    def spawn(self, *argv: str, **environment: str) -> subprocess.Popen[str]:
        """Start a program as this user, with both channels in a pipe."""
        return subprocess.Popen(
            [*self._become(), *argv], env={**self.environment, **environment}, cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *argv: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a program as this user to its end."""
        done = subprocess.run(
            [*self._become(), *argv], env={**self.environment, **environment}, cwd="/", capture_output=True,
            stdin=subprocess.DEVNULL, text=True, timeout=CLIENT_DEADLINE, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{argv}: {done.stderr}\n{done.stdout}"
        return done

    def guest(self, *argv: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run our command on this user's session."""
        return self.run(str(BIN / "guest"), "-c", "qemu:///session", *argv, check=check, **environment)

    def virsh(self, *argv: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the stock virsh on this user's session; it could only start a libvirtd, so it must find our daemon."""
        environment = {"LIBVIRT_AUTOSTART": "0", **environment}
        return self.run("virsh", "-c", "qemu:///session", *argv, check=check, **environment)

    def python(self, script: str, *argv: str) -> str:
        """Run a script under the system's Python, with `conn` open to this user's session."""
        return self.run(SYSTEM_PYTHON, "-c", OPENING + script, "qemu:///session", *argv).stdout

    def write(self, name: str, text: str) -> str:
        """A file in the home of this user; returns its path."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o644)
        return str(path)

    def processes(self, program: str) -> list[int]:
        """The processes of this user whose program has this name and that have our home in their environment."""
        mark = f"{self.home}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if entry.stat().st_uid == self.uid and mark in (entry / "environ").read_bytes():
                    names = {Path(os.fsdecode(word)).name for word in words[:2]}
                    found += [int(entry.name)] if program in names else []
            except OSError:
                continue
        return found

    @property
    def daemons(self) -> list[int]:
        """The session daemons of this user."""
        return self.processes("guesthoused")

    @property
    def emulators(self) -> list[int]:
        """The guests of this user."""
        return self.processes("qemu-system-x86_64")

    def stop(self) -> None:
        """End the daemon, then the guests and what helps them."""
        for program in ("guesthoused", "libvirtd", "qemu-system-x86_64", "passt"):
            for pid in self.processes(program):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.daemons and not self.emulators, 10)
        if os.getuid() == 0:
            shutil.rmtree(self.home, ignore_errors=True)

    def _become(self) -> list[str]:
        if os.getuid() != 0:
            return []
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", "--"]


def wait_until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for something that happens by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
