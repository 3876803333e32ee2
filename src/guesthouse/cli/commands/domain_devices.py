"""What a guest has: its disks, interfaces, displays and terminals, read out of its definition."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, alias, domain, flag
from guesthouse.cli.xmltool import definition, first, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element
    from guesthouse.client.domain import Domain

XML_SECURE, XML_INACTIVE = 1, 2

#: Where a disk's data may come from, and an interface's traffic go.
DISK_SOURCES = (
    "source/@file",
    "source/@dev",
    "source/@dir",
    "source/@name",
    "source/@volume",
    "source/@path",
)
INTERFACE_SOURCES = ("source/@bridge", "source/@dev", "source/@network", "source/@name", "source/@path")

#: Addresses that stand for every address of the host.
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - recognised, not bound

VNC_PORT = 5900


def _flags(args: Arguments, name: str = "inactive") -> int:
    return XML_INACTIVE if args.has(name) else 0


def run_domblklist(context: Context, args: Arguments) -> None:
    """Print a guest's disks."""
    root = definition(context, context.domain(args.need("domain")), _flags(args))
    disks = [
        (first(disk, "@type"), first(disk, "@device"), first(disk, "target/@dev"), _disk_source(disk) or "-")
        for disk in root.findall("./devices/disk")
    ]
    if any(not target for _, _, target, _ in disks):
        raise CommandError("unable to query block list")
    if args.has("json"):
        names = ("type", "device", "target", "source")
        context.dump(
            [dict(zip(names, (*disk[:3], disk[3] if disk[3] != "-" else None), strict=True)) for disk in disks]
        )
    elif args.has("details"):
        context.table(("Type", "Device", "Target", "Source"), disks)
    else:
        context.table(("Target", "Source"), [disk[2:] for disk in disks])


def _disk_source(disk: Element) -> str:
    if disk.get("type") != "nvme":
        return first(disk, *DISK_SOURCES)
    address = disk.find("./source/address")
    namespace = first(disk, "source/@namespace")
    if address is None or not namespace:
        raise CommandError("Unable to query NVMe disk address")
    domain_number, bus, slot, function = (
        int(address.get(part, "0"), 0) for part in ("domain", "bus", "slot", "function")
    )
    return f"nvme://{domain_number:04x}:{bus:02x}:{slot:02x}.{function}/{namespace}"


def run_domiflist(context: Context, args: Arguments) -> None:
    """Print a guest's network interfaces."""
    root = definition(context, context.domain(args.need("domain")), _flags(args))
    rows = [
        (
            first(one, "target/@dev") or "-",
            first(one, "@type"),
            first(one, *INTERFACE_SOURCES) or "-",
            first(one, "model/@type") or "-",
            first(one, "mac/@address") or "-",
        )
        for one in root.findall("./devices/interface")
    ]
    if args.has("json"):
        names = ("interface", "type", "source", "model", "mac")
        context.dump(
            [{name: None if cell == "-" else cell for name, cell in zip(names, row, strict=True)} for row in rows]
        )
    else:
        context.table(("Interface", "Type", "Source", "Model", "MAC"), rows)


def run_domif_getlink(context: Context, args: Arguments) -> None:
    """Print whether an interface's cable is plugged in."""
    name = args.need("interface")
    root = definition(context, context.domain(args.need("domain")), _flags(args, "config"))
    mac = _mac(name)
    matches = [
        one
        for one in root.findall("./devices/interface")
        if (mac and first(one, "mac/@address") == mac) or first(one, "target/@dev") == name
    ]
    if not matches:
        raise CommandError(f"Interface (mac: {mac}) not found." if mac else f"Interface (dev: {name}) not found.")
    if len(matches) > 1:
        raise CommandError("multiple matching interfaces found")
    link = first(matches[0], "link/@state") or "up"
    if args.has("json"):
        context.dump({"interface": name, "link": link})
    else:
        context.print(f"{name} {link}")


def _mac(text: str) -> str:
    """A MAC address with two digits a part, in small letters; empty where it is none."""
    parts = text.split(":")
    try:
        numbers = [int(part, 16) for part in parts]
    except ValueError:
        return ""
    if len(parts) != 6 or any(not 0 <= one <= 255 for one in numbers):
        return ""
    return ":".join(f"{one:02x}" for one in numbers)


def run_ttyconsole(context: Context, args: Arguments) -> None:
    """Print the terminal that a guest's console is on."""
    root = definition(context, context.domain(args.need("domain")))
    terminal = first(root, "devices/console/@tty")
    if not terminal:
        raise CommandError
    if args.has("json"):
        context.dump({"tty": terminal})
    else:
        context.print(f"{terminal}\n")


def _running(context: Context, args: Arguments) -> Domain:
    found = context.domain(args.need("domain"))
    if not found.is_active():
        raise CommandError("Domain is not running")
    return found


