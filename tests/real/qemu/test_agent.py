"""The agent's client: against a scripted guest on a socket pair, and against the real qemu-ga where it is installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

import pytest

from guesthouse.errors import Code
from guesthouse.host.processes import spawn
from guesthouse.qemu.agent import Agent, AgentCommandError, AgentTimeoutError, AgentUnresponsiveError
from guesthouse.qemu.agent_protocol import AgentProtocolError
from guesthouse.qemu.agent_reports import interfaces
from guesthouse.qemu.json_value import CommandTextError
from tests.support.tiny import FOLDER

pytestmark = pytest.mark.real

#: The host's own, or the one that is unpacked for the tiny guest.
QEMU_GA = shutil.which("qemu-ga", path=f"/usr/sbin:/usr/bin:{FOLDER}/packages/qemu-guest-agent/usr/sbin")


def in_loop(test: Coroutine[None, None, None]) -> None:
    """Run a test in the loop that the daemon has."""
    asyncio.run(asyncio.wait_for(test, 30))


class Guest:
    """The other end of the channel, for a test to play."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.socket = theirs
        self.socket.setblocking(False)
        self.ended = 0
        self.agent = Agent.connect(ours, self._on_closed)

    async def read(self) -> str:
        """The next line: the command's name, with the argument `id` if it has one."""
        line = b""
        while not line.endswith(b"\n"):
            line += await asyncio.get_running_loop().sock_recv(self.socket, 1)
        command = json.loads(line.lstrip(b"\xff"))
        id_ = command.get("arguments", {}).get("id")
        return command["execute"] if id_ is None else f"{command['execute']} {id_}"

    async def synchronise(self, leftovers: bytes = b"") -> None:
        name, id_ = (await self.read()).split()
        assert name == "guest-sync-delimited"
        self.socket.send(leftovers + b'\xff{"return": %s}\n' % id_.encode())

    def close(self) -> None:
        self.agent.close()
        self.socket.close()

    def _on_closed(self) -> None:
        self.ended += 1


def test_conversation_with_leftovers() -> None:
    async def test() -> None:
        guest = Guest()
        name = asyncio.ensure_future(guest.agent.hostname())
        await guest.synchronise(b'{"return": 99}\n garbage {{{\n{"retu')
        assert await guest.read() == "guest-get-host-name"
        guest.socket.send(b'{"return": {"host-na')
        await asyncio.sleep(0.01)
        guest.socket.send(b'me": "web1"}}\n')
        assert await name == "web1"
        again = asyncio.ensure_future(guest.agent.command_line('{"execute": "guest-ping"}'))
        assert await guest.read() == "guest-ping"
        guest.socket.send(b'{"return": {}}\n')
        assert await again == '{"return":{}}'
        guest.close()

    in_loop(test())


def test_silence_before_and_after_the_synchronisation() -> None:
    async def test() -> None:
        guest = Guest()
        before = time.monotonic()
        with pytest.raises(AgentUnresponsiveError) as silent:
            await guest.agent.ping(deadline=0.1)
        assert time.monotonic() - before < 1
        assert silent.value.message == (
            "Guest agent is not responding: guest agent didn't respond to synchronization within '0.1' seconds"
        )
        late = asyncio.ensure_future(guest.agent.get_time(deadline=0.2))
        _, stale = (await guest.read()).split()
        _, fresh = (await guest.read()).split()
        guest.socket.send(b'\xff{"return": %s}\n\xff{"return": %s}\n' % (stale.encode(), fresh.encode()))
        assert await guest.read() == "guest-get-time"
        with pytest.raises(AgentTimeoutError) as timeout:
            await late
        assert timeout.value.code == Code.AGENT_COMMAND_TIMEOUT
        guest.socket.send(b'{"return": 5}\n')  # too late: must not answer the next command
        third = asyncio.ensure_future(guest.agent.get_time())
        await guest.synchronise()
        assert await guest.read() == "guest-get-time"
        guest.socket.send(b'{"return": 6}\n')
        assert await third == 6
        guest.close()

    in_loop(test())


