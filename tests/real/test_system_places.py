"""`--system` on the places where a real libvirtd has worked, and libvirtd on the places where we have.

Each test runs in mount and process namespaces of its own: libvirt's directories are empty file systems, and everything
else of the machine but the test's own folder is read-only, because a real libvirtd removes whole directories.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import tiny
from tests.support.daemon import need
from tests.support.tiny import tiny_xml
from tests.support.user import BIN

SETUP = """
set -u
mount --make-rprivate /
mount --bind "$DIR" "$DIR"
mount -t tmpfs tmpfs /run
mkdir /run/lock
for d in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do mount -t tmpfs tmpfs $d || exit 97; done
mount -o remount,bind,ro / || exit 98
if touch /etc/probe 2>/dev/null; then exit 99; fi
cd "$DIR"
until_there() { n=0; while [ ! -e $1 ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done; }
until_gone() { n=0; while [ -e $1 ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n+1)); done; }
libvirtd_starts() {
    [ -S /run/libvirt/virtlogd-sock ] || virtlogd -d
    libvirtd >>libvirtd.log 2>&1 & peer=$!
    until_there /run/libvirt/libvirt-sock
    virsh uri >first 2>&1  # not in $(...): there this shell, being init, reaps no probes of libvirtd's
}
libvirtd_ends() { kill $peer; wait $peer; rm -f /run/libvirt/libvirt-*sock*; }
ours_starts() { guesthoused --system -v >>ours.log 2>&1 & ours=$!; until_there /run/libvirt/virtqemud-sock-ro; }
ours_ends() { kill $ours; wait $ours; echo "ended $?"; }
dump() { mkdir $1; for name in $(virsh list --all --name); do virsh dumpxml --inactive $name >$1/$name; done; }
"""
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]

pytestmark = [
    pytest.mark.peer,
    pytest.mark.stock,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for its own mount namespace"),
]


@pytest.fixture(autouse=True)
def namespaces() -> None:
    need("virsh", "libvirtd", "unshare", "qemu-system-x86_64")
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs mount and process namespaces")
    for path in ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
        if not Path(path).is_dir():
            pytest.skip(f"there is no {path} to cover")


@pytest.fixture
def folder(short_path: Path) -> Path:
    """A folder that the namespaces can write to, with the tiny guest in it and definitions of every sort."""
    short_path.chmod(0o755)
    for name, devices in (
        ("plain", ""),
        ("slirp", "<interface type='user'><model type='virtio'/></interface>"),
        ("passt", "<interface type='user'><backend type='passt'/><model type='virtio'/></interface>"),
        ("odd", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"),
    ):
        write(short_path, name, devices)
    return short_path


def write(folder: Path, name: str, devices: str) -> None:
    """A definition of the tiny guest, with a copy of its kernel: libvirtd changes the owner of what it starts."""
    text = tiny_xml(name, devices=devices, memory=64)
    for path in (tiny.KERNEL, tiny.INITRD):
        text = text.replace(str(path), str(folder / path.name))
        if not (folder / path.name).exists():
            shutil.copy(path, folder)
    (folder / f"{name}.xml").write_text(text)


def in_namespaces(folder: Path, script: str) -> str:
    """What a shell script prints, on both channels."""
    done = subprocess.run(
        [*NAMESPACES, "sh", "-c", SETUP + script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=150, check=False,
        env={"DIR": str(folder), "HOME": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C"},
    )  # fmt: skip
    out = done.stdout.decode(errors="replace")
    assert done.returncode not in (97, 98, 99), f"the namespaces are not safe to work in: {out}"
    return out


def dumped(folder: Path, name: str) -> dict[str, str]:
    """The documents that the script's `dump` wrote."""
    return {path.name: path.read_text() for path in (folder / name).iterdir()}


INSTALL = """
qemu-img create -q -f qcow2 disk.qcow2 64M
install() {
    name=$1; shift
    virt-install --connect qemu:///system --name $name --virt-type qemu --memory 192 --import --check all=off \
        --disk $DIR/disk.qcow2,format=qcow2 --noautoconsole --network user --print-xml 1 "$@" >$name.xml
    virsh define $name.xml
}
"""


def test_definitions_of_libvirtd_are_there(folder: Path) -> None:
    """What libvirtd wrote is read, printed as libvirtd printed it, and not touched; marked guests start."""
    need("virt-install", "qemu-img")
    script = (
        INSTALL
        + """
        libvirtd_starts
        for name in plain slirp passt odd; do virsh define $name.xml; done
        install debian --osinfo debian11
        install windows --osinfo win10 --graphics vnc
        install uefi --osinfo linux2022 --boot uefi --graphics none --tpm none
        virsh autostart slirp; virsh autostart plain --once
        dump before
        libvirtd_ends
        sed -i "s:</devices>:<unheard-of/></devices>:" /etc/libvirt/qemu/odd.xml
        cp -a /etc/libvirt/qemu files
        rm /run/libvirt/qemu/autostarted
        ours_starts
        n=0; while [ $(virsh list --name | wc -w) != 2 ] && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
        echo "running:" $(virsh list --name | sort)
        echo "marked:" $(virsh -r list --all --name --autostart)
        dump after
        diff -r files /etc/libvirt/qemu
        virsh define odd.xml
        kill -HUP $ours
        virsh -c qemu:///system destroy slirp; virsh destroy plain
        ours_ends
        """
    )
    out = in_namespaces(folder, script)
    before, after = dumped(folder, "before"), dumped(folder, "after")
    assert "<tpm" in before.pop("odd")
    assert set(before) == {"plain", "slirp", "passt", "debian", "windows", "uefi"}
    assert after == before
    assert "running: plain slirp\n" in out
    assert "marked: slirp\n" in out
    assert "Only in files/autostart: plain.xml.once\n" in out
    assert "diff" not in out.replace("different", "")
    assert "ended 0\n" in out
    log = (folder / "ours.log").read_text()
    assert "the definition of domain 'odd' cannot be used, and is left alone: " in log
    assert "'unheard-of'" in log


