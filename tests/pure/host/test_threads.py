"""Waiting for the disk beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from guesthouse.host.threads import MOST, DiskThreads


def test_answers_and_errors_reach_the_caller() -> None:
    async def ask() -> None:
        threads = DiskThreads()
        assert await threads.run(divmod, 7, 3) == (2, 1)
        assert await threads.run(int, "ff", base=16) == 255
        with pytest.raises(ZeroDivisionError):
            await threads.run(divmod, 7, 0)

    asyncio.run(ask())


def test_calls_in_turn_share_one_thread() -> None:
    async def ask() -> set[int]:
        threads = DiskThreads()
        return {await threads.run(threading.get_ident) for _ in range(20)}

    assert len(asyncio.run(ask())) == 1


def test_calls_at_once_wait_side_by_side() -> None:
    async def ask() -> None:
        threads = DiskThreads()
        meeting = threading.Barrier(MOST, timeout=10)
        await asyncio.gather(*(threads.run(meeting.wait) for _ in range(MOST)))
        assert await asyncio.gather(*(threads.run(abs, -number) for number in range(50))) == list(range(50))

    asyncio.run(ask())


def test_who_is_cancelled_does_not_disturb_others() -> None:
    async def ask() -> None:
        threads = DiskThreads()
        gate = threading.Event()
        waiting = asyncio.create_task(threads.run(gate.wait, 10))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.wait_for(threads.run(abs, -1), 5) == 1  # not behind the one that still waits
        gate.set()

    asyncio.run(ask())


def test_outlives_a_loop() -> None:
    threads = DiskThreads()
    gate = threading.Event()

    async def leave() -> None:
        waiting = asyncio.create_task(threads.run(gate.wait, 10))
        await asyncio.sleep(0)
        waiting.cancel()

    async def ask() -> int:
        return await threads.run(abs, -2)

    asyncio.run(leave())
    gate.set()
    assert asyncio.run(ask()) == 2
