"""All commands: found by name one module at a time, or walked through as a whole.

`find` is for running a command. `commands` and `GROUPS` are for whoever needs them all: the help, the completion, the
generated documentation.
"""

from __future__ import annotations

from guesthouse.cli.index import MODULE_OF, MODULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guesthouse.cli.grammar import Command

#: Keyword and title of each group, in the order in which `help` shows them.
GROUPS: tuple[tuple[str, str], ...] = (
    ("domain", "Domain Management"),
    ("monitor", "Domain Monitoring"),
    ("events", "Domain Events"),
    ("host", "Host and Hypervisor"),
    ("filter", "Network Filter"),
    ("interface", "Interface"),
    ("network", "Networking"),
    ("nodedev", "Node Device"),
    ("secret", "Secret"),
    ("pool", "Storage Pool"),
    ("volume", "Storage Volume"),
    ("virsh", "Virsh itself"),
    ("guest", "Guest itself"),
)


def _table(module: str) -> tuple[Command, ...]:
    loaded = __import__(f"guesthouse.cli.commands.{module}", fromlist=["COMMANDS"])
    table: tuple[Command, ...] = loaded.COMMANDS
    return table


def find(name: str, *, ours: bool = True) -> Command | None:
    """The command of this name, or None. An alias gives the command that it stands for."""
    module = MODULE_OF.get(name)
    if module is None:
        return None
    command = next(one for one in _table(module) if one.name == name)
    if command.ours and not ours:
        return None
    return find(command.alias, ours=ours) if command.alias else command


def commands(*, ours: bool = True) -> Iterator[Command]:
    """Every command, aliases and hidden ones among them, in the order of the modules; loads all modules."""
    for module in MODULES:
        for command in _table(module):
            if ours or not command.ours:
                yield command


def visible(group: str, *, ours: bool = True) -> list[Command]:
    """The commands of one group that `help` shows, by name."""
    shown = (one for one in commands(ours=ours) if one.group == group and not one.hidden and not one.alias)
    return sorted(shown, key=lambda command: command.name)
