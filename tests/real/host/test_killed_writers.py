"""A writer that is killed at any instant leaves a whole file behind, and nothing that a sweep does not find."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guesthouse.host.files import sweep_temporaries

pytestmark = pytest.mark.real

_WRITE_FOREVER = """
import sys
from guesthouse.host.files import write_atomic
print("go", flush=True)
while True:
    write_atomic(sys.argv[1], sys.argv[2].encode() * 200_000)
"""


def test_killed_writers_leave_whole_files_and_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "status.xml"
    for content in ("a", "b", "c"):
        writer = subprocess.Popen([sys.executable, "-c", _WRITE_FOREVER, str(path), content], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if path.exists():
            assert len(set(path.read_bytes())) == 1
            assert path.stat().st_size == 200_000
    sweep_temporaries(tmp_path)
    assert os.listdir(tmp_path) in ([], ["status.xml"])
