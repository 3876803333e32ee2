"""Changing devices that are there: `update-device`, `change-media`, `update-memory-device`."""

from __future__ import annotations

from guesthouse.cli.device_flags import CONFIG, FORCE, IMPACT, LIVE, check, impact
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, file, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element

XML_INACTIVE = 2

_DONE = {"eject": "ejected", "insert": "inserted", "update": "updated"}


def run_update_device(context: Context, args: Arguments) -> None:
    """Make a device what a file says."""
    from guesthouse.cli.files import read_document
    from guesthouse.client import devices

    check(args)
    found = context.domain(args.need("domain"))
    path = args.need("file")
    flags = impact(args, found)
    text = read_document(path)
    with context.during(f"Failed to update device from {path}"):
        devices.update(found, text, flags | (FORCE if args.has("force") else 0))
    context.remark("Device updated successfully\n")


def run_change_media(context: Context, args: Arguments) -> None:
    """Change the disc in a drive."""
    from guesthouse.cli.commands.domain_detach import find_disk
    from guesthouse.cli.xmltool import definition, serialized
    from guesthouse.client import devices

    args.exclusive("eject", "insert", "update")
    args.exclusive("eject", "block")
    source = args.text("source")
    eject = args.has("eject") or (args.has("update") and source is None)
    action = "eject" if eject else "insert" if args.has("insert") else "update"
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    flags = (CONFIG if args.has("config") else 0) | (LIVE if args.has("live") else 0)
    found = context.domain(args.need("domain"))
    path = args.need("path")
    root = definition(context, found, XML_INACTIVE if flags & CONFIG else 0)
    disk = find_disk(root, path, removable=True)
    _put(disk, path, source, action, block=args.has("block"))
    document = serialized(disk)
    if args.has("print-xml"):
        context.print(document)
        return
    with context.during(f"Failed to complete action {action} on media"):
        devices.update(found, document, flags | (FORCE if args.has("force") else 0))
    context.print(f"Successfully {_DONE[action]} media.")


def _put(disk: Element, path: str, source: str | None, action: str, *, block: bool) -> None:
    """Put a disc into the description of a drive, or take it out. Raises CommandError in virsh's words."""
    present = disk.find("source")
    if action == "eject":
        if present is None:
            raise CommandError(f"The disk device '{path}' doesn't have media")
        source = None
    elif source is None:
        raise CommandError("New disk media source was not specified")
    policy = None
    if present is not None:
        named = any(present.get(key) is not None for key in ("file", "dev", "dir", "pool", "name"))
        if named and action == "insert":
            raise CommandError(f"The disk device '{path}' already has media")
        policy = present.get("startupPolicy")
        disk.remove(present)
    disk.set("type", "block" if block else "file")
    if source is None:
        return
    new = disk.makeelement("source", {"dev" if block else "file": source})
    if policy is not None:
        new.set("startupPolicy", policy)
    disk.append(new)


def run_update_memory_device(context: Context, args: Arguments) -> None:
    """Change how much of a memory device the guest shall have."""
    from guesthouse.cli.xmltool import definition, serialized
    from guesthouse.client import devices

    args.exclusive("current", "live")
    args.exclusive("current", "config")
    args.exclusive("node", "alias")
    flags = (CONFIG if args.has("config") else 0) | (LIVE if args.has("live") else 0)
    found = context.domain(args.need("domain"))
    memory = _memory(definition(context, found, XML_INACTIVE if flags & CONFIG else 0), args)
    size = args.text("requested-size")
    if size is not None:
        from guesthouse.cli.scaled import scaled

        requested = memory.find("target/requested")
        if requested is None:
            raise CommandError("virtio-mem device is missing <requested/>")
        requested.text = str(-(-scaled(size, "requested-size", 1024) // 1024))
        requested.set("unit", "KiB")
    document = serialized(memory)
    if args.has("print-xml"):
        context.print(document)
        return
    devices.update(found, document, flags)


def _memory(root: Element, args: Arguments) -> Element:
    node, name = args.unsigned("node"), args.text("alias")
    found = root.findall("./devices/memory")
    if node is not None:
        found = [one for one in found if (one.findtext("target/node") or "").strip() == str(node)]
    elif name is not None:
        found = [one for one in found if any(alias.get("name") == name for alias in one.findall("alias"))]
    if not found:
        raise CommandError("no memory device found")
    if len(found) > 1:
        raise CommandError("multiple memory devices found, use --alias or --node to select one")
    return found[0]


COMMANDS = (
    Command(
        "change-media",
        "domain",
        "change the disc in a drive",
        run_change_media,
        (
            domain(),
            Option("path", "string", "the drive's name, or the disc in it", required=True, positional=True),
            Option("source", "string", "the new disc", positional=True),
            flag("eject", "take the disc out"),
            flag("insert", "put a disc into an empty drive"),
            flag("update", "put another disc in, or none"),
            *IMPACT[:0:-1],
            flag("force", "even if the guest holds the tray"),
            flag("print-xml", "print the drive's XML rather than change it"),
            flag("block", "the new disc is a block device"),
        ),
    ),
    Command(
        "update-device",
        "domain",
        "make a device what a file says",
        run_update_device,
        (domain(), file("the device's XML"), *IMPACT, flag("force", "even if the guest objects")),
    ),
    Command(
        "update-memory-device",
        "domain",
        "change how much of a memory device a guest has",
        run_update_memory_device,
        (
            domain(),
            *IMPACT[1:],
            flag("print-xml", "print the device's XML rather than change it"),
            Option("alias", "string", "the device's alias", loose=True),
            Option("node", "int", "the device's NUMA node", loose=True),
            Option("requested-size", "int", "how much, in KiB or with a unit", loose=True),
        ),
    ),
)
