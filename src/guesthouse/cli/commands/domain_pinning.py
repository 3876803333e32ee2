"""Where a guest's threads run: `vcpupin`, `emulatorpin`, `iothreadpin`."""

from __future__ import annotations

from guesthouse.cli.bitmaps import ranges
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.tuned import CONFIG, IMPACT, LIVE, cpu_map, impact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

MAXIMUM = 4


def run_vcpupin(context: Context, args: Arguments) -> None:
    """Print or set where vCPUs run."""
    from guesthouse.client import tuning
    from guesthouse.client.host import cpu_count

    flags = impact(args)
    cpus = args.text("cpulist")
    if cpus is None:
        args.exclusive("live", "config")
    number = args.unsigned("vcpu")
    if cpus is not None and number is None:
        raise CommandError("vcpupin: Missing vCPU number in pin mode.")
    count = cpu_count(context.connection)
    found = context.domain(args.need("domain"))
    if cpus is None or number is None:
        _print_vcpus(context, args, number, count, flags)
        return
    tuning.pin_vcpu(found, number, cpu_map(cpus, count), flags if flags or args.has("current") else None)


def _print_vcpus(context: Context, args: Arguments, number: int | None, cpus: int, flags: int) -> None:
    found = context.domain(args.need("domain"))
    count = found.vcpu_count(flags | MAXIMUM)
    if number is not None and number >= count:
        live = flags & LIVE or (not flags & CONFIG and found.is_active())
        where = "live" if live else "persistent"
        raise CommandError(f"vcpu {number} is out of range of {where} cpu count {count}")
    length = (cpus + 7) // 8
    maps = found.vcpu_pins(count, length, flags)
    pins = [(at, maps[at * length :][:length]) for at in range(len(maps) // length) if number in (None, at)]
    if args.has("json"):
        context.dump([{"vcpu": at, "cpus": ranges(data)} for at, data in pins])
        return
    context.table(("VCPU", "CPU Affinity"), [(str(at), ranges(data)) for at, data in pins])


def run_emulatorpin(context: Context, args: Arguments) -> None:
    """Print or set where QEMU's own threads run."""
    from guesthouse.client import tuning
    from guesthouse.client.host import cpu_count

    flags = impact(args)
    found = context.domain(args.need("domain"))
    cpus = args.text("cpulist")
    count = cpu_count(context.connection)
    if cpus is not None:
        tuning.pin_emulator(found, cpu_map(cpus, count), flags if flags or args.has("current") else LIVE)
        return
    data = ranges(tuning.emulator_pin(found, (count + 7) // 8, flags))
    if args.has("json"):
        context.dump({"cpus": data})
        return
    context.remark("emulator: CPU Affinity\n----------------------------------\n       *: ")
    context.print(f"{data}\n")


def run_iothreadpin(context: Context, args: Arguments) -> None:
    """Set where an I/O thread runs."""
    from guesthouse.client import tuning
    from guesthouse.client.host import cpu_count

    flags = impact(args)
    found = context.domain(args.need("domain"))
    number = args.unsigned("iothread") or 0
    cpus = cpu_map(args.need("cpulist"), cpu_count(context.connection))
    tuning.pin_iothread(found, number, cpus, flags)


COMMANDS = (
    Command(
        "emulatorpin",
        "domain",
        "print or set where QEMU's own threads run",
        run_emulatorpin,
        (
            domain(),
            Option("cpulist", "string", "the host's CPUs, as 0-3,^2; r is all", loose=True, empty=True),
            *IMPACT,
        ),
        shape="{cpus: text}",
    ),
    Command(
        "iothreadpin",
        "domain",
        "set where an I/O thread runs",
        run_iothreadpin,
        (
            domain(),
            Option("iothread", "int", "the thread's id", required=True, positional=True),
            Option("cpulist", "string", "the host's CPUs, as 0-3,^2; r is all", required=True, positional=True),
            *IMPACT,
        ),
    ),
    Command(
        "vcpupin",
        "domain",
        "print or set where vCPUs run",
        run_vcpupin,
        (
            domain(),
            Option("vcpu", "int", "which one", loose=True),
            Option("cpulist", "string", "the host's CPUs, as 0-3,^2; r is all", loose=True, empty=True),
            *IMPACT,
        ),
        shape="[{vcpu: number, cpus: text}]",
    ),
)
