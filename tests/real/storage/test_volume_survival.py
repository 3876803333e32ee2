"""The daemon is killed while it works on volumes: what the next one finds is whole, or said not to be, or gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.children import running_child
from tests.support.daemon import BIN, OPENING, SYSTEM_PYTHON, Daemon, need

pytestmark = pytest.mark.real

MIB = 1024 * 1024
SIZE = 128 * MIB
DEADLINE = 30.0

#: Sends half of what it said that it would, says so, and waits to be killed.
HALF_AN_UPLOAD = """
stream = conn.newStream()
volume = conn.storagePoolLookupByName('p').storageVolLookupByName('uploaded')
volume.upload(stream, 0, 2 * 2**20)
stream.send(bytes(200_000))
print('half', flush=True)
time.sleep(60)
"""

#: Makes volumes as fast as it can until the daemon is gone.
CREATION = """
pool = conn.storagePoolLookupByName('p')
for number in range(10_000):
    kind, allocated = ('raw', 2**20), ('qcow2', 0)
    format, size = (kind, allocated)[number % 3 == 0]
    pool.createXML(f"<volume><name>new-{number}</name><capacity>{2**20}</capacity><allocation>{size}</allocation>"
                   f"<target><format type='{format}'/></target></volume>")
    if number == 3:
        print('going', flush=True)
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """A daemon with a pool `p` that it starts by itself, and a volume `source` with data."""
    need("virsh", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        pool = Path(folder) / "p"
        pool.mkdir()
        with (pool / "source").open("wb") as file:
            for _ in range(SIZE // MIB):
                file.write(os.urandom(4096) * (MIB // 4096))
        daemon = Daemon(Path(folder) / "root")
        try:
            daemon.start()
            daemon.virsh("pool-define-as", "p", "dir", "--target", str(pool))
            daemon.virsh("pool-autostart", "p")
            daemon.virsh("pool-start", "p")
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture
def pool(host: Daemon) -> Path:
    return host.root.parent / "p"


def wait_for(what: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.002)


def hidden(pool: Path) -> list[str]:
    return [name for name in os.listdir(pool) if name.startswith(".")]


def users(pool: Path) -> list[int]:
    """The processes that have a file of the pool open."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if any(str(os.readlink(link)).startswith(f"{pool}/") for link in (entry / "fd").iterdir()):
                found.append(int(entry.name))
    return found


def killed(host: Daemon, pool: Path) -> dict[str, dict[str, object]]:
    """Kill the daemon, start the next, and see what it says of the volumes."""
    host.kill()
    wait_for(lambda: not users(pool), "somebody still works on a volume")
    host.start()
    listed: list[dict[str, object]] = []

    def is_there() -> bool:
        done = host.guest("vol-list", "p", "--json", check=False)
        listed[:] = json.loads(done.stdout) if done.returncode == 0 else []
        return bool(listed)

    wait_for(is_there, "the pool did not come back")
    assert hidden(pool) == []
    return {str(one["name"]): one for one in listed}


def background(host: Daemon, *words: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return running_child(["virsh", "-c", host.uri, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_creation(host: Daemon, pool: Path) -> None:
    argv = [SYSTEM_PYTHON, "-c", OPENING + CREATION, host.uri]
    with running_child(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "going\n"
        known = killed(host, pool)
    made = [one for name, one in known.items() if name.startswith("new-")]
    assert len(made) > 3
    for one in made:
        assert one["capacity"] == MIB, one
        assert one["state"] is None
        host.virsh("vol-delete", str(one["name"]), "p")


@pytest.mark.parametrize("format_", ["raw", "qcow2"])
def test_a_copy(host: Daemon, pool: Path, tmp_path: Path, format_: str) -> None:
    (tmp_path / "v.xml").write_text(
        f"<volume><name>copy</name><allocation>0</allocation><target><format type='{format_}'/></target></volume>"
    )
    with background(host, "vol-create-from", "p", str(tmp_path / "v.xml"), "source", "--inputpool", "p") as child:
        wait_for(lambda: hidden(pool) or child.poll() is not None, "no copy is made")
        known = killed(host, pool)
    if "copy" in known:  # it was whole before the daemon died
        assert known["copy"]["capacity"] == SIZE
        host.virsh("vol-delete", "copy", "p")
    assert known["source"]["capacity"] == SIZE


def test_an_upload(host: Daemon, pool: Path) -> None:
    host.virsh("vol-create-as", "p", "uploaded", "2M")
    (pool / "uploaded").write_bytes(b"old" * (2 * MIB // 3 + 1))
    os.truncate(pool / "uploaded", 2 * MIB)
    before = (pool / "uploaded").read_bytes()
    argv = [SYSTEM_PYTHON, "-c", OPENING + HALF_AN_UPLOAD, host.uri]
    with running_child(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        wait_for(lambda: hidden(pool), "nothing is uploaded")
        assert host.virsh("vol-delete", "uploaded", "p", check=False).stderr.count("is still in use.") == 1
        known = killed(host, pool)
    assert known["uploaded"]["state"] is None
    assert (pool / "uploaded").read_bytes() == before
    # A client that dies leaves as little.
    with running_child(argv, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        wait_for(lambda: hidden(pool), "nothing is uploaded")
    wait_for(lambda: not hidden(pool), "the upload of a dead client stays")
    assert (pool / "uploaded").read_bytes() == before
    host.virsh("vol-delete", "uploaded", "p")


def test_wiping(host: Daemon, pool: Path) -> None:
    """What was half wiped is no volume that stock clients are shown, until it is wiped as a whole."""
    with (pool / "wiped").open("wb") as file:
        for _ in range(SIZE // MIB):
            file.write(b"secret--" * (MIB // 8))
    host.virsh("pool-refresh", "p")

    def begun() -> bool:
        with (pool / "wiped").open("rb") as file:
            return file.read(8) == bytes(8)

    with background(host, "vol-wipe", "wiped", "p") as child:
        wait_for(lambda: begun() or child.poll() is not None, "nothing is wiped")
        known = killed(host, pool)
    whole = not (pool / "wiped").read_bytes().strip(b"\0")
    if not whole:
        assert known["wiped"]["state"] == "interrupted wipe"
    if known["wiped"]["state"]:
        assert "wiped" not in host.virsh("vol-list", "p").stdout
        assert host.virsh("vol-path", "wiped", "p").stdout.strip() == str(pool / "wiped")
        host.virsh("vol-wipe", "wiped", "p")
    assert "wiped" in host.virsh("vol-list", "p").stdout
    host.virsh("vol-delete", "wiped", "p")


def test_another_size(host: Daemon, pool: Path) -> None:
    host.virsh("vol-create-as", "p", "grown", "1M")
    with background(host, "vol-resize", "grown", str(SIZE), "p", "--allocate"):
        wait_for(lambda: (pool / "grown").stat().st_blocks * 512 > MIB, "nothing grows")
        known = killed(host, pool)
    assert known["grown"]["capacity"] in (MIB, SIZE)
    host.virsh("vol-delete", "grown", "p")


def test_an_interrupt(host: Daemon, pool: Path, tmp_path: Path) -> None:
    """Ctrl-C ends what the daemon does for a command, and nothing of it stays."""
    host.virsh("vol-create-as", "p", "v", "1M")
    before = (pool / "v").read_bytes()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    guest = str(BIN / "guest")
    errors = tmp_path / "errors"
    (tmp_path / "v.xml").write_text("<volume><name>copy</name><target><format type='qcow2'/></target></volume>")
    upload = [guest, "-c", host.uri, "vol-upload", "v", str(fifo), "p"]
    copy = [guest, "-c", host.uri, "vol-create-from", "p", str(tmp_path / "v.xml"), "source", "--inputpool", "p"]
    with (
        errors.open("w") as log,
        running_child(upload, stdout=subprocess.DEVNULL, stderr=log) as child,
        fifo.open("wb") as feed,
    ):
        feed.write(bytes(500_000))
        feed.flush()
        wait_for(lambda: any((pool / name).stat().st_size for name in hidden(pool)), "nothing is uploaded")
        child.send_signal(signal.SIGINT)
        assert child.wait(DEADLINE) == 1
    assert errors.read_text() == "error: upload to volume v was interrupted\n"
    wait_for(lambda: not hidden(pool), "the upload stays")
    assert (pool / "v").read_bytes() == before
    with errors.open("w") as log, running_child(copy, stdout=subprocess.DEVNULL, stderr=log) as child:
        wait_for(lambda: hidden(pool) or child.poll() is not None, "nothing is copied")
        child.send_signal(signal.SIGINT)
        child.wait(DEADLINE)
    wait_for(lambda: not hidden(pool), "the copy stays")
    if "copy of the volume was aborted" in errors.read_text():  # else it had been whole before
        assert not (pool / "copy").exists()
