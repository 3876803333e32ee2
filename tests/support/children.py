"""Child processes of a test: whatever becomes of the test, they are ended, and nothing of theirs stays open."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

_DEADLINE = 10.0


@contextlib.contextmanager
def running_child(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    stdin: int | None = subprocess.DEVNULL,
    stdout: int | None = None,
    stderr: int | IO[str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs as long as the block lasts, with its pipes as text; it is killed if it still runs then."""
    process = subprocess.Popen(argv, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, text=True)
    try:
        yield process
    finally:
        process.kill()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was typed and not sent goes nowhere
                    pipe.close()
        process.wait(_DEADLINE)
