"""`event`: wait for things that happen to guests, and print them."""

from __future__ import annotations

from guesthouse.cli.event_command import listed, options, wait, wanted
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.events import DomainEvent

    Fields = dict[str, object]

#: The events by number (`virDomainEventID`).
NAMES = (
    "lifecycle",
    "reboot",
    "rtc-change",
    "watchdog",
    "io-error",
    "graphics",
    "io-error-reason",
    "control-error",
    "block-job",
    "disk-change",
    "tray-change",
    "pm-wakeup",
    "pm-suspend",
    "balloon-change",
    "pm-suspend-disk",
    "device-removed",
    "block-job-2",
    "tunable",
    "agent-lifecycle",
    "device-added",
    "migration-iteration",
    "job-completed",
    "device-removal-failed",
    "metadata-change",
    "block-threshold",
    "memory-failure",
    "memory-device-size-change",
    "nic-mac-change",
)

#: `virDomainEventType`, and the details of each.
LIFECYCLE = (
    ("Defined", ("Added", "Updated", "Renamed", "Snapshot")),
    ("Undefined", ("Removed", "Renamed")),
    ("Started", ("Booted", "Migrated", "Restored", "Snapshot", "Event wakeup")),
    (
        "Suspended",
        (
            "Paused",
            "Migrated",
            "I/O Error",
            "Watchdog",
            "Restored",
            "Snapshot",
            "API error",
            "Post-copy",
            "Post-copy Error",
        ),
    ),
    ("Resumed", ("Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error")),
    ("Stopped", ("Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot")),
    ("Shutdown", ("Finished", "Finished after guest request", "Finished after host request")),
    ("PMSuspended", ("Memory", "Disk")),
    ("Crashed", ("Panicked", "Crashloaded")),
)

WATCHDOG = ("none", "pause", "reset", "poweroff", "shutdown", "debug", "inject-nmi")
IO_ERROR = ("none", "pause", "report")
PHASES = ("connect", "initialize", "disconnect")
FAMILIES = ("IPv4", "IPv6", "unix")
BLOCK_JOBS = ("Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup")
BLOCK_STATES = ("completed", "failed", "canceled", "ready")
DISK_CHANGES = ("changed", "dropped")
TRAY = ("opened", "closed")
AGENT_STATES = ("unknown", "connected", "disconnected")
AGENT_REASONS = ("unknown", "domain started", "channel event")
METADATA = ("description", "title", "element")
RECIPIENTS = ("hypervisor", "guest")
MEMORY_ACTIONS = ("ignore", "inject", "fatal", "reset")


def _int(fields: Fields, name: str) -> int:
    value = fields.get(name)
    return value if isinstance(value, int) else -1


def _lifecycle(fields: Fields) -> str:
    number = _int(fields, "event")
    name, details = LIFECYCLE[number] if 0 <= number < len(LIFECYCLE) else ("unknown", ())
    return f": {name} {word(details, _int(fields, 'detail'))}\n"


def _io_error(fields: Fields) -> str:
    due = f" due to {fields['reason']}" if "reason" in fields else ""
    return f": {fields['srcPath']} ({fields['devAlias']}) {word(IO_ERROR, _int(fields, 'action'))}{due}\n"


def _graphics(fields: Fields) -> str:
    ends = [
        f"{side}[{word(FAMILIES, getattr(end, 'family', -1))} {getattr(end, 'node', '')} {getattr(end, 'service', '')}]"
        for side, end in (("local", fields["local"]), ("remote", fields["remote"]))
    ]
    subject = fields["subject"]
    names = subject if isinstance(subject, list) else []
    lines = "".join(f"\t{one.type}={one.name}\n" for one in names)
    return f": {word(PHASES, _int(fields, 'phase'))} {' '.join(ends)} {fields['authScheme']}\n{lines}"


def _block_job(fields: Fields) -> str:
    disk = fields.get("path", fields.get("dst"))
    kind, status = word(BLOCK_JOBS, _int(fields, "type")), word(BLOCK_STATES, _int(fields, "status"))
    return f": {kind} for {disk} {status}\n"


def _disk_change(fields: Fields) -> str:
    old, new = (fields[name] if fields[name] is not None else "<null>" for name in ("oldSrcPath", "newSrcPath"))
    return f" disk {fields['devAlias']}: {old} -> {new}: {word(DISK_CHANGES, _int(fields, 'reason'))}\n"


def _params(fields: Fields) -> str:
    from guesthouse.cli.params import raw

    params = fields["params"]
    return ":\n" + "".join(f"\t{one.field}: {raw(one)}\n" for one in (params if isinstance(params, list) else []))


