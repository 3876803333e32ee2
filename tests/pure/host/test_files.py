"""Atomic writes, sweeping, limits, and names that stay beneath their directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guesthouse.host.files import (
    FileTooLargeError,
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
