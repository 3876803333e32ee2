"""The host and the connection: `uri`, `hostname`, `version`, `sysinfo`, `nodeinfo` and its neighbours."""

from __future__ import annotations

from guesthouse.cli.bitmaps import flags as shown_flags
from guesthouse.cli.bitmaps import ranges
from guesthouse.cli.context import LIBVIRT_LEVEL
from guesthouse.cli.documents import SHAPE, print_document
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.client import host
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments

#: Fields of the CPU's time in the order in which they are printed.
CPU_FIELDS = (("user", "user:"), ("kernel", "system:"), ("idle", "idle:"), ("iowait", "iowait:"), ("intr", "intr:"))
UTILIZATION = "utilization"

ALL = -1


def run_uri(context: Context, args: Arguments) -> None:
    """Print the connection's URI."""
    with context.during("failed to get URI"):
        uri = context.connection.uri
    if args.has("json"):
        context.dump({"uri": uri})
    else:
        context.print(f"{uri}\n")


def run_hostname(context: Context, args: Arguments) -> None:
    """Print the host's name."""
    with context.during("failed to get hostname"):
        name = host.hostname(context.connection)
    if args.has("json"):
        context.dump({"hostname": name})
    else:
        context.print(f"{name}\n")


def run_version(context: Context, args: Arguments) -> None:
    """Print the versions of everything in the way."""
    connection = context.connection
    with context.during("failed to get hypervisor type"):
        kind = host.hypervisor_type(connection)
    running = _hypervisor(context)
    daemon = _version(host.daemon_version(connection)) if args.has("daemon") or args.has("json") else ""
    if args.has("json"):
        context.dump({"library": LIBVIRT_LEVEL, "hypervisor": kind, "running": running or None, "daemon": daemon})
        return
    context.print(f"Compiled against library: libvirt {LIBVIRT_LEVEL}\n")
    context.print(f"Using library: libvirt {LIBVIRT_LEVEL}\nUsing API: {kind} {LIBVIRT_LEVEL}\n")
    if running is not None:
        known = f"Running hypervisor: {kind} {running}\n"
        context.print(known if running else f"Cannot extract running {kind} hypervisor version\n")
    if daemon:
        context.print(f"Running against daemon: {daemon}\n")


def _hypervisor(context: Context) -> str | None:
    """The hypervisor's version; empty where it cannot be told, None where the daemon cannot be asked."""
    try:
        with context.during("failed to get the hypervisor version"):
            number = host.hypervisor_version(context.connection)
    except LibvirtError as error:
        if error.code == Code.NO_SUPPORT:
            return None
        raise
    return _version(number) if number else ""


def _version(number: int) -> str:
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def run_sysinfo(context: Context, args: Arguments) -> None:
    """Print what the firmware says about the host."""
    with context.during("failed to get sysinfo"):
        text = host.sysinfo(context.connection)
    print_document(context, args, text)


def run_nodeinfo(context: Context, args: Arguments) -> None:
    """Print the host's CPUs and memory."""
    with context.during("failed to get node information"):
        info = host.node_info(context.connection)
    model = info.model.rstrip(b"\0").decode("utf-8", "surrogateescape")
    if args.has("json"):
        context.dump(
            {
                "model": model,
                "cpus": info.cpus,
                "mhz": info.mhz or None,
                "sockets": info.sockets,
                "cores": info.cores,
                "threads": info.threads,
                "cells": info.nodes,
                "memory_kib": info.memory,
            }
        )
        return
    rows: list[tuple[str, object]] = [("CPU model:", model), ("CPU(s):", info.cpus)]
    if info.mhz:
        rows.append(("CPU frequency:", f"{info.mhz} MHz"))
    rows += [
        ("CPU socket(s):", info.sockets),
        ("Core(s) per socket:", info.cores),
        ("Thread(s) per core:", info.threads),
        ("NUMA cell(s):", info.nodes),
        ("Memory size:", f"{info.memory} KiB"),
    ]
    context.print("".join(f"{label:<20} {text}\n" for label, text in rows))


