"""What the back end for directories finds, makes and leaves behind. The worker is the real one."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from guesthouse.drivers.storage.backend import CopySource, Order, Survey, Work
from guesthouse.drivers.storage.volumes.checking import wanted_volume
from guesthouse.drivers.storage.volumes.files import FileVolumes
from guesthouse.errors import LibvirtError
from guesthouse.model.pool import parse_pool

T = TypeVar("T")
Run = Callable[[Callable[[FileVolumes], Awaitable[T]]], T]

MIB = 1024 * 1024


class Pool:
    """A directory with a back end; every use is one run of a loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = f"<pool type='dir'><name>p</name><target><path>{path}</path></target></pool>"
        self.definition = parse_pool(text)

    def run(self, work: Callable[[FileVolumes], Awaitable[T]]) -> T:
        async def whole() -> T:
            backend = FileVolumes(self.definition)
            try:
                return await work(backend)
            finally:
                backend.close()

        return asyncio.run(whole())

    def make(self, xml: str, *, metadata: bool = False) -> None:
        wanted = wanted_volume(xml, "dir", 0, needs_capacity=False)
        self.run(lambda backend: backend.make(Order(wanted, Work("create"), metadata=metadata)))

    @property
    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return Pool(tmp_path)


def volume(name: str, size: int, inside: str = "", allocation: int | None = None) -> str:
    allocated = "" if allocation is None else f"<allocation>{allocation}</allocation>"
    return f"<volume><name>{name}</name><capacity>{size}</capacity>{allocated}<target>{inside}</target></volume>"


def test_a_directory(pool: Pool) -> None:
    header = struct.pack(">4sIQIIQ", b"QFI\xfb", 3, 0, 0, 16, 64 * MIB).ljust(100, b"\0") + struct.pack(">I", 104)
    (pool.path / "a.qcow2").write_bytes(header)
    (pool.path / "b.img").write_bytes(bytes(4096))
    (pool.path / "sub").mkdir()
    os.mkfifo(pool.path / "pipe")
    (pool.path / "dangling").symlink_to("nowhere")
    found = pool.run(lambda backend: backend.survey({}))
    assert {one.name: (one.kind, one.format) for one in found.volumes.values()} == {
        "a.qcow2": ("file", "qcow2"),
        "b.img": ("file", "raw"),
        "sub": ("dir", "dir"),
    }
    assert found.volumes["b.img"].capacity == 4096
    assert 0 < found.available <= found.capacity
    seen = pool.run(lambda backend: backend.look("b.img"))
    assert set(seen.volumes) == {"b.img"}
    assert not pool.run(lambda backend: backend.look("gone")).volumes


def test_what_is_known_is_not_read_again(pool: Pool) -> None:
    (pool.path / "kept").write_bytes(bytes(512))
    (pool.path / "written").write_bytes(bytes(512))
    (pool.path / "removed").write_bytes(bytes(512))

    async def twice(backend: FileVolumes) -> tuple[Survey, Survey, Survey]:
        first = await backend.survey({})
        (pool.path / "written").write_bytes(bytes(1024))
        (pool.path / "removed").unlink()
        (pool.path / "new").write_bytes(b"")
        second = await backend.survey(first.volumes)
        # The worker may know more than whoever asks: nothing is lost by that.
        third = await backend.survey({"kept": first.volumes["kept"]})
        return first, second, third

    first, second, third = pool.run(twice)
    assert sorted(second.volumes) == ["kept", "new", "written"]
    assert second.volumes["kept"] is first.volumes["kept"]
    assert second.volumes["written"].capacity == 1024
    assert sorted(third.volumes) == ["kept", "new", "written"]


def test_what_a_dead_writer_left_is_removed_and_a_living_one_is_left_alone(pool: Pool) -> None:
    dead = pool.path / ".guesthouse-4194303-1-0123456789abcdef.tmp"
    dead.write_bytes(b"half")
    with open("/proc/self/stat", encoding="ascii") as file:
        ticks = file.read().rpartition(")")[2].split()[19]
    living = pool.path / f".guesthouse-{os.getpid()}-{ticks}-0123456789abcdef.tmp"
    living.write_bytes(b"half")
    assert not pool.run(lambda backend: backend.survey({})).volumes
    assert pool.names == [living.name]


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LibvirtError, match=r"cannot open directory .*: No such file or directory"):
        Pool(tmp_path / "none").run(lambda backend: backend.survey({}))


