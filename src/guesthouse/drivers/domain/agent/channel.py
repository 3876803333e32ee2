"""The guest agent of a running guest: its channel, when it is there, and what is asked of it.

QEMU tells when the agent opens its port in the guest (VSERPORT_CHANGE); until then commands fail at once with
libvirt's error 86.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import AgentError, Code, InvalidArgumentError, LibvirtError, OperationInvalidError, Origin
from guesthouse.qemu import agent_reports
from guesthouse.qemu.agent import DEFAULT_DEADLINE, Agent
from guesthouse.qemu.json_value import Json, Sendable
from guesthouse.qemu.monitor import QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainQemuAgentCommandTimeoutValues`, in seconds.
_PATIENCE = {-2: 3600.0, -1: DEFAULT_DEADLINE, 0: 0.01}

#: More seconds than this are more nanoseconds than an agent knows.
_LONGEST_TIME = (2**63 - 1) // 1_000_000_000

#: `virConnectDomainEventAgentLifecycleState` and its reasons.
_CONNECTED, _DISCONNECTED = 1, 2
_DOMAIN_STARTED, _CHANNEL = 1, 2


def attach(driver: Guests, guest: Guest, run: Run) -> None:
    """Connect to the agent's channel, where the guest has one."""
    channel = devices.agent_channel(run.live)
    if channel is None or run.agent is not None:
        return
    path = channel.path
    if channel.type != "unix" or path is None:
        return

    def closed() -> None:
        run.agent = None

    with contextlib.suppress(OSError):
        run.agent = Agent.connect(path, closed)
    run.agent_connected = channel.target.state == "connected"
    if run.agent is not None:
        state = _CONNECTED if run.agent_connected else _DISCONNECTED
        driver.events.publish(EventId.AGENT_LIFECYCLE, guest, state, _DOMAIN_STARTED)


def channel_changed(driver: Guests, guest: Guest, run: Run, alias: str, *, connected: bool) -> None:
    """A channel's port was opened or closed in the guest."""
    channel = devices.channel_by_alias(run.live, alias)
    if channel is None:
        return
    devices.set_channel_state(channel, connected=connected)
    guest.changed()
    if channel is not devices.agent_channel(run.live) or run.agent_connected == connected:
        return
    run.agent_connected = connected
    state = _CONNECTED if connected else _DISCONNECTED
    driver.events.publish(EventId.AGENT_LIFECYCLE, guest, state, _CHANNEL)


def present(guest: Guest) -> Agent:
    """The agent. Raises `OperationInvalidError` (off, or paused), error 74 (no channel) and error 86 (nobody there)."""
    run = guest.live()
    if guest.state.word != "running":
        raise OperationInvalidError("domain is not running", hint="resume it first")
    if devices.agent_channel(run.live) is None:
        raise LibvirtError("QEMU guest agent is not configured", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU)
    if run.agent is None or not run.agent_connected:
        raise AgentError("QEMU guest agent is not connected")
    return run.agent


def check_running(guest: Guest) -> None:
    """Raise `OperationInvalidError` for a guest that is off, where libvirt asks for the agent before the state."""
    if not guest.active:
        raise OperationInvalidError("domain is not running")


async def ask(
    guest: Guest, command: str, arguments: Mapping[str, Sendable] | None = None, *, deadline: float = DEFAULT_DEADLINE
) -> Json:
    """What the agent answers a command; within `deadline` seconds, unless clients want another patience."""
    patience = guest.live().agent_patience
    return await present(guest).execute(command, arguments, deadline=deadline if patience is None else patience)


def set_patience(guest: Guest, seconds: int) -> None:
    """Wait so long for the answers of the agent: -2 for as long as it takes, -1 as ever, 0 not at all."""
    guest.live().agent_patience = None if seconds == -1 else patience_of(seconds)


def patience_of(seconds: int) -> float:
    """The deadline that a client means. Raises `InvalidArgumentError`."""
    if seconds < -2:
        raise InvalidArgumentError(f"guest agent timeout '{seconds}' is less than the minimum '-2'", domain=Origin.QEMU)
    return _PATIENCE.get(seconds, float(seconds))


async def shut_down(guest: Guest, mode: str) -> None:
    """Have the agent power the guest off (`powerdown`) or reboot it (`reboot`)."""
    await present(guest).shutdown(mode)


async def hostname(guest: Guest) -> str:
    """The guest's own name for itself."""
    return await present(guest).hostname()


async def interfaces(guest: Guest) -> list[agent_reports.GuestInterface]:
    """The guest's network interfaces with their addresses."""
    return agent_reports.interfaces(await present(guest).execute("guest-network-get-interfaces"))


async def get_time(guest: Guest) -> tuple[int, int]:
    """The guest's clock: seconds since 1970 and nanoseconds."""
    return divmod(await present(guest).get_time(), 1_000_000_000)


async def set_time(guest: Guest, seconds: int, nanoseconds: int, *, from_rtc: bool) -> None:
    """Set the guest's clock, or with `from_rtc` from its hardware clock.

    Ticks that QEMU holds back for a guest that was behind must not come any more. Raises `InvalidArgumentError`.
    """
    if not from_rtc and seconds > _LONGEST_TIME:
        raise InvalidArgumentError(f"Time '{seconds}' is too big for guest agent", domain=Origin.QEMU)
    arguments = None if from_rtc else {"time": seconds * 1_000_000_000 + nanoseconds}
    await ask(guest, "guest-set-time", arguments)
    with contextlib.suppress(QmpError):  # machines without such a clock have no such command
        await guest.live().talk().execute("rtc-reset-reinjection")


async def command(guest: Guest, text: str, patience: int) -> str:
    """A command of the client's own. `patience` in seconds; -2 blocks, -1 is the default, 0 does not wait."""
    return await present(guest).command_line(text, deadline=patience_of(patience))
