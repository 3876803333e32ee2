"""Calls that may hang have threads, so many and no more; what hangs at one place holds up no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.server import looks
from guesthouse.server.looks import MOST, MOST_AT_PATH, MOST_IN_DIRECTORY, Looks

DEADLINE = 20.0


class Storage:
    """Storage that does not answer before `thaw`. `looking` are those who look at it, `seen` those who have."""

    def __init__(self) -> None:
        self._frozen = threading.Event()
        self._lock = threading.Lock()
        self.looking = 0

    def look(self, path: str) -> str:
        with self._lock:
            self.looking += 1
        self._frozen.wait(DEADLINE)
        return path

    def thaw(self) -> None:
        self._frozen.set()


def in_loop(test: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(test, DEADLINE))


def begin(threads: Looks, storage: Storage, path: str) -> asyncio.Future[str]:
    return threads.begin(lambda: storage.look(path), storage.look, path)


async def until(storage: Storage, count: int) -> None:
    while storage.looking < count:  # noqa: ASYNC110 - its threads know no event of the loop's
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("paths", "most"),
    [
        (["/nfs/a"] * (MOST_AT_PATH + 3), MOST_AT_PATH),
        ([f"/nfs/{number}" for number in range(MOST_IN_DIRECTORY + 3)], MOST_IN_DIRECTORY),
        ([f"/nfs{number}/a" for number in range(MOST + 3)], MOST),
    ],
)
def test_so_many_and_no_more(paths: list[str], most: int) -> None:
    async def test() -> None:
        storage, threads = Storage(), Looks(asyncio.get_running_loop())
        answers = [begin(threads, storage, path) for path in paths]
        await until(storage, most)
        if most < MOST:
            assert await threads.begin(lambda: "there", "/local/b") == "there"
        assert storage.looking == most
        storage.thaw()
        assert await asyncio.gather(*answers) == paths

    in_loop(test())


def test_who_waits_too_long_is_told_why(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        storage, threads = Storage(), Looks(asyncio.get_running_loop(), 0.05)
        answers = [begin(threads, storage, "/nfs/a") for _ in range(MOST_AT_PATH + 1)]
        with pytest.raises(LibvirtError, match=r"'/nfs/a' does not answer: 4 calls have waited") as caught:
            await answers[-1]
        assert caught.value.code == Code.OPERATION_TIMEOUT
        assert "'/nfs/a' does not answer" in caplog.text
        storage.thaw()
        await asyncio.gather(*answers[:-1])
        assert await begin(threads, storage, "/nfs/a") == "/nfs/a"

    in_loop(test())


def test_who_has_gone_is_not_looked_for() -> None:
    async def test() -> None:
        storage, threads = Storage(), Looks(asyncio.get_running_loop())
        answers = [begin(threads, storage, "/nfs/a") for _ in range(MOST_AT_PATH + 2)]
        await until(storage, MOST_AT_PATH)
        answers[-1].cancel()
        answers[0].cancel()
        storage.thaw()
        assert await asyncio.gather(*answers[1:-1]) == ["/nfs/a"] * MOST_AT_PATH
        await asyncio.sleep(0.1)
        assert storage.looking == MOST_AT_PATH + 1

    in_loop(test())


def test_a_path_is_known_among_what_asyncio_hands_over() -> None:
    """Also that of a method of a path."""

    async def test() -> None:
        threads = looks._places
        loop = asyncio.get_running_loop()
        seen = []

        def record(_executor: object, func: object, *args: object) -> asyncio.Future[None]:
            seen.append(list(threads((func, *args))))
            answer: asyncio.Future[None] = loop.create_future()
            answer.set_result(None)
            return answer

        loop.run_in_executor = record  # type: ignore[method-assign, assignment]
        await asyncio.to_thread(open, "/nfs/a", mode="rb")
        await asyncio.to_thread(Path("/nfs/b").exists)
        await asyncio.to_thread(Path("/nfs/c/d").mkdir, parents=True)
        await asyncio.to_thread(len, "nothing")
        storage = "the storage of '/nfs'"
        assert seen == [[storage, "'/nfs/a'"], [storage, "'/nfs/b'"], ["the storage of '/nfs/c'", "'/nfs/c/d'"], []]

    in_loop(test())


def test_a_host_that_gives_no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        threads = Looks(asyncio.get_running_loop())

        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            for _ in range(MOST + 1):
                with pytest.raises(RuntimeError, match="can't start new thread"):
                    await threads.begin(lambda: 1)
        assert await threads.begin(lambda: 1) == 1

    in_loop(test())
