"""Rules about volumes that need no storage: who may be at one, what `qemu-img` is told, how progress looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guesthouse.cli.progress import line
from guesthouse.drivers.storage.backend import VolumeFacts, Work
from guesthouse.drivers.storage.volumes.claims import Claims
from guesthouse.drivers.storage.volumes.creating import abortable
from guesthouse.drivers.storage.volumes.describing import describe
from guesthouse.drivers.storage.volumes.journal import Journal
from guesthouse.drivers.storage.volumes.wiping import ALGORITHMS, algorithm_of
from guesthouse.errors import Code, LibvirtError, OperationInvalidError
from guesthouse.model.volume import parse_volume
from guesthouse.qemu.image_options import create_options, create_size, driver, image_options

GIB = 1 << 30


def facts(name: str = "v") -> VolumeFacts:
    return VolumeFacts(name, "file", f"/p/{name}", f"/p/{name}", "raw", GIB, 0, physical=GIB)


def test_readers_share_a_volume_and_whoever_changes_it_is_alone() -> None:
    claims = Claims()
    with claims.use("v", Work("download"), alone=False):
        with claims.use("v", Work("being copied"), alone=False):
            assert claims.busy == 2
        with pytest.raises(OperationInvalidError, match=r"volume 'v' is still in use\."):
            claims.check_free("v")
    with claims.use("v", Work("upload"), alone=True):
        with pytest.raises(OperationInvalidError, match="still in use"), claims.use("v", Work("x"), alone=False):
            pass
        claims.check_made("v")
    assert not claims.busy
    claims.check_free("v")


def test_a_volume_that_is_made_is_nobodys_yet() -> None:
    claims = Claims()
    with claims.make(facts(), Work("create"), copying=False):
        with pytest.raises(OperationInvalidError, match=r"volume 'v' is still being allocated\."):
            claims.check_free("v")
        for copying, code in ((False, Code.STORAGE_VOL_EXIST), (True, Code.INTERNAL_ERROR)):
            with pytest.raises(LibvirtError) as caught, claims.make(facts(), Work("create"), copying=copying):
                pass
            assert caught.value.code == code
        work = claims.work("v")
        assert work is not None
        assert work.operation == "create"
    assert claims.work("v") is None


def test_long_work_can_be_ended_and_says_so() -> None:
    async def ended() -> None:
        work = Work("copy")
        asyncio.get_running_loop().call_later(0.01, lambda: work.abort and work.abort())
        await abortable(work, lambda: asyncio.sleep(60))

    with pytest.raises(LibvirtError) as caught:
        asyncio.run(ended())
    assert caught.value.code == Code.OPERATION_ABORTED


def test_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    odd = "a/b\n" + "é" * 100

    async def story() -> None:
        assert await journal.read("u") == {}
        await journal.note("u", odd, "wipe")
        await journal.note("u", "plain", "make")
        await journal.note("other", "plain", "upload")
        assert await journal.read("u") == {odd: "wipe", "plain": "make"}
        await journal.clear("u", odd)
        assert await journal.read("u") == {"plain": "make"}

    asyncio.run(story())
    assert all(path.parent == tmp_path / "journal" for path in tmp_path.rglob("*.json"))


def options(inside: str, *, more: str = "", metadata: bool = False, backed: bool = False, allocation: int = 0) -> str:
    xml = (
        f"<volume><name>v</name><capacity>{GIB}</capacity><allocation>{allocation}</allocation>"
        f"<target>{inside}</target>{more}</volume>"
    )
    wanted = parse_volume(xml)
    kind = wanted.target.format.type if wanted.target is not None and wanted.target.format is not None else "raw"
    encrypted = "luks" if wanted.target is not None and wanted.target.encryption is not None else ""
    return ",".join(create_options(wanted, driver(kind, encrypted), metadata=metadata, backed=backed))


SECRET = "<secret type='passphrase' usage='/p/v'/>"
CIPHER = "<cipher name='aes' size='256' mode='cbc' hash='sha256'/><ivgen name='plain64' hash='sha256'/>"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", ""),
        ("<format type='qcow2'/>", "compat=1.1"),
        ("<format type='qcow2'/><compat>0.10</compat>", "compat=0.10"),
        ("<format type='qcow2'/><clusterSize unit='KiB'>128</clusterSize>", "compat=1.1,cluster_size=131072"),
        (
            "<format type='qcow2'/><nocow/><features><extended_l2/><lazy_refcounts/></features>",
            "nocow=on,compat=1.1,lazy_refcounts=on,extended_l2=on",
        ),
        (f"<encryption format='luks'>{SECRET}</encryption>", "key-secret=volume"),
        (
            f"<format type='qcow2'/><encryption format='luks'>{SECRET}{CIPHER}</encryption>",
            "encrypt.format=luks,encrypt.key-secret=volume,encrypt.cipher-alg=aes-256,encrypt.cipher-mode=cbc,"
            "encrypt.hash-alg=sha256,encrypt.ivgen-alg=plain64,encrypt.ivgen-hash-alg=sha256,compat=1.1",
        ),
    ],
)
def test_what_qemu_img_is_told(inside: str, expected: str) -> None:
    assert options(inside) == expected


def test_ways_to_take_the_place_at_once() -> None:
    qcow2 = "<format type='qcow2'/>"
    assert options(qcow2, metadata=True) == "preallocation=metadata,compat=1.1"
    assert options(qcow2, metadata=True, allocation=GIB) == "preallocation=falloc,compat=1.1"
    backing = "<backingStore><path>b</path><format type='raw'/></backingStore>"
    assert options(qcow2, more=backing, backed=True) == "backing_fmt=raw,compat=1.1"


def test_words_for_qemu_img() -> None:
    assert create_size(1000) == "1K"
    assert create_size(1024) == "1K"
    assert image_options("/p/a,b", "luks", "s") == "driver=luks,file.filename=/p/a,,b,key-secret=s"
    assert image_options("/p/a", "qcow2", "s") == "driver=qcow2,file.filename=/p/a,encrypt.key-secret=s"
    assert (driver("vhd"), driver("iso"), driver("raw", "luks")) == ("vhdx", "raw", "luks")


def test_algorithms_have_libvirts_numbers() -> None:
    assert [algorithm_of(number) for number in range(10)] == list(ALGORITHMS)
    with pytest.raises(LibvirtError, match="wiping algorithm 10 not supported"):
        algorithm_of(10)


def test_who_has_a_volume_stands_in_its_document_and_is_void_in_another() -> None:
    text = describe(facts(), "dir", None, (("web", "u", "vda", "yes"),))
    assert "<guesthouse:guest name='web' uuid='u' target='vda' running='yes'/>" in text
    assert parse_volume(text).users == ()
    assert "guesthouse" not in describe(facts(), "dir", None)


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (0, 0, 3.0, "copy: 0:03"),
        (1 << 20, 0, 2.0, "copy: 1.00 MiB  512.00 KiB/s"),
        (0, GIB, 3.0, "copy: [------------------------]   0 %  0.00 B of 1.00 GiB  0.00 B/s  -:-- left"),
        (GIB // 2, GIB, 2.0, "copy: [############------------]  50 %  512.00 MiB of 1.00 GiB  256.00 MiB/s  0:02 left"),
        (GIB // 4096, GIB, 10.0, f"copy: [{24 * '-'}]   0 %  256.00 KiB of 1.00 GiB  25.60 KiB/s  11:22:30 left"),
    ],
)  # fmt: skip
def test_a_bar(done: int, total: int, seconds: float, expected: str) -> None:
    assert line("copy", done, total, seconds) == expected
