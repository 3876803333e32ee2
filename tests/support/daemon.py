"""A real guesthoused for a test, under a root of its own, and the stock clients that talk to it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SYSTEM_PYTHON = "/usr/bin/python3"
START_DEADLINE = 20.0
CLIENT_DEADLINE = 60.0
OPENING = """
import sys, time, libvirt
libvirt.registerErrorHandler(lambda *a: None, None)
conn = libvirt.open(sys.argv[1])
"""


class Daemon:
    """One guesthoused. Everything of it is under `root`; `stop` ends it and every guest that it left behind."""

    def __init__(self, root: Path, *options: str, prefix: tuple[str, ...] = (), patience: float = 1.0) -> None:
        self.root = root
        self.options = options
        self.prefix = prefix  # a command that runs it, such as nsenter
        self.patience = patience  # how many times as long as here things may take
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The read-write socket."""
        return self.root / "run/libvirt-sock"

    @property
    def readonly_socket(self) -> Path:
        """The read-only socket."""
        return self.root / "run/libvirt-sock-ro"

    @property
    def uri(self) -> str:
        """The URI for a stock client."""
        return f"qemu+unix:///system?socket={self.socket}"

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        assert self.process is not None
        return self.process.pid

    @property
    def output(self) -> str:
        """What it logged."""
        return (self.root / "output").read_text(errors="replace")

    def start(self) -> Daemon:
        """Start it and wait until it accepts clients."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, str(BIN / "guesthoused"), "--root", str(self.root), *self.options],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_DEADLINE * self.patience
        while not self._accepts():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.01)
        return self

    def _accepts(self) -> bool:
        import socket

        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
            return True

    def kill(self) -> None:
        """SIGKILL the daemon; its guests stay."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)
        self.process = None

    def terminate(self) -> int:
        """End the daemon cleanly; its guests stay. Returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(20)
        self.process = None
        return status

    def stop(self) -> None:
        """End the daemon and every process that belongs to this root."""
        if self.process is not None:
            if self.process.poll() is None:
                self.process.terminate()
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait(10)
            self.process = None
        for pid in self.guest_processes():
            os.kill(pid, signal.SIGKILL)
        self._remove_groups()

    def _remove_groups(self) -> None:
        """Remove the control groups of the guests, which their daemon would have removed."""
        mark = hashlib.sha256(os.fsencode(self.root.absolute())).hexdigest()[:8]
        deadline = time.monotonic() + 2
        while groups := list(Path("/sys/fs/cgroup").glob(f"**/machine/qemu-embed-{mark}-*.libvirt-qemu")):
            for folder in [path for group in groups for path in (*filter(Path.is_dir, group.iterdir()), group)]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if time.monotonic() > deadline:
                return

    def guest_processes(self) -> list[int]:
        """The processes other than the daemon that were started for this root: QEMU and its helpers."""
        mark = f"{self.root}/".encode()
        own = {os.getpid(), self.process.pid if self.process else -1}
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) in own:
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"qemu-system" in words[0] and any(mark in word for word in words):
                found.append(int(entry.name))
        return found

    def run(self, *argv: str, check: bool = True, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a client program to its end."""
        deadline = CLIENT_DEADLINE * self.patience
        done = subprocess.run(argv, capture_output=True, text=True, input=text, timeout=deadline, check=False)
        assert not check or done.returncode == 0, f"{argv}: {done.stderr}\n{done.stdout}"
        return done

    def virsh(self, *argv: str, check: bool = True, readonly: bool = False) -> subprocess.CompletedProcess[str]:
        """Run the stock virsh."""
        access = ["-r"] if readonly else []
        return self.run("virsh", "-c", self.uri, *access, *argv, check=check)

    def guest(self, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run our command."""
        return self.run(str(BIN / "guest"), "-c", self.uri, *argv, check=check)

    def python(self, script: str, *argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script under the system's Python, with `libvirt` imported, `conn` open, and `sys.argv[2:]` as given."""
        return self.run(SYSTEM_PYTHON, "-c", OPENING + script, self.uri, *argv, check=check)


def need(*programs: str) -> None:
    """Skip the test where one of the programs is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (./dev setup installs it)")
