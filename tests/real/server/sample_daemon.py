"""`guesthoused` with a small driver whose handlers do every kind of thing that a handler may do."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

from guesthouse.drivers.api import Caller, DaemonSettings, Driver, Handler, StreamIn, StreamOut, read, write
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures.connect import (
    CONNECT_GET_CAPABILITIES,
    CONNECT_GET_HOSTNAME,
    CONNECT_GET_TYPE,
    ConnectGetCapabilitiesRet,
    ConnectGetHostnameRet,
)
from guesthouse.rpc.procedures.domain import DOMAIN_CREATE, DOMAIN_SUSPEND
from guesthouse.rpc.procedures.domain_devices import (
    DOMAIN_OPEN_CONSOLE,
    DOMAIN_OPEN_GRAPHICS,
    DOMAIN_OPEN_GRAPHICS_FD,
    DomainOpenConsoleArgs,
)
from guesthouse.rpc.procedures.domain_save import DOMAIN_ABORT_JOB, DOMAIN_SAVE
from guesthouse.rpc.procedures.events import CONNECT_EVENT_CONNECTION_CLOSED, ConnectEventConnectionClosedMsg
from guesthouse.server.main import main

BIG = "x" * (1 << 20)
FLOOD = 1


class Sample:
    """The driver's state: one job that waits until it is aborted, and how many connections have ended."""

    def __init__(self, places: Places, settings: DaemonSettings) -> None:
        self.aborted = asyncio.Event()
        self.gone = 0
        self.aborts = 0
        self.marker = places.lib / "running"

    @property
    def table(self) -> dict[Procedure, Handler[object]]:
        return TABLE

    @property
    def busy(self) -> bool:
        return self.marker.exists()

    async def start(self) -> None:
        """Nothing to load."""

    async def reload(self) -> None:
        """Leave a trace."""
        self.marker.with_name("reloaded").touch()

    async def stop(self) -> None:
        """Leave a trace."""
        self.marker.with_name("stopped").touch()


class Echo(StreamIn):
    """Sends back what it gets."""

    def __init__(self, driver: Sample) -> None:
        self.driver = driver
        self.out: StreamOut | None = None
        self.slow = False

    def received(self, data: bytes) -> None:
        assert self.out is not None
        if data == b"raise":
            raise ValueError("the echo is broken")
        self.out.send(data)
        if data == b"end":
            self.out.end()
        elif data == b"fail":
            self.out.fail(ValueError("on demand"))

    def drained(self) -> None:
        if self.slow and self.out is not None:
            self.out.pause_input()
            asyncio.get_running_loop().call_later(0.5, self.out.resume_input)

    def abort(self) -> None:
        self.driver.aborts += 1


class Flood(Echo):
    """Sends without end, as fast as the client reads."""

    def drained(self) -> None:
        assert self.out is not None
        while not self.out.congested:
            self.out.send(b"z" * 65536)


def hostname(driver: Sample, caller: Caller, args: None) -> ConnectGetHostnameRet:
    return ConnectGetHostnameRet(f"gone={driver.gone} aborts={driver.aborts} fds={len(os.listdir('/proc/self/fd'))}")


def capabilities(driver: Sample, caller: Caller, args: None) -> ConnectGetCapabilitiesRet:
    return ConnectGetCapabilitiesRet(BIG)


def broken(driver: Sample, caller: Caller, args: None) -> None:
    raise ValueError("a mistake in the driver")


async def wait_for_abort(driver: Sample, caller: Caller, args: object) -> None:
    await driver.aborted.wait()


async def abort(driver: Sample, caller: Caller, args: object) -> None:
    driver.aborted.set()


def event(driver: Sample, caller: Caller, args: object) -> None:
    def gone() -> None:
        driver.gone += 1

    caller.when_closed(gone)
    caller.send_message(CONNECT_EVENT_CONNECTION_CLOSED, ConnectEventConnectionClosedMsg(3))


async def events(driver: Sample, caller: Caller, args: object) -> None:
    for _ in range(2000):
        for _ in range(500):
            caller.send_message(CONNECT_EVENT_CONNECTION_CLOSED, ConnectEventConnectionClosedMsg(3))
        await asyncio.sleep(0)


def console(driver: Sample, caller: Caller, args: DomainOpenConsoleArgs) -> None:
    incoming = Flood(driver) if args.flags & FLOOD else Echo(driver)
    incoming.out = caller.open_stream(incoming)
    incoming.slow = args.dev_name == "slow"
    incoming.out.send(b"welcome ")
    if args.dev_name == "refused":
        raise ValueError("no such console")
    incoming.drained()


async def give_fd(driver: Sample, caller: Caller, args: object) -> None:
    await asyncio.sleep(0)
    reader, writer = os.pipe()
    os.write(writer, b"hello")
    os.close(writer)
    caller.reply_fds([reader])


def take_fd(driver: Sample, caller: Caller, args: object) -> None:
    for descriptor in caller.take_fds():
        os.write(descriptor, b"thanks")
        os.close(descriptor)


TABLE: dict[Procedure, Handler[object]] = {
    CONNECT_GET_HOSTNAME: read(hostname),
    CONNECT_GET_CAPABILITIES: read(capabilities),
    CONNECT_GET_TYPE: read(broken),
    DOMAIN_SAVE: write(wait_for_abort),
    DOMAIN_ABORT_JOB: write(abort),
    DOMAIN_CREATE: write(event),
    DOMAIN_SUSPEND: read(events),
    DOMAIN_OPEN_CONSOLE: write(console),
    DOMAIN_OPEN_GRAPHICS_FD: write(give_fd),
    DOMAIN_OPEN_GRAPHICS: write(take_fd),
}

MAKERS: tuple[Callable[[Places, DaemonSettings], Driver], ...] = (Sample,)

if __name__ == "__main__":
    sys.exit(main(makers=MAKERS))
