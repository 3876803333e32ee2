"""One job at a time, in order, with a deadline, and abortable."""

from __future__ import annotations

import asyncio

import pytest

from guesthouse.drivers.domain.job import Job
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, OperationTimeoutError


def test_who_came_first_is_served_first() -> None:
    async def scene() -> list[int]:
        job, order = Job(), []

        async def work(number: int) -> None:
            async with job.hold("modify"):
                await asyncio.sleep(0)
                order.append(number)

        async with job.hold("modify"):
            tasks = [asyncio.create_task(work(number)) for number in range(5)]
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)
        assert job.current is None
        return order

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]


def test_nobody_overtakes_between_two_holders() -> None:
    async def scene() -> None:
        job, inside = Job(), 0

        async def work() -> None:
            nonlocal inside
            async with job.hold("modify"):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(work() for _ in range(50)))

    asyncio.run(scene())


def test_the_deadline_names_the_holder() -> None:
    async def scene() -> str:
        job = Job()
        async with job.hold("save"):
            with pytest.raises(OperationTimeoutError) as caught:
                async with job.hold("modify", deadline=0.01):
                    pass
        async with job.hold("modify", deadline=0.01):
            pass
        return caught.value.message

    assert "cannot acquire state change lock (held by save job)" in asyncio.run(scene())


def test_a_waiter_that_is_cancelled_leaves_the_seat_to_others() -> None:
    async def scene() -> None:
        job = Job()

        async def work() -> None:
            async with job.hold("modify"):
                pass

        async with job.hold("modify"):
            doomed = asyncio.create_task(work())
            later = asyncio.create_task(work())
            await asyncio.sleep(0)
        doomed.cancel()
        await asyncio.wait_for(later, 1)
        async with job.hold("modify", deadline=0.1):
            pass

    asyncio.run(scene())


def test_abort() -> None:
    async def scene() -> LibvirtError:
        job = Job()
        with pytest.raises(OperationInvalidError, match="no job is active"):
            job.abort()

        async def work() -> None:
            async with job.hold("dump", abortable=True, type_=2):
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        job.abort()
        with pytest.raises(LibvirtError) as caught:
            await task
        assert job.last is not None
        assert job.last.kind == "dump"
        async with job.hold("modify"):
            with pytest.raises(OperationInvalidError, match="cannot abort modify job"):
                job.abort()
        return caught.value

    error = asyncio.run(scene())
    assert error.code == Code.OPERATION_ABORTED
    assert "canceled by client" in error.message
