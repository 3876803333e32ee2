"""`--system` beside a real libvirtd, in mount and process namespaces of their own with empty directories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.real.server.serverkit import SCRIPT

SETUP = """
set -u
mount -t tmpfs tmpfs /run
mkdir /run/lock
for d in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p $d && mount -t tmpfs tmpfs $d
done
mount -o remount,bind,ro / || exit 98  # a real libvirtd removes whole directories; it must not reach the machine's
cd /
wait_for() { n=0; while [ ! -e $1 ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done; }
"""
NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--mount-proc"]


def in_namespaces(script: str) -> str:
    """What a shell script prints, on both channels."""
    done = subprocess.run(
        [*NAMESPACES, "sh", "-c", SETUP + script, "sh", sys.executable, str(SCRIPT)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.stdout.decode(errors="replace")


pytestmark = [
    pytest.mark.stock,
    pytest.mark.skipif(os.getuid() != 0, reason="needs root for its own mount namespace"),
    pytest.mark.skipif(shutil.which("virsh") is None, reason="needs virsh (package libvirt-clients)"),
]


@pytest.fixture(autouse=True)
def namespaces() -> None:
    if subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs mount and process namespaces")


def test_stock_clients_find_it_without_being_told() -> None:
    out = in_namespaces("""
        "$1" "$2" --system & daemon=$!
        wait_for /run/libvirt/virtqemud-sock-ro
        stat -c '%n %a' /run/libvirt/*-sock*
        virsh uri; virsh -c qemu:///system uri; virsh -r -c qemu:///system uri
        virsh -r -c network:///system uri
        setpriv --reuid 65534 --clear-groups virsh -c qemu:///system uri
        setpriv --reuid 65534 --clear-groups virsh -r -c qemu:///system uri
        kill $daemon; wait $daemon; echo status $?
        find /run -type f -o -type s
    """)
    lines = [line for line in out.splitlines() if line]
    assert lines == [
        "/run/libvirt/libvirt-sock 700",
        "/run/libvirt/libvirt-sock-ro 777",
        "/run/libvirt/virtqemud-sock 700",
        "/run/libvirt/virtqemud-sock-ro 777",
        "qemu:///system",
        "qemu:///system",
        "qemu:///system",
        "network:///system",
        "error: failed to connect to the hypervisor",
        "error: Failed to connect socket to '/var/run/libvirt/virtqemud-sock': Permission denied",
        "qemu:///system",
        "status 0",
    ]


@pytest.mark.skipif(shutil.which("libvirtd") is None, reason="needs libvirtd (package libvirt-daemon-system)")
def test_libvirtd_and_guesthoused_keep_each_other_out() -> None:
    out = in_namespaces("""
        "$1" "$2" --system & daemon=$!
        wait_for /run/libvirt/virtqemud-sock-ro
        timeout 15 libvirtd; echo libvirtd $?
        virsh uri
        kill $daemon; wait $daemon
        libvirtd & other=$!
        wait_for /run/libvirtd.pid; sleep 0.2
        "$1" "$2" --system; echo guesthoused $?
        echo other $other
        kill $other
    """)
    assert "Failed to acquire pid file '/run/libvirtd.pid'" in out
    assert "libvirtd 4" in out or "libvirtd 1" in out
    assert "\nqemu:///system\n" in out
    other = out.split("other ")[1].split()[0]
    assert f"guesthoused: operation failed: libvirtd (process {other}) holds /run/libvirtd.pid" in out
    assert "guesthoused 1" in out
