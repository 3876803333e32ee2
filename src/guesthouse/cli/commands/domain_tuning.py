"""How the host serves a guest: `blkdeviotune`, `blkiotune`, `memtune`, `numatune`, `perf`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain
from guesthouse.cli.numerals import decimal
from guesthouse.cli.params import shown, value
from guesthouse.cli.tuned import IMPACT, impact, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.params import TypedParam

#: `VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`, in KiB.
UNLIMITED = 9007199254740991

MEMORY = ("hard-limit", "soft-limit", "swap-hard-limit", "min-guarantee")

#: `virDomainNumatuneMemMode`.
MODES = ("strict", "preferred", "interleave", "restrictive")

#: Options of `blkiotune` about single disks, and their parameters.
DEVICES = {
    "device-weights": "device_weight",
    "device-read-iops-sec": "device_read_iops_sec",
    "device-write-iops-sec": "device_write_iops_sec",
    "device-read-bytes-sec": "device_read_bytes_sec",
    "device-write-bytes-sec": "device_write_bytes_sec",
}

_RATES = tuple(f"{way}-{what}-sec" for what in ("bytes", "iops") for way in ("total", "read", "write"))

#: Options of `blkdeviotune` in virsh's order, and those of them that take a unit.
LIMITS = (
    *_RATES,
    *(f"{name}-max" for name in _RATES),
    "size-iops-sec",
    *(f"{name}-max-length" for name in _RATES),
)
SIZES = tuple(name for name in LIMITS if "-bytes-" in name and not name.endswith("-length"))


def run_memtune(context: Context, args: Arguments) -> None:
    """Print or set the limits of a guest's memory."""
    from guesthouse.client import tuning
    from guesthouse.client.params import ullong_param

    flags = impact(args)
    found = context.domain(args.need("domain"))
    params = [ullong_param(name.replace("-", "_"), _limit(args, name)) for name in MEMORY if args.has(name)]
    if params:
        with context.during("Unable to change memory parameters"):
            tuning.set_memory_limits(found, params, flags)
        return
    with context.during("Unable to get memory parameters"):
        known = tuning.memory(found, flags)
    if args.has("json"):
        context.dump({one.field: None if one.value == UNLIMITED else value(one) for one in known})
        return
    for one in known:
        context.print(f"{one.field:<15}: {'unlimited' if one.value == UNLIMITED else shown(one)}\n")


