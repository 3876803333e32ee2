"""Devices are attached, changed and detached as libvirtd does it: the same XML, refusals and events."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import Daemon, need
from tests.support.peer import compare, tell, unexpected

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

_ORIGIN = "the same refusal of a definition with another origin"

#: Patterns of steps whose results may differ, to the reason.
ALLOWED = {
    "devices: attach <disk type='file' device='cdrom'><target dev='vdz' *": _ORIGIN,
    "devices: attach <video>*": _ORIGIN,
    "devices: attach <console type='pty'/> 1": "that a serial console cannot be attached is the better reason",
    "devices: attach  ?": "libvirtd prints the null pointer that stands for the line",
    "devices: update 10 ?": _ORIGIN,
    "devices: events of wide attach [012]": "the event names the device, not the object behind it",
    "devices: wide attach 7 1": "what the kernel said is told too",
    "devices: wide attach 8 1": "the two daemons live in networks of their own",
    "devices: wide attach 18 ?": "why it cannot come now is the better reason",
    "devices: wide attach 2[0-9] ?": _ORIGIN,
}

#: What depends on the surroundings of a daemon, its control groups and its security driver.
_LEFT_OUT = re.compile(r"  <resource>\n.*?</resource>\n|  <seclabel type='dynamic'.*?</seclabel>\n", re.DOTALL)


def test_devices() -> None:
    need("virsh")
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        places = Path(folder)
        ours, theirs = Daemon(places / "root"), Libvirtd("libvirtd", places / "peer")
        try:
            ours.start()
            theirs.start()
            their_story, our_story = tell(((theirs.uri, "diffL"), (ours.uri, "diffG")), places, "devices")
        finally:
            theirs.stop()
            ours.stop()
    assert len(their_story) > 250
    assert not [text for told in (their_story, our_story) for step, text in told.items() if "broke off" in step]
    differences = compare(_without_surroundings(their_story), _without_surroundings(our_story))
    surprises = unexpected(differences, ALLOWED)
    assert not surprises, "\n".join(map(str, surprises))


def _without_surroundings(story: dict[str, str]) -> dict[str, str]:
    return {step: _LEFT_OUT.sub("", text) for step, text in story.items()}
