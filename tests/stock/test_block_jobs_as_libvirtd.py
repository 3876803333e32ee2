"""Jobs on disks go as with libvirtd: the same XML after each step, the same events, refusals and headers of images."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import Daemon, need
from tests.support.peer import compare, tell

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]


def test_block_jobs() -> None:
    need("virsh", "qemu-img")
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        places = Path(folder)
        ours, theirs = Daemon(places / "root"), Libvirtd("libvirtd", places / "peer")
        try:
            ours.start()
            theirs.start()
            their_story, our_story = tell(((theirs.uri, "diffL"), (ours.uri, "diffG")), places, "block jobs")
        finally:
            theirs.stop()
            ours.stop()
    assert len(their_story) > 150
    assert not [step for step in (*their_story, *our_story) if "broke off" in step]
    differences = compare(their_story, our_story)
    assert not differences, "\n".join(map(str, differences))
