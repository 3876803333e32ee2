"""Places on networks: `net-port-create`, `net-port-dumpxml`, `net-port-delete`, `net-port-list`."""

from __future__ import annotations

from guesthouse.cli.context import uuid_bytes
from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, file, flag
from guesthouse.cli.networks import find, network
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.network_port import Port


def run_create(context: Context, args: Arguments) -> None:
    """Make a place on a network."""
    from guesthouse.client.network_port import VALIDATE, create

    found = find(context, args)
    path = args.need("file")
    text = read_document(path)
    with context.during(f"Failed to create network from {path}"):
        made = create(found, text, VALIDATE if args.has("validate") else 0)
    if args.has("json"):
        context.dump({"uuid": made.uuid})
    else:
        context.remark(f"Network port {made.uuid} created from {path}\n")


def run_dumpxml(context: Context, args: Arguments) -> None:
    """Print a place's document."""
    port = _port(context, args)
    if port is not None:
        print_document(context, args, port.xml())


def run_delete(context: Context, args: Arguments) -> None:
    """Give a place back."""
    port = _port(context, args)
    if port is None:
        return
    with context.during(f"Failed to delete network port {port.uuid}"):
        port.delete()
    context.remark(f"Network port {port.uuid} deleted\n")


def run_list(context: Context, args: Arguments) -> None:
    """Print the places on a network."""
    from guesthouse.client.network_port import ports

    if args.has("table") and args.has("uuid"):
        raise CommandError("Only one argument from --table and --uuid may be specified.")
    uuids = sorted(port.uuid for port in ports(find(context, args)))
    if args.has("json"):
        context.dump([*uuids])
    elif args.has("uuid"):
        context.print("".join(f"{uuid}\n" for uuid in uuids))
    else:
        context.table(("UUID",), [(uuid,) for uuid in uuids])


def _port(context: Context, args: Arguments) -> Port | None:
    """The place that `--port` names; None where there is none and nobody is to fail for it: virsh ends well then."""
    from guesthouse.client.network_port import by_uuid

    found = find(context, args)
    name = args.need("port")
    uuid = uuid_bytes(name)
    try:
        if uuid is not None:
            return by_uuid(found, uuid)
    except LibvirtError:
        context.error(f"failed to get network port '{name}'")
        if context.ours:
            raise
        return None
    context.error(f"failed to get network port '{name}'")
    if context.ours:
        raise CommandError
    return None


PORT = Option("port", "string", "the place: its UUID", required=True, positional=True)

COMMANDS = (
    Command(
        "net-port-create",
        "network",
        "make a place on a network",
        run_create,
        (network(), file("its document"), flag("validate", "and check it against the schema")),
        description="Make a place on an active network. It stays until it is deleted or the network stops.",
        shape="{uuid}",
    ),
    Command(
        "net-port-dumpxml",
        "network",
        "print a place on a network as XML",
        run_dumpxml,
        (
            network(),
            PORT,
            Option("xpath", "string", "only the nodes that this XPath picks"),
            flag("wrap", "and those below one element"),
        ),
        description="Print a place on a network as XML: whose it is, and how it is plugged in.",
        shape=SHAPE,
    ),
    Command(
        "net-port-delete",
        "network",
        "delete a place on a network",
        run_delete,
        (network(), PORT),
        description="Delete a place on a network. A guest that has it keeps its card.",
    ),
    Command(
        "net-port-list",
        "network",
        "list the places on a network",
        run_list,
        (network(), flag("uuid", "print their UUIDs only"), flag("table", "print a table, as without an option")),
        description="List the places that are given on an active network.",
        shape="[uuid]",
    ),
)
