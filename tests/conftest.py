"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs beside what, where tests run two at a time: a file's tests together, since they share a daemon.

    So do all tests that start libvirt's own daemon, which has its places on the host for itself.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            alone = "Libvirtd" in getattr(item, "module", object).__dict__
            item.add_marker(pytest.mark.xdist_group("libvirtd" if alone else item.path.as_posix()))


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
