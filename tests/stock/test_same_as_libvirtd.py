"""One long story, told by stock clients to libvirtd and to guesthoused: the answers are the same, but for a table."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import Daemon, need
from tests.support.peer import compare, tell, unexpected
from tests.support.tiny import KERNEL

pytestmark = [pytest.mark.stock, pytest.mark.timeout(170)]

_STRICT = "what cannot work is refused when it is defined, not when it is started, and nothing is ignored"
_KVM = "guesthoused tries whether /dev/kvm can run a guest; libvirtd believes that it exists"
_WORDS = "the same refusal with another origin or other words"
_CLOCK = "when the event comes depends on the guest's firmware"
_OFFERED = "only what the domain driver offers yet is announced; " + _KVM
_BLOCKS = "the blocks that a raw image takes depend on the file system and on libvirtd's extended attributes"
_OFF = "of a guest that is off, nothing is measured and no image is opened"

#: Patterns of steps whose results may differ, to the reason.
ALLOWED = {
    "connect: getCPUModelNames ppc64": "the models are those of x86 and Arm",
    "connect: getDomainCapabilities (None, None, *": _KVM,
    "connect: getDomainCapabilities (None, 'x86_64', *": _OFFERED,
    "connect: getDomainCapabilities ('*": _OFFERED,
    "connect: *CPU *empty": "libvirtd prints the null pointer that stands for the line",
    "connect: *CPU *other root": _WORDS,
    "connect: baselineHypervisorCPU foreign arch": "the call is answered for the processors of x86 only",
    "connect: compareHypervisorCPU bad emulator": _WORDS,
    "connect: virsh nodecpustats --cpu 9": "virsh asks twice, and the first question differs in its refusal",
    "connect: open nowhere": _WORDS,
    "connect: open test": "there is no test driver",
    "define: define kvm": _KVM,
    "define: XML kvm": _KVM,
    "define: define dot name": _STRICT,
    "define: XML dot name": _STRICT,
    "define: XML metadata without namespace": "the element is left out when nothing in it may stay",
    "define: events of the definitions": _STRICT,
    "transitions: events of reset*": _CLOCK,
    "transitions: events of resume": _CLOCK,
    "xml: setMetadata 2 <b k urn:k 2": _WORDS,
    "figures: setTime off": "that the guest is off is the better reason than a command of QEMU's",
    "figures: setTime sync off": "that the guest is off is the better reason than a command of QEMU's",
    "figures: stats 2 off": _OFF,
    "figures: stats 32 off": _OFF,
    "figures: stats enforce all off": _OFF,
    "figures: cpuStats each *": "guests have no control groups yet, which count per processor",
    "figures: interfaceStats mac *": "libvirtd has no name for a user-mode network's interface",
    "figures: interfaceAddresses arp *": "a user-mode network has no neighbours",
    "figures: blockInfo running": _BLOCKS,
    "figures: blockInfo path running": _BLOCKS,
    "figures: blockInfo paused": _BLOCKS,
    "figures: blockInfo path paused": _BLOCKS,
    "figures: virsh domblkinfo *": _BLOCKS,
    "figures: securityLabelList *": "there are no security drivers yet",
    "figures: migrateMaxDowntime *": "there is no migration yet",
    "figures: migrateCompressionCache *": "there is no migration yet",
    "figures: events of changes *": "devices and memory cannot be changed yet",
}

#: What only libvirtd tells, by the beginning of the step: security labels, rates of dirty pages.
_LEFT_OUT = {
    "xml: XML ": re.compile(r"  <seclabel type='dynamic'.*?</seclabel>\n", re.DOTALL),
    "figures: stats ": re.compile(r"(?:, )?\b(?:cpu\.(?:cache|haltpoll)|dirtyrate)\.[a-z_.]+: \w+"),
}

_MISSING = re.compile(r"this function is not supported by the connection driver: vir(\w+)\s*$")


def _missing_calls() -> set[str]:
    """The procedures that the manual calls not there yet, without underscores and in small letters."""
    manual = (Path(__file__).parents[2] / "docs" / "support.md").read_text()
    rows = re.findall(r"^\| \d+ (\w+) \|[^|]*\| not there yet \|", manual, re.MULTILINE)
    return {row.replace("_", "").lower() for row in rows}


def _is_missing(answer: str, missing: set[str]) -> bool:
    found = _MISSING.search(answer)
    return found is not None and found[1].lower() in missing


#: What is offered for Arm by one of both alone: libvirtd does not ask whether QEMU has it.
_ARM = "connect: getDomainCapabilities (None, 'aarch64'"
_ONE_SIDED = re.compile(r" *<value>(?:sdl|floppy|fdc|handle|mtp|1\.2)</value>\n| *<backup supported='\w+'/>\n")


def _without_what_is_one_sided(told: dict[str, str]) -> dict[str, str]:
    return {step: _ONE_SIDED.sub("", text) if step.startswith(_ARM) else text for step, text in told.items()}


def _without_what_is_left_out(told: dict[str, str]) -> dict[str, str]:
    for beginning, pattern in _LEFT_OUT.items():
        told = {step: pattern.sub("", text) if step.startswith(beginning) else text for step, text in told.items()}
    return told


@pytest.mark.parametrize(
    ("chapters", "steps"),
    [(("connect", "define", "lists", "transitions", "xml", "figures"), 1000), (("agent", "linux"), 25)],
    ids=["calls", "guests that run"],
)
def test_the_same_story(chapters: tuple[str, ...], steps: int) -> None:
    need("virsh")
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    if not KERNEL.exists():
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        places = Path(folder)
        ours, theirs = Daemon(places / "root"), Libvirtd("libvirtd", places / "peer")
        try:
            ours.start()
            theirs.start()
            told_by_theirs, told_by_ours = tell(((theirs.uri, "diffL"), (ours.uri, "diffG")), places, *chapters)
        finally:
            theirs.stop()
            ours.stop()
    assert len(told_by_theirs) > steps
    assert not [step for step in (*told_by_theirs, *told_by_ours) if "broke off" in step]
    missing = _missing_calls()
    told_by_theirs, told_by_ours = map(_without_what_is_one_sided, (told_by_theirs, told_by_ours))
    differences = compare(_without_what_is_left_out(told_by_theirs), told_by_ours)
    differences = [one for one in differences if not _is_missing(one.ours, missing)]
    surprises = unexpected(differences, ALLOWED)
    assert not surprises, "\n".join(map(str, surprises))
