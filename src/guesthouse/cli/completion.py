"""Completion: what may come next on a line that is half typed. Serves the interactive shell and the shells outside.

`candidates` looks at the words before the one that is typed and at its beginning. Names of guests and the like come
from the daemon; where it cannot be asked, there are none.
"""

from __future__ import annotations

from guesthouse.cli import registry
from guesthouse.cli.failure import CommandError
from guesthouse.cli.index import MODULE_OF
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Command, Option


def candidates(context: Context, words: list[str], begun: str) -> list[str]:
    """What the word that begins with `begun` can be, after `words`; sorted."""
    if not words:
        return sorted(name for name in _names(ours=context.ours) if name.startswith(begun))
    command = registry.find(words[0], ours=context.ours)
    if command is None:
        return []
    waiting, used = _position(command, words[1:])
    if waiting is not None:
        return _values(context, waiting, begun)
    found: list[str] = []
    if begun.startswith("-") or not begun:
        found = [f"--{option.name}" for option in _options(command, context) if option.name not in used]
    if not begun.startswith("-"):
        bare = next((one for one in command.options if one.positional and _free(one, used)), None)
        if bare is not None:
            found = _values(context, bare, begun) or found
    return sorted(one for one in found if one.startswith(begun))


def _free(option: Option, used: set[str]) -> bool:
    return option.kind == "argv" or option.name not in used


def _names(*, ours: bool) -> list[str]:
    hidden = {"__complete", "complete", "self-test"}
    names = [name for name in MODULE_OF if name not in hidden]
    return names if ours else [name for name in names if registry.find(name, ours=False)]


def _options(command: Command, context: Context) -> list[Option]:
    from guesthouse.cli.helptext import options

    return options(command, ours=context.ours)


def _position(command: Command, words: list[str]) -> tuple[Option | None, set[str]]:
    """The option whose value comes next, if the line ends with its name, and the options that are there already."""
    used: set[str] = set()
    waiting: Option | None = None
    for word in words:
        if waiting is not None:
            waiting = None
        elif word.startswith("--"):
            name, sign, _ = word[2:].partition("=")
            option = next((one for one in command.options if one.name == name), None)
            used.add(name)
            if option is not None and option.kind in ("string", "int", "argv") and not sign:
                waiting = option
        else:
            bare = next((one for one in command.options if one.positional and _free(one, used)), None)
            if bare is not None:
                used.add(bare.name)
    return waiting, used


def _values(context: Context, option: Option, begun: str) -> list[str]:
    """What an option's value can be."""
    if option.complete == "file":
        return _paths(begun)
    if option.complete == "command":
        return sorted(name for name in _names(ours=context.ours) if name.startswith(begun))
    if option.complete in _OBJECTS:
        try:
            names = _OBJECTS[option.complete](context)
        except (CommandError, LibvirtError):
            return []
    else:
        names = option.complete.split()
    return sorted(name for name in names if name.startswith(begun))


def _domains(context: Context) -> list[str]:
    return [domain.name for domain in context.connection.domains()]


def _secrets(context: Context) -> list[str]:
    from guesthouse.client.secret import secrets

    return [secret.uuid for secret in secrets(context.connection)]


def _interfaces(context: Context) -> list[str]:
    from guesthouse.client.interface import interfaces

    return [found.name for found in interfaces(context.connection)]


def _networks(context: Context) -> list[str]:
    from guesthouse.client.network import networks

    return [network.name for network in networks(context.connection)]


def _nwfilters(context: Context) -> list[str]:
    from guesthouse.client.nwfilter import filters

    return [found.name for found in filters(context.connection)]


def _nwfilter_bindings(context: Context) -> list[str]:
    from guesthouse.client.nwfilter import bindings

    return [found.device for found in bindings(context.connection)]


def _node_devices(context: Context) -> list[str]:
    from guesthouse.client.nodedev import devices

    return [device.name for device in devices(context.connection)]


def _pools(context: Context) -> list[str]:
    from guesthouse.client.pools import pools

    return [pool.name for pool in pools(context.connection)]


def _volumes(context: Context) -> list[str]:
    from guesthouse.client.pools import pools
    from guesthouse.client.volumes import volumes

    return [volume.name for pool in pools(context.connection, 2) for volume in volumes(pool)]


#: What an option may say it completes with, to what asks the daemon for it.
_OBJECTS: dict[str, Callable[[Context], list[str]]] = {
    "domain": _domains,
    "interface": _interfaces,
    "network": _networks,
    "nodedev": _node_devices,
    "nwfilter": _nwfilters,
    "nwfilter-binding": _nwfilter_bindings,
    "pool": _pools,
    "secret": _secrets,
    "volume": _volumes,
}


def _paths(begun: str) -> list[str]:
    from glob import escape, glob
    from os.path import isdir

    return sorted(path + "/" if isdir(path) else path for path in glob(escape(begun) + "*"))
