"""A bridge around a card, in one step: `iface-bridge`, `iface-unbridge`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.interfaces import find, interface
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lxml import etree

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: What of an interface's document belongs to the device itself, and goes with it into a bridge.
_OWN = ("mac", "bond", "vlan")


def run_bridge(context: Context, args: Arguments) -> None:
    """Put a device into a new bridge that has its addresses."""
    from guesthouse.cli import xmltool
    from guesthouse.client.interface import XML_INACTIVE, by_name, define

    name, bridge = args.need("interface"), args.need("bridge")
    found = find(context, args, "n")
    try:
        by_name(context.connection, bridge)
    except LibvirtError:
        pass
    else:
        raise CommandError(f"Network device {bridge} already exists")
    delay = args.unsigned("delay") or 0
    document = xmltool.parse(found.xml(XML_INACTIVE), indented=False)
    if document.get("type") == "bridge":
        raise CommandError(f"Existing device {name} is already a bridge")
    _wrap(document, name, bridge, None if args.has("no-stp") else delay)
    with context.during(f"Failed to define new bridge interface {bridge}"):
        made = define(context.connection, xmltool.serialized(document))
    context.remark(f"Created bridge {bridge} with attached device {name}\n")
    if not args.has("no-start"):
        with context.during(f"Failed to start bridge interface {bridge}"):
            made.create()
        context.remark(f"Bridge interface {bridge} started\n")


def _wrap(document: etree._Element, name: str, bridge: str, delay: int | None) -> None:
    """Make of a device's document that of a bridge with the device in it; without a delay it has no spanning tree."""
    from lxml import etree

    outer = etree.SubElement(document, "bridge", stp="off" if delay is None else "on")
    if delay is not None:
        outer.set("delay", str(delay))
    inner = etree.SubElement(outer, "interface", type=document.get("type") or "", name=name)
    inner.extend([child for child in document if child.tag in _OWN])
    document.set("type", "bridge")
    document.set("name", bridge)


def run_unbridge(context: Context, args: Arguments) -> None:
    """Take the only device out of a bridge, give it the bridge's addresses, and remove the bridge."""
    from guesthouse.cli import xmltool
    from guesthouse.client.interface import XML_INACTIVE, define

    bridge = args.need("bridge")
    found = find(context, args, "n", "bridge")
    document = xmltool.parse(found.xml(XML_INACTIVE), indented=False)
    name = _unwrap(document, bridge)
    with context.during(f"Failed to destroy bridge interface {bridge}"):
        found.destroy()
    with context.during(f"Failed to undefine bridge interface {bridge}"):
        found.undefine()
    with context.during(f"Failed to define new interface {name}"):
        made = define(context.connection, xmltool.serialized(document))
    context.remark(f"Device {name} un-attached from bridge {bridge}\n")
    if not args.has("no-start"):
        with context.during(f"Failed to start interface {name}"):
            made.create()
        context.remark(f"Interface {name} started\n")


def _unwrap(document: etree._Element, bridge: str) -> str:
    """Make of a bridge's document that of the device in it; returns that device's name."""
    if document.get("type") != "bridge":
        raise CommandError(f"Device {bridge} is not a bridge")
    outer = document.find("bridge")
    if outer is None:
        raise CommandError("No bridge node in xml document")
    inside = outer.findall("interface")
    if len(inside) > 1:
        raise CommandError("Multiple interfaces attached to bridge")
    if not inside:
        raise CommandError("No interface attached to bridge")
    [inner] = inside
    name = inner.get("name")
    if name is None:
        raise CommandError(f"Device attached to bridge {bridge} has no name")
    document.remove(outer)
    document.extend([child for child in inner if child.tag in _OWN])
    document.set("type", inner.get("type") or "ethernet")
    document.set("name", name)
    return name


COMMANDS = (
    Command(
        "iface-bridge",
        "interface",
        "put an interface into a new bridge",
        run_bridge,
        (
            interface("the interface to put into it: its name"),
            Option("bridge", "string", "the name of the new bridge", required=True, positional=True),
            flag("no-stp", "without the spanning tree protocol"),
            Option("delay", "int", "seconds until a new port forwards, 0 if not given", loose=True),
            flag("no-start", "do not start the bridge now"),
        ),
        description="Make a bridge with an interface in it, which hands its addresses over to the bridge. It is put "
        "into the host's own network configuration, and guests can then be on the host's network.",
    ),
    Command(
        "iface-unbridge",
        "interface",
        "remove a bridge around an interface",
        run_unbridge,
        (
            Option("bridge", "string", "the bridge: its name", required=True, positional=True, complete="interface"),
            flag("no-start", "do not start the interface in it now"),
        ),
        description="Remove a bridge, and give its addresses back to the one interface in it.",
    ),
)
