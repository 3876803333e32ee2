from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.server.serverkit import Daemon, Wire


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with the sample driver, which has to end cleanly."""
    started = Daemon(tmp_path / "r").wait_ready()
    try:
        yield started
        assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture
def wire(daemon: Daemon) -> Iterator[Wire]:
    """An open read-write connection to it."""
    with Wire(daemon.socket) as made:
        yield made.open()
