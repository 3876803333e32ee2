"""Who brings interfaces up and down here: the program that configures this host, or the kernel asked by us.

Under `--root` it is always the kernel: the programs would look at the host's own files.

Source: nmcli(1), networkctl(1), ifup(8).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

from guesthouse.drivers.interface import realising
from guesthouse.drivers.interface.formats import Files, Format
from guesthouse.drivers.interface.formats.ifupdown import IfUpDown
from guesthouse.drivers.interface.formats.keyfile import KeyFiles, uuid_of
from guesthouse.drivers.interface.formats.networkd import Networkd
from guesthouse.drivers.interface.link import Link, Links, tree
from guesthouse.errors import OperationTimeoutError
from guesthouse.host import child, links
from guesthouse.places import Places

P = ParamSpec("P")
T = TypeVar("T")

#: How long a program may take, in seconds: DHCP takes its time. The kernel takes none, but its lock may be held.
_DEADLINE: Final = 90.0
_KERNEL_DEADLINE: Final = 30.0
_FORMATS: Final[tuple[Format, ...]] = (KeyFiles(), Networkd(), IfUpDown())


class Manager(Protocol):
    """Brings interfaces up and down. `known` is all that is configured, `files` how.

    What is configured anew is not told before it is to be up: two of the programs would bring it up at once.
    """

    async def gone(self, removed: Collection[Link]) -> None:
        """These are configured no longer."""

    async def up(self, known: Links, name: str, files: Files) -> None:
        """Bring an interface up with all that is in it."""

    async def down(self, known: Links, name: str, files: Files) -> None:
        """Bring an interface down. The kernel then removes what exists only by its configuration; others may not."""


class Kernel:
    """The kernel itself."""

    async def gone(self, removed: Collection[Link]) -> None:
        """It knows no configuration."""

    async def up(self, known: Links, name: str, files: Files) -> None:
        """Raises `UnsupportedConfigError`, `OperationFailedError`, `LinkError`."""
        realising.check(known, name)
        await in_time(realising.start, known, name)

    async def down(self, known: Links, name: str, files: Files) -> None:
        """Raises `LinkError`."""
        await in_time(realising.stop, known, name)


class NetworkManager:
    """NetworkManager, through its command."""

    async def gone(self, removed: Collection[Link]) -> None:
        """Raises `ChildError`."""
        await _run("nmcli", "connection", "reload")

    async def up(self, known: Links, name: str, files: Files) -> None:
        """What is in it last: NetworkManager activates a master for its first port. Raises `ChildError`."""
        await _run("nmcli", "connection", "reload")
        for link in tree(known, name):
            await _run("nmcli", "connection", "up", "uuid", uuid_of(files, link.name))

    async def down(self, known: Links, name: str, files: Files) -> None:
        """Raises `ChildError`."""
        for link in reversed(tree(known, name)):
            await _run("nmcli", "connection", "down", "uuid", uuid_of(files, link.name))


class SystemdNetworkd:
    """systemd-networkd, through its command. It makes a device as soon as it reads of it, and never removes one."""

    async def gone(self, removed: Collection[Link]) -> None:
        """Raises `ChildError`."""
        await _run("networkctl", "reload")
        for link in removed:
            if link.is_virtual and links.exists(link.name):
                await _run("networkctl", "delete", link.name)

    async def up(self, known: Links, name: str, files: Files) -> None:
        """Raises `ChildError`."""
        await _run("networkctl", "reload")
        for link in tree(known, name):
            await _run("networkctl", "reconfigure", link.name)
            await _run("networkctl", "up", link.name)

    async def down(self, known: Links, name: str, files: Files) -> None:
        """Raises `ChildError`."""
        for link in tree(known, name):
            await _run("networkctl", "down", link.name)


class IfUp:
    """ifupdown's two commands."""

    async def gone(self, removed: Collection[Link]) -> None:
        """They read their files when they run."""

    async def up(self, known: Links, name: str, files: Files) -> None:
        """What is in it first: a bond has to be there, and a card may have no addresses. Raises `ChildError`."""
        for link in reversed(tree(known, name)[1:]):
            if link.is_virtual:
                await _run("ifup", link.name)
            else:
                await _run("ifdown", "--force", link.name)
                await in_time(realising.strip, link.name)
        await _run("ifup", name)

    async def down(self, known: Links, name: str, files: Files) -> None:
        """Raises `ChildError`."""
        for link in tree(known, name):
            if link.is_virtual or link.name == name:
                await _run("ifdown", link.name)


def choose(places: Places) -> tuple[Format, Manager]:
    """Whose configuration counts here, and who puts it into force. Blocks for a look at a few paths.

    Of the programs, the one that runs; else ifupdown where it is installed; else ifupdown's format for who comes later,
    put into force by the kernel. Under `--root` it is the format whose folder is there.
    """
    keyfile, networkd, ifupdown = _FORMATS
    if places.mode == "root":
        folders = {keyfile: "NetworkManager", networkd: "systemd/network", ifupdown: "network"}
        found = next((form for form in _FORMATS if (places.host_config / folders[form]).is_dir()), ifupdown)
        return found, Kernel()
    if shutil.which("nmcli") and os.path.exists("/run/NetworkManager/devices"):
        return keyfile, NetworkManager()
    if shutil.which("networkctl") and Path("/run/systemd/netif/state").exists():
        return networkd, SystemdNetworkd()
    return ifupdown, IfUp() if shutil.which("ifup") else Kernel()


def format_named(name: str) -> Format:
    """The format of a name. Raises ValueError for an unknown one."""
    for form in _FORMATS:
        if form.name == name:
            return form
    raise ValueError(f"there is no format '{name}' of a host's configuration")


async def in_time(work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    """Run what waits for the kernel, apart from the event loop. Raises `OperationTimeoutError`."""
    try:
        return await asyncio.wait_for(asyncio.to_thread(work, *arguments, **keywords), _KERNEL_DEADLINE)
    except TimeoutError:
        raise OperationTimeoutError(
            f"the kernel did not finish with a network device within {_KERNEL_DEADLINE:g} seconds"
        ) from None


async def _run(*argv: str) -> None:
    await child.check(argv, deadline=_DEADLINE)