def run_vncdisplay(context: Context, args: Arguments) -> None:
    """Print where a guest's VNC server listens, as a display."""
    root = definition(context, _running(context, args))
    graphics = root.find("./devices/graphics[@type='vnc']")
    port = number(first(graphics, "@port")) if graphics is not None else None
    if graphics is None or port is None:
        raise CommandError("Failed to get VNC port. Is this domain using VNC?")
    address = first(graphics, "@listen") or first(graphics, "listen/@address")
    host = "" if address == WILDCARDS[0] else address
    if args.has("json"):
        context.dump({"display": f"{host}:{port - VNC_PORT}", "address": address or None, "port": port})
    else:
        context.print(f"{host}:{port - VNC_PORT}\n")


def run_domdisplay(context: Context, args: Arguments) -> None:
    """Print the URI of a guest's graphical console."""
    args.exclusive("all", "type")
    found = _running(context, args)
    wanted = args.text("type")
    root = definition(context, found, XML_SECURE if args.has("include-password") else 0)
    displays = []
    for scheme in ("vnc", "spice", "rdp", "dbus"):
        if wanted is None or wanted == scheme or args.has("all"):
            display = _dbus(context, root) if scheme == "dbus" else _display(context, root, scheme)
            if display:
                displays.append(display)
    if not displays:
        kind = f" with type '{wanted}'" if wanted else ""
        raise CommandError(f"No graphical display{kind} found")
    if args.has("json"):
        context.dump([*displays])
    elif args.has("all"):
        context.print("".join(display + "\n" for display in displays))
    else:
        context.print(displays[0])


def _dbus(context: Context, root: Element) -> str:
    graphics = root.find("./devices/graphics[@type='dbus']")
    address = first(graphics, "@address") if graphics is not None else ""
    if address and not address.startswith("unix:path="):
        context.error(f"'{address}' D-Bus address is not handled")
        return ""
    return f"dbus+unix://{address.removeprefix('unix:path=')}" if address else ""


def _display(context: Context, root: Element, scheme: str) -> str:
    """The URI of the first display of a kind; empty where it listens nowhere."""
    graphics = root.find(f"./devices/graphics[@type='{scheme}']")
    if graphics is None:
        return ""
    port, secure = number(first(graphics, "@port")) or 0, number(first(graphics, "@tlsPort")) or 0
    socket = first(graphics, "listen/@socket") if first(graphics, "listen/@type") == "socket" else ""
    if not (port or secure or socket):
        return ""
    password = first(graphics, "@passwd")
    uri = f"{scheme}+unix://" if socket else f"{scheme}://"
    if scheme == "vnc" and password:
        uri += f":{password}@"
    uri += socket or _listener(context, graphics)
    if port:
        uri += f":{port - VNC_PORT if scheme == 'vnc' else port}"
    query = [f"tls-port={secure}"] if secure else []
    if scheme == "spice" and password:
        query.append(f"password={password}")
    return uri + ("?" + "&".join(query) if query else "")


def _listener(context: Context, graphics: Element) -> str:
    """The address to connect to; every address of the host becomes the one that we are connected to."""
    address = first(graphics, "@listen")
    if not address:
        address = first(graphics, "listen/@address")
    elif address in WILDCARDS:
        from guesthouse.client.uri import ConnectionUri

        address = ConnectionUri(context.connection.uri).host
    if not address:
        return "localhost"
    return f"[{address}]" if ":" in address else address


COMMANDS = (
    Command(
        "domblklist",
        "monitor",
        "list a guest's disks",
        run_domblklist,
        (
            domain(),
            flag("inactive", "those of the stored definition"),
            flag("details", "with type and device"),
        ),
        shape="[{type, device, target, source: text or null}]",
    ),
    Command(
        "domif-getlink",
        "monitor",
        "print whether an interface is connected",
        run_domif_getlink,
        (
            domain(),
            Option("interface", "string", "its name or MAC address", required=True, positional=True),
            alias("persistent", "config"),
            flag("config", "in the stored definition"),
        ),
        shape="{interface, link: up or down}",
    ),
    Command(
        "domiflist",
        "monitor",
        "list a guest's network interfaces",
        run_domiflist,
        (domain(), flag("inactive", "those of the stored definition")),
        shape="[{interface, type, source, model, mac}; null where there is none]",
    ),
    Command(
        "domdisplay",
        "domain",
        "print the URI of a guest's graphical console",
        run_domdisplay,
        (
            domain(),
            flag("include-password", "with its password"),
            Option("type", "string", "only of this kind: vnc, spice, rdp, dbus", positional=True),
            flag("all", "all of them"),
        ),
        shape="[uri]",
    ),
    Command(
        "ttyconsole",
        "domain",
        "print the terminal of a guest's console",
        run_ttyconsole,
        (domain(),),
        shape="{tty}",
    ),
    Command(
        "vncdisplay",
        "domain",
        "print a guest's VNC display",
        run_vncdisplay,
        (domain(),),
        shape="{display, address: text or null, port}",
    ),
)
