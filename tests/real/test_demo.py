"""The demo, below a path that is too long for the names of sockets: up, up again, after a crash, and down."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tiny import FOLDER, KERNEL

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parent.parent.parent


def demo(project: Path, *options: str) -> str:
    """What a run of the demo prints; it must succeed."""
    argv = [sys.executable, str(project / "tools/demo.py"), *options]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def processes(place: Path) -> dict[str, int]:
    """The programs that run for the demo's directory, with their process numbers."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_text(errors="replace").split("\0") if entry.name.isdigit() else []
        except OSError:
            continue
        for program in ("guesthoused", "qemu-system-x86_64"):
            if any(word.endswith(f"/{program}") for word in words[:2]) and any(str(place) in word for word in words):
                found[program] = int(entry.name)
    return found


@pytest.mark.timeout(300)
def test_the_demo(tmp_path: Path) -> None:
    if not KERNEL.exists():
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    project = tmp_path / ("long" * 25)
    (project / ".cache").mkdir(parents=True)
    (project / ".cache/tiny").symlink_to(FOLDER)
    (project / "tools").mkdir()
    shutil.copy(ROOT / "tools/demo.py", project / "tools")
    try:
        first = demo(project)
        assert "tiny login: " in first
        assert "State:          running" in first
        assert first.splitlines()[-1].split() == ["./dev", "demo", "--down"]
        place = (project / ".demo").resolve()
        assert set(processes(place)) == {"guesthoused", "qemu-system-x86_64"}
        assert "the guest runs already" in demo(project)
        os.kill(processes(place)["guesthoused"], signal.SIGKILL)
        assert "the guest runs already" in demo(project)
        os.kill(processes(place)["guesthoused"], signal.SIGKILL)
    finally:
        demo(project, "--down")
    assert processes(place) == {}
    assert not place.exists()
    assert not os.path.lexists(project / ".demo")
    assert "nothing of it is left" in demo(project, "--down")
