"""Figures of one guest: `domblkerror`, `domblkinfo`, `domblkstat`, `domifaddr`, `domifstat`, `dommemstat`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.params import shown, value
from guesthouse.cli.words import capacity, word
from guesthouse.client import statistics
from guesthouse.errors import Code, LibvirtError, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.cli.xmltool import Element
    from guesthouse.client.domain import Domain

#: `virDomainDiskErrorCode`.
DISK_ERRORS = ("no error", "unspecified error", "no space")

#: Fields of a disk's figures in the order in which they are printed: the short name, and the one for people.
DISK_FIELDS = (
    ("rd_operations", "rd_req", "number of read operations:"),
    ("rd_bytes", "rd_bytes", "number of bytes read:"),
    ("wr_operations", "wr_req", "number of write operations:"),
    ("wr_bytes", "wr_bytes", "number of bytes written:"),
    ("errs", "errs", "error count:"),
    ("flush_operations", "flush_operations", "number of flush operations:"),
    ("rd_total_times", "rd_total_times", "total duration of reads (ns):"),
    ("wr_total_times", "wr_total_times", "total duration of writes (ns):"),
    ("flush_total_times", "flush_total_times", "total duration of flushes (ns):"),
)

#: `virDomainModificationImpact`.
LIVE, CONFIG = 1, 2

#: Who may be asked for addresses (`virDomainInterfaceAddressesSource`).
SOURCES = ("lease", "agent", "arp")

SIZES = ("Capacity", "Allocation", "Physical")


def run_domblkerror(context: Context, args: Arguments) -> None:
    """Print the disks that there were errors on."""
    errors = statistics.disk_errors(context.domain(args.need("domain")))
    if args.has("json"):
        context.dump([{"disk": disk, "error": word(DISK_ERRORS, code)} for disk, code in errors])
    elif errors:
        context.print("".join(f"{disk}: {word(DISK_ERRORS, code)}\n" for disk, code in errors))
    else:
        context.print("No errors found\n")


def run_domblkinfo(context: Context, args: Arguments) -> None:
    """Print the sizes of a disk, or of all."""
    args.exclusive("all", "device")
    found = context.domain(args.need("domain"))
    device = args.values.get("device")
    if args.has("all"):
        _all_sizes(context, found, args)
        return
    if not device:
        raise CommandError("command 'domblkinfo' requires <device> option")
    sizes = statistics.disk_size(found, str(device))
    if args.has("json"):
        context.dump([_sizes_object(str(device), sizes)])
    else:
        rows = zip(SIZES, _size_cells(sizes, human=args.has("human")), strict=True)
        context.print("".join(f"{name + ':':<15} {cell}\n" for name, cell in rows))


def _all_sizes(context: Context, found: Domain, args: Arguments) -> None:
    from guesthouse.cli.xmltool import definition, first

    active = found.is_active()
    disks = definition(context, found).findall("./devices/disk")
    sizes = [(first(disk, "target/@dev"), _disk_sizes(found, disk, active=active)) for disk in disks]
    if args.has("json"):
        context.dump([_sizes_object(target, one) for target, one in sizes])
        return
    rows = [(target, *_size_cells(one, human=args.has("human"))) for target, one in sizes]
    context.table(("Target", *SIZES), rows)


def _disk_sizes(found: Domain, disk: Element, *, active: bool) -> tuple[int, int, int]:
    """The sizes of a disk; zeros where there is no medium, or a remote one that nobody can ask."""
    from guesthouse.cli.xmltool import first

    if disk.find("./source") is None:
        return 0, 0, 0
    try:
        return statistics.disk_size(found, first(disk, "target/@dev"))
    except LibvirtError as error:
        remote = first(disk, "source/@protocol") and not active
        if remote and (error.code, error.domain) == (Code.INTERNAL_ERROR, Origin.STORAGE):
            return 0, 0, 0
        raise


def _size_cells(sizes: tuple[int, int, int], *, human: bool) -> tuple[str, ...]:
    if not any(sizes):
        return "-", "-", "-"
    return tuple(capacity(size) if human else str(size) for size in sizes)


def _sizes_object(target: str, sizes: tuple[int, int, int]) -> dict[str, Json]:
    return {"target": target, "capacity": sizes[0], "allocation": sizes[1], "physical": sizes[2]}


def run_domblkstat(context: Context, args: Arguments) -> None:
    """Print what a disk has done."""
    name = args.need("domain")
    found = context.domain(name)
    device = args.text("device") or ""
    params = {one.field: one for one in statistics.disk(found, device)}
    if args.has("json"):
        context.dump({field: value(one) for field, one in params.items()})
        return
    human = args.has("human")
    if human:
        context.print(f"Device: {device}\n")
        device = ""
    for field, short, label in DISK_FIELDS:
        if field in params:
            text = f"{label:<31}" if human else short
            context.print(f"{device} {text} {shown(params.pop(field))}\n")
    context.print("".join(f"{device} {field} {shown(one)}\n" for field, one in params.items()))


def run_domifstat(context: Context, args: Arguments) -> None:
    """Print what a network interface has done."""
    name = args.need("domain")
    found = context.domain(name)
    device = args.need("interface")
    with context.during(f"Failed to get interface stats {name} {device}"):
        stats = statistics.interface(found, device)
    if args.has("json"):
        context.dump({**stats})
    else:
        context.print("".join(f"{device} {field} {number}\n" for field, number in stats.items()))


def run_domifaddr(context: Context, args: Arguments) -> None:
    """Print the addresses that a guest has."""
    wanted = args.text("interface")
    source = args.text("source") or SOURCES[0]
    if source not in SOURCES:
        raise CommandError(f"Unknown data source '{source}'")
    found = context.domain(args.need("domain"))
    with context.during("Failed to query for interfaces addresses"):
        interfaces = statistics.addresses(found, SOURCES.index(source))
    interfaces = [one for one in interfaces if wanted in (None, one[0])]
    if args.has("json"):
        context.dump(
            [
                {"interface": name, "mac": mac, "addresses": [f"{address}/{prefix}" for address, prefix in ips]}
                for name, mac, ips in interfaces
            ]
        )
        return
    context.remark(f" {'Name':<10} {'MAC address':<20} {'Protocol':<8}     Address\n{'-' * 79}\n")
    for name, mac, ips in interfaces:
        if not ips:
            context.print(f" {name:<10} {mac or 'N/A':<17}    {'N/A':<12} N/A\n")
        for number, (address, prefix) in enumerate(ips):
            first, second = (name, mac or "") if args.has("full") or not number else ("-", "-")
            kind = "ipv6" if ":" in address else "ipv4"
            context.print(f" {first:<10} {second:<17}    {kind:<12} {address}/{prefix}\n")


def run_dommemstat(context: Context, args: Arguments) -> None:
    """Print a guest's memory as it sees it itself, or set how often it is asked."""
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    name = args.need("domain")
    found = context.domain(name)
    period = args.number("period")
    if period is not None:
        _set_period(found, args, period)
        return
    with context.during(f"Failed to get memory statistics for domain {name}"):
        stats = statistics.memory(found)
    if args.has("json"):
        context.dump({**stats})
    else:
        context.print("".join(f"{field} {number}\n" for field, number in stats.items()))