def run_nodecpumap(context: Context, args: Arguments) -> None:
    """Print which of the host's CPUs are online."""
    with context.during("Unable to get cpu map"):
        present, online, data = host.cpu_map(context.connection)
    if args.has("json"):
        numbers = [at for at in range(present) if data[at // 8] >> at % 8 & 1]
        context.dump({"present": present, "online": online, "cpus": [*numbers]})
        return
    shown = ranges(data) if args.has("pretty") else shown_flags(data, present)
    context.print(f"{'CPUs present:':<15} {present}\n{'CPUs online:':<15} {online}\n{'CPU map:':<15} {shown}\n")


def run_nodecpustats(context: Context, args: Arguments) -> None:
    """Print what the host's CPUs did."""
    from time import sleep

    number = args.number("cpu")
    cpu = ALL if number is None else number
    with context.during("Unable to get node cpu stats"):
        stats = host.cpu_stats(context.connection, cpu)
        if args.has("percent") and stats and UTILIZATION not in stats:
            sleep(1)
            later = host.cpu_stats(context.connection, cpu)
            stats = {name: later.get(name, 0) - before for name, before in stats.items()}
    if args.has("json"):
        context.dump({name: value for name, value in stats.items()})  # noqa: C416 - a copy of the wider type
    elif args.has("percent") and stats:
        context.print(_percentages(stats))
    else:
        rows = [f"{label:<15} {stats[name]:>20}\n" for name, label in CPU_FIELDS if name in stats]
        context.print("".join(rows))


def _percentages(stats: dict[str, int]) -> str:
    if UTILIZATION in stats:
        usage = stats[UTILIZATION]
        return f"{'usage:':<15} {usage:>5}%\n{'idle:':<15} {100 - usage:>5}%\n"
    total = sum(stats.get(name, 0) for name, _ in CPU_FIELDS) or 1
    usage_share = (stats.get("user", 0) + stats.get("kernel", 0)) / total * 100
    lines = [f"{'usage:':<15} {usage_share:5.1f}%\n"]
    lines += [f"{label:<15} {stats[name] / total * 100:5.1f}%\n" for name, label in CPU_FIELDS if name in stats]
    return "".join(lines)


def run_nodememstats(context: Context, args: Arguments) -> None:
    """Print the host's memory."""
    number = args.number("cell")
    with context.during("Unable to get memory stats"):
        stats = host.memory_stats(context.connection, ALL if number is None else number)
    if args.has("json"):
        context.dump({name: value for name, value in stats.items()})  # noqa: C416 - a copy of the wider type
    else:
        context.print("".join(f"{name:<7}: {value:>20} KiB\n" for name, value in stats.items()))


def run_freecell(context: Context, args: Arguments) -> None:
    """Print the host's free memory."""
    args.exclusive("all", "cellno")
    cell = args.number("cellno")
    connection = context.connection
    if args.has("all"):
        _all_cells(context, args)
        return
    size = host.free_memory(connection) if cell is None else host.cell_free_memory(connection, cell)
    if args.has("json"):
        context.dump({"free_kib": size // 1024})
    else:
        context.print(f"{'Total' if cell is None else cell}: {size // 1024} KiB\n")


def _all_cells(context: Context, args: Arguments) -> None:
    from guesthouse.cli.xmltool import parse

    connection = context.connection
    with context.during("unable to get node capabilities"):
        root = parse(host.capabilities(connection))
    cells = [int(cell.get("id", "0")) for cell in root.findall("./host/topology/cells/cell")]
    sizes: dict[int, int] = {}
    for cell in cells:
        with context.during(f"failed to get free memory for NUMA node number: {cell}"):
            sizes[cell] = host.cell_free_memory(connection, cell)
    if args.has("json"):
        entries: list[Json] = [{"cell": cell, "free_kib": size // 1024} for cell, size in sizes.items()]
        context.dump({"cells": entries, "free_kib": sum(sizes.values()) // 1024})
        return
    context.print("".join(f"{cell:>5}: {size // 1024:>10} KiB\n" for cell, size in sizes.items()))
    context.remark(f"{'-' * 20}\n{'Total':>5}: {sum(sizes.values()) // 1024:>10} KiB\n")


def run_maxvcpus(context: Context, args: Arguments) -> None:
    """Print how many vCPUs a guest can have."""
    from guesthouse.cli.xmltool import first, number, parse

    virt = args.text("type")
    count: int | None = None
    try:
        root = parse(host.domain_capabilities(context.connection, (None, None, None, virt)))
        count = number(first(root, "vcpu/@max"))
    except LibvirtError as error:
        context.note(error)
    if count is None:
        count = host.max_vcpus(context.connection, virt)
    if args.has("json"):
        context.dump({"maximum": count})
    else:
        context.print(f"{count}\n")


def run_nodesevinfo(context: Context, args: Arguments) -> None:
    """Print what the host offers of AMD SEV."""
    from guesthouse.cli.params import shown, value

    with context.during("Unable to get host SEV information"):
        params = host.sev_info(context.connection)
    if args.has("json"):
        context.dump({one.field: value(one) for one in params})
    else:
        context.print("".join(f"{one.field:<18}: {shown(one)}\n" for one in params))


COMMANDS = (
    Command(
        "freecell",
        "host",
        "print the host's free memory",
        run_freecell,
        (
            Option("cellno", "int", "of this NUMA cell", loose=True),
            flag("all", "of every NUMA cell"),
        ),
        shape="{free_kib, cells: [{cell, free_kib}] with --all}",
    ),
    Command("hostname", "host", "print the host's name", run_hostname, shape="{hostname}"),
    Command(
        "maxvcpus",
        "host",
        "print how many vCPUs a guest can have",
        run_maxvcpus,
        (Option("type", "string", "a guest of this type, such as kvm", loose=True, complete="kvm qemu"),),
        shape="{maximum}",
    ),
    Command(
        "nodecpumap",
        "host",
        "print which of the host's CPUs are online",
        run_nodecpumap,
        (flag("pretty", "as ranges"),),
        shape="{present, online, cpus: [number]}",
    ),
    Command(
        "nodecpustats",
        "host",
        "print what the host's CPUs did",
        run_nodecpustats,
        (
            Option("cpu", "int", "this CPU alone", loose=True),
            flag("percent", "in percent, over one second"),
        ),
        description="Print how many nanoseconds the host's CPUs spent in what.",
        shape="{user, kernel, idle, iowait: nanoseconds}",
    ),
    Command(
        "nodeinfo",
        "host",
        "print the host's CPUs and memory",
        run_nodeinfo,
        shape="{model, cpus, mhz, sockets, cores, threads, cells, memory_kib}",
    ),
    Command(
        "nodememstats",
        "host",
        "print the host's memory",
        run_nodememstats,
        (Option("cell", "int", "of this NUMA cell", loose=True),),
        shape="{total, free, buffers, cached: KiB}",
    ),
    Command(
        "nodesevinfo",
        "host",
        "print what the host offers of AMD SEV",
        run_nodesevinfo,
        shape="{field: value}",
    ),
    Command("sysinfo", "host", "print what the firmware says about the host", run_sysinfo, shape=SHAPE),
    Command("uri", "host", "print the connection's URI", run_uri, shape="{uri}"),
    Command(
        "version",
        "host",
        "print versions",
        run_version,
        (flag("daemon", "the daemon's, too"),),
        shape="{library, hypervisor, running: text or null, daemon}",
    ),
)
