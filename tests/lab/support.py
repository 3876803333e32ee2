"""What the tests of the lab share."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.daemon import Daemon

#: Everything takes ten times as long in the lab.
DEADLINE = 300.0


def output(*argv: str) -> str:
    """What a command of the host prints; it must succeed."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}\n{done.stdout}"
    return done.stdout


@contextlib.contextmanager
def loop_device(path: Path, *, megabytes: int) -> Iterator[str]:
    """A block device of that size, such as `/dev/loop0`, that shows its partitions; `path` is for the file below it."""
    with path.open("xb") as image:
        image.truncate(megabytes << 20)
    device = output("losetup", "--find", "--show", "--partscan", str(path)).strip()
    try:
        yield device
    finally:
        output("losetup", "--detach", device)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition is true; `what` says what is waited for."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.2)


def idle_guest(name: str, devices: str, *, kind: str = "qemu") -> str:
    """The definition of a guest without a system: what its devices make of the host is there before it runs."""
    return f"""<domain type='{kind}'><name>{name}</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><memballoon model='none'/><video><model type='none'/></video>{devices}</devices></domain>"""


def create_paused(host: Daemon, folder: Path, xml: str) -> None:
    """Start a transient guest that does not run yet; `folder` takes its definition."""
    (folder / "guest.xml").write_text(xml)
    host.virsh("create", str(folder / "guest.xml"), "--paused")
