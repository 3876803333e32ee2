"""Programs that help a run's QEMU, such as passt: each has a pid file in the run's private directory.

They end by themselves when their QEMU closes its side. One whose QEMU never came is ended here.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from guesthouse.host.processes import adopt
from guesthouse.host.procfs import start_time


def end(private: Path) -> None:
    """End every helper that has a pid file in `private` and the directory on its command line."""
    for path in private.glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.read_text(encoding="ascii"))
            started = start_time(pid)
            process = adopt(pid, started) if started is not None else None
            if process is None:
                continue
            if os.fsencode(private) in Path(f"/proc/{pid}/cmdline").read_bytes():
                process.signal(signal.SIGTERM)
            process.close()
