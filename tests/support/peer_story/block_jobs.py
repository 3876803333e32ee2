"""Jobs on the disks of a guest that stands still: each step with what is defined and what runs after it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import libvirt

from tests.support.peer_story.guests import blank
from tests.support.peer_story.recorder import Recorder, told

ABORT_ASYNC, PIVOT = 1, 2
SHALLOW, REUSE, TRANSIENT = 1, 2, 4
COMMIT_SHALLOW, COMMIT_DELETE, COMMIT_ACTIVE, COMMIT_RELATIVE = 1, 2, 4, 8
COPY, COPY_RAW, REBASE_RELATIVE, COPY_DEVICE = 8, 4, 16, 32
READY, COMPLETED = "3]", "0]"


def _image(*arguments: object) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def _chain(folder: Path, name: str, *, relative: bool = False) -> None:
    """Four images, each on the one before; the last is the disk's."""
    before: Path | None = None
    for number in range(4):
        path = folder / f"{name}{number}.qcow2"
        below: list[object] = [] if before is None else ["-b", before.name if relative else before, "-F", "qcow2"]
        _image("create", "-q", "-f", "qcow2", *below, path, *(["3M"] if before is None else []))
        before = path


def _disk(source: Path, target: str, *, format_: str = "qcow2", inside: str = "") -> str:
    return (
        f"<disk type='file'><driver name='qemu' type='{format_}'/><source file='{source}'/>{inside}"
        f"<target dev='{target}' bus='virtio'/></disk>"
    )


def _given(folder: Path, name: str) -> str:
    """The chain, as a definition gives it."""
    text = "<backingStore/>"
    for number in range(3):
        text = (
            f"<backingStore type='file'><format type='qcow2'/><source file='{folder}/{name}{number}.qcow2'/>{text}"
            "</backingStore>"
        )
    return text


def _destination(path: Path, format_: str, *, inside: str = "") -> str:
    return f"<disk type='file'><source file='{path}'/><driver type='{format_}'/>{inside}</disk>"


class _Jobs:
    """One guest, and the steps with it."""

    def __init__(self, r: Recorder, dom: libvirt.virDomain) -> None:
        self.r, self.dom = r, dom

    def begin(self, step: str, until: str, call: Callable[..., object], *arguments: object) -> None:  # type: ignore[explicit-any]  # the binding's calls
        begun = self.r.do(step, call, *arguments) is not None
        self.r.events(step, until=until if begun else "", deadline=10.0)
        self.look(step)

    def end(self, step: str, disk: str, flags: int) -> None:
        begun = self.r.do(f"end {step}", self.dom.blockJobAbort, disk, flags) is not None
        self.r.events(f"end {step}", until="block_job" if begun else "", deadline=10.0)
        self.look(f"end {step}")

    def look(self, step: str) -> None:
        self.r.do(f"live {step}", self.dom.XMLDesc, 0, see=_disks)
        self.r.do(f"defined {step}", self.dom.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE, see=_disks)

    def info(self, step: str, disk: str) -> None:
        self.r.do(f"info {step}", self.dom.blockJobInfo, disk, 0, see=told)
        self.r.do(f"info bytes {step}", self.dom.blockJobInfo, disk, 1, see=told)


def _disks(text: str) -> str:
    first, last = text.find("<disk "), text.rfind("</disk>")
    return told(text[first:last])


def block_jobs(r: Recorder) -> None:
    """Pulls, commits and copies, what is refused, and what the guest is defined as afterwards."""
    folder = r.folder
    for name in ("a", "b", "c", "d", "e"):
        _chain(folder, name, relative=name == "e")
    _image("create", "-q", "-f", "raw", folder / "raw.img", "2M")
    disks = (
        _disk(folder / "a3.qcow2", "vda")
        + _disk(folder / "b3.qcow2", "vdb")
        + _disk(folder / "c3.qcow2", "vdc", inside=_given(folder, "c"))
        + _disk(folder / "d3.qcow2", "vdd", inside=_given(folder, "d"))
        + _disk(folder / "e3.qcow2", "vde")
        + _disk(folder / "raw.img", "vdf", format_="raw")
        + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    )
    dom = r.conn.defineXML(blank(r.name("jobs"), 0x90, extra="<features><acpi/></features>", devices=disks))
    _off(r, dom)
    dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    r.events("start")
    jobs = _Jobs(r, dom)
    jobs.look("start")
    _refusals(r, dom)
    _copies(jobs)
    _pulls(jobs)
    _commits(jobs)
    dom.destroy()


