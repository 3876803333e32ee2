"""Trying a network configuration out: `iface-begin`, `iface-commit`, `iface-rollback`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

_WHAT = "network config change transaction"


def run_begin(context: Context, args: Arguments) -> None:
    """Keep the configuration as it is."""
    from guesthouse.client.interface import begin

    with context.during(f"Failed to begin {_WHAT}"):
        begin(context.connection)
    context.remark("Network config change transaction started\n")


def run_commit(context: Context, args: Arguments) -> None:
    """Forget the configuration as it was."""
    from guesthouse.client.interface import commit

    with context.during(f"Failed to commit {_WHAT}"):
        commit(context.connection)
    context.remark("Network config change transaction committed\n")


def run_rollback(context: Context, args: Arguments) -> None:
    """Bring back the configuration as it was."""
    from guesthouse.client.interface import rollback

    with context.during(f"Failed to rollback {_WHAT}"):
        rollback(context.connection)
    context.remark("Network config change transaction rolled back\n")


COMMANDS = (
    Command(
        "iface-begin",
        "interface",
        "keep the interfaces' configuration to come back to",
        run_begin,
        description="Keep the host's network configuration as it is, until iface-commit or iface-rollback. A reboot of "
        "the host brings it back, too.",
    ),
    Command(
        "iface-commit",
        "interface",
        "keep the changes since iface-begin",
        run_commit,
        description="Keep the changes since iface-begin, and forget the network configuration as it was.",
    ),
    Command(
        "iface-rollback",
        "interface",
        "undo the changes since iface-begin",
        run_rollback,
        description="Bring back the network configuration that iface-begin kept, and what was up then.",
    ),
)
