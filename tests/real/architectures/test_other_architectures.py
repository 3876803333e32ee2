"""Guests of other architectures, run by the QEMUs for them: each boots to a shell, which looks at its hardware."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon
from tests.support.terminal import Terminal
from tests.support.tiny import FOLDER

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@dataclass(frozen=True)
class Board:
    """A machine, and what its guest has to see."""

    arch: str
    machine: str
    console: str
    program: str
    cpu: str = ""


ARM = Board("aarch64", "virt", "ttyAMA0", "qemu-system-aarch64", "<cpu mode='custom'><model>cortex-a57</model></cpu>")
MAINFRAME = Board("s390x", "s390-ccw-virtio", "ttysclp0", "qemu-system-s390x")


def _xml(board: Board, disk: Path) -> str:
    folder = FOLDER.with_name(f"{FOLDER.name}-{board.arch}")
    if shutil.which(board.program) is None or not (folder / "vmlinuz").exists():
        pytest.skip(f"there is no {board.program}, or no tiny guest for it (./dev test builds it)")
    return f"""<domain type='qemu'><name>{board.arch}</name><memory unit='MiB'>256</memory><vcpu>2</vcpu>
      <os><type arch='{board.arch}' machine='{board.machine}'>hvm</type>
        <kernel>{folder}/vmlinuz</kernel><initrd>{folder}/initrd.gz</initrd>
        <cmdline>console={board.console} quiet</cmdline></os>{board.cpu}
      <devices>
        <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
          <target dev='vda' bus='virtio'/><serial>other</serial></disk>
        <interface type='user'><mac address='52:54:00:aa:bb:cc'/><model type='virtio'/></interface>
        <rng model='virtio'><backend model='builtin'/></rng>
        <console type='pty'/>
      </devices></domain>"""


def _answer(shell: Terminal, command: str) -> str:
    shell.type(f"{command}; echo END$?\n")
    shell.expect(f"{command}; echo END$?")
    return shell.expect("END0")


@pytest.mark.parametrize("board", [ARM, MAINFRAME], ids=lambda board: board.arch)
def test_it_boots_to_a_shell_and_has_its_devices(daemon: Daemon, board: Board, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    with disk.open("wb") as image:
        image.truncate(8 * 1024 * 1024)
    document = tmp_path / "guest.xml"
    document.write_text(_xml(board, disk))
    daemon.virsh("define", str(document))
    kept = daemon.virsh("dumpxml", "--inactive", board.arch).stdout
    assert f"<type arch='{board.arch}' machine='{board.machine}-" in kept
    assert ("<address type='ccw' cssid='0xfe'" in kept) == (board is MAINFRAME)
    with Terminal(str(BIN / "guest"), "-c", daemon.uri, "start", board.arch, "--console") as shell:
        shell.expect("login:", 120)
        shell.type("root\n")
        shell.expect("# ")
        assert board.arch in _answer(shell, "uname -m")
        assert _answer(shell, "cat /sys/block/vda/size").strip() == "16384"
        assert _answer(shell, "cat /sys/block/vda/serial").strip() == "other"
        assert "52:54:00:aa:bb:cc" in _answer(shell, "cat /sys/class/net/*/address")
        assert "processor" in _answer(shell, "cat /proc/cpuinfo")
        assert _answer(shell, "cat /sys/devices/system/cpu/online").strip() == "0-1"
    daemon.virsh("destroy", board.arch)
    daemon.virsh("undefine", board.arch)
