"""The objects of a device in a running QEMU: made one after the other, and taken away in reverse order.

What the model calls a `QemuObject` says by itself which command makes it and which one removes it. Backends come first,
what the guest sees comes last: QEMU then refuses most of what it refuses before the guest has seen anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence

from guesthouse.drivers.domain.disks import refusal
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError, OperationUnsupportedError
from guesthouse.model.qemu_objects import Command, Device, FdSet, NamedDescriptor, QemuObject
from guesthouse.qemu.json_value import objects, text_of
from guesthouse.qemu.monitor import DEFAULT_DEADLINE, MonitorTimeout, QmpError

log = logging.getLogger(__name__)

#: Where QEMU keeps the devices that have an id.
PERIPHERAL = "/machine/peripheral"

#: How long a device that was just made may take to go again, in seconds.
_GOING_DEADLINE = 5.0


def backends(made: Iterable[QemuObject]) -> list[QemuObject]:
    """What the host's side is made of."""
    return [item for item in made if not isinstance(item, Device)]


def front_ends(made: Iterable[QemuObject]) -> list[Device]:
    """What the guest sees."""
    return [item for item in made if isinstance(item, Device)]


async def make(run: Run, wanted: Sequence[QemuObject], *, deadline: float = DEFAULT_DEADLINE) -> None:
    """Make all of it, or nothing; QEMU has `deadline` seconds for each part.

    Raises what QEMU says, and `OperationUnsupportedError` for what it cannot make.
    """
    made: list[QemuObject] = []
    try:
        for item in wanted:
            command = item.qmp()
            if command is None:
                raise OperationUnsupportedError(
                    f"QEMU cannot be given '{' '.join(item.arguments())}' while it runs",
                    hint="change the definition, and start the guest again",
                )
            made.append(item)  # before it is known: a command that is not answered in time may still be carried out
            await run.talk().execute(command.name, command.arguments, deadline=deadline, fd=_descriptor(item))
    except MonitorTimeout:
        raise  # nobody knows what is made: `settling` looks when QEMU answers again
    except BaseException as error:  # also where nobody waits any more: QEMU must not keep a part of it
        await asyncio.shield(unmake(run, made))
        if isinstance(error, QmpError) and (known := refusal.explained(error.desc)) is not None:
            raise known from error
        raise


async def unmake(run: Run, made: Sequence[QemuObject]) -> None:
    """Take away, the last first, what is there of it. What QEMU does not have, or does not let go of, is no failure."""
    for item in reversed(made):
        command = item.undo()
        if command is None:
            continue
        try:
            await _remove(run, item, command)
        except QmpError as error:
            log.debug("%s: %s", command.name, error.message)
        except LibvirtError as error:
            log.warning("%s: %s", command.name, error.message)
            return


async def _remove(run: Run, item: QemuObject, command: Command) -> None:
    if isinstance(item, Device):
        await _remove_device(run, item.id)
    else:
        await run.talk().execute(command.name, command.arguments)


async def _remove_device(run: Run, alias: str) -> None:
    """Ask the guest to let go of a device that it has just got, and wait a moment."""
    gone = run.unplugs.setdefault(alias, asyncio.get_running_loop().create_future())
    try:
        await run.talk().execute("device_del", {"id": alias})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(gone), _GOING_DEADLINE)
    finally:
        run.unplugs.pop(alias, None)


async def ask(run: Run, commands: Iterable[Command]) -> None:
    """Say what can only be said once the device is there."""
    for command in commands:
        await run.talk().execute(command.name, command.arguments or None)


async def plugged_aliases(run: Run) -> frozenset[str]:
    """The ids of all devices that QEMU has."""
    answer = await run.talk().execute("qom-list", {"path": PERIPHERAL})
    return frozenset(text_of(entry, "name") for entry in objects(answer, "the reply of qom-list"))


def _descriptor(item: QemuObject) -> int | None:
    return item.fd if isinstance(item, FdSet | NamedDescriptor) else None
