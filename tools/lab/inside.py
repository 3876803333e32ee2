"""The first process inside the lab: prepares it, runs what the host wants, reports, and switches the machine off.

Started by its path, without the project on Python's path. The first process of a machine inherits every orphan, and
must collect those that ended: so it does only that, and a child of it does the work.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent.parent
_CHUNK: Final = 1 << 16


def main() -> None:
    """The first process."""
    worker = os.fork()
    if worker == 0:
        os.environ.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root", LANG="C.UTF-8", PYTHONUNBUFFERED="1")
        os.chdir(PROJECT)
        sys.path[0] = str(PROJECT)
        try:
            work()
        except BaseException:  # whatever it is, the console must tell it before the machine is gone
            traceback.print_exc()
        os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while os.wait()[0] != worker:
            pass
    Path("/proc/sysrq-trigger").write_text("o")
    time.sleep(60)


def work() -> None:
    """Prepare the lab and run the host's job."""
    from tools.lab import preparing
    from tools.lab.messages import Report, decode_job, encode

    preparing.prepare()
    descriptor = os.open(preparing.message_port(), os.O_RDWR | os.O_CLOEXEC)
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, _CHUNK)
    job = decode_job(line)

    def send(report: Report) -> None:
        data = encode(report)
        while data:
            data = data[os.write(descriptor, data) :]

    status = _run(job.command, lambda text: send(Report(output=text)))
    results = Path(job.results) if job.results else None
    found = results.read_text() if results is not None and results.exists() else ""
    send(Report(results=found, status=status))


def _run(command: list[str], show: Callable[[str], None]) -> int:
    """Run a command to its end, showing what it prints as it comes. Returns its exit status, 126 if it cannot start."""
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        show(f"{command[0]}: {error.strerror}\n")
        return 126
    assert process.stdout is not None
    output = process.stdout.fileno()
    while True:
        ended = process.poll() is not None
        # What outlives the command may hold its output: only what is there already is waited for then.
        if select.select([output], [], [], 0 if ended else 0.2)[0]:
            data = os.read(output, _CHUNK)
            if data:
                show(data.decode(errors="replace"))
                continue
            process.wait()
        if ended:
            return process.returncode


if __name__ == "__main__":
    main()
