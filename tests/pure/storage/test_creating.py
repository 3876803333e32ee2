"""A new image gets its name only if it is the file that was made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from guesthouse.drivers.storage.creating import _Place
from guesthouse.drivers.storage.registry import StoragePool


def _place(folder: Path) -> _Place:
    return _Place(cast(StoragePool, SimpleNamespace(path=str(folder))), "new.img")


def test_an_image_gets_its_name_and_its_mode(tmp_path: Path) -> None:
    place = _place(tmp_path)
    place.temporary.write_bytes(b"image")
    place.settle(0o640)
    place.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["new.img"]
    assert place.final.stat().st_mode & 0o777 == 0o640


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    place = _place(tmp_path / "pool")
    place.temporary.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic links"):
        place.settle(0o666)
    assert secret.stat().st_mode & 0o777 == 0o600
    assert not place.final.exists()