def _limit(args: Arguments, name: str) -> int:
    """A limit in KiB; a negative one is none."""
    from guesthouse.cli.scaled import scaled

    text = str(args.values[name])
    number = decimal(text)
    if number is not None and number < 0:
        return UNLIMITED
    try:
        return -(-scaled(text, name, 1024, 2**63 - 1) // 1024)
    except CommandError:
        raise CommandError(f"Unable to parse integer parameter {name}") from None


def run_numatune(context: Context, args: Arguments) -> None:
    """Print or set where a guest's memory comes from."""
    from guesthouse.client import tuning
    from guesthouse.client.params import int_param, string_param

    flags = impact(args)
    found = context.domain(args.need("domain"))
    params: list[TypedParam] = []
    nodeset, mode = args.text("nodeset"), args.text("mode")
    if nodeset is not None:
        params.append(string_param("numa_nodeset", nodeset))
    if mode is not None:
        number = MODES.index(mode) if mode in MODES else decimal(mode)
        if number is None:
            raise CommandError(f"Invalid mode: {mode}")
        params.append(int_param("numa_mode", number))
    if params:
        with context.during("Unable to change numa parameters"):
            tuning.set_numa(found, params, flags)
        return
    with context.during("Unable to get numa parameters"):
        known = tuning.numa(found, flags)
    if args.has("json"):
        context.dump({one.field: _mode(one) if one.field == "numa_mode" else value(one) for one in known})
        return
    for one in known:
        context.print(f"{one.field:<15}: {_mode(one) if one.field == 'numa_mode' else shown(one)}\n")


def _mode(one: TypedParam) -> str:
    number = int(one.value)
    return MODES[number] if number < len(MODES) else str(number)


def run_blkiotune(context: Context, args: Arguments) -> None:
    """Print or set a guest's share of the host's disks."""
    from guesthouse.client import tuning
    from guesthouse.client.params import string_param, uint_param

    flags = impact(args)
    found = context.domain(args.need("domain"))
    params: list[TypedParam] = []
    weight = args.number("weight")
    if weight is not None:
        if weight <= 0:
            raise CommandError(f"Invalid value of {weight} for I/O weight")
        params.append(uint_param("weight", weight))
    params += [string_param(name, str(args.values[option])) for option, name in DEVICES.items() if args.has(option)]
    if params:
        with context.during("Unable to change blkio parameters"):
            tuning.set_blkio(found, params, flags)
        return
    with context.during("Unable to get blkio parameters"):
        known = tuning.blkio(found, flags)
    show(context, args, known)


def run_blkdeviotune(context: Context, args: Arguments) -> None:
    """Print or set the limits of one of a guest's disks."""
    from guesthouse.client import tuning

    flags = impact(args)
    found = context.domain(args.need("domain"))
    disk = args.need("device")
    params = limits(args)
    if params:
        with context.during("Unable to change block I/O throttle"):
            tuning.set_throttling(found, disk, params, flags)
        return
    with context.during("Unable to get block I/O throttle parameters"):
        known = tuning.throttling(found, disk, flags)
    show(context, args, known)


def limits(args: Arguments) -> list[TypedParam]:
    """The limits that options name. Raises CommandError."""
    from guesthouse.cli.scaled import scaled
    from guesthouse.client.params import string_param, ullong_param

    params = []
    for name in LIMITS:
        if name in SIZES and args.has(name):
            params.append(ullong_param(name.replace("-", "_"), scaled(str(args.values[name]), name, 1)))
        elif name not in SIZES and (number := args.unsigned(name, 2**64 - 1)) is not None:
            params.append(ullong_param(name.replace("-", "_"), number))
    group = args.text("group-name")
    if group is not None:
        params.append(string_param("group_name", group))
    return params


def limit_options() -> tuple[Option, ...]:
    """The options of limits: in bytes with a unit, and in requests or seconds without."""
    return tuple(Option(name, "int", _unit(name), loose=True) for name in LIMITS)


def _unit(name: str) -> str:
    if name in SIZES:
        return "bytes a second, with a unit"
    return "seconds of such a burst" if name.endswith("-length") else "requests a second"


def run_perf(context: Context, args: Arguments) -> None:
    """Print or switch the kernel's counters of a guest."""
    from guesthouse.client import tuning
    from guesthouse.client.params import bool_param

    flags = impact(args)
    enable, disable = args.text("enable"), args.text("disable")
    found = context.domain(args.need("domain"))
    params = [bool_param(name, True) for name in (enable or "").split(",") if name]
    params += [bool_param(name, False) for name in (disable or "").split(",") if name]
    if params:
        with context.during("Unable to enable/disable perf events"):
            tuning.set_perf_events(found, params, flags)
    else:
        with context.during("Unable to get perf events"):
            params = tuning.perf_events(found, flags)
    if args.has("json"):
        context.dump({one.field: bool(one.value) for one in params})
        return
    for one in params:
        context.print(f"{one.field:<15}: {'enabled' if one.value else 'disabled'}\n")


COMMANDS = (
    Command(
        "blkdeviotune",
        "domain",
        "print or set the limits of a disk",
        run_blkdeviotune,
        (
            domain(),
            Option("device", "string", "the disk: its target or its image", required=True, positional=True),
            Option("group-name", "string", "share the limits with the disks of this group", loose=True),
            *limit_options(),
            *IMPACT,
        ),
        description="Print the limits of a disk's traffic, or set those that are named. 0 is no limit.",
        shape="{NAME: number or text}",
    ),
    Command(
        "blkiotune",
        "domain",
        "print or set a guest's share of the host's disks",
        run_blkiotune,
        (
            domain(),
            Option("weight", "int", "its share of all disks", loose=True),
            *(Option(name, "string", "of single disks: PATH,VALUE,PATH,VALUE,…", loose=True) for name in DEVICES),
            *IMPACT,
        ),
        shape="{weight: number, device_…: text}",
    ),
    Command(
        "memtune",
        "domain",
        "print or set the limits of a guest's memory",
        run_memtune,
        (
            domain(),
            Option("hard-limit", "int", "at most, in KiB or with a unit; -1 is no limit", loose=True),
            Option("soft-limit", "int", "when the host is short of memory", loose=True),
            Option("swap-hard-limit", "int", "at most, with swap space", loose=True),
            Option("min-guarantee", "int", "at least, for other hypervisors", loose=True),
            *IMPACT,
        ),
        shape="{hard_limit, soft_limit, swap_hard_limit: number of KiB or null}",
    ),
    Command(
        "numatune",
        "domain",
        "print or set where a guest's memory comes from",
        run_numatune,
        (
            domain(),
            Option("mode", "string", "how the nodes are used", loose=True, complete=" ".join(MODES)),
            Option("nodeset", "string", "the host's nodes", loose=True),
            *IMPACT,
        ),
        shape="{numa_mode: text, numa_nodeset: text}",
    ),
    Command(
        "perf",
        "domain",
        "print or switch the kernel's counters of a guest",
        run_perf,
        (
            domain(),
            Option("enable", "string", "counters to turn on: NAME,NAME,…", loose=True),
            Option("disable", "string", "counters to turn off", loose=True),
            *IMPACT,
        ),
        shape="{NAME: boolean}",
    ),
)
