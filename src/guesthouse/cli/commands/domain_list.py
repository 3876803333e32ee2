"""`list`: which guests there are. The command that is used most; what it imports is kept small."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, flag
from guesthouse.cli.words import SHUTOFF, state
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

ACTIVE, INACTIVE = 1, 2

#: Option to filter bit (libvirt's `virConnectListAllDomainsFlags`).
FILTERS = {
    "persistent": 1 << 2,
    "transient": 1 << 3,
    "with-managed-save": 1 << 8,
    "without-managed-save": 1 << 9,
    "autostart": 1 << 10,
    "no-autostart": 1 << 11,
    "with-snapshot": 1 << 12,
    "without-snapshot": 1 << 13,
    "with-checkpoint": 1 << 14,
    "without-checkpoint": 1 << 15,
    "state-running": 1 << 4,
    "state-paused": 1 << 5,
    "state-shutoff": 1 << 6,
    "state-other": 1 << 7,
}


def run_list(context: Context, args: Arguments) -> None:
    """Print the guests that pass the filters, as a table or as bare names, ids and UUIDs."""
    args.exclusive("table", "name")
    args.exclusive("table", "id")
    domains = _collect(context, _flags(args))
    if args.has("json"):
        context.dump(_objects(domains, args))
    elif args.has("uuid") or args.has("name") or args.has("id"):
        if args.has("table"):
            _table(context, domains, args)
        else:
            _bare(context, domains, args)
    else:
        _table(context, domains, args)


def _flags(args: Arguments) -> int:
    flags = ACTIVE
    if args.has("inactive") or args.has("state-shutoff"):
        flags = INACTIVE
    if args.has("all"):
        flags = ACTIVE | INACTIVE
    for name, bit in FILTERS.items():
        if args.has(name):
            flags |= bit
    return flags


def _collect(context: Context, flags: int) -> list[Domain]:
    with context.during("Failed to list domains"):
        domains = context.connection.domains(flags)
    running = sorted((one for one in domains if one.id >= 0), key=lambda one: one.id)
    return running + sorted((one for one in domains if one.id < 0), key=lambda one: one.name.lower())


def _state(domain: Domain, *, saved: bool) -> str | None:
    """The word for the state; None when the guest has gone in the meantime."""
    try:
        number = domain.state()[0]
    except LibvirtError as error:
        if error.code == Code.NO_DOMAIN:
            return None
        raise
    if saved and number == SHUTOFF and domain.has_managed_save():
        return "saved"
    return state(number)


def _table(context: Context, domains: list[Domain], args: Arguments) -> None:
    title, uuid, saved = args.has("title"), args.has("uuid"), args.has("managed-save")
    heading = ("Id", "Name", "State") + (("Title",) if title else ()) + (("UUID",) if uuid else ())
    rows: list[tuple[str, ...]] = []
    for domain in domains:
        word = _state(domain, saved=saved)
        if word is None:
            continue
        row: tuple[str, ...] = (str(domain.id) if domain.id >= 0 else "-", domain.name, word)
        if title:
            row += (domain.title(),)
        if uuid:
            row += (domain.uuid,)
        rows.append(row)
    context.table(heading, rows)


def _bare(context: Context, domains: list[Domain], args: Arguments) -> None:
    for domain in domains:
        if args.has("id") and domain.id < 0 and not (args.has("uuid") or args.has("name")):
            continue
        fields = []
        if args.has("uuid"):
            fields.append(domain.uuid)
        if args.has("id"):
            fields.append(str(domain.id) if domain.id >= 0 else "-")
        if args.has("name"):
            fields.append(domain.name)
        context.print(" ".join(fields) + "\n")


def _objects(domains: list[Domain], args: Arguments) -> list[Json]:
    objects: list[Json] = []
    for domain in domains:
        word = _state(domain, saved=args.has("managed-save"))
        if word is None:
            continue
        entry: dict[str, Json] = {
            "id": domain.id if domain.id >= 0 else None,
            "name": domain.name,
            "uuid": domain.uuid,
            "state": word,
        }
        if args.has("title"):
            entry["title"] = domain.title()
        objects.append(entry)
    return objects


COMMANDS = (
    Command(
        "list",
        "monitor",
        "list guests",
        run_list,
        (
            flag("inactive", "only those that are off"),
            flag("all", "those that run and those that are off"),
            flag("transient", "only those without a stored definition"),
            flag("persistent", "only those with a stored definition"),
            flag("with-snapshot", "only those that have snapshots"),
            flag("without-snapshot", "only those that have no snapshots"),
            flag("with-checkpoint", "only those that have checkpoints"),
            flag("without-checkpoint", "only those that have no checkpoints"),
            flag("state-running", "only those that run"),
            flag("state-paused", "only those that are paused"),
            flag("state-shutoff", "only those that are shut off"),
            flag("state-other", "only those in any other state"),
            flag("autostart", "only those that start with the host"),
            flag("no-autostart", "only those that do not start with the host"),
            flag("with-managed-save", "only those whose memory was saved"),
            flag("without-managed-save", "only those whose memory was not saved"),
            flag("uuid", "print UUIDs"),
            flag("name", "print names alone"),
            flag("id", "print ids alone"),
            flag("table", "print a table (as without any of these)"),
            flag("managed-save", "call those whose memory was saved `saved`"),
            flag("title", "add the guests' titles"),
        ),
        description="List guests: those that run, unless the options say otherwise.",
        shape="[{id: number or null, name, uuid, state, title: with --title}]",
    ),
)
