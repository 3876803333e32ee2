"""A definition as the command line of QEMU: what `domxml-to-native qemu-argv` shows.

Nothing is started and nothing is made on the host, so that the text shows what would run: descriptors, ports and
sockets that only a start has are missing, and network cards that need a host's device become `ethernet` ones.

Source: libvirt's `docs/drvqemu.rst`, section "Converting from domain XML to QEMU args".
"""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions
from guesthouse.drivers.domain.displays import places
from guesthouse.drivers.domain.host_devices import parts
from guesthouse.drivers.domain.lifecycle import environment, surroundings
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.secrets import MASTER_KEY_SIZE, sealer
from guesthouse.model.domain.tap_ends import TapEnds
from guesthouse.model.qemu_objects import quoted

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Types of network cards whose backend is made when a guest starts.
_OF_THE_HOST = ("network", "bridge", "direct", "vdpa")
_FIRST_PORT = 5900
_FIRST_WEBSOCKET = 5700
#: A number for a descriptor that QEMU would be given.
_FIRST_TAP = 22

#: The one format that there is.
QEMU_ARGV = "qemu-argv"


async def command_line(driver: Guests, native_format: str, xml: str) -> str:
    """One line for a shell: environment, program, arguments.

    Raises `InvalidArgumentError` for another format than `qemu-argv`, and what `definitions.read` raises.
    """
    if native_format != QEMU_ARGV:
        raise InvalidArgumentError(
            f"unsupported config type {native_format}", domain=Origin.QEMU, hint=f"the format is '{QEMU_ARGV}'"
        )
    domain = copy(await definitions.read(driver, xml))
    launch = await context(driver, domain)
    prepare(domain, launch)
    command = realise(domain, launch)
    variables = environment.of_guest(launch.guest_dir, command.environment)
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join([*words, *map(shlex.quote, command.argv)])


async def context(driver: Guests, domain: Domain) -> LaunchContext:
    """What the model is told of a guest that is not started: the places that it would have.

    Makes `domain` one that needs nothing of a start: cards that would be given a device of the host get an `ethernet`
    backend instead, as libvirt shows them, screens the first ports, and secrets a value of no meaning.
    """
    where = driver.store.where(-1, domain.name)
    run = Run(domain, where)
    for card in domain.devices.interfaces:
        if card.type in _OF_THE_HOST:
            card.type, card.source, card.virtual_port = "ethernet", None, None
    for number, graphics in enumerate(domain.devices.graphics):
        if graphics.on_network and graphics.port in (None, -1):
            graphics.port = _FIRST_PORT + number
        if graphics.websocket == -1:
            graphics.websocket = _FIRST_WEBSOCKET + number
    for device in domain.devices.all():
        await parts.look(driver, device)
    capabilities = await driver.emulators.capabilities(domain.devices.emulator or "")
    surrounding = await places.located(driver, domain, surroundings.of_run(driver, run, capabilities))
    return dataclasses.replace(
        surrounding,
        parts=parts.imagined(surrounding.parts),
        secret=lambda _usage, _reference: b"",
        seal=sealer(bytes(MASTER_KEY_SIZE)),
        tap_ends=lambda _alias, queues, _vhost: TapEnds(tuple(str(_FIRST_TAP + place) for place in range(queues))),
        monitor=(
            *("-chardev", f"socket,id=charmonitor,path={quoted(str(where.monitor))},server=on,wait=off"),
            *("-mon", "chardev=charmonitor,id=monitor,mode=control"),
        ),
    )
