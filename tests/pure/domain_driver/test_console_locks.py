"""Locks of terminals lie in a directory where every user may put files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from guesthouse.drivers.domain import console
from guesthouse.errors import OperationFailedError


def test_what_is_no_lock_is_replaced_without_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_LOCKS", str(tmp_path))
    place = tmp_path / "LCK..pts_3"
    os.mkfifo(place)
    assert console._lock("/dev/pts/3") == str(place)
    assert place.read_text() == f"{os.getpid():10d}\n"
    with pytest.raises(OperationFailedError, match="Requested console pty is locked"):
        console._lock("/dev/pts/3")
    place.unlink()
    place.symlink_to(tmp_path / "elsewhere")
    assert console._lock("/dev/pts/3") == str(place)
    assert not (tmp_path / "elsewhere").exists()