def _off(r: Recorder, dom: libvirt.virDomain) -> None:
    r.do("off pull", dom.blockPull, "vda", 0, 0)
    r.do("off commit", dom.blockCommit, "vda", None, None, 0, COMMIT_ACTIVE)
    r.do("off commit shallow", dom.blockCommit, "vda", None, None, 0, COMMIT_ACTIVE | COMMIT_SHALLOW)
    r.do("off copy", dom.blockCopy, "vda", _destination(r.folder / "x", "raw"), {}, TRANSIENT)
    r.do("off abort", dom.blockJobAbort, "vda", 0)
    r.do("off info", dom.blockJobInfo, "vda", 0)
    r.do("off speed", dom.blockJobSetSpeed, "vda", 1, 0)


def _refusals(r: Recorder, dom: libvirt.virDomain) -> None:
    _refused_pulls(r, dom)
    _refused_commits(r, dom)
    _refused_copies(r, dom)
    r.all("abort", dom.blockJobAbort, [("vda", 0), ("vdz", 0), ("vda", 4)])
    r.all("info", dom.blockJobInfo, [("vda", 0), ("vdz", 0), ("vda", 2)])
    r.all("speed", dom.blockJobSetSpeed, [("vda", 1, 0), ("vdz", 1, 0), ("vda", 1, 2), ("vda", 2**44, 0)])
    r.note("files", ", ".join(sorted(path.name for path in r.folder.iterdir())))


def _refused_pulls(r: Recorder, dom: libvirt.virDomain) -> None:
    folder = r.folder
    r.all("pull", dom.blockPull, [("vdz", 0, 0), ("vda", 0, 1), ("vda", 2**44, 0)])
    r.all(
        "rebase",
        dom.blockRebase,
        [
            ("vda", None, 0, REBASE_RELATIVE),
            ("vda", "vda[9]", 0, 0),
            ("vda", "vdb[17]", 0, 0),
            ("vda", "nowhere", 0, 0),
            ("vda", "nbd:x", 0, 0),
            ("vda", "vda[13]", 0, 0),
            ("vda", None, 0, SHALLOW),
            ("vda", None, 0, COPY),
            ("vda", "x", 0, 128),
            ("vda", "relative", 0, COPY),
            ("vda", str(folder / "x"), 0, COPY),
            ("vda", str(folder / "x"), 0, COPY | REBASE_RELATIVE),
            ("vda", str(folder / "x"), 2**44, COPY),
            ("vda", str(folder / "a2.qcow2"), 0, REBASE_RELATIVE),
        ],
    )


def _refused_commits(r: Recorder, dom: libvirt.virDomain) -> None:
    r.all(
        "commit",
        dom.blockCommit,
        [
            ("vda", None, None, 0, 0),
            ("vdz", None, None, 0, 0),
            ("vda", None, "vda[20]", 0, COMMIT_ACTIVE),
            ("vda", None, "vda[22]", 0, 0),
            ("vda", "vda[20]", "vda[21]", 0, 0),
            ("vda", "vda[22]", "vda[20]", 0, COMMIT_SHALLOW),
            ("vda", "vda[22]", None, 0, COMMIT_ACTIVE | COMMIT_SHALLOW),
            ("vda", None, "vda[9]", 0, 0),
            ("vda", None, "no", 0, 0),
            ("vda", "no", None, 0, COMMIT_ACTIVE),
            ("vdf", None, None, 0, COMMIT_ACTIVE),
            ("vdf", None, None, 0, COMMIT_ACTIVE | 1),
            ("vda", None, None, 2**44, COMMIT_ACTIVE),
            ("vda", None, None, 0, 32),
            ("sda", None, None, 0, COMMIT_ACTIVE),
            ("vda", "vda[21]", "vda[20]", 0, COMMIT_RELATIVE),
        ],
    )


def _refused_copies(r: Recorder, dom: libvirt.virDomain) -> None:
    folder = r.folder
    new = _destination(folder / "new.qcow2", "qcow2")
    r.all(
        "copy",
        dom.blockCopy,
        [
            ("vda", new, {}, 0),
            ("vda", new, {}, 16),
            ("vdz", new, {}, TRANSIENT),
            ("vda", new, {"granularity": 3}, TRANSIENT),
            ("vda", new, {"bandwidth": 2**63}, TRANSIENT),
            ("vda", "<disk/>", {}, TRANSIENT),
            ("vda", "<disk", {}, TRANSIENT),
            ("vda", "<domain/>", {}, TRANSIENT),
            ("vda", "<disk type='file'><source file='x'/></disk>", {}, TRANSIENT),
            ("vda", _destination(folder / "raw.img", "raw"), {}, TRANSIENT),
            ("vda", _destination(folder / "new.raw", "raw"), {}, TRANSIENT | SHALLOW),
            ("vda", _destination(folder / "missing.raw", "raw"), {}, TRANSIENT | REUSE),
            ("vda", f"<disk type='block'><source dev='{folder}/raw.img'/></disk>", {}, TRANSIENT | REUSE),
            ("vda", f"<disk type='block'><source dev='{folder}/missing'/></disk>", {}, TRANSIENT),
            ("vda", _destination(folder / "no/such/folder", "raw"), {}, TRANSIENT),
            ("vda", _destination(folder / "new.qcow2", "qcow2", inside=_given(folder, "b")), {}, TRANSIENT),
            ("vda", _destination(folder / "new.bochs", "bochs"), {}, TRANSIENT),
        ],
    )


