"""The status file of a running guest: what the next daemon needs to take it up again.

    <domstatus state='running' reason='booted' pid='4711'>
      <monitor path='.../monitor.sock' type='unix'/>
      <guesthouse phase='running' start-time='123456' autodestroy='no'>
        <helper name='swtpm' pid='4710' start-time='123450'/>
      </guesthouse>
      <domain type='kvm' id='3'> ... what runs ... </domain>
    </domstatus>

`phase` is the journal of a run: a guest that is `starting` is undone by the next daemon, one that is `stopping` is
ended for the `cause` that stands there, one that is `running` is taken up. While its devices change, a `<change>`
stands beside it (see `hotplug.change`), and jobs on its disks have an element too (see `block_jobs.traces`).
Files of libvirt's lack our elements; their guests are taken up too.

Format: libvirt's `<domstatus>` as libvirt 11.3 writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from guesthouse.drivers.domain.block_jobs.jobs import BlockJob
from guesthouse.drivers.domain.block_jobs.traces import format_jobs, read_jobs
from guesthouse.drivers.domain.files.store import header
from guesthouse.drivers.domain.helpers.traces import HelperTrace
from guesthouse.drivers.domain.hotplug.change import Change, format_change, read_change
from guesthouse.drivers.domain.states import Cause, State, reason_number, state_of
from guesthouse.errors import XmlError
from guesthouse.model.domain.taints import Taint, Taints
from guesthouse.model.kinds import format_cpuset, parse_cpuset
from guesthouse.model.xmltext import escape

STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Status:
    """One status file. `start_time` is 0 where unknown, `cause` None unless the run was being stopped.

    `advised` are the host's NUMA nodes that numad gave, if it was asked.
    """

    name: str
    state: State
    reason: int
    pid: int
    start_time: int
    monitor: Path
    phase: str
    autodestroy: bool
    cause: Cause | None
    domain_xml: str
    helpers: tuple[HelperTrace, ...] = ()
    change: Change | None = None
    advised: frozenset[int] | None = None
    block_jobs: tuple[BlockJob, ...] = ()
    taints: Taints = field(default_factory=Taints)


def format_status(status: Status, reason: str) -> str:
    """The file's text; `reason` is the reason's name."""
    cause = f" cause='{escape(status.cause.value)}'" if status.cause else ""
    lines = [
        f"<domstatus state='{status.state.word}' reason='{escape(reason)}' pid='{status.pid}'>",
        *(f"  <taint flag='{taint.value}'/>" for taint in status.taints.in_order()),
        *(f"  <deprecation>{escape(setting)}</deprecation>" for setting in status.taints.deprecations),
        f"  <monitor path='{escape(str(status.monitor))}' type='unix'/>",
        *([f"  <numad nodeset='{format_cpuset(status.advised)}'/>"] if status.advised else []),
        f"  <guesthouse phase='{status.phase}' start-time='{status.start_time}'"
        f" autodestroy='{'yes' if status.autodestroy else 'no'}'{cause}{'>' if status.helpers else '/>'}",
        *(_helper(item) for item in status.helpers),
        *(["  </guesthouse>"] if status.helpers else []),
        *(format_change(status.change) if status.change is not None else []),
        *format_jobs(status.block_jobs),
        status.domain_xml.rstrip("\n"),
        "</domstatus>",
    ]
    return header(f"virsh edit {status.name}") + "\n".join(lines) + "\n"


def _helper(item: HelperTrace) -> str:
    restart = " restart='yes'" if item.restart else ""
    return f"    <helper name='{escape(item.name)}' pid='{item.pid}' start-time='{item.start_time}'{restart}/>"


def _read_taints(root: etree._Element) -> Taints:
    """The taints; one that a newer libvirt wrote and we do not know is left out."""
    flags = {str(node.get("flag")) for node in root.iterfind("taint")}
    settings = [node.text or "" for node in root.iterfind("deprecation")]
    return Taints({taint for taint in Taint if taint.value in flags}, settings)


def _read_helper(node: etree._Element) -> HelperTrace:
    facts = {str(key): str(value) for key, value in node.attrib.items()}
    return HelperTrace(
        facts.get("name", ""),
        int(facts.get("pid", "0")),
        int(facts.get("start-time", "0")),
        facts.get("restart") == "yes",
    )


def parse_status(name: str, text: str) -> Status:
    """Read a status file. Raises `XmlError` when it is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
    try:
        root = etree.fromstring(text.encode(), parser)
        domain = root.find("domain")
        if root.tag != "domstatus" or domain is None:
            raise ValueError("no <domstatus> with a <domain>")
        state = state_of(root.get("state", ""))
        monitor = root.find("monitor")
        ours = root.find("guesthouse")
        facts = dict(ours.attrib) if ours is not None else {}
        cause = str(facts["cause"]) if "cause" in facts else None
        numad = root.find("numad")
        return Status(
            name=name,
            state=state,
            reason=reason_number(state, root.get("reason", "")),
            pid=int(root.get("pid", "0")),
            start_time=int(facts.get("start-time", "0")),
            monitor=Path(str(monitor.get("path", ""))) if monitor is not None else Path(),
            phase=str(facts.get("phase", RUNNING)),
            autodestroy=facts.get("autodestroy") == "yes",
            cause=Cause(cause) if cause else None,
            domain_xml=etree.tostring(domain, encoding="unicode", with_tail=False),
            helpers=() if ours is None else tuple(map(_read_helper, ours.iterfind("helper"))),
            change=read_change(root.find("change")),
            block_jobs=read_jobs(root.find("blockjobs")),
            taints=_read_taints(root),
            advised=parse_cpuset(str(numad.get("nodeset", ""))) if numad is not None else None,
        )
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError(f"status file of domain '{name}' is not readable: {error}") from error
