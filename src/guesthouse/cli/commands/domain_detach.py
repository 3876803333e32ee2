"""Taking devices from guests: `detach-device`, `detach-device-alias`, `detach-disk`, `detach-interface`.

A guest that does not let go in time is no error: the daemon goes on waiting, and what the guest does then is told by
`guest event`. As `guest`, the commands say so; as `virsh`, they say what virsh says.
"""

from __future__ import annotations

from guesthouse.cli.device_flags import CONFIG, IMPACT, LIVE, asked, check, impact
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, file, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element
    from guesthouse.client.domain import Domain

XML_INACTIVE = 2

_PENDING = "The guest has been asked to let go, and has not yet\n"


def run_detach_device(context: Context, args: Arguments) -> None:
    """Detach the device that a file describes."""
    from guesthouse.cli.files import read_document
    from guesthouse.client import devices

    check(args)
    found = context.domain(args.need("domain"))
    flags = impact(args, found)
    path = args.need("file")
    text = read_document(path)
    before = _count(context, found, args, flags)
    with context.during(f"Failed to detach device from {path}"):
        devices.detach(found, text, asked(args, flags))
    _tell(context, before, _count(context, found, args, flags), "Device detached successfully\n")


def run_detach_device_alias(context: Context, args: Arguments) -> None:
    """Ask the guest to let go of the device with an alias."""
    from guesthouse.client import devices

    check(args)
    found = context.domain(args.need("domain"))
    name = args.need("alias")
    flags = (CONFIG if args.has("config") else 0) | (LIVE if args.has("live") else 0)
    with context.during(f"Failed to detach device with alias {name}"):
        devices.detach_alias(found, name, flags)
    context.remark("Device detach request sent successfully\n")


def run_detach_disk(context: Context, args: Arguments) -> None:
    """Detach a disk."""
    from guesthouse.cli.xmltool import definition, serialized
    from guesthouse.client import devices

    check(args)
    found = context.domain(args.need("domain"))
    flags = CONFIG if args.has("config") or args.has("persistent") else 0
    flags |= LIVE if args.has("live") else 0
    root = definition(context, found, XML_INACTIVE if flags == CONFIG else 0)
    flags = impact(args, found)
    document = serialized(find_disk(root, args.need("target")))
    if args.has("print-xml"):
        context.print(document)
        return
    before = _count(context, found, args, flags)
    with context.during("Failed to detach disk"):
        devices.detach(found, document, asked(args, flags))
    _tell(context, before, _count(context, found, args, flags), "Disk detached successfully\n")


def find_disk(root: Element, name: str, *, removable: bool = False) -> Element:
    """The disk with this target or source, without its backing images. Raises CommandError where there is none."""
    for disk in root.findall("./devices/disk"):
        if removable and disk.get("device", "disk") not in ("cdrom", "floppy"):
            continue
        source = disk.find("source")
        names = [] if source is None else [source.get(key) for key in ("file", "dev", "dir", "name")]
        target = disk.find("target")
        if name in (*names, None if target is None else target.get("dev")):
            for backing in disk.findall("backingStore"):
                disk.remove(backing)
            return disk
    raise CommandError(f"No disk found whose source path or target is {name}")


def run_detach_interface(context: Context, args: Arguments) -> None:
    """Detach a network interface."""
    check(args)
    found = context.domain(args.need("domain"))
    config = args.has("config") or args.has("persistent")
    live = args.has("live") or (args.has("persistent") and found.is_active())
    steps = [(XML_INACTIVE, CONFIG)] if config else []
    steps += [(0, LIVE if live else 0)] if live or not config else []
    before = _count(context, found, args, LIVE if live else 0)
    with context.during("Failed to detach interface"):
        for view, flags in steps:
            try:
                _detach_interface(context, args, found, view, flags)
            except CommandError as error:
                context.error(str(error))
                raise CommandError("Failed to detach interface") from None
    if not args.has("print-xml"):
        after = _count(context, found, args, LIVE if live else 0)
        _tell(context, before, after, "Interface detached successfully\n")


def _detach_interface(context: Context, args: Arguments, found: Domain, view: int, flags: int) -> None:
    from guesthouse.cli.xmltool import definition, serialized
    from guesthouse.client import devices

    kind = args.need("type")
    root = definition(context, found, view)
    cards = [card for card in root.findall("./devices/interface") if card.get("type") == kind]
    if not cards:
        raise CommandError(f"No interface found whose type is {kind}")
    document = serialized(_chosen(cards, args.text("mac")))
    if args.has("print-xml"):
        context.print(document)
    else:
        devices.detach(found, document, asked(args, flags))


def _chosen(cards: list[Element], mac: str | None) -> Element:
    if mac is None:
        if len(cards) > 1:
            raise CommandError(f"Domain has {len(cards)} interfaces. Please specify which one to detach using --mac")
        return cards[0]
    chosen = [card for card in cards if _mac(card) == mac.lower()]
    if len(chosen) > 1:
        raise CommandError(
            f"Domain has multiple interfaces matching MAC address {mac}. You must use detach-device and specify the "
            "device pci address to remove it."
        )
    if not chosen:
        raise CommandError(f"No interface with MAC address {mac} was found")
    return chosen[0]


def _mac(card: Element) -> str:
    found = card.find("mac")
    return "" if found is None else (found.get("address") or "").lower()


def _count(context: Context, found: Domain, args: Arguments, flags: int) -> int | None:
    """How many devices the running guest has; None where that says nothing about the command."""
    if not context.ours or context.settings.quiet or args.has("print-xml"):
        return None
    if not found.is_active() or flags == CONFIG:
        return None
    from guesthouse.cli.xmltool import definition

    devices = definition(context, found).find("devices")
    return 0 if devices is None else len(_elements(devices))


def _elements(parent: Iterable[Element]) -> list[Element]:
    return list(parent)


def _tell(context: Context, before: int | None, after: int | None, text: str) -> None:
    """Say that it is done; or, where the guest still has the device, that it was asked."""
    pending = before is not None and after is not None and after >= before
    context.remark(_PENDING if pending else text)


COMMANDS = (
    Command(
        "detach-device",
        "domain",
        "detach the device that a file describes",
        run_detach_device,
        (domain(), file("the device's XML"), *IMPACT),
    ),
    Command(
        "detach-device-alias",
        "domain",
        "ask a guest to let go of the device with an alias",
        run_detach_device_alias,
        (
            domain(),
            Option("alias", "string", "the device's alias", required=True, positional=True),
            *IMPACT[1:],
        ),
    ),
    Command(
        "detach-disk",
        "domain",
        "detach a disk",
        run_detach_disk,
        (
            domain(),
            Option("target", "string", "its name, such as vdb, or its source", required=True, positional=True),
            *IMPACT,
            flag("print-xml", "print its XML rather than detach it"),
        ),
    ),
    Command(
        "detach-interface",
        "domain",
        "detach a network interface",
        run_detach_interface,
        (
            domain(),
            Option("type", "string", "its type, such as network", required=True, positional=True),
            Option("mac", "string", "its MAC address", loose=True),
            *IMPACT,
            flag("print-xml", "print its XML rather than detach it"),
        ),
    ),
)
