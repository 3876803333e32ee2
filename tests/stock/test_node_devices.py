"""Devices of the host with stock clients, and the same answers as libvirtd's on the same host."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import BIN, SYSTEM_PYTHON, Daemon, need

pytestmark = pytest.mark.stock

_HINT = re.compile(r"(?m) \([^()\n]*\)$")

#: Everything that can be asked of devices without changing one, and what came of it, a line each.
STORY = r"""
import sys, libvirt
libvirt.registerErrorHandler(lambda *a: None, None)
conn = libvirt.open(sys.argv[1])
def say(what, function, *arguments):
    try:
        print(what, repr(function(*arguments)))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), error)
names = sorted(device.name() for device in conn.listAllDevices())
for name in names:
    device = conn.nodeDeviceLookupByName(name)
    for what in ("parent", "numOfCaps", "listCaps", "XMLDesc", "isPersistent", "isActive", "autostart"):
        say(f"{what} {name}", getattr(device, what))
for cap in (None, "system", "pci", "net", "storage", "usb_device", "nothing"):
    say(f"num {cap}", conn.numOfDevices, cap)
    say(f"list {cap}", lambda: sorted(conn.listDevices(cap)))
for bit in range(32):
    say(f"filter {bit}", lambda: sorted(one.name() for one in conn.listAllDevices(1 << bit)))
say("filters", lambda: sorted(one.name() for one in conn.listAllDevices(1 << 31 | 1 << 1 | 1 << 8)))
say("unknown", conn.nodeDeviceLookupByName, "pci_9999_00_00_0")
computer = conn.nodeDeviceLookupByName("computer")
pci = conn.nodeDeviceLookupByName(next(name for name in names if name.startswith("pci_")))
say("inactive", pci.XMLDesc, 1)
say("inactive", computer.XMLDesc, 1)
say("flags", pci.XMLDesc, 2)
for what in ("reAttach", "reset", "destroy", "undefine", "create"): say(what, getattr(computer, what))
say("start", computer.setAutostart, 1)
say("kvm", pci.detachFlags, "kvm", 0)
say("detach flags", pci.detachFlags, None, 1)
say("list flags", conn.listDevices, None, 1)
say("event", conn.nodeDeviceEventRegisterAny, None, 2, lambda *a: None, None)
"""


@pytest.fixture
def apart(short_path: Path) -> Iterator[Daemon]:
    """A daemon in a network namespace of its own, as the other one is: the kernel tells features only of one's own."""
    need("virsh")
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    daemon = Daemon(short_path / "ours", prefix=("unshare", "--net"))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def peer(short_path: Path) -> Iterator[Libvirtd]:
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    started = Libvirtd("libvirtd", short_path / "peer")
    try:
        started.start()
        yield started
    finally:
        started.stop()


def tell(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return _HINT.sub("", done.stdout + done.stderr)


def test_the_same_answers_as_libvirtds(apart: Daemon, peer: Libvirtd) -> None:
    """All calls, every device; only a hint at the end of an error is ours."""
    ours, theirs = (tell(SYSTEM_PYTHON, "-c", STORY, uri).splitlines() for uri in (apart.uri, peer.uri))
    assert "isActive computer 1" in ours
    assert ours == theirs


def test_the_same_lists_as_libvirtds(apart: Daemon, peer: Libvirtd) -> None:
    """virsh prints the same of both, and our own program what virsh does."""
    lines = [["nodedev-list"], ["nodedev-list", "--tree"], ["nodedev-list", "--cap", "pci,net"],
             ["nodedev-list", "--cap", "nothing"], ["nodedev-list", "--inactive"], ["nodedev-list", "--all"],
             ["nodedev-list", "--tree", "--cap", "pci"], ["nodedev-list", "--persistent"],
             ["nodedev-list", "--transient"],
             ["nodedev-list", "--inactive", "--all"], ["nodedev-dumpxml", "--xpath", "//name", "computer"],
             ["nodedev-dumpxml", "nothing"], ["nodedev-dumpxml", "a,b"], ["nodedev-dumpxml", "a,b,c"],
             ["nodedev-detach", "nothing"], ["nodedev-reattach", "nothing"], ["nodedev-reset", "nothing"],
             ["nodedev-reattach", "computer"], ["nodedev-reset", "computer"], ["nodedev-info", "computer"],
             ["nodedev-detach", "computer", "--driver", "kvm"], ["nodedev-event", "--list"], ["nodedev-event"],
             ["nodedev-event", "--event", "lifecycle", "--timeout", "1"]]  # fmt: skip
    for line in lines:
        theirs = tell("virsh", "-c", peer.uri, *line)
        for program in ("virsh", str(BIN / "guest")):
            assert tell(program, "-c", apart.uri, *line) == theirs, (program, line)
