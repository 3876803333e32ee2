"""Devices for guests: `nodedev-detach`, `nodedev-reattach`, `nodedev-reset`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option
from guesthouse.cli.nodedevs import device, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_detach(context: Context, args: Arguments) -> None:
    """Take a device from its driver."""
    found = find(context, args)
    with context.during(f"Failed to detach device {found.name}"):
        found.detach(args.text("driver"))
    _done(context, args, found.name, "detached")


def run_reattach(context: Context, args: Arguments) -> None:
    """Give a device back to its driver."""
    found = find(context, args)
    with context.during(f"Failed to re-attach device {found.name}"):
        found.reattach()
    _done(context, args, found.name, "re-attached")


def run_reset(context: Context, args: Arguments) -> None:
    """Reset a device."""
    found = find(context, args)
    with context.during(f"Failed to reset device {found.name}"):
        found.reset()
    _done(context, args, found.name, "reset")


def _done(context: Context, args: Arguments, name: str, what: str) -> None:
    if args.has("json"):
        context.dump({"name": name})
    else:
        context.remark(f"Device {name} {what}\n")


COMMANDS = (
    Command(
        "nodedev-detach",
        "nodedev",
        "take a device from its driver",
        run_detach,
        (device(), Option("driver", "string", "bind it to this driver of VFIO, not the best one", loose=True)),
        description="Take a PCI device from its driver, so that a guest can have it.",
        shape="{name}",
    ),
    Command("nodedev-dettach", "nodedev", "nodedev-detach", run_detach, alias="nodedev-detach"),
    Command(
        "nodedev-reattach",
        "nodedev",
        "give a device back to its driver",
        run_reattach,
        (device(),),
        description="Give a PCI device that was detached back to its own driver.",
        shape="{name}",
    ),
    Command(
        "nodedev-reset",
        "nodedev",
        "reset a device",
        run_reset,
        (device(),),
        description="Reset a PCI device, before it goes to a guest or after it came back.",
        shape="{name}",
    ),
)
