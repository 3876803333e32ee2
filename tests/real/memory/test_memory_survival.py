"""The daemon is killed while a guest with huge pages starts: the next one removes the guest's directory there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.children import running_child
from tests.support.daemon import need
from tests.support.netns import Namespace
from tests.support.tiny_console import eventually

pytestmark = [pytest.mark.real, pytest.mark.timeout(100)]

#: Its start waits for a program that does not become ready.
GUEST = """<domain type='qemu'><name>web</name><memory unit='MiB'>32</memory>
  <memoryBacking><hugepages/><access mode='shared'/></memoryBacking>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><filesystem><driver type='virtiofs'/><binary path='{program}'/><source dir='{folder}'/>
  <target dir='share'/></filesystem></devices></domain>"""


@pytest.fixture
def pages(short_path: Path) -> Iterator[tuple[Namespace, Path]]:
    """A namespace in which huge pages are mounted, and where."""
    namespace = Namespace()
    place = short_path / "huge"
    place.mkdir()
    try:
        namespace.need(f"mount -t hugetlbfs none {place}", "the kernel has no huge pages")
        yield namespace, place
    finally:
        namespace.close()


def test_killed_while_a_guest_with_huge_pages_starts(pages: tuple[Namespace, Path], short_path: Path) -> None:
    need("virsh")
    namespace, place = pages
    program = short_path / "virtiofsd"
    program.write_text("#!/bin/sh\nexec sleep 50\n")
    program.chmod(0o755)
    (short_path / "web.xml").write_text(GUEST.format(program=program, folder=short_path))
    directory = f"{place}/libvirt/qemu/1-web"
    daemon = namespace.daemon(short_path / "root")

    def is_there() -> bool:
        return bool(namespace.run(f"test -d {directory} && echo there", check=False))

    try:
        daemon.start()
        namespace.run(f"mkdir -p {place}/libvirt/qemu/7-other")
        with running_child(["virsh", "-c", daemon.uri, "create", str(short_path / "web.xml")]):
            eventually(is_there)
            daemon.kill()
        assert not (short_path / "root/run/qemu/web.xml").exists()
        daemon.start()
        eventually(lambda: not is_there())
        assert namespace.run(f"ls {place}/libvirt/qemu") == "7-other\n"  # another daemon's
    finally:
        daemon.stop()
