"""One long story, told by stock clients to libvirtd and to guesthoused: the answers are the same, but for a table."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import Daemon, need
from tests.support.peer import compare, tell, unexpected
from tests.support.tiny import KERNEL

pytestmark = [pytest.mark.stock, pytest.mark.timeout(170)]

_CGROUPS = "guests have no control groups yet, so there are no shares, quotas or figures of theirs"
_SECURITY = "there are no security drivers yet"
_STRICT = "what cannot work is refused when it is defined, not when it is started, and nothing is ignored"
_KVM = "guesthoused tries whether /dev/kvm can run a guest; libvirtd believes that it exists"
_WORDS = "the same refusal with another origin or other words"
_CLOCK = "when the event comes depends on the guest's firmware"
_AGENT = "an agent that is not connected is announced once the guest has started"
_MEMORY = "guesthoused gives the balloon's figures that QEMU reports; libvirtd wants a report of the guest's first"

#: Patterns of steps whose results may differ, to the reason.
ALLOWED = {
    "connect: getCPUModelNames ppc64": "the models are those of x86 and Arm",
    "connect: getDomainCapabilities (None, None, *": _KVM,
    "connect: getDomainCapabilities (None, 'x86_64', *": "only what the domain driver offers yet is announced; " + _KVM,
    "connect: getDomainCapabilities ('*": "only what the domain driver offers yet is announced; " + _KVM,
    "connect: *CPU *empty": "libvirtd prints the null pointer that stands for the line",
    "connect: *CPU *other root": _WORDS,
    "connect: *CPU *bad arch": "an architecture is a name here, and no host has this one",
    "connect: *CPU *foreign arch": "processors of other architectures are not known",
    "connect: *CPU bad emulator": _WORDS,
    "connect: virsh nodecpustats --cpu 9": "virsh asks twice, and the first question differs in its refusal",
    "connect: open nowhere": _WORDS,
    "connect: open test": "there is no test driver",
    "define: * kvm": _KVM,
    "define: *dot name": _STRICT,
    "define: *title newline": "the document is kept as it is given",
    "define: XML metadata without namespace": "the element is kept, empty",
    "define: events of the definitions": _STRICT,
    "lists: rename *": _WORDS,
    "transitions: shutdown off": _WORDS,
    "transitions: events of reset*": _CLOCK,
    "transitions: events of resume": _CLOCK,
    "xml: XML *": "neither control groups nor security labels are shown; a migratable definition names every device",
    "xml: *etadata 7 *": _WORDS,
    "xml: setMetadata 2 <b *": _WORDS,
    "figures: setTime *": "the agent is asked first, and it is the better reason",
    "figures: stats *": "figures of control groups, dirty rates and images of guests that are off are not there yet; "
    + _MEMORY,
    "figures: schedulerParameters*": _CGROUPS,
    "figures: virsh schedinfo *": _CGROUPS,
    "figures: cpuStats each *": _CGROUPS,
    "figures: memoryStats *": _MEMORY,
    "figures: info *": "libvirtd could change the memory before",
    "figures: maxMemory *": "libvirtd could change the memory before",
    "figures: interfaceStats mac *": "libvirtd has no name for a user-mode network's interface",
    "figures: interfaceAddresses *": "a user-mode network has no neighbours; no agent is the better reason",
    "figures: blockInfo * paused": "the blocks that a raw image takes depend on the file system",
    "figures: blockInfo *running": "the blocks that a raw image takes depend on the file system",
    "figures: virsh domblkinfo *": "the blocks that a raw image takes depend on the file system",
    "figures: securityLabelList *": _SECURITY,
    "figures: messages *": "that QEMU runs as root taints no guest here",
    "figures: screenshot *": "QEMU's own pictures are passed on as they are",
    "figures: console *": _WORDS,
    "figures: channel *": _WORDS,
    "figures: graphicsFD *": _WORDS,
    "figures: migrate*": "there is no migration yet",
    "figures: setVcpus 9 *": _WORDS,
    "figures: events of changes *": "devices and memory cannot be changed yet",
    "agent: events of silent": _AGENT,
    "figures: * paused": "no agent is a better reason than a paused guest",
    "figures: virsh domhostname *": "no agent is a better reason than a paused guest",
    "figures: virsh domtime *": "no agent is a better reason than a paused guest",
    "figures: virsh qemu-agent-command *": "no agent is a better reason than a paused guest",
}

_MISSING = "this function is not supported by the connection driver"


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
    differences = [one for one in compare(told_by_theirs, told_by_ours) if _MISSING not in one.ours]
    surprises = unexpected(differences, ALLOWED)
    assert not surprises, "\n".join(map(str, surprises))
