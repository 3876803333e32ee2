"""Asking running QEMUs for their counters, all at the same time, and never waiting for one that is silent.

Rules:

1. A question is under way at most once a run; whoever asks it meanwhile waits for the same answer. So a QEMU that is
   frozen is asked once, however often its statistics are wanted.
2. Nobody waits longer than `PATIENCE`. Of a QEMU that has not answered by then, the last readings are used, and
   `Readings.age` says how old they are; when its answer comes, it becomes the readings.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.domain.run import Readings, Run
from guesthouse.drivers.domain.statistics import groups, qemu_counters
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.model.qemu_capabilities import KVM
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, objects, text_of

#: How long a query waits for QEMU, in seconds.
PATIENCE = 0.15

#: How long an answer may take that nobody waits for any more, in seconds.
_FORGET_AFTER = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Question:
    """A command for QEMU's monitor, the groups of statistics that want its answer, and what becomes of that."""

    name: str
    groups: int
    applies: Callable[[Run], bool]
    take: Callable[[Readings, Json], None]
    arguments: Callable[[Run], Mapping[str, Sendable]] | None = None


async def refresh(runs: Sequence[Run], wanted: int = 0) -> None:
    """Bring the readings of these runs up to date for these groups (0 for all), as far as QEMU answers in time."""
    asked = {run: tasks for run in runs if (tasks := _ask(run, wanted))}
    if asked:
        await asyncio.wait([task for tasks in asked.values() for task in tasks], timeout=PATIENCE)
    for run, tasks in asked.items():
        run.readings.overdue = any(not task.done() for task in tasks)


async def refresh_or_fail(run: Run, patience: float = PATIENCE) -> Readings:
    """The readings of one run's disks. Raises `OperationFailedError` when QEMU has never told them and does not answer
    now.
    """
    tasks = _ask(run, groups.BLOCK)
    if tasks:
        await asyncio.wait(tasks, timeout=patience)
    if not run.readings.known:
        raise OperationFailedError("QEMU does not answer", hint="the guest's QEMU is stopped or waits for its storage")
    return run.readings


async def reread(run: Run, question: Question, patience: float = PATIENCE) -> Readings:
    """The readings of a run with the answer to one question, or the last answer where QEMU is silent.

    Raises `OperationFailedError` when QEMU has never answered it and does not answer now, and what `Run.talk` raises.
    """
    run.talk()
    await asyncio.wait([_put(run, question)], timeout=patience)
    if question.name not in run.readings.answers:
        raise OperationFailedError("QEMU does not answer", hint="the guest's QEMU is stopped or waits for its storage")
    return run.readings


def wants_monitor(run: Run, wanted: int = 0) -> bool:
    """Whether there is anything in these groups that only QEMU can tell."""
    return any(_is_wanted(question, run, wanted) for question in _QUESTIONS)


def _is_wanted(question: Question, run: Run, wanted: int) -> bool:
    return (not wanted or bool(question.groups & wanted)) and question.applies(run)


def _ask(run: Run, wanted: int) -> list[asyncio.Task[None]]:
    """The questions that are under way, or new ones. None when there is nothing to ask, or nobody."""
    if run.monitor is None or run.monitor.closed is not None:
        return list(run.questions.values())
    tasks = []
    for question in _QUESTIONS:
        if not _is_wanted(question, run, wanted):
            continue
        tasks.append(_put(run, question))
    if not tasks:
        run.readings.known = True
    return tasks


def _put(run: Run, question: Question) -> asyncio.Task[None]:
    """The question, asked now or under way."""
    task = run.questions.get(question.name)
    if task is None:
        task = run.questions[question.name] = asyncio.get_running_loop().create_task(_read(run, question))
        run.keep(task)
    return task


async def _read(run: Run, question: Question) -> None:
    try:
        arguments = question.arguments(run) if question.arguments is not None else None
        command = question.name.partition(" ")[0]
        with contextlib.suppress(LibvirtError):
            answer = await run.talk().execute(command, arguments, deadline=_FORGET_AFTER)
            question.take(run.readings, answer)
            run.readings.answers.add(question.name)
        run.readings.known = True
        run.readings.answered = time.monotonic()
    finally:
        run.questions.pop(question.name, None)


def _has_balloon(run: Run) -> bool:
    balloon = run.live.devices.memballoon
    return balloon is not None and balloon.present and balloon.alias is not None


