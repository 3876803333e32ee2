"""The tests of the lab: they change disks and cards of the machine that they run on, so that only the lab has them.

`./dev test --lab` runs them. Anywhere else there is nothing to collect here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tools.lab.messages import MARK

if not Path(MARK).exists():
    collect_ignore_glob = ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here, so that `-m "not lab"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def host() -> Iterator[Daemon]:
    """A running guesthoused for all tests of the lab: starting one takes long there."""
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root", patience=20.0)
        try:
            yield daemon.start()
        finally:
            daemon.stop()
