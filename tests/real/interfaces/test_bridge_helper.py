"""Taps for users who are not root, by QEMU's helper."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.host.bridge_helper import PROGRAMS
from tests.support.netns import Namespace

SCRIPT = """
import asyncio, os, sys
from guesthouse.errors import LibvirtError
from guesthouse.host import bridge_helper
try:
    name, fd = asyncio.run(bridge_helper.open_tap(sys.argv[1], header=True))
except LibvirtError as error:
    print("refused", error.message)
else:
    os.system(f"ip -d link show {name}")
    os.close(fd)
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    made = Namespace()
    try:
        made.need("ip tuntap add probe0 mode tap && ip link del probe0", "no tap can be made here")
        made.need("ip link add br0 type bridge", "the kernel has no bridges")
        yield made
    finally:
        made.close()


def test_the_helper_makes_a_tap(namespace: Namespace, tmp_path: Path) -> None:
    if not any(Path(path).exists() for path in PROGRAMS):
        pytest.skip("qemu-bridge-helper is not installed (it comes with QEMU)")
    # The namespace has mounts of its own: an /etc with the helper's configuration, which nobody else sees.
    copy = tmp_path / "etc"
    namespace.run(f"cp -a /etc {copy} && mkdir -p {copy}/qemu && echo allow br0 >{copy}/qemu/bridge.conf")
    namespace.run(f"mount --bind {copy} /etc")
    (tmp_path / "try.py").write_text(SCRIPT)
    made = namespace.run(f"{sys.executable} {tmp_path}/try.py br0")
    assert "master br0" in made
    assert "vnet_hdr on" in made
    assert "tap" not in " ".join(namespace.devices())  # it was gone with its descriptor
    said = namespace.run(f"{sys.executable} {tmp_path}/try.py br1")
    assert said.startswith("refused ")
    assert "failed to communicate with bridge helper" in said
