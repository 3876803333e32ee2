"""A definition as the command line of QEMU: what `domxml-to-native qemu-argv` shows.

Nothing is started and nothing is made on the host, so that the text shows what would run: descriptors, ports and
sockets that only a start has are missing, and network cards that need a host's device become `ethernet` ones.

Source: libvirt's `docs/drvqemu.rst`, section "Converting from domain XML to QEMU args".
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from guesthouse.drivers.domain import definitions, environment
from guesthouse.errors import InvalidArgumentError
from guesthouse.model.domain.command_line import prepare, realise
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.qemu_objects import quoted

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: The one format that there is.
QEMU_ARGV = "qemu-argv"


async def command_line(driver: Guests, native_format: str, xml: str) -> str:
    """One line for a shell: environment, program, arguments.

    Raises `InvalidArgumentError` for another format than `qemu-argv`, and what `definitions.read` raises.
    """
    if native_format != QEMU_ARGV:
        raise InvalidArgumentError(f"unsupported config type {native_format}", hint=f"the format is '{QEMU_ARGV}'")
    domain = copy(await definitions.read(driver, xml))
    launch = await context(driver, domain)
    prepare(domain, launch)
    command = realise(domain, launch)
    variables = environment.of_guest(launch.guest_dir, command.environment)
    words = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join([*words, *map(shlex.quote, command.argv)])


async def context(driver: Guests, domain: Domain) -> LaunchContext:
    """What the model is told of a guest that is not started: the places that it would have."""
    where = driver.store.where(-1, domain.name)
    home = str(where.private)
    return LaunchContext(
        caps=await driver.emulators.capabilities(domain.devices.emulator or ""),
        guest_dir=home,
        channel_dir=str(where.channels),
        passt_dir=home,
        short_name=where.private.name.removeprefix("domain-"),
        accel="kvm" if domain.type == "kvm" else "tcg",
        host_arch=driver.settings.defaults.host_arch,
        vnc_listen=driver.settings.defaults.vnc_listen,
        monitor=(
            *("-chardev", f"socket,id=charmonitor,path={quoted(str(where.monitor))},server=on,wait=off"),
            *("-mon", "chardev=charmonitor,id=monitor,mode=control"),
        ),
    )
