"""Whoever rotates a log is killed at any moment: no line is lost, and who comes next goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guesthouse.host.files import sweep_temporaries
from guesthouse.qemu.log_rotation import LogLimits, backup
from tests.support.children import running_child

pytestmark = pytest.mark.real

LIMITS = LogLimits(max_size=100, max_backups=3)
ROUNDS = 25

#: Writes one numbered line after the other, and rotates after each.
_WRITE_AND_ROTATE = """
import os, sys
from pathlib import Path
from guesthouse.qemu.log_rotation import LogLimits, rotate
path, number, limits = Path(sys.argv[1]), int(sys.argv[2]), LogLimits(*map(int, sys.argv[3:]))
log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
print("go", flush=True)
while True:
    number += 1
    os.write(log, f"{number:09}\\n".encode())
    rotate(path, limits)
"""


def lines(path: Path) -> list[int]:
    """What stands in the log and its former parts, the oldest first."""
    parts = [*(backup(path, number) for number in reversed(range(LIMITS.max_backups))), path]
    return [int(line) for part in parts if part.exists() for line in part.read_text().splitlines()]


def test_killed_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    chance = random.Random(7)
    last = 0
    limits = [str(LIMITS.max_size), str(LIMITS.max_backups)]
    for _ in range(ROUNDS):
        argv = [sys.executable, "-c", _WRITE_AND_ROTATE, str(path), str(last), *limits]
        with running_child(argv, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "go\n"
            time.sleep(chance.uniform(0.0, 0.02))
        sweep_temporaries(tmp_path)
        found = lines(path)
        assert found[-1] >= last if found else last == 0
        last = max([last, *found])
        assert not found or sorted(set(found)) == list(range(found[0], last + 1))
        assert len(os.listdir(tmp_path)) <= 1 + LIMITS.max_backups
        assert all(part.stat().st_size <= 2 * LIMITS.max_size for part in tmp_path.iterdir())
    assert last > LIMITS.max_size
