"""Backing chains of real images, and of images whose headers say what they must not."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
from pathlib import Path

import pytest

from guesthouse.qemu import chains
from guesthouse.qemu.chains import Chain, ChainError
from tests.support.daemon import need

pytestmark = pytest.mark.real


@pytest.fixture(autouse=True)
def programs() -> None:
    need("qemu-img")


def image(*words: str | Path) -> None:
    subprocess.run(["qemu-img", "create", "-q", *map(str, words)], check=True, timeout=60)


def forget_format(path: Path) -> None:
    """Take the format of the backing image out of a header, as old programs left it."""
    data = path.read_bytes()
    assert data.count(b"\xe2\x79\x2a\xca") == 1
    path.write_bytes(data.replace(b"\xe2\x79\x2a\xca", b"\x12\x34\x56\x78"))


def follow(path: Path, format_: str = "qcow2") -> Chain:
    (found,) = asyncio.run(chains.follow([(str(path), format_)]))
    return found


def told(chain: Chain, folder: Path) -> list[tuple[str, str]]:
    return [(os.path.relpath(link.path, folder), link.format) for link in chain.links]


def test_a_chain_is_followed_by_relative_and_absolute_names(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    image("-f", "raw", tmp_path / "below/base", "1M")
    image("-f", "qcow2", "-b", tmp_path / "below/base", "-F", "raw", tmp_path / "below/middle")
    image("-f", "qcow2", "-b", "below/middle", "-F", "qcow2", tmp_path / "top")
    found = follow(tmp_path / "top")
    assert told(found, tmp_path) == [("top", "qcow2"), ("below/middle", "qcow2"), ("below/base", "raw")]
    assert found.ended
    assert {link.kind for link in found.links} == {"file"}


@pytest.mark.parametrize("kind", ["qcow", "qed", "vmdk"])
def test_older_formats(kind: str, tmp_path: Path) -> None:
    base = "vmdk" if kind == "vmdk" else "raw"
    image("-f", base, tmp_path / "base", "1M")
    image("-f", kind, "-b", "base", "-F", base, tmp_path / "top")
    assert told(follow(tmp_path / "top", kind), tmp_path)[0] == ("top", kind)
    assert len(follow(tmp_path / "top", kind).links) == 2


def test_data_in_another_file(tmp_path: Path) -> None:
    image("-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on", tmp_path / "tables", "1M")
    (link,) = follow(tmp_path / "tables").links
    assert link.data == f"{tmp_path}/data"


def test_a_raw_image_is_never_read(tmp_path: Path) -> None:
    """What a guest writes into its raw disk names no other file."""
    image("-f", "raw", tmp_path / "secret", "1M")
    image("-f", "qcow2", "-b", "secret", "-F", "raw", tmp_path / "disk")
    assert told(follow(tmp_path / "disk", "raw"), tmp_path) == [("disk", "raw")]


def test_a_format_that_would_be_guessed_is_refused(tmp_path: Path) -> None:
    image("-f", "raw", tmp_path / "secret", "1M")
    image("-f", "qcow2", "-b", "secret", "-F", "raw", tmp_path / "middle")
    image("-f", "qcow2", "-u", "-b", "middle", "-F", "qcow2", tmp_path / "top", "1M")
    forget_format(tmp_path / "top")
    with pytest.raises(ChainError, match="format of backing image 'middle' of image") as caught:
        follow(tmp_path / "top")
    assert caught.value.code == 55


def test_a_plain_image_may_be_guessed(tmp_path: Path) -> None:
    image("-f", "raw", tmp_path / "base", "1M")
    image("-f", "qcow2", "-u", "-b", "base", "-F", "raw", tmp_path / "top", "1M")
    forget_format(tmp_path / "top")
    assert told(follow(tmp_path / "top"), tmp_path) == [("top", "qcow2"), ("base", "raw")]


@pytest.mark.parametrize("name", ["nbd://host/export", 'json:{"driver":"raw"}', "rbd:pool/image"])
def test_what_is_no_plain_file_is_left_to_qemu(name: str, tmp_path: Path) -> None:
    image("-f", "qcow2", "-u", "-b", name, "-F", "raw", tmp_path / "top", "1M")
    found = follow(tmp_path / "top")
    assert told(found, tmp_path) == [("top", "qcow2")]
    assert not found.ended


def test_an_image_on_itself(tmp_path: Path) -> None:
    image("-f", "qcow2", "-u", "-b", "top", "-F", "qcow2", tmp_path / "top", "1M")
    with pytest.raises(ChainError, match="self-referential or too deeply nested"):
        follow(tmp_path / "top")


def test_missing_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(ChainError, match=f"Cannot access storage file '{tmp_path}/none': No such file") as caught:
        follow(tmp_path / "none")
    assert caught.value.code == 38
    image("-f", "qcow2", "-u", "-b", "none", "-F", "raw", tmp_path / "top", "1M")
    with pytest.raises(ChainError, match=f"backing file '{tmp_path}/none' of storage file '{tmp_path}/top'"):
        follow(tmp_path / "top")


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ChainError, match="it is no file and no block device"):
        follow(tmp_path / "pipe")


@pytest.mark.parametrize("length", [0, 7, 72, 104, 105, 4096])
def test_headers_that_end_early_or_lie(length: int, tmp_path: Path) -> None:
    header = (
        struct.pack(">IIQIIQ", 0x514649FB, 3, 2**63, 2**31, 99, 2**64 - 1).ljust(100, b"\xff") + b"\xff\xff\xff\xff"
    )
    (tmp_path / "odd").write_bytes((header + b"\xe2\x79\x2a\xca\xff\xff\xff\xff" * 500)[:length])
    assert told(follow(tmp_path / "odd"), tmp_path) == [("odd", "qcow2")]
