"""Definitions completed and realised, against files that were reviewed.

`NAME.xml` is what a client defines, `NAME.out.xml` the definition that is kept, `NAME.args` QEMU's arguments.
`GUESTHOUSE_REGENERATE=1 pytest tests/pure/model/test_domain_golden.py` writes the latter two anew; review their diff.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from guesthouse.model.binding import Style
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.document import copy, format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from tests.support import golden
from tests.support.capabilities import capabilities_for, host_defaults

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.stem for path in GOLDEN.glob("*.xml") if not path.name.endswith(".out.xml"))


def _completed(name: str) -> str:
    text = (GOLDEN / f"{name}.xml").read_text()
    domain = parse_domain(text)
    complete(domain, capabilities_for(text), defaults=host_defaults())
    return format_domain(domain, Style())


@pytest.mark.parametrize("name", CASES)
def test_completion(name: str) -> None:
    golden.compare(GOLDEN / f"{name}.out.xml", _completed(name))


@pytest.mark.parametrize("name", CASES)
def test_completion_is_stable(name: str) -> None:
    """What was completed once does not change any more, whatever host it is moved to."""
    text = _completed(name)
    domain = parse_domain(text)
    complete(domain, capabilities_for(text), defaults=host_defaults())
    assert format_domain(domain, Style()) == text


@pytest.mark.parametrize("name", CASES)
def test_command_line(name: str) -> None:
    text = _completed(name)
    domain = parse_domain(text)
    caps = capabilities_for(text)
    launch = LaunchContext(
        caps,
        guest_dir="/var/lib/libvirt/qemu/domain-1-it",
        channel_dir="/run/libvirt/qemu/channel/1-it",
        short_name="1-it",
        accel="kvm" if domain.type == "kvm" else "tcg",
        now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    for number, graphics in enumerate(domain.devices.graphics):
        graphics.port = 5900 + number
    running = copy(domain)
    prepare(running, launch)
    line = realise(running, launch)
    golden.compare(GOLDEN / f"{name}.args", "\n".join(line.argv) + "\n")
    assert format_domain(domain, Style(live=True)) == format_domain(copy(domain), Style(live=True))


@pytest.mark.parametrize("name", CASES)
def test_a_running_guest_reads_back(name: str) -> None:
    text = _completed(name)
    domain = parse_domain(text)
    kvm = domain.type == "kvm"
    launch = LaunchContext(capabilities_for(text), guest_dir="/g", channel_dir="/c", accel="kvm" if kvm else "tcg")
    prepare(domain, launch)
    domain.id = 7
    text = format_domain(domain, Style(live=True))
    assert " id='7'" in text
    again = parse_domain(text, live=True)
    assert format_domain(again, Style(live=True)) == text
    assert "<alias name='" not in format_domain(parse_domain(text), Style(live=True)).replace("<alias name='ua-", "")
