"""A network namespace of a test's own, with a daemon in it: its bridges and taps are nobody else's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.daemon import Daemon

_DEADLINE = 30.0


class Namespace:
    """A network namespace with a `/sys` of its own, as long as `close` was not called. Needs root."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("network namespaces with taps need root")
        self._holder = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "sh",
                "-c",
                "mount -t sysfs sysfs /sys && echo ready && exec sleep infinity",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = self._holder.stdout.readline() if self._holder.stdout is not None else b""
        if said != b"ready\n":
            self.close()
            pytest.skip(f"no network namespace can be made here: {said.decode(errors='replace').strip()}")

    @property
    def pid(self) -> int:
        """A process in it, as long as it is not closed."""
        return self._holder.pid

    @property
    def prefix(self) -> tuple[str, ...]:
        """What runs a command in it."""
        return ("nsenter", f"--target={self._holder.pid}", "--net", "--mount")

    def run(self, command: str, *, check: bool = True) -> str:
        """The output of a shell command in it."""
        done = subprocess.run(
            [*self.prefix, "sh", "-c", command], capture_output=True, text=True, timeout=_DEADLINE, check=False
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done.stdout

    def need(self, command: str, reason: str) -> None:
        """Skip the test where a command fails: the kernel lacks something."""
        done = subprocess.run([*self.prefix, "sh", "-c", command], capture_output=True, timeout=_DEADLINE, check=False)
        if done.returncode:
            pytest.skip(f"{reason}: {done.stderr.decode(errors='replace').strip()[-200:]}")

    def devices(self) -> set[str]:
        """The names of its network devices."""
        return set(self.run("ls /sys/class/net").split())

    def daemon(self, root: Path, *options: str) -> Daemon:
        """A daemon in it, not yet started."""
        return Daemon(root, *options, prefix=self.prefix)

    def close(self) -> None:
        """End it."""
        self._holder.kill()
        self._holder.wait(10)
        if self._holder.stdout is not None:
            self._holder.stdout.close()
