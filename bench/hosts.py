"""Starts and ends the daemons that are compared, each in its own directory."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
START_DEADLINE = 60.0


@dataclass
class Host(ABC):
    """A daemon of one kind: `name` as in the table, `folder` of its own."""

    name: str
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    @abstractmethod
    def socket(self) -> Path:
        """The socket that clients connect to."""

    @property
    def uri(self) -> str:
        """The connection URI for a stock client."""
        return f"qemu+unix:///system?socket={self.socket}"

    @abstractmethod
    def argv(self) -> list[str]:
        """What starts it."""

    def start(self) -> float:
        """Start the daemon; returns the seconds from exec until a client can connect and list."""
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = time.perf_counter()
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                self.argv(), stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
        while not self._answers():
            if time.perf_counter() - begun > START_DEADLINE or self.process.poll() is not None:
                raise SystemExit(f"bench: {self.name} did not start; see {self.folder / 'output'}")
            time.sleep(0.002)
        return time.perf_counter() - begun

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
            return True

    def pid(self) -> int:
        """The daemon's own process id."""
        assert self.process is not None
        return self.process.pid

    def rss(self) -> int:
        """The daemon's resident memory in KiB."""
        for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def stop(self) -> None:
        """End the daemon, cleanly if it will."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        self.process = None


class Guesthoused(Host):
    """Our daemon under `--root`, in a network of its own where it can have one, so that it has bridges."""

    @property
    def socket(self) -> Path:
        return self.folder / "run/libvirt-sock"

    def argv(self) -> list[str]:
        alone = ["unshare", "--net"] if os.geteuid() == 0 else []
        return [*alone, str(Path(sys.executable).parent / "guesthoused"), "--root", str(self.folder)]


class Libvirtd(Host):
    """libvirt's daemon in mount and network namespaces of its own, so that it touches nothing of the machine's."""

    SCRIPT = """
set -eu
for place in run/libvirt var/lib/libvirt var/log/libvirt var/cache/libvirt; do
    mkdir -p /$place "$1/$place"
    mount --bind "$1/$place" /$place
done
[ -d "$1/etc" ] || cp -a /etc/libvirt "$1/etc"
mount --bind "$1/etc" /etc/libvirt
rm -f /etc/libvirt/qemu/networks/autostart/*
printf 'unix_sock_dir = "%s"\\nauth_unix_rw = "none"\\nauth_unix_ro = "none"\\n' "$1/socket" >/etc/libvirt/libvirtd.conf
printf 'security_driver = "none"\\nuser = "root"\\ngroup = "root"\\nnamespaces = []\\n' >/etc/libvirt/qemu.conf
mkdir -p "$1/socket"
[ -d "/proc/$(cat "$1/virtlogd.pid" 2>/dev/null)/fd" ] || virtlogd -d -p "$1/virtlogd.pid"
exec libvirtd -p "$1/libvirtd.pid"
"""

    @property
    def socket(self) -> Path:
        return self.folder / "socket/libvirt-sock"

    def argv(self) -> list[str]:
        return ["unshare", "--mount", "--net", "sh", "-c", self.SCRIPT, "sh", str(self.folder)]

    @staticmethod
    def missing() -> str:
        """Why it cannot run here, or nothing."""
        if shutil.which("libvirtd") is None:
            return "libvirtd is not installed (./dev setup --peer)"
        if os.geteuid() != 0:
            return "libvirtd needs root"
        return ""

    def stop(self) -> None:
        super().stop()
        try:
            os.kill(int((self.folder / "virtlogd.pid").read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            return
