"""Refreshing a directory: what did not change is not read, whoever looks. The worker is the real one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from guesthouse.drivers.storage.backend import Survey, VolumeFacts
from guesthouse.drivers.storage.volumes.files import FileVolumes
from guesthouse.model.pool import parse_pool
from guesthouse.qemu.image_survey import HEADER_SIZE, SHORT_SIZE, examine, identify


def survey(path: Path, known: dict[str, VolumeFacts]) -> Survey:
    """One refresh, by a worker that is new."""

    async def once() -> Survey:
        definition = parse_pool(f"<pool type='dir'><name>p</name><target><path>{path}</path></target></pool>")
        backend = FileVolumes(definition)
        try:
            return await backend.survey(known)
        finally:
            backend.close()

    return asyncio.run(once())


def test_a_new_worker_reads_what_changed_since_the_last_one(tmp_path: Path) -> None:
    """Workers end when nothing was asked for a while; what the daemon knows is not lost with them."""
    for number in range(1200):
        (tmp_path / f"image-{number:04}").write_bytes(bytes(600))
    first = survey(tmp_path, {})
    assert len(first.volumes) == 1200
    (tmp_path / "image-0003").write_bytes(bytes(700))
    os.utime(tmp_path / "image-0004", ns=(1, 1))
    (tmp_path / "image-0005").unlink()
    (tmp_path / "new").mkdir()
    second = survey(tmp_path, first.volumes)
    assert second.volumes["image-0003"].capacity == 700
    assert second.volumes["image-0004"].times == (1, 1, os.stat(tmp_path / "image-0004").st_ctime_ns)
    assert second.volumes["new"].kind == "dir"
    kept = [name for name, volume in second.volumes.items() if volume is first.volumes.get(name)]
    assert len(kept) == 1197
    assert list(second.volumes) == sorted(second.volumes)


@given(st.binary(max_size=200), st.integers(0, 2 * HEADER_SIZE))
def test_little_tells_as_much_as_all(start: bytes, length: int) -> None:
    """Reading less of an image never changes what it is taken for."""
    for mark in (b"", b"QFI\xfb\x00\x00\x00\x03", b"KDMV", b"LUKS\xba\xbe", b"vhdxfile"):
        image = (mark + start).ljust(length, b"\0")
        descriptor = os.memfd_create("image")
        try:
            os.write(descriptor, image)
            assert examine(descriptor)[1] == identify(image[:HEADER_SIZE])
        finally:
            os.close(descriptor)


def test_a_disc_is_known_by_what_comes_late() -> None:
    descriptor = os.memfd_create("disc")
    try:
        os.pwrite(descriptor, b"CD001", 32769)
        os.truncate(descriptor, 1 << 20)
        header, found = examine(descriptor)
        assert len(header) > SHORT_SIZE
        assert found["format"] == "iso"
    finally:
        os.close(descriptor)
