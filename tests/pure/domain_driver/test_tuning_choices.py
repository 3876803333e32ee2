"""Choices that tuning makes without QEMU: which processors, which limits, which names, which parameters."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guesthouse.drivers.domain import parameters
from guesthouse.drivers.domain.agent.vcpus import GuestVcpu, chosen, described
from guesthouse.drivers.domain.disks import throttling
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.job import CANCELLED, COMPLETED, DUMP, UNBOUNDED, Job
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import pinning, threads
from guesthouse.drivers.domain.tuning.cpu_shares import TYPES
from guesthouse.drivers.domain.tuning.places import Housing
from guesthouse.drivers.domain.typed import INT, LLONG, STRING, ULLONG
from guesthouse.drivers.domain.vcpus import count
from guesthouse.drivers.domain.vcpus.plugging import Entity, for_count, for_numbers, unplug
from guesthouse.errors import (
    InvalidArgumentError,
    LibvirtError,
    OperationTimeoutError,
    OperationUnsupportedError,
    UnsupportedConfigError,
)
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.throttling import IoTune
from guesthouse.model.domain.document import parse_domain
from guesthouse.places import Places


def entities(*states: str, size: int = 1) -> list[Entity]:
    """Entities that stay (`s`), can go (`g`) or are off (`o`)."""
    paths = {"s": "/machine/unattached/device[0]", "g": "/machine/peripheral/vcpuN", "o": ""}
    return [Entity(at * size, size, "cpu", {}, paths[state]) for at, state in enumerate(states)]


def test_the_first_that_are_off_are_plugged_and_the_last_that_can_go_are_unplugged() -> None:
    known = entities("s", "g", "o", "g", "o")
    assert [one.first for one in for_count(known, 5)] == [2, 4]
    assert [one.first for one in for_count(known, 2)] == [3]
    assert for_count(known, 3) == []
    with pytest.raises(UnsupportedConfigError, match="failed to find appropriate hotpluggable vcpus"):
        for_count(known, 0)


def test_cores_are_plugged_with_all_their_threads() -> None:
    known = entities("s", "o", size=4)
    assert [one.numbers for one in for_count(known, 8)] == [range(4, 8)]
    with pytest.raises(UnsupportedConfigError, match="granularity"):
        for_count(known, 6)


@pytest.mark.parametrize(
    ("numbers", "on", "words"),
    [
        ({4, 5}, True, "vcpu '4' is already in requested state"),
        ({0, 1, 8}, False, "vcpu '8' is already in requested state"),  # before the others are looked at
        ({1}, False, "vcpu '1' belongs to a larger hotpluggable entity, but siblings were not selected"),
        ({0}, False, "vcpu '1' was not selected but it belongs to hotpluggable entity '0-3' which was partially"),
        (set(range(8)), False, "only one hotpluggable entity can be selected"),
    ],
)
def test_which_processors_cannot_be_chosen(numbers: set[int], on: bool, words: str) -> None:
    with pytest.raises(LibvirtError, match=words):
        for_numbers(entities("s", "g", "o", size=4), numbers, on=on)


def test_one_that_stays_is_chosen_and_then_refused() -> None:
    (first, *_) = entities("s", "g")
    assert for_numbers([first], {0}, on=False) is first
    with pytest.raises(OperationUnsupportedError, match="vcpu '0' can't be unplugged"):
        asyncio.run(unplug(Run(domain("<vcpu>1</vcpu>"), Where(*[Path()] * 4)), [first]))


def domain(vcpu: str) -> Domain:
    return parse_domain(
        f"<domain type='qemu'><name>g</name><memory>65536</memory>{vcpu}"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )


def shown(of: Domain) -> list[tuple[bool, bool | None]]:
    assert of.vcpus is not None
    return [(state.enabled, state.hotpluggable) for state in of.vcpus.states]


def test_a_definition_counts_its_processors() -> None:
    plain = domain("<vcpu current='1'>4</vcpu>")
    count.set_count(plain, 3, hotpluggable=False)
    assert (plain.vcpu.online, plain.vcpus) == (3, None)
    count.set_count(plain, 4, hotpluggable=True)
    assert shown(plain) == [(True, False)] * 3 + [(True, True)]
    count.set_count(plain, 2, hotpluggable=False)
    assert shown(plain) == [(True, False)] * 2 + [(False, True)] * 2
    assert plain.vcpu.online == 2


def test_those_that_stay_are_the_first() -> None:
    one = domain(
        "<vcpu current='2'>4</vcpu><vcpus><vcpu id='0' enabled='yes' hotpluggable='no'/>"
        "<vcpu id='1' enabled='no'/><vcpu id='2' enabled='yes' hotpluggable='yes'/><vcpu id='3' enabled='no'/></vcpus>"
    )
    count.set_count(one, 4, hotpluggable=False)
    assert shown(one) == [(True, False), (True, False), (True, True), (True, True)]


def agents(*states: str) -> list[GuestVcpu]:
    """What an agent tells: on and staying (`s`), on (`n`), off (`f`)."""
    return [GuestVcpu(at, state != "f", state != "s") for at, state in enumerate(states)]


def test_the_agent_is_asked_for_those_that_can_change() -> None:
    assert [one.number for one in chosen(agents("s", "n", "n"), 2)] == [1]
    assert [(one.number, one.online) for one in chosen(agents("s", "f", "f"), 2)] == [(1, True)]
    # If all can be off, the first is kept: kernels need it.
    assert [one.number for one in chosen(agents("n", "n"), 1)] == [1]
    with pytest.raises(InvalidArgumentError, match="Cannot offline enough CPUs"):
        chosen(agents("s", "s", "n"), 1)
    with pytest.raises(LibvirtError, match="guest agent reports less cpu than requested"):
        chosen(agents("s"), 2)
    assert described(agents("s", "n", "f")) == {"vcpus": "0-2", "online": "0-1", "offlinable": "1-2"}


def test_parameters_are_checked_as_libvirt_checks_them() -> None:
    assert parameters.numbers([("cpu_shares", ULLONG, 5), ("vcpu_quota", LLONG, -1)], TYPES) == {
        "cpu_shares": 5, "vcpu_quota": -1,
    }  # fmt: skip
    with pytest.raises(LibvirtError, match="argument unsupported: parameter 'weight' not supported"):
        parameters.checked([("weight", INT, 1)], TYPES)
    with pytest.raises(InvalidArgumentError, match="invalid type 'int' for parameter 'cpu_shares', expected 'ullong'"):
        parameters.checked([("cpu_shares", INT, 1)], TYPES)
    with pytest.raises(InvalidArgumentError, match="parameter 'cpu_shares' occurs multiple times"):
        parameters.checked([("cpu_shares", ULLONG, 1)] * 2, TYPES)
    with pytest.raises(InvalidArgumentError, match="invalid type 'string'"):
        parameters.checked([("cpu_shares", STRING, "1")], TYPES)


def test_bitmaps_are_read_from_their_lowest_bit() -> None:
    assert pinning.cpus_of(bytes([0b101, 0, 0b10])) == {0, 2, 17}
    assert pinning.cpus_of(b"") == frozenset()


def test_limits_that_a_call_does_not_name_stay() -> None:
    former = new(
        IoTune,
        total_bytes_sec=10,
        total_bytes_sec_max=20,
        total_bytes_sec_max_length=3,
        read_iops_sec=7,
        group_name="g",
    )
    changed = throttling._merge(former, {"write_iops_sec": 9})
    assert (changed.total_bytes_sec, changed.read_iops_sec, changed.write_iops_sec) == (10, None, 9)
    assert changed.group_name == "g"
    # A burst of no length is none: where the limit stays, it lasts one second.
    shorter = throttling._merge(former, {"total_bytes_sec_max_length": 0})
    assert shorter.total_bytes_sec_max_length == 1
    assert former.total_bytes_sec_max_length == 3


def test_machines_are_named_so_that_daemons_do_not_meet(tmp_path: Path) -> None:
    system, other = Housing(Places.system()), Housing(Places.under(tmp_path))
    system.systemd = other.systemd = False
    assert system.folder(3, "web") == "qemu-3-web.libvirt-qemu"
    assert system.machine(3, "-we b..x_ü-") == "qemu-3-web.x"
    assert len(system.machine(3, "x" * 200)) < 80
    name = other.folder(3, "web")
    assert name.startswith("qemu-embed-")
    assert other.is_ours(name)
    assert not other.is_ours("qemu-3-web.libvirt-qemu")
    assert system.is_ours("qemu-3-web.libvirt-qemu")
    assert not system.is_ours(name)
    system.systemd = True
    assert system.folder(3, "web") == r"machine-qemu\x2d3\x2dweb.scope"


def test_a_job_tells_how_it_ended() -> None:
    job = Job()
    asyncio.run(_hold(job))
    assert job.last is not None
    assert (job.last.type_, job.last.operation) == (COMPLETED, DUMP)
    with pytest.raises(OperationUnsupportedError):
        asyncio.run(_hold(job, OperationUnsupportedError("no")))
    assert job.last.type_ == COMPLETED  # one that failed is told to its caller, and forgotten, as by libvirt
    with pytest.raises(LibvirtError, match="operation aborted: dump job: canceled by client"):
        asyncio.run(_hold(job, None, abort=True))
    assert job.last.type_ == CANCELLED


async def _hold(job: Job, error: Exception | None = None, *, abort: bool = False) -> None:
    async with job.hold("dump", abortable=True, type_=UNBOUNDED, operation=DUMP):
        assert job.current is not None
        assert job.current.type_ == UNBOUNDED
        if abort:
            job.abort()
            await asyncio.sleep(10)
        if error is not None:
            raise error


def test_control_groups_that_do_not_come_are_not_waited_for_for_ever() -> None:
    async def test() -> None:
        run = Run(domain("<vcpu>1</vcpu>"), Where(*[Path()] * 4))
        assert await threads.ready(run) is None
        for word in ("sorting", "house"):
            hanging = asyncio.create_task(asyncio.Event().wait())
            setattr(run, word, hanging)
            with pytest.raises(OperationTimeoutError, match=r"not in their control groups after 0.01 s"):
                await threads.ready(run, 0.01)
            hanging.cancel()
            setattr(run, word, None)

    asyncio.run(asyncio.wait_for(test(), 20))
