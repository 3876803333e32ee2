"""The daemon is killed while a transient disk comes: what was made for the disk goes, unless QEMU has the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.children import running_child
from tests.support.daemon import Daemon, need
from tests.support.tiny import tiny_xml
from tests.support.tiny_console import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(100)]

#: Waits as long as there is a file `slow` beside it, or fails while there is one `broken`.
QEMU_IMG = """#!/bin/sh
while [ "$1" = create ] && [ -e "$0.slow" ]; do sleep 0.05; done
[ -e "$0.broken" ] && [ "$1" = create ] && exit 1
exec {program} "$@"
"""


def test_killed_while_a_transient_disk_comes(short_path: Path) -> None:
    need("virsh", "qemu-img")
    tools = short_path / "bin"
    tools.mkdir()
    (tools / "qemu-img").write_text(QEMU_IMG.format(program=shutil.which("qemu-img")))
    (tools / "qemu-img").chmod(0o755)
    slow, broken = tools / "qemu-img.slow", tools / "qemu-img.broken"
    image, overlay = short_path / "disk.img", short_path / "disk.img.TRANSIENT-web"
    with image.open("wb") as stream:
        stream.truncate(1 << 20)
    disk = short_path / "disk.xml"
    disk.write_text(
        f"<disk type='file' device='disk'><source file='{image}'/><target dev='sdb' bus='scsi'/><transient/></disk>"
    )
    controller = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    (short_path / "web.xml").write_text(tiny_xml("web", devices=controller, memory=64))
    daemon = Daemon(short_path / "root", prefix=("env", f"PATH={tools}:{os.environ['PATH']}"))
    status = short_path / "root/run/qemu/web.xml"
    attach = ("attach-device", "web", str(disk), "--live")

    def shown() -> bool:
        return "TRANSIENT-web" in daemon.virsh("dumpxml", "web").stdout

    try:
        daemon.start()
        daemon.virsh("create", str(short_path / "web.xml"), "--paused")

        slow.touch()
        with running_child(["virsh", "-c", daemon.uri, *attach]):
            eventually(overlay.exists)
            assert "TRANSIENT-web" in status.read_text()
            daemon.kill()
        slow.unlink()
        assert overlay.exists()
        daemon.start()
        eventually(lambda: not overlay.exists() and "<change" not in status.read_text())
        assert not shown()

        broken.touch()
        assert daemon.virsh(*attach, check=False).returncode == 1
        eventually(lambda: not overlay.exists())
        assert "<change" not in status.read_text()
        assert not shown()
        broken.unlink()

        daemon.virsh(*attach)
        daemon.kill()
        daemon.start()
        assert shown()
        assert overlay.stat().st_mode & 0o777 == 0o600
        daemon.virsh("detach-device", "web", str(disk), "--live")
        eventually(lambda: not overlay.exists())
    finally:
        daemon.stop()
