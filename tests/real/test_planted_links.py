"""Links that somebody planted where the daemon writes: it does not follow them, and says where it met one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.real


def test_a_link_for_a_guests_log_is_not_followed(daemon: Daemon, tmp_path: Path) -> None:
    log = daemon.root / "log/qemu/web1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.symlink_to(tmp_path / "elsewhere")
    document = tmp_path / "web1.xml"
    document.write_text(tiny_xml("web1", memory=64))
    daemon.guest("define", str(document))
    done = daemon.guest("start", "web1", check=False)
    assert done.returncode == 1
    assert f"Too many levels of symbolic links: {log}" in done.stderr
    assert "internal error" not in done.stderr
    assert not (tmp_path / "elsewhere").exists()
    assert daemon.guest_processes() == []
    log.unlink()
    daemon.guest("start", "web1")
