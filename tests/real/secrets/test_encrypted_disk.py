"""A guest with an encrypted disk: it starts with the secret that virsh set, and nobody else sees the value."""

from __future__ import annotations

import base64
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import OPENING, SYSTEM_PYTHON, Daemon, need
from tests.support.tiny_console import console, define, eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ONE, TWO = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "0a81f5b2-8403-7b23-c8d6-21ccc2f80d70"
VALUE, WRONG = b"open sesame, please", b"close sesame, quick"


@pytest.fixture
def loud(short_path: Path) -> Iterator[Daemon]:
    """A daemon that logs all that it can."""
    need("virsh", "qemu-img")
    daemon = Daemon(short_path / "root", "--log-level", "debug")
    try:
        yield daemon.start()
    finally:
        daemon.stop()


def set_value(daemon: Daemon, uuid: str, value: bytes) -> None:
    path = daemon.root.parent / "value"
    path.write_bytes(value)
    daemon.virsh("secret-set-value", uuid, "--plain", "--file", str(path))
    path.unlink()


def define_secret(daemon: Daemon, uuid: str, words: str, usage: str) -> None:
    path = daemon.root.parent / "secret.xml"
    path.write_text(f"<secret {words}><uuid>{uuid}</uuid>{usage}</secret>")
    daemon.virsh("secret-define", str(path))


def encrypted(folder: Path, name: str = "luks.img") -> Path:
    """An image that `VALUE` opens."""
    image, passphrase = folder / name, folder / "passphrase"
    passphrase.write_bytes(VALUE)
    argv = ["qemu-img", "create", "-q", "--object", f"secret,id=s,file={passphrase}", "-f", "luks"]
    subprocess.run([*argv, "-o", "key-secret=s,iter-time=10", str(image), "11M"], check=True, timeout=60)
    passphrase.unlink()
    return image


def seen_anywhere(daemon: Daemon, value: bytes) -> list[str]:
    """Where the value, or it in base64, stands: in the daemon's files, or on a command line of one of its programs."""
    forms = (value, base64.b64encode(value))
    places = [path for path in daemon.root.rglob("*") if path.is_file()]
    processes = [Path(f"/proc/{pid}/{name}") for pid in daemon.guest_processes() for name in ("cmdline", "environ")]
    found = []
    for path in [*places, *processes, *(Path(f"/proc/{daemon.pid}/{name}") for name in ("cmdline", "environ"))]:
        content = path.read_bytes()
        found += [str(path) for form in forms if form in content]
    return found


def test_a_guest_starts_with_the_secret(loud: Daemon, short_path: Path) -> None:
    image = encrypted(short_path)
    usage = f"<usage type='volume'><volume>{image}</volume></usage>"
    define_secret(loud, ONE, "ephemeral='no' private='yes'", usage)
    define_secret(loud, TWO, "", "<usage type='ceph'><name>client.admin</name></usage>")
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'>"
        "<encryption format='luks'><secret type='passphrase' {}/></encryption></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    )

    def refusal(reference: str) -> str:
        define(loud, "tiny", disk.format(image, reference))
        done = loud.virsh("start", "tiny", check=False)
        assert done.returncode == 1
        assert loud.virsh("domstate", "tiny").stdout.strip() == "shut off"
        return done.stderr

    assert f"Secret not found: secret '{ONE}' does not have a value" in refusal(f"uuid='{ONE}'")
    assert "Secret not found: no secret with matching usage '/nowhere'" in refusal("usage='/nowhere'")
    set_value(loud, TWO, VALUE)
    assert f"secret with uuid {TWO} is of type 'ceph' not expected 'volume' type" in refusal(f"uuid='{TWO}'")
    set_value(loud, ONE, WRONG)
    assert "Invalid password, cannot unlock any keyslot" in refusal(f"usage='{image}'")
    set_value(loud, ONE, VALUE)
    loud.kill()
    loud.start()
    loud.virsh("start", "tiny")
    with console(loud, "tiny") as shell:
        assert shell.run("cat /sys/block/vda/size").split()[-1] == str(11 * 2048)
        shell.run("echo hello >/dev/vda; sync")
        assert "hello" in shell.run("head -c 5 /dev/vda")
        another = disk.replace("vda", "vdb").format(encrypted(short_path, "other.img"), f"usage='{image}'")
        (short_path / "disk.xml").write_text(another)
        loud.virsh("attach-device", "tiny", str(short_path / "disk.xml"))
        eventually(lambda: "vdb" in shell.run("ls /sys/block"))
    assert b"hello" not in image.read_bytes()
    loud.virsh("dumpxml", "tiny", "--security-info")
    for value in (VALUE, WRONG):
        assert seen_anywhere(loud, value) == []
    loud.virsh("destroy", "tiny")


#: Sets values of different lengths, and says after each that it is set.
WRITE = """
secret = conn.secretLookupByUUIDString(sys.argv[2])
for number in range(400):
    secret.setValue(f"value {number} ".encode() * (1 + 97 * number % 5000))
    print(number, flush=True)
"""


def test_a_killed_daemon_has_the_old_value_or_the_new(daemon: Daemon) -> None:
    need("virsh")
    define_secret(daemon, ONE, "", "")
    set_value(daemon, ONE, b"the first")
    chance, before = random.Random(4), b"the first"
    for _ in range(4):
        writer = subprocess.Popen(
            [SYSTEM_PYTHON, "-c", OPENING + WRITE, daemon.uri, ONE],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        time.sleep(0.3 + chance.random() / 2)
        daemon.kill()
        told = writer.communicate(timeout=30)[0].split()
        daemon.start()
        value = base64.b64decode(daemon.virsh("secret-get-value", ONE).stdout)
        last = int(told[-1]) if told else -1
        allowed = [f"value {number} ".encode() * (1 + 97 * number % 5000) for number in (max(last, 0), last + 1)]
        assert value in allowed or (not told and value == before)
        assert {path.name for path in (daemon.root / "etc/secrets").iterdir()} == {f"{ONE}.sealed", f"{ONE}.xml"}
        before = value
    assert before != b"the first"
