"""The lab's virtual machine: its hardware as a command line, its run, and what it says meanwhile."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.lab.messages import PORT, Job, Report, decode_report, encode

_END_SECONDS: Final = 10.0
_CHUNK: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the machine is made of. `extra` lies over the root; `memory` in MiB also holds what is written to that."""

    kernel: Path
    initrd: Path
    extra: Path
    console: Path
    accelerator: str = "tcg,thread=multi"
    memory: int = 3072
    processors: int = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the command's exit status, or None with the reason; the file of results."""

    status: int | None
    results: str = ""
    reason: str = ""


def command_line(hardware: Hardware, port: int) -> list[str]:
    """QEMU's command line. `port` is the descriptor of a connected socket that becomes the port of messages.

    The IOMMU in caching mode is what VFIO needs of an emulated one, and it wants the split interrupt controller. The
    card `igb` has seven virtual functions and is wired to `e1000e`, so that frames of one can be seen at the other.
    """
    return [
        "qemu-system-x86_64",
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-machine", "q35,kernel-irqchip=split", "-accel", hardware.accelerator, "-cpu", "max"),
        *("-m", str(hardware.memory), "-smp", str(hardware.processors)),
        *("-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd)),
        *("-append", "console=ttyS0 panic=-1 quiet intel_iommu=on iommu=pt net.ifnames=0 mitigations=off"),
        *("-chardev", f"file,id=console,path={hardware.console}", "-serial", "chardev:console"),
        *("-device", "intel-iommu,caching-mode=on,intremap=on"),
        *_share("host", Path("/")),
        *_share("extra", hardware.extra),
        *("-device", "virtio-serial-pci", "-chardev", f"socket,id=messages,fd={port}"),
        *("-device", f"virtserialport,chardev=messages,name={PORT}"),
        *("-device", "virtio-rng-pci"),
        *("-netdev", "hubport,id=net0,hubid=0", "-netdev", "hubport,id=net1,hubid=0"),
        *("-device", "pcie-root-port,id=root1,chassis=1", "-device", "pcie-root-port,id=root2,chassis=2"),
        *("-device", "igb,bus=root1,netdev=net0,mac=52:54:00:1a:b0:01"),
        *("-device", "e1000e,bus=root2,netdev=net1,mac=52:54:00:1a:b0:02"),
        *("-device", "qemu-xhci,id=usb", "-blockdev", "null-co,node-name=stick,size=16777216,read-zeroes=on"),
        *("-device", "usb-storage,bus=usb.0,drive=stick,serial=LAB-STICK"),
    ]


def _share(tag: str, folder: Path) -> list[str]:
    share = f"local,id={tag},path={folder},security_model=none,readonly=on,multidevs=remap"
    return ["-fsdev", share, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


def run(hardware: Hardware, job: Job, deadline: float, show: Callable[[str], None]) -> Outcome:
    """Boot, have `job` run, give what it prints to `show` as it comes, and wait for the end, `deadline` s at most."""
    ours, theirs = socket.socketpair()
    with ours, _machine(hardware, theirs) as process:
        ours.sendall(encode(job))
        try:
            for report in _reports(ours, time.monotonic() + deadline):
                if report.output:
                    show(report.output)
                if report.status is not None:
                    return Outcome(report.status, report.results)
        except TimeoutError:
            return Outcome(None, reason=f"it did not end within {deadline:g} seconds")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
        return Outcome(None, reason=said or "the machine ended before its work did")


@contextlib.contextmanager
def _machine(hardware: Hardware, port: socket.socket) -> Iterator[subprocess.Popen[bytes]]:
    """QEMU while the block runs; it ends with it."""
    os.set_inheritable(port.fileno(), True)
    process = subprocess.Popen(
        command_line(hardware, port.fileno()),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        pass_fds=[port.fileno()],
        start_new_session=True,  # an interrupt of the terminal is ours to handle
    )
    port.close()
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_END_SECONDS)
        if process.stderr is not None:
            process.stderr.close()


def _reports(port: socket.socket, until: float) -> Iterator[Report]:
    """What the lab tells, until it ends. Raises TimeoutError."""
    held = b""
    while True:
        port.settimeout(max(0.001, until - time.monotonic()))
        try:
            data = port.recv(_CHUNK)
        except ConnectionError:  # the machine ended with our job unread
            return
        if not data:
            return
        *lines, held = (held + data).split(b"\n")
        for line in lines:
            yield decode_report(line)