def test_one_command_at_a_time() -> None:
    async def test() -> None:
        guest = Guest()
        first = asyncio.ensure_future(guest.agent.get_time())
        second = asyncio.ensure_future(guest.agent.get_time())
        await asyncio.sleep(0)  # both are under way now
        with pytest.raises(AgentTimeoutError, match="another guest agent command"):
            await guest.agent.get_time(deadline=0.05)
        await guest.synchronise()
        for number in (b"1", b"2"):
            assert await guest.read() == "guest-get-time"
            with pytest.raises(BlockingIOError):
                guest.socket.recv(1)
            guest.socket.send(b'{"return": %s}\n' % number)
        assert [await first, await second] == [1, 2]
        guest.close()

    in_loop(test())


def test_refusal_garbage_and_disappearance() -> None:
    async def test() -> None:
        guest = Guest()
        asked = asyncio.ensure_future(guest.agent.execute("guest-nonsense"))
        await guest.synchronise()
        await guest.read()
        guest.socket.send(b'{"error": {"class": "CommandNotFound", "desc": "no such thing"}}\n')
        with pytest.raises(AgentCommandError) as refused:
            await asked
        assert refused.value.class_ == "CommandNotFound"
        assert refused.value.message == (
            "guest agent command failed: unable to execute QEMU agent command 'guest-nonsense': no such thing"
        )
        asked = asyncio.ensure_future(guest.agent.execute("guest-ping"))
        await guest.read()
        guest.socket.send(b"nonsense\n")
        with pytest.raises(AgentProtocolError):
            await asked
        asked = asyncio.ensure_future(guest.agent.execute("guest-ping"))
        await guest.synchronise()
        await guest.read()
        guest.socket.close()
        with pytest.raises(AgentUnresponsiveError, match="disappeared"):
            await asked
        assert guest.ended == 1
        with pytest.raises(AgentUnresponsiveError, match="is not connected"):
            await guest.agent.ping()

    in_loop(test())


@pytest.mark.parametrize("how", ["event", "closed"])
def test_shutdown_is_answered_by_the_guests_end(how: str) -> None:
    async def test() -> None:
        guest = Guest()
        asked = asyncio.ensure_future(guest.agent.shutdown("powerdown", deadline=5))
        await guest.synchronise()
        assert await guest.read() == "guest-shutdown"
        if how == "event":
            guest.agent.guest_ended()
        else:
            guest.socket.close()
        await asked
        guest.close()

    in_loop(test())


def test_reset_fails_other_commands() -> None:
    async def test() -> None:
        guest = Guest()
        asked = asyncio.ensure_future(guest.agent.get_time())
        await guest.synchronise()
        await guest.read()
        guest.agent.guest_ended()
        with pytest.raises(AgentUnresponsiveError, match="disappeared"):
            await asked
        guest.close()

    in_loop(test())


@pytest.mark.parametrize("text", ["", "ping", "[1]", "[" * 100_000])
def test_raw_commands_are_checked(text: str) -> None:
    async def test() -> None:
        guest = Guest()
        with pytest.raises(CommandTextError):
            await guest.agent.command_line(text)
        guest.close()

    in_loop(test())


@pytest.mark.skipif(not QEMU_GA, reason="the tiny guest with its agent is not built (./dev setup builds it)")
def test_the_real_agent(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "ga.sock"
        argv = [str(QEMU_GA), "-m", "unix-listen", "-p", str(path), "-t", str(tmp_path), "-f", str(tmp_path / "pid")]
        process = spawn(argv)
        try:
            agent: Agent | None = None
            while agent is None:
                await asyncio.sleep(0.02)
                with suppress(OSError):
                    agent = Agent.connect(path, lambda: None)
            await agent.ping()
            assert abs(await agent.get_time() / 1e9 - time.time()) < 5
            assert await agent.hostname() == socket.gethostname()
            assert "lo" in [item.name for item in interfaces(await agent.execute("guest-network-get-interfaces"))]
            with pytest.raises(AgentCommandError, match="has not been found"):
                await agent.execute("guest-nonsense")
            agent.close()
        finally:
            await process.end(1, 1)
            process.close()

    in_loop(test())
