"""Our command against a real libvirtd: the client speaks to both daemons, and prints what virsh prints."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.children import running_child
from tests.support.daemon import BIN, need

pytestmark = pytest.mark.stock

#: Runs libvirtd in mount and network namespaces of its own, with its directories below the folder `$1`.
SCRIPT = """
set -e
for place in run lib etc log cache; do mkdir -p "$1/$place"; done
ip link set lo up
cp -a /etc/libvirt/. "$1/etc"
rm -rf "$1"/etc/qemu/autostart "$1"/etc/qemu/networks/autostart
printf 'auth_unix_rw = "none"\\nauth_unix_ro = "none"\\nunix_sock_dir = "%s/run"\\n' "$1" > "$1/etc/libvirtd.conf"
cat > "$1/etc/qemu.conf" <<EOF
user = "root"
group = "root"
security_driver = "none"
stdio_handler = "file"
cgroup_controllers = []
EOF
mkdir -p /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
mount --bind "$1/run" /run/libvirt
mount --bind "$1/lib" /var/lib/libvirt
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/log" /var/log/libvirt
mount --bind "$1/cache" /var/cache/libvirt
exec setsid libvirtd -f /etc/libvirt/libvirtd.conf -p "$1/pid"
"""

GUEST = """
<domain type='qemu'>
  <name>web</name>
  <uuid>6e4f2f9e-4c6b-4f0e-9f5c-0123456789ab</uuid>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type><bios useserial='yes'/></os>
  <devices>
    <serial type='pty'/>
    <console type='pty'/>
    <graphics type='vnc' port='5999' autoport='no'/>
  </devices>
</domain>
"""

START_DEADLINE = 30.0


class Libvirtd:
    """A libvirtd of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "run/libvirt-sock"
        self.ours = folder / "virsh"
        self.ours.symlink_to(BIN / "guest")
        self.process = subprocess.Popen(
            ["unshare", "-m", "-n", "sh", "-c", SCRIPT, "sh", str(folder)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_DEADLINE
        while self.run("virsh", ["uri"])[0]:
            if self.process.poll() is not None:
                pytest.skip(f"libvirtd cannot run here: exit code {self.process.returncode}")
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def run(self, program: str | Path, words: list[str], text: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            [str(program), "-c", f"qemu+unix:///system?socket={self.socket}", *words],
            capture_output=True, text=True, input=text, timeout=60, check=False, cwd=self.folder,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def stop(self) -> None:
        """End it, and the guests that it left."""
        self.run("virsh", ["destroy", "web"])
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.kill(self.process.pid, signal.SIGKILL)
                self.process.wait(20)


@pytest.fixture(scope="module")
def libvirtd() -> Iterator[Libvirtd]:
    need("virsh", "libvirtd", "unshare", "ip", "qemu-system-x86_64")
    if os.geteuid() != 0:
        pytest.skip("a private libvirtd needs root")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Libvirtd(Path(folder))
        try:
            daemon.wait()
            (daemon.folder / "web.xml").write_text(GUEST)
            yield daemon
        finally:
            daemon.stop()


#: The story of a guest, with questions about it.
STORY = """
define web.xml
list --all
dominfo web
vcpuinfo web
vcpucount web
dumpxml web --inactive
domblklist web
autostart web --once
autostart web --once --disable
desc web --config a text
desc web --config
metadata web http://guest.example/x --key k --set "<a b='c'/>"
metadata web http://guest.example/x
metadata web http://guest.example/x --remove
domdisplay web
start web --paused
domstate web --reason
resume web
domstate web --reason
domcontrol web
domjobinfo web
domdisplay web
vncdisplay web
send-key web KEY_A
domblkinfo web --all
domblkstat web
dommemstat web --period 5
domblkerror web
schedinfo web
domhostname web
qemu-monitor-command web --hmp info version
qemu-agent-command web '{"execute":"guest-ping"}'
suspend web
reset web
console web
destroy web
domstate web --reason
undefine web
list --all --name
version --daemon
sysinfo
nodeinfo
nodecpumap
maxvcpus
cpu-models x86_64
hypervisor-cpu-models --all
capabilities --xpath //host/cpu
domcapabilities --xpath //cpu
cpu-baseline capabilities.xml
cpu-compare capabilities.xml
hypervisor-cpu-compare capabilities.xml --virttype qemu
""".strip().splitlines()


def test_the_same_story(libvirtd: Libvirtd) -> None:
    capabilities = libvirtd.run(libvirtd.ours, ["-q", "capabilities"])
    assert capabilities == libvirtd.run("virsh", ["-q", "capabilities"])
    (libvirtd.folder / "capabilities.xml").write_text(capabilities[1])
    tales = [
        [(line, libvirtd.run(program, shlex.split(line))) for line in STORY] for program in ("virsh", libvirtd.ours)
    ]
    for theirs, ours in zip(*tales, strict=True):
        assert ours == theirs


def test_events_and_a_screenshot(libvirtd: Libvirtd) -> None:
    libvirtd.run(libvirtd.ours, ["define", "web.xml"])
    watch = [str(libvirtd.ours), "-c", f"qemu+unix:///system?socket={libvirtd.socket}"]
    with running_child([*watch, "event", "--all", "--loop"], stdout=subprocess.PIPE) as watcher:
        time.sleep(1)
        assert libvirtd.run(libvirtd.ours, ["start", "web"])[0] == 0
        code, out, err = libvirtd.run(libvirtd.ours, ["screenshot", "web", "shot"])
        assert (code, err) == (0, "")
        assert out.startswith("Screenshot saved to shot, with type of image/")
        assert (libvirtd.folder / "shot").read_bytes()[:2] in (b"P6", b"\x89P")
        libvirtd.run(libvirtd.ours, ["destroy", "web"])
        time.sleep(1)
        watcher.send_signal(signal.SIGINT)
        seen = watcher.communicate(timeout=30)[0]
    assert "event 'lifecycle' for domain 'web': Started Booted\n" in seen
    assert "event 'lifecycle' for domain 'web': Stopped Destroyed\n" in seen
    assert "event loop interrupted\nevents received: " in seen
    libvirtd.run(libvirtd.ours, ["undefine", "web"])


def test_completion_and_the_shell(libvirtd: Libvirtd) -> None:
    text = "uri\nlist --all ; hostname\nconnect --readonly\nuri\n"
    assert libvirtd.run(libvirtd.ours, [], text) == libvirtd.run("virsh", [], text)
