"""The kernel's counters of a guest are among its statistics. A file stands for one, as few hosts let us have them."""

from __future__ import annotations

import os
from pathlib import Path

from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.statistics import groups
from guesthouse.drivers.domain.statistics.groups import PERF, Wish
from guesthouse.drivers.domain.typed import ULLONG
from guesthouse.model.domain.document import parse_domain

GUEST = """<domain type='qemu'><name>g</name><uuid>00000000-0000-4000-8000-000000000001</uuid><memory>65536</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"""


def test_what_the_counters_say_is_told() -> None:
    guest = Guest(parse_domain(GUEST), persistent=True)
    assert groups.gather(guest, Wish(PERF)) == []
    guest.run = Run(parse_domain(GUEST), Where(*[Path()] * 4))
    counter = os.memfd_create("counter")
    os.pwrite(counter, (4711).to_bytes(8, "little"), 0)
    guest.run.counters["cache_misses"] = counter
    assert groups.gather(guest, Wish(PERF)) == [("perf.cache_misses", ULLONG, 4711)]
    os.close(counter)
    assert groups.gather(guest, Wish(PERF)) == []