def _copies(jobs: _Jobs) -> None:
    r, dom, folder = jobs.r, jobs.dom, jobs.r.folder
    jobs.begin("copy", READY, dom.blockCopy, "vda", _destination(folder / "copy.qcow2", "qcow2"), {}, TRANSIENT)
    jobs.info("copy", "vda")
    r.do("copy again", dom.blockCopy, "vda", _destination(folder / "again.qcow2", "qcow2"), {}, TRANSIENT)
    r.do("pull while copying", dom.blockPull, "vda", 0, 0)
    r.do("commit while copying", dom.blockCommit, "vda", None, None, 0, COMMIT_ACTIVE)
    r.do("speed", dom.blockJobSetSpeed, "vda", 5, 0)
    jobs.info("limited", "vda")
    r.do("speed in bytes", dom.blockJobSetSpeed, "vda", 5000, 1)
    jobs.info("limited in bytes", "vda")
    r.do("detach while copying", dom.detachDeviceFlags, _disk(folder / "a3.qcow2", "vda"), 1)
    jobs.end("copy", "vda", 0)
    jobs.begin("copy raw", READY, dom.blockCopy, "vdf", _destination(folder / "copy.raw", "raw"), {}, TRANSIENT)
    jobs.end("copy raw", "vdf", PIVOT)
    jobs.begin("shallow", READY, dom.blockCopy, "vda", _destination(folder / "shallow.qcow2", "qcow2"), {}, 5)
    jobs.end("shallow", "vda", PIVOT)
    _image("create", "-q", "-f", "qcow2", "-b", folder / "b2.qcow2", "-F", "qcow2", folder / "reused.qcow2")
    reused = _destination(folder / "reused.qcow2", "qcow2")
    jobs.begin("reused", READY, dom.blockCopy, "vdb", reused, {"granularity": 65536, "buf-size": 1 << 20}, 7)
    jobs.end("reused", "vdb", PIVOT)


def _pulls(jobs: _Jobs) -> None:
    r, dom, folder = jobs.r, jobs.dom, jobs.r.folder
    jobs.begin("pull to base", COMPLETED, dom.blockRebase, "vda", "vda[22]", 0, 0)
    jobs.begin("pull", COMPLETED, dom.blockPull, "vda", 0, 0)
    jobs.begin("pull of nothing", COMPLETED, dom.blockPull, "vda", 0, 0)
    jobs.begin("pull given", COMPLETED, dom.blockRebase, "vdc", str(folder / "c1.qcow2"), 0, 0)
    jobs.begin("pull given whole", COMPLETED, dom.blockPull, "vdc", 3, 0)
    jobs.begin("pull relative", COMPLETED, dom.blockRebase, "vde", "vde[15]", 0, REBASE_RELATIVE)
    r.note("relative name", _backing(folder / "e3.qcow2"))


def _commits(jobs: _Jobs) -> None:
    r, dom, folder = jobs.r, jobs.dom, jobs.r.folder
    jobs.begin(
        "commit", COMPLETED, dom.blockCommit, "vdd", None, str(folder / "d2.qcow2"), 0, COMMIT_SHALLOW | COMMIT_DELETE
    )
    r.note("name after a commit", _backing(folder / "d3.qcow2"))
    jobs.begin("active", READY, dom.blockCommit, "vdd", None, None, 0, COMMIT_ACTIVE)
    r.do("pull while committing", dom.blockPull, "vdd", 0, 0)
    jobs.info("active", "vdd")
    jobs.end("active", "vdd", 0)
    jobs.begin("active again", READY, dom.blockCommit, "vdd", None, None, 0, COMMIT_ACTIVE | COMMIT_DELETE)
    jobs.end("active again", "vdd", PIVOT)
    jobs.begin("active found", READY, dom.blockCommit, "vdb", None, None, 0, COMMIT_ACTIVE | COMMIT_SHALLOW)
    jobs.end("active found", "vdb", PIVOT)
    r.note("files at last", ", ".join(sorted(path.name for path in folder.iterdir())))


def _backing(path: Path) -> str:
    argv = ["qemu-img", "info", "-U", str(path)]
    told_ = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
    return next((line for line in told_.splitlines() if line.startswith("backing file:")), "none").partition(" (")[0]
