"""Network filters on a kernel that tracks connections on bridges itself: what the same tests show elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.nwfilter.test_filters_stop_frames import (  # noqa: F401 - collected here too
    bound,
    namespace,
    test_a_filter_changes_while_it_is_in_use,
    test_connections,
    test_every_written_rule_is_accepted,
    test_spoofed_frames_do_not_come,
    wires,
)
from tests.support.daemon import Daemon
from tests.support.netns import Namespace


@pytest.fixture(scope="module")
def daemon(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:  # noqa: F811
    made = Daemon(tmp_path_factory.mktemp("filters") / "root", prefix=namespace.prefix, patience=20.0)
    try:
        yield made.start()
    finally:
        made.stop()
