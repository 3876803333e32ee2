"""Atomic writes, sweeping, limits, and names that stay beneath their directory."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from guesthouse.host.files import (
    FileLock,
    FileTooLargeError,
    LockedError,
    directory_descriptor,
    open_beneath,
    read_limited,
    remove,
    sweep_temporaries,
    write_atomic,
)
from guesthouse.host.procfs import start_time


@pytest.mark.parametrize("durable", [True, False])
def test_write_replaces_content_and_mode(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "web1.xml"
    path.write_text("old")
    path.chmod(0o777)
    write_atomic(path, b"new", 0o640, durable=durable)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o7777 == 0o640
    assert os.listdir(tmp_path) == ["web1.xml"]


def test_write_does_not_follow_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert target.read_text() == "precious"
    assert not link.is_symlink()


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "occupied" / "inner").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "occupied", b"x")
    assert os.listdir(tmp_path) == ["occupied"]
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "nowhere" / "x", b"x")


def test_names_of_full_length(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, b"x")
    assert path.read_bytes() == b"x"


def test_sweep_takes_only_dead_writers_files(tmp_path: Path) -> None:
    pid, ticks = os.getpid(), start_time(os.getpid())
    living = tmp_path / f".guesthouse-{pid}-{ticks}-0123456789abcdef.tmp"
    recycled = tmp_path / f".guesthouse-{pid}-1-0123456789abcdef.tmp"
    others = [tmp_path / ".guesthouse-x.tmp", tmp_path / "web1.xml", tmp_path / f"{recycled.name}.xml"]
    for path in (living, recycled, *others):
        path.touch()
    assert sweep_temporaries(tmp_path) == [recycled.name]
    assert all(path.exists() for path in (living, *others))
    assert sweep_temporaries(tmp_path / "missing") == []


def test_remove(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    assert remove(path) is True
    assert remove(path) is False
    assert remove(tmp_path / "missing" / "x") is False
    with pytest.raises(IsADirectoryError):
        remove(tmp_path)


def test_read_limited(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    assert read_limited(path, 100) == b"x" * 100
    with pytest.raises(FileTooLargeError, match="larger than the limit of 99 bytes"):
        read_limited(path, 99)
    with pytest.raises(FileTooLargeError):
        read_limited("/dev/zero", 4096)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("../secret", errno.EXDEV),
        ("inner/../../secret", errno.EXDEV),
        ("/etc/passwd", errno.EXDEV),
        ("", errno.EXDEV),
        (".", errno.EXDEV),
        ("link", errno.ELOOP),
        ("door/secret", errno.ENOTDIR),
        ("missing/file", errno.ENOENT),
    ],
)
def test_open_beneath_refuses(tmp_path: Path, name: str, code: int) -> None:
    (tmp_path / "secret").write_text("secret")
    pool = tmp_path / "pool"
    (pool / "inner").mkdir(parents=True)
    (pool / "link").symlink_to("../secret")
    (pool / "door").symlink_to("..")
    before = len(os.listdir("/proc/self/fd"))
    with directory_descriptor(pool) as directory, pytest.raises(OSError) as caught:
        open_beneath(directory, name, os.O_RDONLY)
    assert caught.value.errno == code
    assert len(os.listdir("/proc/self/fd")) == before


def test_open_beneath_opens(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with directory_descriptor(tmp_path) as directory:
        descriptor = open_beneath(directory, "./a//b/new", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"x")
        os.close(descriptor)
    assert (tmp_path / "a/b/new").read_bytes() == b"x"


def test_lock(tmp_path: Path) -> None:
    path = tmp_path / "daemon.lock"
    with FileLock(path):
        with pytest.raises(LockedError, match=f"is locked by process {os.getpid()}"):
            FileLock(path)
        assert path.read_text() == f"{os.getpid()}\n"
    FileLock(path).close()
