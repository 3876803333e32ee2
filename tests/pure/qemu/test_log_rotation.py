"""Logs that others write are kept small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guesthouse.qemu.guest_log import GuestLog
from guesthouse.qemu.log_rotation import LogLimits, rotate

LIMITS = LogLimits(max_size=10, max_backups=2)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_parts_move_on_and_the_oldest_goes(tmp_path: Path) -> None:
    """Who writes goes on with the descriptor that it has."""
    path = tmp_path / "web.log"
    log = GuestLog(path)
    for number in range(1, 5):
        os.write(log.descriptor, f"much; part {number}\n".encode())
        assert rotate(path, LIMITS)
    os.write(log.descriptor, b"new\n")
    assert not rotate(path, LIMITS)
    log.close()
    assert contents(tmp_path) == {"web.log": "new\n", "web.log.0": "much; part 4\n", "web.log.1": "much; part 3\n"}
    assert {part.stat().st_mode & 0o777 for part in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (LogLimits(max_size=0), {"web.log": "0123456789ab"}),
        (LogLimits(max_size=12), {"web.log": "0123456789ab"}),
        (LogLimits(max_size=11, max_backups=0), {"web.log": ""}),
        (LogLimits(max_size=11, max_backups=1), {"web.log": "", "web.log.0": "0123456789ab"}),
        (LogLimits(max_size=4, max_backups=1), {"web.log": "", "web.log.0": "456789ab"}),
    ],
)
def test_limits(tmp_path: Path, limits: LogLimits, left: dict[str, str]) -> None:
    path = tmp_path / "web.log"
    path.write_text("0123456789ab")
    rotate(path, limits)
    assert contents(tmp_path) == left


def test_the_last_words_in_a_log_that_was_rotated_meanwhile(tmp_path: Path) -> None:
    log = GuestLog(tmp_path / "web.log")
    log.starting(["qemu"], {}, "libvirt version: 11.3.0")
    assert rotate(log.path, LIMITS)
    os.write(log.descriptor, b"qemu: cannot\n")
    assert log.tail() == "qemu: cannot"
    log.close()


def test_what_is_no_log_of_ours(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("much too long")
    (tmp_path / "link.log").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "folder.log").mkdir()
    with pytest.raises(OSError, match="symbolic links"):
        rotate(tmp_path / "link.log", LIMITS)
    for name in ("pipe.log", "folder.log", "none.log"):
        assert not rotate(tmp_path / name, LIMITS)
    assert (tmp_path / "victim").read_text() == "much too long"