def test_raw_images(pool: Pool) -> None:
    pool.make(volume("sparse", 10 * MIB, allocation=0))
    pool.make(volume("full", MIB, "<permissions><mode>0640</mode></permissions>"))
    facts = {name: (pool.path / name).stat() for name in pool.names}
    assert (facts["sparse"].st_size, facts["sparse"].st_blocks, facts["sparse"].st_mode & 0o777) == (
        10 * MIB, 0, 0o600,
    )  # fmt: skip
    assert (facts["full"].st_size, facts["full"].st_blocks * 512, facts["full"].st_mode & 0o777) == (MIB, MIB, 0o640)


def test_a_name_that_is_taken_stays_as_it_is(pool: Pool) -> None:
    (pool.path / "mine").write_text("mine")
    for allocation in (0, None):
        with pytest.raises(LibvirtError, match=r"'.*/mine' already exists"):
            pool.make(volume("mine", MIB, allocation=allocation))
    with pytest.raises(LibvirtError, match=r"'.*/mine' already exists"):
        pool.make(volume("mine", MIB, "<format type='qcow2'/>"))
    assert (pool.path / "mine").read_text() == "mine"
    assert pool.names == ["mine"]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<format type='vmdk'/><compat>1.1</compat>", "compatibility option only available with qcow2"),
        ("<format type='vmdk'/><features><lazy_refcounts/></features>", "only available with qcow2"),
        (
            "<format type='qcow2'/><compat>0.10</compat><features><lazy_refcounts/></features>",
            "lazy_refcounts not supported with compat level 0.10",
        ),
        (
            "<format type='qcow2'/><compat>0.10</compat><features><extended_l2/></features>",
            "'extended_l2' not supported with compat level 0.10",
        ),
        ("<format type='ploop'/>", "unable to find ploop, please install ploop tools"),
        ("<format type='bochs'/>", "bochs"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(pool: Pool, inside: str, text: str) -> None:
    with pytest.raises(LibvirtError, match=text):
        pool.make(volume("x", MIB, inside))
    assert pool.names == []


def test_a_planted_link_is_not_followed(pool: Pool, tmp_path: Path) -> None:
    """Others may write in a pool's directory: the name of a new volume is taken by a link that leads elsewhere."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (pool.path / "new").symlink_to(secret)
    for allocation in (0, MIB):
        with pytest.raises(LibvirtError, match="already exists"):
            pool.make(volume("new", MIB, allocation=allocation))
    assert secret.read_text() == "secret"


@pytest.fixture
def holes(tmp_path: Path) -> Path:
    """A file with a hole between two pieces of data."""
    path = tmp_path / "holes"
    with path.open("wb") as file:
        file.write(b"a" * 4096)
        file.seek(8 * MIB)
        file.write(b"b" * 4096)
    return path


def test_a_copy_keeps_its_holes_and_is_never_smaller(pool: Pool, holes: Path) -> None:
    async def copy(backend: FileVolumes) -> None:
        source = (await backend.survey({})).volumes["holes"]
        wanted = wanted_volume(volume("copy", 16 * MIB, allocation=0), "dir", 0, needs_capacity=False)
        await backend.make(Order(wanted, Work("copy"), source=CopySource(source, source.path)))

    pool.run(copy)
    data = (pool.path / "copy").read_bytes()
    assert len(data) == 16 * MIB
    assert data[: holes.stat().st_size] == holes.read_bytes()
    assert (pool.path / "copy").stat().st_blocks * 512 < MIB


def test_wiping_writes_over_the_data_and_keeps_the_size(pool: Pool, holes: Path) -> None:
    (pool.path / "full").write_bytes(b"x" * MIB)

    async def wipe(backend: FileVolumes) -> None:
        volumes = (await backend.survey({})).volumes
        for name, algorithm in (("holes", "zero"), ("full", "zero")):
            await backend.wipe(volumes[name], algorithm, Work("wipe"))

    size = holes.stat().st_size
    pool.run(wipe)
    assert holes.stat().st_size == size
    assert not any(holes.read_bytes())
    assert (pool.path / "full").read_bytes() == bytes(MIB)
    assert (pool.path / "full").stat().st_blocks * 512 == MIB


def test_growing_allocates_and_shrinking_cuts(pool: Pool) -> None:
    (pool.path / "v").write_bytes(b"x" * MIB)

    async def resize(backend: FileVolumes) -> None:
        facts = (await backend.survey({})).volumes["v"]
        await backend.resize(facts, 2 * MIB, allocate=True, shrink=False)
        grown = (await backend.look("v")).volumes["v"]
        assert (grown.capacity, grown.allocation) == (2 * MIB, 2 * MIB)
        await backend.resize(grown, 4096, allocate=False, shrink=True)

    pool.run(resize)
    assert (pool.path / "v").read_bytes() == b"x" * 4096