def test_libvirtd_reads_what_we_defined(folder: Path) -> None:
    """The way back: libvirtd prints our definitions as we printed them."""
    need("virt-install", "qemu-img")
    script = (
        INSTALL
        + """
        ours_starts
        for name in plain slirp passt; do virsh define $name.xml; done
        install debian --osinfo debian11
        install uefi --osinfo linux2022 --boot uefi --graphics none --tpm none
        virsh autostart slirp
        virsh start plain; virsh destroy plain
        dump before
        ours_ends
        libvirtd_starts
        dump after
        echo "marked:" $(virsh list --all --name --autostart)
        libvirtd_ends
        """
    )
    out = in_namespaces(folder, script)
    before = dumped(folder, "before")
    assert set(before) == {"plain", "slirp", "passt", "debian", "uefi"}
    assert dumped(folder, "after") == before
    assert "marked: slirp\n" in out
    assert "ended 0\n" in out


def test_guests_that_libvirtd_left_running_are_taken_up(folder: Path) -> None:
    """They go on without a pause, persistent or not; one that we cannot manage is left running, and nobody hurts it."""
    write(folder, "newer", "")
    write(folder, "fleeting", "")
    script = """
        libvirtd_starts
        virsh define plain.xml; virsh define newer.xml
        virsh start plain; virsh start newer; virsh create fleeting.xml
        libvirtd_ends
        cat /run/libvirt/qemu/*.pid >pids
        sed -i 's#</devices>#<unheard-of/></devices>#' /run/libvirt/qemu/newer.xml  # as of a newer libvirtd
        ours_starts
        echo "running:" $(virsh list --name | sort)
        virsh suspend plain; virsh resume plain; virsh domstate plain
        virsh define newer.xml
        for pid in $(cat /run/libvirt/qemu/newer.pid); do kill -0 $pid && echo "newer lives"; done
        virsh destroy plain; virsh destroy fleeting
        ours_ends
        kill -0 $(cat /run/libvirt/qemu/newer.pid) && echo "newer still lives"
        ls /run/libvirt/qemu /var/lib/libvirt/qemu
    """
    out = in_namespaces(folder, script)
    assert "running: fleeting plain\n" in out, out
    assert "Domain 'plain' suspended" in out
    assert "Domain 'plain' destroyed" in out
    assert "Domain 'fleeting' destroyed" in out
    assert "newer lives\n" in out
    assert "newer still lives\n" in out
    for trace in ("newer.xml", "newer.pid", "domain-2-newer"):
        assert f"\n{trace}\n" in out
    assert "\nfleeting.xml\n" not in out
    log = (folder / "ours.log").read_text()
    assert "domain 'newer' runs as process " in log


def test_guests_outlive_the_daemon(folder: Path) -> None:
    """However it ends: the guest runs on, and the next daemon has it."""
    script = """
        ours_starts
        virsh create plain.xml
        pid=$(cat /run/libvirt/qemu/plain.pid)
        kill -HUP $ours; sleep 0.2; virsh domstate plain
        for signal in TERM KILL INT; do
            kill -$signal $ours; wait $ours
            rm -f /run/libvirt/*-sock*
            kill -0 $pid && echo "lives through $signal"
            ours_starts
            virsh domstate plain
        done
        virsh destroy plain
        kill -0 $pid 2>/dev/null || echo gone
        ours_ends
    """
    out = in_namespaces(folder, script)
    for name in ("TERM", "KILL", "INT"):
        assert f"lives through {name}\nrunning\n" in out
    assert "Domain 'plain' destroyed" in out
    assert out.rstrip().endswith("gone\nended 0")


def test_neither_starts_where_the_other_lives(folder: Path) -> None:
    """Each says no at once, and the other goes on; ours sees also the lock of libvirt's QEMU driver alone."""
    script = """
        ours_starts
        timeout 30 libvirtd >refused.log 2>&1; echo "libvirtd $?"
        virsh uri
        timeout 30 guesthoused --system >twice.log 2>&1; echo "twice $?"
        echo "ours $ours"
        ours_ends
        libvirtd_starts
        timeout 30 guesthoused --system >refusal.log 2>&1; echo "guesthoused $?"
        rm /run/libvirtd.pid
        timeout 30 guesthoused --system >second.log 2>&1; echo "guesthoused $?"
        virsh uri
        echo "peer $peer"
        libvirtd_ends
    """
    out = in_namespaces(folder, script)
    assert "libvirtd 0" not in out
    assert "libvirtd 124" not in out
    assert "/run/libvirtd.pid" in (folder / "refused.log").read_text()
    assert out.count("qemu:///system\n") == 2
    ours, peer = (out.split(word)[1].split()[0] for word in ("ours ", "peer "))
    assert "twice 1\n" in out
    assert f"guesthoused (process {ours}) holds /run/libvirtd.pid" in (folder / "twice.log").read_text()
    assert out.count("guesthoused 1\n") == 2
    assert f"libvirtd (process {peer}) holds /run/libvirtd.pid" in (folder / "refusal.log").read_text()
    assert f"libvirtd (process {peer}) holds /run/libvirt/qemu/driver.pid" in (folder / "second.log").read_text()
