"""The states of block jobs: every way through them ends, and what a job left behind is read back as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from guesthouse.drivers.domain.block_jobs.jobs import (
    OUTCOMES,
    TRANSITIONS,
    Aftermath,
    BlockJob,
    Input,
    Kind,
    State,
)
from guesthouse.drivers.domain.block_jobs.traces import format_jobs, read_jobs
from guesthouse.model.qemu_objects import Command

_ENDS = (Input.FINISHED, Input.SWITCHED, Input.KEPT, Input.BROKE)
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20)
_NAMES = st.from_regex(r"libvirt-[1-9][0-9]{0,3}-storage", fullmatch=True) | st.just("")


def _job(kind: Kind = Kind.COPY, *inputs: Input) -> BlockJob:
    job = BlockJob("copy-vda-libvirt-1-format", kind, "vda")
    for one in inputs:
        job.move(one)
    return job


def _at(job: BlockJob) -> State:
    return job.state


def test_a_copy_that_pivots() -> None:
    job = _job(Kind.COPY, Input.STARTED, Input.BECAME_READY, Input.PIVOT)
    assert _at(job) is State.PIVOTING
    job.move(job.end_with("", "new", "new"))
    assert _at(job) is State.COMPLETED


def test_a_copy_that_is_aborted() -> None:
    job = _job(Kind.COPY, Input.STARTED, Input.BECAME_READY, Input.ABORT)
    job.move(job.end_with("", "old", "new"))
    assert _at(job) is State.CANCELLED
    broken = _job(Kind.COPY, Input.STARTED, Input.ABORT)
    broken.move(broken.end_with("Operation canceled", "old", "new"))
    assert _at(broken) is State.CANCELLED


def test_the_drive_tells_what_became_of_a_job_that_nobody_saw_end() -> None:
    job = _job(Kind.ACTIVE_COMMIT, Input.STARTED)
    job.move(job.end_with("", "below", "below"))
    assert _at(job) is State.COMPLETED
    kept = _job(Kind.ACTIVE_COMMIT, Input.STARTED, Input.BECAME_READY, Input.PIVOT)
    kept.move(kept.end_with("", "above", "below"))
    assert _at(kept) is State.CANCELLED


def test_a_filter_hides_where_the_drive_is() -> None:
    pivoted = _job(Kind.COPY, Input.STARTED, Input.BECAME_READY, Input.PIVOT)
    assert pivoted.end_with("", None, "new") is Input.SWITCHED
    assert _job(Kind.COPY, Input.STARTED, Input.BECAME_READY, Input.ABORT).end_with("", None, "new") is Input.KEPT


def test_an_abort_that_came_too_late_has_aborted_nothing() -> None:
    job = _job(Kind.PULL, Input.STARTED, Input.ABORT)
    job.move(job.end_with("", None, ""))
    assert _at(job) is State.COMPLETED


def test_a_refused_order_leads_back() -> None:
    for before in (State.RUNNING, State.READY):
        job = _job(Kind.COPY, Input.STARTED, *([Input.BECAME_READY] if before is State.READY else []), Input.ABORT)
        assert _at(job) is State.ABORTING
        job.move(Input.REFUSED)
        assert _at(job) is before
    job = _job(Kind.COPY, Input.STARTED, Input.BECAME_READY, Input.PIVOT, Input.REFUSED)
    assert _at(job) is State.READY


@given(st.sampled_from(Kind), st.lists(st.sampled_from(Input), max_size=12), st.sampled_from(_ENDS))
def test_every_way_ends(kind: Kind, inputs: list[Input], end: Input) -> None:
    job = _job(kind, *inputs)
    over = job.state
    assert job.move(end) == (over not in OUTCOMES)
    assert job.state in OUTCOMES
    assert not any(job.move(one) for one in Input)
    if over in OUTCOMES:
        assert _at(job) is over


@given(st.lists(st.sampled_from([one for one in Input if one not in _ENDS]), max_size=20))
def test_only_a_ready_job_pivots(inputs: list[Input]) -> None:
    job = _job()
    for one in inputs:
        before = job.state
        job.move(one)
        assert _at(job) is not State.PIVOTING or before in (State.READY, State.PIVOTING)


def test_every_state_is_in_the_table() -> None:
    used = {state for state, _ in TRANSITIONS} | set(TRANSITIONS.values())
    assert used == set(State)


_JOBS = st.builds(
    BlockJob,
    name=st.from_regex(r"[a-z<&'-]{1,30}", fullmatch=True),
    kind=st.sampled_from(Kind),
    disk=st.sampled_from(("vda", "sdb")),
    state=st.sampled_from(State),
    flags=st.integers(0, 127),
    base=_NAMES,
    top=_NAMES,
    above=_NAMES,
    delete=st.booleans(),
    inherits=st.booleans(),
    error=_TEXT.map(str.strip),
    former=st.sampled_from([None, State.READY, State.RUNNING]),
    aftermath=st.builds(
        Aftermath,
        definition=_TEXT,
        orders=st.lists(st.builds(Command, st.just("blockdev-del"), st.fixed_dictionaries({"node-name": _TEXT}))),
        files=st.lists(_TEXT.filter(bool).map(lambda name: f"/{name}")),
    ),
)


@given(st.lists(_JOBS, max_size=3))
def test_jobs_are_read_as_they_were_written(jobs: list[BlockJob]) -> None:
    text = "\n".join(["<domstatus>", *format_jobs(jobs), "</domstatus>"])
    root = etree.fromstring(text.encode())
    assert list(read_jobs(root.find("blockjobs"))) == jobs


def test_a_file_of_libvirts() -> None:
    node = etree.fromstring("""<blockjobs active='yes'>
      <blockjob name='commit-vda-libvirt-2-format' type='commit' state='running' newstate='concluded' jobflags='0x2'>
        <disk dst='vda'/>
        <base node='libvirt-3-storage'/>
        <top node='libvirt-2-storage'/>
        <topparent node='libvirt-1-storage'/>
        <deleteCommittedImages/>
      </blockjob>
      <blockjob name='create-libvirt-9-format' type='create' state='running'><src type='file'/></blockjob>
      <blockjob name='copy-vdb-libvirt-4-format' type='copy' state='pending' shallownew='yes' jobflags='0x5'>
        <disk dst='vdb' mirror='yes'/>
      </blockjob>
    </blockjobs>""")
    commit, copy = read_jobs(node)
    assert (commit.kind, commit.state, commit.flags, commit.delete) == (Kind.COMMIT, State.RUNNING, 2, True)
    assert (commit.base, commit.top, commit.above) == ("libvirt-3-storage", "libvirt-2-storage", "libvirt-1-storage")
    assert (copy.kind, copy.state, copy.inherits, copy.disk) == (Kind.COPY, State.RUNNING, True, "vdb")
