"""Which interfaces there are, and starting and stopping them: `iface-list`, `iface-name`, `iface-mac`, `iface-start`,
`iface-destroy`.
"""

from __future__ import annotations

from guesthouse.cli.grammar import Command, flag
from guesthouse.cli.interfaces import find, interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments


def run_list(context: Context, args: Arguments) -> None:
    """Print the interfaces that are up, or those that options ask for."""
    from guesthouse.client.interface import ACTIVE, INACTIVE, interfaces

    args.exclusive("all", "inactive")
    flags = INACTIVE if args.has("inactive") else ACTIVE
    if args.has("all"):
        flags = ACTIVE | INACTIVE
    with context.during("Failed to list interfaces"):
        found = sorted(interfaces(context.connection, flags), key=lambda one: one.name.lower())
    if args.has("json"):
        context.dump([{"name": one.name, "active": one.is_active(), "mac": one.mac or None} for one in found])
    else:
        rows = [(one.name, "active" if one.is_active() else "inactive", one.mac) for one in found]
        context.table(("Name", "State", "MAC Address"), rows)


def run_name(context: Context, args: Arguments) -> None:
    """Print the name of the interface with a MAC address."""
    name = find(context, args, "m").name
    if args.has("json"):
        context.dump({"name": name})
    else:
        context.print(f"{name}\n")


def run_mac(context: Context, args: Arguments) -> None:
    """Print the MAC address of an interface."""
    mac = find(context, args, "n").mac
    if args.has("json"):
        context.dump({"mac": mac or None})
    else:
        context.print(f"{mac}\n")


def run_start(context: Context, args: Arguments) -> None:
    """Bring an interface up."""
    found = find(context, args)
    name = args.need("interface")
    with context.during(f"Failed to start interface {name}"):
        found.create()
    context.remark(f"Interface {name} started\n")


def run_destroy(context: Context, args: Arguments) -> None:
    """Bring an interface down."""
    found = find(context, args)
    name = args.need("interface")
    with context.during(f"Failed to destroy interface {name}"):
        found.destroy()
    context.remark(f"Interface {name} destroyed\n")


COMMANDS = (
    Command(
        "iface-list",
        "interface",
        "list the interfaces of the host",
        run_list,
        (flag("inactive", "those that are down"), flag("all", "those that are up and those that are down")),
        description="List the host's network interfaces that are up, or those that options ask for. What is in a "
        "bridge or a bond is part of that.",
        shape="[{name, active, mac: text or null}]",
    ),
    Command(
        "iface-name",
        "interface",
        "print the name of an interface",
        run_name,
        (interface("the interface: its MAC address", ""),),
        description="Print the name of the one interface with a MAC address.",
        shape="{name}",
    ),
    Command(
        "iface-mac",
        "interface",
        "print the MAC address of an interface",
        run_mac,
        (interface("the interface: its name"),),
        description="Print the MAC address of the interface of a name.",
        shape="{mac: text or null}",
    ),
    Command(
        "iface-start",
        "interface",
        "bring an interface up",
        run_start,
        (interface(),),
        description="Bring an interface up as it is configured, with all that is in it.",
    ),
    Command(
        "iface-destroy",
        "interface",
        "bring an interface down",
        run_destroy,
        (interface(),),
        description="Bring an interface down at once. A bridge, a bond or a VLAN goes; its configuration stays.",
    ),
)
