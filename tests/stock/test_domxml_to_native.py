"""`domxml-to-native`: what virsh and guest print is a command line that QEMU itself takes."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

XML = """<domain type='qemu'><name>native, all</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><controller type='usb' model='none'/><rng model='virtio'><backend model='builtin'/></rng>
  <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface></devices></domain>"""


@pytest.fixture(scope="module")
def house() -> Iterator[Daemon]:
    need("qemu-system-x86_64", "virsh")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


def test_a_file_and_a_guest_become_a_command_line_that_qemu_runs(house: Daemon, tmp_path: Path) -> None:
    document = tmp_path / "native.xml"
    document.write_text(XML)
    from_file = house.virsh("domxml-to-native", "qemu-argv", "--xml", str(document)).stdout
    house.guest("define", str(document))
    assert house.guest("domxml-to-native", "qemu-argv", "--domain", "native, all").stdout.split("-uuid")[0] in from_file
    assert house.virsh("list", "--name").stdout.strip() == ""

    words = shlex.split(from_file)
    program = words.index("/usr/bin/qemu-system-x86_64")
    home = Path(dict(word.partition("=")[::2] for word in words[:program])["HOME"])
    home.mkdir(parents=True)
    (home / "master-key.aes").write_bytes(os.urandom(32))
    argv = [*words[program:], "-qmp", "stdio"]
    done = subprocess.run(
        argv, input='{"execute":"qmp_capabilities"}{"execute":"quit"}', capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert '"return": {}' in done.stdout


def test_other_forms_and_missing_sources_are_refused(house: Daemon, tmp_path: Path) -> None:
    document = tmp_path / "native.xml"
    document.write_text(XML)
    wrong = house.virsh("domxml-to-native", "xen-xl", "--xml", str(document), check=False)
    assert "unsupported config type xen-xl" in wrong.stderr
    assert "need either domain or domain XML" in house.guest("domxml-to-native", "qemu-argv", check=False).stderr
