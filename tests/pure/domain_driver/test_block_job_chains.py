"""What becomes of a disk and its chain when a job on it has ended, in what runs and in what is defined."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guesthouse.drivers.domain.block_jobs import chains, lookup
from guesthouse.drivers.domain.block_jobs.jobs import BlockJob, Kind, check_supported, refuse
from guesthouse.errors import LibvirtError
from guesthouse.model.binding import Style, clone
from guesthouse.model.domain.device_document import format_device, parse_device
from guesthouse.model.domain.devices.disk import Disk

_LIVE = Style(live=True, secure=True)
_FILE = Style(live=False, secure=True)
#: Names of the images, the disk's own first.
_IMAGES = ("top", "middle", "lower", "base")


def _chain(names: tuple[str, ...], *, ended: bool = True) -> str:
    text = "<backingStore/>" if ended else ""
    for name in reversed(names):
        text = f"<backingStore type='file'><format type='qcow2'/><source file='/i/{name}'/>{text}</backingStore>"
    return text


def _disk(names: tuple[str, ...] = _IMAGES, *, inside: str = "", detected: bool = False, given: bool = True) -> Disk:
    below = _chain(names[1:]) if given else ""
    disk = parse_device(
        f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='/i/{names[0]}' startupPolicy='optional'/>"
        f"{below}{inside}<target dev='vda' bus='virtio'/></disk>",
        live=True,
    ).device
    assert isinstance(disk, Disk)
    for store in disk.chain():
        store.detected = detected
    disk.number_layers(1)
    return disk


def _names(disk: Disk) -> list[str]:
    return [Path(image.source.path or "").name for image in disk.layers()]


def _job(kind: Kind, base: str = "", top: str = "", *, inherits: bool = False) -> BlockJob:
    return BlockJob("job", kind, "vda", base=base, top=top, inherits=inherits)


def _after(job: BlockJob, disk: Disk, *, switched: bool = False) -> tuple[list[str], list[str], Disk]:
    before = format_device(disk, _LIVE)
    after, gone = chains.end_of(disk, job, switched=switched)
    assert format_device(disk, _LIVE) == before
    return _names(after), [Path(image.source.path or "").name for image in gone], after


def test_everything_is_pulled() -> None:
    names, gone, after = _after(_job(Kind.PULL), _disk())
    assert (names, gone) == (["top"], ["middle", "lower", "base"])
    assert after.backing is not None
    assert after.backing.end


@pytest.mark.parametrize(("base", "gone"), [(2, []), (3, ["middle"]), (4, ["middle", "lower"])])
def test_a_pull_down_to_a_base(base: int, gone: list[str]) -> None:
    names, lost, _ = _after(_job(Kind.PULL, f"libvirt-{base}-storage"), _disk())
    assert lost == gone
    assert names == ["top", *_IMAGES[base - 1 :]]


@pytest.mark.parametrize(
    ("top", "base", "left"),
    [(2, 3, ["top", "lower", "base"]), (2, 4, ["top", "base"]), (3, 4, ["top", "middle", "base"])],
)
def test_a_commit(top: int, base: int, left: list[str]) -> None:
    job = _job(Kind.COMMIT, f"libvirt-{base}-storage", f"libvirt-{top}-storage")
    names, gone, after = _after(job, _disk())
    assert names == left
    assert sorted([*names, *gone]) == sorted(_IMAGES)
    assert [image.index for image in after.layers()] == [_IMAGES.index(name) + 1 for name in left]


def test_an_active_commit_that_pivots_and_one_that_does_not() -> None:
    job = _job(Kind.ACTIVE_COMMIT, "libvirt-3-storage", "libvirt-1-storage")
    mirror = (
        "<mirror type='file' job='active-commit'><format type='qcow2'/><source file='/i/lower' index='3'/></mirror>"
    )
    names, gone, after = _after(job, _disk(inside=mirror), switched=True)
    assert (names, gone) == (["lower", "base"], ["top", "middle"])
    assert after.mirror is None
    assert [image.index for image in after.layers()] == [3, 4]
    names, gone, after = _after(job, _disk(inside=mirror))
    assert (names, gone, after.mirror) == (list(_IMAGES), [], None)


_MIRROR = (
    "<mirror type='file' file='/i/copy' format='raw' job='copy'><format type='raw'/>"
    "<source file='/i/copy' index='9'/>{}</mirror>"
)


def test_a_copy_that_pivots_and_one_that_does_not() -> None:
    disk = _disk(inside=_MIRROR.format("<backingStore/>"))
    names, gone, after = _after(_job(Kind.COPY), disk, switched=True)
    assert (names, gone) == (["copy"], list(_IMAGES))
    assert (after.settings.type, after.layers()[0].index, after.mirror) == ("raw", 9, None)
    names, gone, after = _after(_job(Kind.COPY), disk)
    assert (names, gone, after.mirror) == (list(_IMAGES), ["copy"], None)


def test_a_copy_that_lies_on_what_the_original_lies_on() -> None:
    disk = _disk(inside=_MIRROR.format(""))
    names, gone, _ = _after(_job(Kind.COPY, inherits=True), disk, switched=True)
    assert (names, gone) == (["copy", *_IMAGES[1:]], ["top"])
    names, gone, _ = _after(_job(Kind.COPY, inherits=True), disk)
    assert (names, gone) == (list(_IMAGES), ["copy"])


def test_a_copy_with_a_chain_of_its_own() -> None:
    own = (
        "<backingStore type='file' index='8'><format type='raw'/><source file='/i/new'/><backingStore/></backingStore>"
    )
    disk = _disk(inside=_MIRROR.format(own).replace("'raw'", "'qcow2'"))
    names, gone, _ = _after(_job(Kind.COPY, inherits=True), disk, switched=True)
    assert (names, gone) == (["copy", "new"], list(_IMAGES))
    names, gone, _ = _after(_job(Kind.COPY, inherits=True), disk)
    assert (names, gone) == (list(_IMAGES), ["copy", "new"])


def _defined(config: Disk, disk: Disk, job: BlockJob) -> str:
    after, _ = chains.end_of(disk, job, switched=True)
    return format_device(chains.defined_after(config, disk, after, job), _FILE)


def test_a_definition_that_names_the_chain_follows_step_by_step() -> None:
    disk, config = _disk(), _disk()
    assert "middle" not in _defined(config, disk, _job(Kind.PULL, "libvirt-3-storage"))
    assert "lower" in _defined(config, disk, _job(Kind.PULL, "libvirt-3-storage"))
    assert _defined(config, disk, _job(Kind.PULL)).count("backingStore") == 1
    committed = _defined(config, disk, _job(Kind.COMMIT, "libvirt-4-storage", "libvirt-2-storage"))
    assert "middle" not in committed
    assert "lower" not in committed
    sunk = _defined(config, disk, _job(Kind.ACTIVE_COMMIT, "libvirt-4-storage", "libvirt-1-storage"))
    assert "/i/base" in sunk
    assert "/i/top" not in sunk


def test_a_definition_that_names_the_image_alone_follows_where_the_disk_moves() -> None:
    disk, config = _disk(detected=True), _disk(given=False)
    before = format_device(config, _FILE)
    assert _defined(config, disk, _job(Kind.PULL)) == before
    assert _defined(config, disk, _job(Kind.COMMIT, "libvirt-4-storage", "libvirt-2-storage")) == before
    moved = _defined(config, disk, _job(Kind.ACTIVE_COMMIT, "libvirt-3-storage", "libvirt-1-storage"))
    assert "<source file='/i/lower' startupPolicy='optional'/>" in moved
    assert "backingStore" not in moved


def test_a_definition_with_another_chain_forgets_it() -> None:
    disk, config = _disk(), _disk(("top", "other"))
    assert "backingStore" not in _defined(config, disk, _job(Kind.PULL))


def test_a_definition_with_another_image_stays() -> None:
    disk, config = _disk(), _disk(("elsewhere",))
    before = format_device(config, _FILE)
    for job in (
        _job(Kind.PULL), _job(Kind.COMMIT, "libvirt-4-storage", "libvirt-2-storage"),
        _job(Kind.ACTIVE_COMMIT, "libvirt-4-storage", "libvirt-1-storage"),
    ):  # fmt: skip
        assert _defined(config, disk, job) == before


@pytest.mark.parametrize(
    ("name", "beneath", "place"),
    [("vda[3]", None, 2), ("/i/lower", None, 2), (None, None, 3), (None, 0, 3), ("vda[1]", None, 0), ("base", 1, 3)],
)
def test_images_are_found(name: str | None, beneath: int | None, place: int, tmp_path: Path) -> None:
    disk = _disk()
    for image in disk.layers():
        path = tmp_path / Path(image.source.path or "").name
        path.touch()
        if name == "base":  # a relative name is looked for beside the image above
            image.source.file = str(path)
    assert asyncio.run(lookup.find(disk, name, beneath=beneath)) == place


@pytest.mark.parametrize(
    ("name", "beneath", "text"),
    [
        ("vda[9]", None, "could not find backing store index '9' in chain for 'vda'"),
        ("vdb[2]", None, "requested target 'vdb' does not match target 'vda'"),
        ("vda[1]", 0, "could not find backing store index '1' in chain for 'vda'"),
        ("nothing", None, "could not find image 'nothing' in chain for 'vda'"),
        ("nbd:nothing", 0, "could not find image 'nbd:nothing' beneath '/i/top' in chain for 'vda'"),
        (None, 3, "could not find base image in chain for 'vda'"),
    ],
)
def test_images_that_are_not_there(name: str | None, beneath: int | None, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        asyncio.run(lookup.find(_disk(), name, beneath=beneath))
    assert (caught.value.code, caught.value.detail) == (8, text)


@pytest.mark.parametrize("name", ["vda[", "vda[x]", "vda[2", "vda[-1]", "vda[0]", "[]"])
def test_what_is_no_number(name: str) -> None:
    assert lookup.numbered(name)[1] == 0


def test_a_disk_with_a_job_takes_no_other() -> None:
    disk = _disk()
    refuse(disk, None)
    with pytest.raises(LibvirtError, match="disk 'vda' already in active block job") as caught:
        refuse(disk, _job(Kind.PULL))
    assert caught.value.code == 84
    with pytest.raises(LibvirtError) as caught:
        refuse(_disk(inside=_MIRROR.format("")), None)
    assert caught.value.code == 83


def test_disks_that_take_no_jobs() -> None:
    disk = clone(_disk())
    check_supported(disk)
    disk.target.bus = "sd"
    with pytest.raises(LibvirtError, match="bus 'sd'"):
        check_supported(disk)
