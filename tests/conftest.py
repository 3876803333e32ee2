"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a short name: paths of Unix sockets may not be longer than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def daemon(short_path: Path) -> Iterator[Daemon]:
    """A running guesthoused with nothing defined."""
    with_root = Daemon(short_path / "root")
    try:
        yield with_root.start()
    finally:
        with_root.stop()