def _set_period(found: Domain, args: Arguments, period: int) -> None:
    if period < 0:
        raise CommandError(f"Invalid collection period value '{period}'")
    flags = (LIVE if args.has("live") else 0) | (CONFIG if args.has("config") else 0)
    if not flags and not args.has("current") and found.is_active():
        flags = LIVE
    statistics.set_memory_period(found, period, flags)


COMMANDS = (
    Command(
        "domblkerror",
        "monitor",
        "print the disks that there were errors on",
        run_domblkerror,
        (domain(),),
        shape="[{disk, error}]",
    ),
    Command(
        "domblkinfo",
        "monitor",
        "print the sizes of a guest's disks",
        run_domblkinfo,
        (
            domain(),
            Option("device", "string", "the disk: its target", positional=True),
            flag("human", "in units for people"),
            flag("all", "of all disks"),
        ),
        shape="[{target, capacity, allocation, physical: bytes}]",
    ),
    Command(
        "domblkstat",
        "monitor",
        "print what a disk has done",
        run_domblkstat,
        (
            domain(),
            Option("device", "string", "the disk: its target (else all of them)", positional=True, empty=True),
            flag("human", "in words"),
        ),
        shape="{field: number}",
    ),
    Command(
        "domifaddr",
        "monitor",
        "print the addresses of a guest's interfaces",
        run_domifaddr,
        (
            domain(),
            Option("interface", "string", "of this interface alone", positional=True),
            flag("full", "with name and MAC address on every line"),
            Option("source", "string", "who is asked: lease, agent or arp", loose=True, complete="agent arp lease"),
        ),
        shape="[{interface, mac: text or null, addresses: [text with prefix]}]",
    ),
    Command(
        "domifstat",
        "monitor",
        "print what a network interface has done",
        run_domifstat,
        (
            domain(),
            Option("interface", "string", "its name or MAC address", required=True, positional=True),
        ),
        shape="{field: number}",
    ),
    Command(
        "dommemstat",
        "monitor",
        "print a guest's memory as it sees it itself",
        run_dommemstat,
        (
            domain(),
            Option("period", "int", "ask it every so many seconds"),
            flag("config", "of the stored definition"),
            flag("live", "of the running guest"),
            flag("current", "of whichever is there"),
        ),
        shape="{field: number}",
    ),
)