def _of_balloon(run: Run) -> Mapping[str, Sendable]:
    balloon = run.live.devices.memballoon
    alias = balloon.alias.name if balloon is not None and balloon.alias is not None else ""
    return {"path": f"/machine/peripheral/{alias}", "property": "guest-stats"}


def _has_disks(run: Run) -> bool:
    return bool(run.live.devices.disks)


def _has_iothreads(run: Run) -> bool:
    return bool(run.live.iothreads) or bool(run.readings.iothreads)


def _always(_run: Run) -> bool:
    return True


def _has_counters(run: Run) -> bool:
    return run.live.type == KVM


def _take_balloon(readings: Readings, answer: Json) -> None:
    if isinstance(answer, dict):
        stats = answer.get("stats")
        readings.balloon = _numbers(stats) if isinstance(stats, dict) else {}
        updated = answer.get("last-update")
        readings.balloon_updated = updated if isinstance(updated, int) else None


def _take_blocks(readings: Readings, answer: Json) -> None:
    for entry in answer if isinstance(answer, list) else []:
        stats = entry.get("stats") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(stats, dict):
            for part in reversed(text_of(entry, "qdev").split("/")):
                readings.blocks[part] = _numbers(stats)


def _take_node_counters(readings: Readings, answer: Json) -> None:
    for entry in objects(answer, "the reply of query-blockstats"):
        stats = entry.get("stats")
        if isinstance(stats, dict):
            readings.node_counters[text_of(entry, "node-name")] = _numbers(stats)


def _take_nodes(readings: Readings, answer: Json) -> None:
    for entry in objects(answer, "the reply of query-named-block-nodes"):
        image = entry.get("image")
        if isinstance(image, dict):
            threshold = entry.get("write_threshold")
            sizes = _numbers(image)
            if isinstance(threshold, int) and threshold:
                sizes["write_threshold"] = threshold
            readings.nodes[text_of(entry, "node-name")] = sizes


def _take_iothreads(readings: Readings, answer: Json) -> None:
    readings.iothreads = {
        text_of(entry, "id"): _numbers(entry) for entry in objects(answer, "the reply of query-iothreads")
    }


def _take_disk_errors(readings: Readings, answer: Json) -> None:
    readings.disk_errors = {
        text_of(entry, "qdev"): text_of(entry, "io-status") for entry in objects(answer, "the reply of query-block")
    }


def _take_dirty_rate(readings: Readings, answer: Json) -> None:
    readings.dirty_rate = answer if isinstance(answer, dict) else {}


def _take_schemas(readings: Readings, answer: Json) -> None:
    readings.counter_kinds = qemu_counters.kinds(answer)


def _take_guest_counters(readings: Readings, answer: Json) -> None:
    readings.guest_counters = qemu_counters.of_guest(answer, readings.counter_kinds)


def _take_processor_counters(readings: Readings, answer: Json) -> None:
    readings.processor_counters = qemu_counters.of_processors(answer, readings.counter_kinds)


def _numbers(value: JsonObject) -> dict[str, int]:
    return {key: item for key, item in value.items() if isinstance(item, int) and not isinstance(item, bool)}


#: Questions that are asked alone too; the first is of no group.
DISK_ERRORS: Final = Question("query-block", 0, _has_disks, _take_disk_errors)
IOTHREADS: Final = Question("query-iothreads", groups.IOTHREAD, _has_iothreads, _take_iothreads)

#: What QEMU is asked for the groups. Two questions with one command are told apart by a second word in their names.
_QUESTIONS: Final = (
    Question("qom-get", groups.BALLOON, _has_balloon, _take_balloon, _of_balloon),
    Question("query-blockstats", groups.BLOCK, _has_disks, _take_blocks),
    Question(
        "query-blockstats nodes", groups.BLOCK, _has_disks, _take_node_counters, lambda _run: {"query-nodes": True}
    ),
    Question("query-named-block-nodes", groups.BLOCK, _has_disks, _take_nodes, lambda _run: {"flat": True}),
    IOTHREADS,
    Question("query-dirty-rate", groups.DIRTYRATE, _always, _take_dirty_rate),
    Question("query-stats-schemas", groups.VM | groups.VCPU | groups.CPU_TOTAL, _has_counters, _take_schemas),
    Question("query-stats vm", groups.VM, _has_counters, _take_guest_counters, lambda _run: {"target": "vm"}),
    Question(
        "query-stats vcpu",
        groups.VCPU | groups.CPU_TOTAL,
        _has_counters,
        _take_processor_counters,
        lambda _run: {"target": "vcpu"},
    ),
)
