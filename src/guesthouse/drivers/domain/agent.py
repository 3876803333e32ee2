"""The guest agent of a running guest: its channel, when it is there, and what is asked of it.

QEMU tells when the agent opens its port in the guest (VSERPORT_CHANGE); until then commands fail at once with
libvirt's error 86.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import devices
from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import AgentError, Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.qemu import agent_reports
from guesthouse.qemu.agent import Agent
from guesthouse.qemu.json_value import objects

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

log = logging.getLogger(__name__)

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


async def shut_down(guest: Guest, mode: str) -> None:
    """Have the agent power the guest off (`powerdown`) or reboot it (`reboot`)."""
    await present(guest).shutdown(mode)


async def hostname(guest: Guest) -> str:
    """The guest's own name for itself."""
    return await present(guest).hostname()


async def interfaces(guest: Guest) -> list[agent_reports.GuestInterface]:
    """The guest's network interfaces with their addresses."""
    return agent_reports.interfaces(await present(guest).execute("guest-network-get-interfaces"))


async def processors(guest: Guest) -> list[bool]:
    """Of each processor that the guest sees, whether it is online."""
    answer = await present(guest).execute("guest-get-vcpus")
    return [item.get("online") is True for item in objects(answer, "the guest's processors")]


async def get_time(guest: Guest) -> tuple[int, int]:
    """The guest's clock: seconds since 1970 and nanoseconds."""
    return divmod(await present(guest).get_time(), 1_000_000_000)


async def set_time(guest: Guest, seconds: int, nanoseconds: int, *, from_rtc: bool) -> None:
    """Set the guest's clock, or with `from_rtc` from its hardware clock."""
    await present(guest).set_time(None if from_rtc else seconds * 1_000_000_000 + nanoseconds)


async def command(guest: Guest, text: str, patience: int) -> str:
    """A command of the client's own. `patience` in seconds; -2 blocks, -1 is the default, 0 does not wait."""
    deadlines = {-2: 3600.0, -1: 5.0, 0: 0.01}
    if patience < -2:
        raise LibvirtError(f"guest agent timeout '{patience}' is less than the minimum '-2'", code=Code.INVALID_ARG)
    return await present(guest).command_line(text, deadline=deadlines.get(patience, float(patience)))