def _agent(fields: Fields) -> str:
    state = word(AGENT_STATES, _int(fields, "state"), "unsupported value")
    reason = word(AGENT_REASONS, _int(fields, "reason"), "unsupported value")
    return f": state: '{state}' reason: '{reason}'\n"


def _metadata(fields: Fields) -> str:
    uri = fields.get("nsuri")
    kind = word(METADATA, _int(fields, "type"), "unsupported value")
    return f": type {kind}, uri {uri if uri is not None else '<null>'}\n"


def _threshold(fields: Fields) -> str:
    path = fields["path"] if fields["path"] is not None else "<null>"
    return f": dev: {fields['dev']}({path}) {fields['threshold']} {fields['excess']}\n"


def _memory_failure(fields: Fields) -> str:
    flags = _int(fields, "flags")
    recipient = word(RECIPIENTS, _int(fields, "recipient"), "unsupported value")
    action = word(MEMORY_ACTIONS, _int(fields, "action"), "unsupported value")
    return (
        f":\nrecipient: {recipient}\naction: {action}\n"
        f"flags:\n\taction required: {flags & 1}\n\trecursive: {flags >> 1 & 1}\n"
    )


def _alias(fields: Fields) -> str:
    return f": {fields['devAlias']}\n"


#: What follows the event's name and the guest's; events that are not here say no more.
DETAILS: dict[str, Callable[[Fields], str]] = {
    "lifecycle": _lifecycle,
    "rtc-change": lambda fields: f": {fields['offset']}\n",
    "watchdog": lambda fields: f": {word(WATCHDOG, _int(fields, 'action'))}\n",
    "io-error": _io_error,
    "io-error-reason": _io_error,
    "graphics": _graphics,
    "block-job": _block_job,
    "block-job-2": _block_job,
    "disk-change": _disk_change,
    "tray-change": lambda fields: f" disk {fields['devAlias']}: {word(TRAY, _int(fields, 'reason'))}\n",
    "balloon-change": lambda fields: f": {fields['actual']}KiB\n",
    "device-removed": _alias,
    "device-added": _alias,
    "device-removal-failed": _alias,
    "tunable": _params,
    "job-completed": _params,
    "agent-lifecycle": _agent,
    "migration-iteration": lambda fields: f": iteration: '{fields['iteration']}'\n",
    "metadata-change": _metadata,
    "block-threshold": _threshold,
    "memory-failure": _memory_failure,
    "memory-device-size-change": lambda fields: f":\nalias: {fields['alias']}\nsize: {fields['size']}\n",
    "nic-mac-change": lambda fields: (
        f":\nalias: {fields['alias']}\noldMAC: {fields['oldMAC']}\nnewMAC: {fields['newMAC']}\n"
    ),
}


def text(event: DomainEvent) -> str:
    """An event as virsh prints it."""
    name = NAMES[event.number]
    shown = "io-error" if name == "io-error-reason" else name
    detail = DETAILS.get(name)
    return f"event '{shown}' for domain '{event.domain.name}'" + (detail(event.fields) if detail else "\n")


def entry(event: DomainEvent) -> dict[str, object]:
    """The same for `--json`, with the protocol's names for what it says."""
    plain = {name: value for name, value in event.fields.items() if value is None or isinstance(value, int | str)}
    if event.number == 0:
        plain["text"] = _lifecycle(event.fields)[2:-1]
    return {"event": NAMES[event.number], "domain": event.domain.name, "uuid": event.domain.uuid, "details": plain}


def run_event(context: Context, args: Arguments) -> None:
    """Wait for events and print them."""
    args.exclusive("all", "event")
    args.exclusive("list", "all")
    args.exclusive("list", "event")
    if listed(context, args, NAMES):
        return
    number = wanted(args, NAMES)
    if number is None and not args.has("all"):
        raise CommandError("one of --list, --all, or --event <type> is required")
    numbers = range(len(NAMES)) if number is None else [number]
    from guesthouse.client import events

    wait(
        context,
        args,
        events,
        lambda: context.domain(args.need("domain")) if args.has("domain") else None,
        numbers,
        text,
        entry,
    )


COMMANDS = (
    Command(
        "event",
        "events",
        "wait for events",
        run_event,
        options(
            Option("domain", "string", "of this guest: its name, id or UUID", loose=True, complete="domain"),
            NAMES,
            flag("all", "every kind of event"),
        ),
        description="Wait for something to happen to a guest, or to any, and print it.",
        shape="one line an event: {time, event, domain, uuid, details: {field: value}}; --list: [name]",
    ),
)
