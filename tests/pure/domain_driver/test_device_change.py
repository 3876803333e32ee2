"""A change of devices that is under way, in the status file."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from guesthouse.drivers.domain.hotplug.change import Change, format_change, read_change

ALIASES = st.text(alphabet=string.ascii_letters + string.digits + "-_.", min_size=1, max_size=20)
DOCUMENTS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]))


@given(
    change=st.builds(
        Change, come=st.lists(ALIASES).map(tuple), go=ALIASES | st.just(""), definition=DOCUMENTS, former=DOCUMENTS
    )
)
def test_written_and_read_back(change: Change) -> None:
    node = etree.fromstring("\n".join(format_change(change)).encode())
    assert read_change(node) == change


def test_nothing_under_way() -> None:
    assert read_change(None) is None
    assert format_change(Change(come=("net0", "scsi1"), go="x")) == ["  <change come='net0 scsi1' go='x'/>"]
