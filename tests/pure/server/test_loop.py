"""What hangs in threads of the daemon's loop holds up nothing: no other call, and not the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys
from guesthouse.server.loop import Loop

def hang(path):
    open(path).read()  # a pipe that nobody writes to

def fail():
    raise ValueError("no")

async def work():
    for _ in range(70):
        try:
            await asyncio.wait_for(asyncio.to_thread(hang, sys.argv[1]), 0.01)
        except TimeoutError:
            pass
    print(await asyncio.wait_for(asyncio.to_thread(len, "four"), 5))
    try:
        await asyncio.to_thread(fail)
    except ValueError as error:
        print(error)

with asyncio.Runner(loop_factory=Loop) as runner:
    runner.run(work())
print("ended")
"""


@pytest.mark.timeout(60)
def test_threads_that_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "pipe")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("4\nno\nended\n", 0), done.stderr
