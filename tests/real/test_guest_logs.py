"""The logs of guests stay small, whatever QEMU writes, and whether a daemon runs meanwhile or not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.tiny import tiny_xml
from tests.support.tiny_console import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(110)]

LIMIT = 200_000
BACKUPS = 2


def sizes(daemon: Daemon) -> dict[str, int]:
    """The log of the guest and its former parts."""
    return {entry.name: entry.stat().st_size for entry in os.scandir(daemon.root / "log/qemu") if "web" in entry.name}


def is_small(daemon: Daemon) -> bool:
    found = sizes(daemon)
    return found["web.log"] <= LIMIT and set(found) == {"web.log", "web.log.0", "web.log.1"}


def test_a_guest_that_makes_qemu_write(short_path: Path) -> None:
    need("virsh")
    daemon = Daemon(short_path / "root")
    (short_path / "root/etc").mkdir(parents=True)
    (short_path / "root/etc/virtlogd.conf").write_text(f"max_size = {LIMIT}\nmax_backups = {BACKUPS}\nlog_level = 1\n")
    (short_path / "web.xml").write_text(tiny_xml("web", memory=96))
    try:
        daemon.start()
        eventually(lambda: "virtlogd.conf:3: log_level has no effect" in daemon.output)
        daemon.virsh("create", str(short_path / "web.xml"), "--paused")
        daemon.virsh("qemu-monitor-command", "web", "--hmp", "log in_asm")  # what QEMU translates, it writes down
        daemon.virsh("resume", "web")
        eventually(lambda: "web.log.1" in sizes(daemon), 60)
        daemon.kill()
        eventually(lambda: sizes(daemon)["web.log"] > LIMIT, 60)
        daemon.start()
        eventually(lambda: is_small(daemon), 20)
        daemon.virsh("destroy", "web")
        eventually(lambda: is_small(daemon), 20)
        assert "shutting down, reason=destroyed" in (daemon.root / "log/qemu/web.log").read_text()[-100:] or (
            "shutting down, reason=destroyed" in (daemon.root / "log/qemu/web.log.0").read_text()[-100:]
        )
    finally:
        daemon.stop()
