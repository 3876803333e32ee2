"""Which module of `guesthouse.cli.commands` holds which command, so that one command loads one module.

A test holds this table against the modules' own records.
"""

from __future__ import annotations

#: Module to the names of its commands, in the order of the modules' own tables.
MODULES: dict[str, tuple[str, ...]] = {
    "domain_list": ("list",),
    "shell_itself": (
        "cd",
        "echo",
        "exit",
        "help",
        "pwd",
        "quit",
        "connect",
        "complete",
        "__complete",
        "completion",
    ),
}

#: Command name to module.
MODULE_OF: dict[str, str] = {name: module for module, names in MODULES.items() for name in names}
