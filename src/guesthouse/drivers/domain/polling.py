"""Asking running QEMUs for their counters, all at the same time, and never waiting for one that is silent.

Rules:

1. One question a run is under way at most; whoever asks meanwhile waits for the same answer. So a QEMU that is frozen
   is asked once, however often its statistics are wanted.
2. Nobody waits longer than `PATIENCE`. Of a QEMU that has not answered by then, the last readings are used; when its
   answer comes, it becomes the readings.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from guesthouse.drivers.domain.run import Readings, Run
from guesthouse.errors import LibvirtError, OperationFailedError
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, text_of

#: How long a query waits for QEMU, in seconds.
PATIENCE = 0.15

#: How long an answer may take that nobody waits for any more, in seconds.
_FORGET_AFTER = 24 * 3600.0

_Question = tuple[str, Mapping[str, Sendable] | None]


async def refresh(runs: Sequence[Run]) -> None:
    """Bring the readings of these runs up to date, as far as their QEMUs answer in time."""
    asked = [question for run in runs if (question := _ask(run)) is not None]
    if asked:
        await asyncio.wait(asked, timeout=PATIENCE)


async def refresh_or_fail(run: Run, patience: float = PATIENCE) -> Readings:
    """The readings of one run. Raises `OperationFailedError` when QEMU has never told them and does not answer now."""
    question = _ask(run)
    if question is not None:
        await asyncio.wait([question], timeout=patience)
    if not run.readings.known:
        raise OperationFailedError("QEMU does not answer", hint="the guest's QEMU is stopped or waits for its storage")
    return run.readings


def wants_monitor(run: Run) -> bool:
    """Whether there is anything that only QEMU can tell."""
    return bool(_questions(run))


def _ask(run: Run) -> asyncio.Task[None] | None:
    """The question that is under way, or a new one. None when there is nothing to ask, or nobody."""
    if run.question is not None:
        return run.question
    if run.monitor is None or run.monitor.closed is not None:
        return None
    questions = _questions(run)
    if not questions:
        run.readings.known = True
        return None
    task = asyncio.get_running_loop().create_task(_read(run, questions))
    run.question = task
    run.keep(task)
    return task


async def _read(run: Run, questions: list[_Question]) -> None:
    try:
        with contextlib.suppress(LibvirtError):
            answers = await asyncio.gather(
                *(run.talk().execute(name, arguments, deadline=_FORGET_AFTER) for name, arguments in questions),
                return_exceptions=True,
            )
            for (name, _), answer in zip(questions, answers, strict=True):
                if not isinstance(answer, BaseException):
                    _TAKE[name](run.readings, answer)
            run.readings.known = True
    finally:
        run.question = None


def _questions(run: Run) -> list[_Question]:
    devices = run.live.devices
    found: list[_Question] = []
    balloon = devices.memballoon
    if balloon is not None and balloon.present and balloon.alias is not None:
        path = f"/machine/peripheral/{balloon.alias.name}"
        found.append(("qom-get", {"path": path, "property": "guest-stats"}))
    if devices.disks:
        found.append(("query-blockstats", None))
        found.append(("query-named-block-nodes", {"flat": True}))
    return found


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


def _take_nodes(readings: Readings, answer: Json) -> None:
    for entry in answer if isinstance(answer, list) else []:
        image = entry.get("image") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(image, dict):
            readings.nodes[text_of(entry, "node-name")] = _numbers(image)


def _numbers(value: JsonObject) -> dict[str, int]:
    return {key: item for key, item in value.items() if isinstance(item, int) and not isinstance(item, bool)}


_TAKE = {"qom-get": _take_balloon, "query-blockstats": _take_blocks, "query-named-block-nodes": _take_nodes}
