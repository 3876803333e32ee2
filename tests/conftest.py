"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # xdist has no types

from tests.support.daemon import Daemon


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file's tests run one after the other, since they share a daemon.

    So do all files that start libvirt's own daemon, which has its places on the host for itself.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return "libvirtd" if _starts_libvirtd(path) else path


@functools.cache
def _starts_libvirtd(path: str) -> bool:
    text = (Path(__file__).parent.parent / path).read_text()
    return "Libvirtd(" in text or "mark.peer" in text


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """Which tests run beside which, where they run two at a time."""
    return ByFile(config, log)


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
