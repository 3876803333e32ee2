"""What the status file of a running guest says of the jobs on its disks.

    <blockjobs active='yes'>
      <blockjob name='copy-vda-libvirt-1-format' type='copy' state='ready' jobflags='0x0'>
        <disk dst='vda' mirror='yes'/>
        <aftermath>
          <order name='blockdev-del'>{"node-name":"libvirt-3-format"}</order>
          <file>/images/copy.qcow2</file>
          <definition>...</definition>
        </aftermath>
      </blockjob>
    </blockjobs>

The form is libvirt's, whose files are read too; `aftermath` and `former` are ours. Jobs of other types are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from lxml import etree

from guesthouse.drivers.domain.block_jobs.jobs import Aftermath, BlockJob, Kind, State
from guesthouse.model.qemu_objects import Command, compact
from guesthouse.model.xmltext import escape
from guesthouse.qemu.json_value import as_object

_KINDS: Final = {kind.value: kind for kind in Kind}
_STATES: Final = {state.value: state for state in State}
#: States that only libvirt has, and what they are here.
_FOREIGN: Final = {"concluded": State.RUNNING, "pending": State.RUNNING}


def format_jobs(jobs: Iterable[BlockJob]) -> list[str]:
    """The lines of the element; none where there is no job."""
    lines = [line for job in jobs for line in _format(job)]
    return ["  <blockjobs active='yes'>", *lines, "  </blockjobs>"] if lines else []


def _format(job: BlockJob) -> list[str]:
    former = f" former='{job.former.value}'" if job.former is not None else ""
    inherits = " shallownew='yes'" if job.inherits else ""
    mirror = " mirror='yes'" if job.kind is Kind.COPY else ""
    nodes = (("base", job.base), ("top", job.top), ("topparent", job.above))
    return [
        f"    <blockjob name='{escape(job.name)}' type='{job.kind.value}' state='{job.state.value}'"
        f" jobflags='0x{job.flags:x}'{inherits}{former}>",
        *([f"      <errmsg>{escape(job.error)}</errmsg>"] if job.error else []),
        f"      <disk dst='{escape(job.disk)}'{mirror}/>",
        *(f"      <{tag} node='{escape(node)}'/>" for tag, node in nodes if node),
        *(["      <deleteCommittedImages/>"] if job.delete else []),
        *_format_aftermath(job.aftermath),
        "    </blockjob>",
    ]


def _format_aftermath(aftermath: Aftermath) -> list[str]:
    lines = [
        *(
            f"        <order name='{escape(order.name)}'>{escape(compact(order.arguments))}</order>"
            for order in aftermath.orders
        ),
        *(f"        <file>{escape(path)}</file>" for path in aftermath.files),
        *([f"        <definition>{escape(aftermath.definition)}</definition>"] if aftermath.definition else []),
    ]
    return ["      <aftermath>", *lines, "      </aftermath>"] if lines else []


def read_jobs(node: etree._Element | None) -> tuple[BlockJob, ...]:
    """The jobs that the element tells of. Raises ValueError for one that is not whole."""
    if node is None:
        return ()
    return tuple(_read(item) for item in node.iterfind("blockjob") if item.get("type") in _KINDS)


def _read(node: etree._Element) -> BlockJob:
    disk = node.find("disk")
    if disk is None or not node.get("name"):
        raise ValueError("a block job without a name or a disk")
    state = str(node.get("state", "running"))
    former = node.get("former")
    return BlockJob(
        name=str(node.get("name")),
        kind=_KINDS[str(node.get("type"))],
        disk=str(disk.get("dst", "")),
        state=_STATES.get(state) or _FOREIGN.get(state, State.RUNNING),
        flags=int(node.get("jobflags", "0"), 16),
        base=_node(node, "base"),
        top=_node(node, "top"),
        above=_node(node, "topparent"),
        delete=node.find("deleteCommittedImages") is not None,
        inherits=node.get("shallownew") == "yes",
        error=node.findtext("errmsg") or "",
        former=_STATES.get(str(former)) if former else None,
        aftermath=_read_aftermath(node.find("aftermath")),
    )


def _node(node: etree._Element, tag: str) -> str:
    found = node.find(tag)
    return str(found.get("node", "")) if found is not None else ""


def _read_aftermath(node: etree._Element | None) -> Aftermath:
    if node is None:
        return Aftermath()
    return Aftermath(
        definition=node.findtext("definition") or "",
        orders=[
            Command(str(order.get("name", "")), dict(as_object(json.loads(order.text or "{}"), "an order")))
            for order in node.iterfind("order")
        ],
        files=[item.text or "" for item in node.iterfind("file")],
    )
