"""Status files: ours and libvirt's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guesthouse.drivers.domain.files.status import RUNNING, STARTING, STOPPING, Status, format_status, parse_status
from guesthouse.drivers.domain.states import REASONS, Cause, State
from guesthouse.errors import XmlError
from guesthouse.model.domain.taints import Taint, Taints

XML = '<domain type="qemu" id="3"><name>a &amp; b</name></domain>'


def test_what_is_written_is_read_back() -> None:
    status = Status(
        name="a & b", state=State.PAUSED, reason=5, pid=4711, start_time=99, monitor=Path("/x/mon'itor.sock"),
        phase=STOPPING, autodestroy=True, cause=Cause.DESTROY, domain_xml=XML,
        taints=Taints({Taint.CUSTOM_ARGV, Taint.DEPRECATED_CONFIG}, ["machine type 'a & b'"]),
    )  # fmt: skip
    assert parse_status("a & b", format_status(status, "ioerror")) == status


def test_a_file_of_libvirts_is_read() -> None:
    text = (
        "<!-- WARNING -->\n<domstatus state='running' reason='booted' pid='12'><taint flag='x'/>"
        "<taint flag='hook-script'/>"
        "<monitor path='/lib/domain-1-x/monitor.sock' type='unix'/>" + XML + "</domstatus>"
    )
    status = parse_status("x", text)
    assert (status.pid, status.start_time, status.phase, status.reason) == (12, 0, RUNNING, 1)
    assert status.taints == Taints({Taint.HOOK})  # which only a newer libvirt knows is left out


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@settings(deadline=None)
@given(
    name=_WORDS,
    state=st.sampled_from(State),
    phase=st.sampled_from([STARTING, RUNNING, STOPPING]),
    numbers=st.tuples(st.integers(1, 2**31), st.integers(0, 2**63)),
    monitor=_WORDS,
    autodestroy=st.booleans(),
    cause=st.none() | st.sampled_from(Cause),
)
def test_any_status_is_read_back(
    name: str,
    state: State,
    phase: str,
    numbers: tuple[int, int],
    monitor: str,
    autodestroy: bool,
    cause: Cause | None,
) -> None:
    for reason, word in enumerate(REASONS[state]):
        status = Status(
            name, state, reason, *numbers, Path("/run") / monitor.replace("/", ""), phase, autodestroy, cause, XML,
        )  # fmt: skip
        assert parse_status(name, format_status(status, word)) == status


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<domstatus/>",
        "<domain/>",
        "<domstatus state='dreaming' pid='1'><domain/></domstatus>",
        "<domstatus state='running' pid='x'><domain/></domstatus>",
        "<domstatus state='running' pid='1'><guesthouse cause='whim'/><domain/></domstatus>",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(XmlError, match="status file of domain 'x'"):
        parse_status("x", text)
