"""A guest's CPUs: `vcpuinfo`, `vcpucount`, `setvcpu`, `setvcpus`, `schedinfo`."""

from __future__ import annotations

from guesthouse.cli.bitmaps import flags as shown_flags
from guesthouse.cli.bitmaps import ranges
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.params import parse, shown, value
from guesthouse.cli.words import SHUTOFF, VCPU_STATES, word
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain
    from guesthouse.client.params import TypedParam

#: `virDomainVcpuFlags`.
LIVE, CONFIG, MAXIMUM, GUEST, HOTPLUGGABLE = 1, 2, 4, 8, 16
XML_INACTIVE = 2


class _Vcpu:
    """One vCPU: number, host CPU (None while off), state, nanoseconds of CPU time, bit map of allowed host CPUs."""

    def __init__(self, number: int, cpu: int | None, state: str, time: int, affinity: bytes) -> None:
        self.number = number
        self.cpu = cpu
        self.state = state
        self.time = time
        self.affinity = affinity


def run_vcpuinfo(context: Context, args: Arguments) -> None:
    """Print where a guest's vCPUs run."""
    from guesthouse.client.host import cpu_count

    found = context.domain(args.need("domain"))
    cpus = cpu_count(context.connection)
    info = found.info()
    length = (cpus + 7) // 8
    try:
        ret = found.vcpus(info.nrVirtCpu, length)
        vcpus = [
            _Vcpu(one.number, one.cpu, word(VCPU_STATES, one.state), one.cpu_time, ret.cpumaps[at * length :][:length])
            for at, one in enumerate(ret.info)
        ]
    except LibvirtError:
        if info.state != SHUTOFF:
            raise
        vcpus = _stored(context, found, length)
    if args.has("json"):
        context.dump([_object(one, cpus) for one in vcpus])
    else:
        context.print("\n".join(_page(one, cpus, pretty=args.has("pretty")) for one in vcpus))


def _stored(context: Context, found: Domain, length: int) -> list[_Vcpu]:
    """The vCPUs of a guest that is off, from its definition."""
    from guesthouse.cli.xmltool import definition, first, number

    root = definition(context, found, XML_INACTIVE)
    maximum = number(first(root, "vcpu"))
    if maximum is None:
        raise CommandError("Failed to retrieve maximum vcpu count")
    enabled = [number(first(one, "@id")) for one in root.findall("./vcpus/vcpu[@enabled='yes']")]
    current = number(first(root, "vcpu/@current")) or maximum
    numbers = [one for one in enabled if one is not None] or list(range(current))
    maps = found.vcpu_pins(maximum, length, CONFIG)
    return [_Vcpu(one, None, "N/A", 0, maps[one * length :][:length]) for one in numbers]


def _page(one: _Vcpu, cpus: int, *, pretty: bool) -> str:
    lines = [
        f"{'VCPU:':<15} {one.number}\n",
        f"{'CPU:':<15} {'N/A' if one.cpu is None else one.cpu}\n",
        f"{'State:':<15} {one.state}\n",
    ]
    if one.cpu is None:
        lines.append(f"{'CPU time':<15} N/A\n")
    elif one.time:
        lines.append(f"{'CPU time:':<15} {one.time / 1e9:.1f}s\n")
    affinity = f"{ranges(one.affinity)} (out of {cpus})" if pretty else shown_flags(one.affinity, cpus)
    lines.append(f"{'CPU Affinity:':<15} {affinity}\n")
    return "".join(lines)


def _object(one: _Vcpu, cpus: int) -> dict[str, Json]:
    return {
        "vcpu": one.number,
        "cpu": one.cpu,
        "state": None if one.cpu is None else one.state,
        "time_ns": None if one.cpu is None else one.time,
        "affinity": [cpu for cpu in range(cpus) if one.affinity[cpu // 8] >> cpu % 8 & 1],
    }


def run_vcpucount(context: Context, args: Arguments) -> None:
    """Print how many vCPUs a guest has, and may have."""
    given = [name for name in ("maximum", "active", "current", "config", "live", "guest") if args.has(name)]
    if given == ["current"]:
        del args.values["current"]
    args.exclusive("live", "config")
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    args.exclusive("active", "maximum")
    args.exclusive("guest", "config")
    found = context.domain(args.need("domain"))
    if given or args.has("json"):
        _one_count(context, found, args, given)
        return
    for kind, where, number in _counts(found):
        context.print(f"{kind:<12} {where:<12} {number:3d}\n")


def _one_count(context: Context, found: Domain, args: Arguments, given: list[str]) -> None:
    if not given:
        counts: dict[str, Json] = {}
        for kind, where, number in _counts(found):
            counts[f"{kind}_{where}"] = number
        context.dump(counts)
        return
    bits = {"live": LIVE, "config": CONFIG, "maximum": MAXIMUM, "guest": GUEST}
    count = found.vcpu_count(sum(bit for name, bit in bits.items() if args.has(name)))
    if args.has("json"):
        context.dump({"count": count})
    else:
        context.print(f"{count}\n")


def _counts(found: Domain) -> list[tuple[str, str, int]]:
    """Maximum and current count, of the definition and of the running guest, where there is such."""
    counts: dict[tuple[str, str], int] = {}
    for kind, bit in (("maximum", MAXIMUM), ("current", 0)):
        if found.is_persistent():
            counts[kind, "config"] = found.vcpu_count(CONFIG | bit)
    for kind, bit in (("maximum", MAXIMUM), ("current", 0)):
        if found.is_active():
            counts[kind, "live"] = found.vcpu_count(LIVE | bit)
    order = [(kind, where) for kind in ("maximum", "current") for where in ("config", "live")]
    return [(*key, counts[key]) for key in order if counts.get(key, 0) > 0]


def _impact(args: Arguments) -> int:
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    return (LIVE if args.has("live") else 0) | (CONFIG if args.has("config") else 0)


def run_setvcpus(context: Context, args: Arguments) -> None:
    """Set how many vCPUs a guest has."""
    flags = _impact(args)
    args.exclusive("guest", "config")
    args.requires("maximum", "config")
    for name, bit in (("guest", GUEST), ("maximum", MAXIMUM), ("hotpluggable", HOTPLUGGABLE)):
        flags |= bit if args.has(name) else 0
    found = context.domain(args.need("domain"))
    count = args.unsigned("count") or 0
    if count == 0:
        raise CommandError("Can't set 0 processors for a VM")
    found.set_vcpus(count, flags if flags or args.has("current") else None)


def run_setvcpu(context: Context, args: Arguments) -> None:
    """Turn single vCPUs on or off."""
    from guesthouse.client import tuning

    args.exclusive("enable", "disable")
    flags = _impact(args)
    if not (args.has("enable") or args.has("disable")):
        raise CommandError("one of --enable, --disable is required")
    found = context.domain(args.need("domain"))
    tuning.set_vcpu(found, args.need("vcpulist"), args.has("enable"), flags)


def run_schedinfo(context: Context, args: Arguments) -> None:
    """Print or set how much CPU a guest gets."""
    flags = _impact(args)
    found = context.domain(args.need("domain"))
    try:
        scheduler, count = found.scheduler_type()
    except LibvirtError:
        context.print(f"{'Scheduler':<15}: Unknown\n")
        raise
    ways = flags if flags or args.has("current") else None
    query = 0 if flags == LIVE | CONFIG else ways
    if not args.has("json"):
        context.print(f"{'Scheduler':<15}: {scheduler}\n")
    params = found.scheduler(count, query) if count else []
    updates = _updates(args, params) if count else []
    if updates:
        found.set_scheduler(updates, ways)
        params = found.scheduler(count, query)
    elif flags == LIVE | CONFIG and count:
        raise CommandError("cannot query both live and config at once")
    if args.has("json"):
        context.dump({"scheduler": scheduler, "parameters": {one.field: value(one) for one in params}})
        return
    for one in params:
        context.print(f"{one.field:<15}: {shown(one)}\n")


def _updates(args: Arguments, params: list[TypedParam]) -> list[TypedParam]:
    """The parameters that the options change."""
    pairs = []
    for item in args.words("set"):
        name, sign, text = item.partition("=")
        if not sign:
            raise CommandError("Invalid syntax for --set, expecting name=value")
        pairs.append((name, text))
    pairs += [(name, str(args.values[name])) for name in ("cap", "weight") if args.has(name)]
    known = {one.field: one for one in params}
    for name, _ in pairs:
        if name not in known:
            raise CommandError(f"invalid scheduler option: {name}")
    return [parse(known[name], text) for name, text in pairs]


COMMANDS = (
    Command(
        "schedinfo",
        "domain",
        "print or set how much CPU a guest gets",
        run_schedinfo,
        (
            domain(),
            Option("weight", "int", "its share, for Xen"),
            Option("cap", "int", "its limit, for Xen"),
            flag("current", "of whichever is there"),
            flag("config", "of the stored definition"),
            flag("live", "of the running guest"),
            Option("set", "argv", "a parameter and its value: name=value", positional=True),
        ),
        description="Print the parameters of a guest's CPU scheduling, or set some.",
        shape="{scheduler, parameters: {name: value}}",
    ),
    Command(
        "setvcpu",
        "domain",
        "turn single vCPUs of a guest on or off",
        run_setvcpu,
        (
            domain(),
            Option("vcpulist", "string", "which ones, as 1-3,7", required=True, positional=True),
            flag("enable", "turn them on"),
            flag("disable", "turn them off"),
            flag("config", "of the stored definition"),
            flag("live", "of the running guest"),
            flag("current", "of whichever is there"),
        ),
    ),
    Command(
        "setvcpus",
        "domain",
        "set the number of a guest's vCPUs",
        run_setvcpus,
        (
            domain(),
            Option("count", "int", "how many", required=True, positional=True),
            flag("maximum", "at most, from the next start on"),
            flag("config", "of the stored definition"),
            flag("live", "of the running guest"),
            flag("current", "of whichever is there"),
            flag("guest", "by asking the guest to use no more"),
            flag("hotpluggable", "so that they can be unplugged again"),
        ),
    ),
    Command(
        "vcpucount",
        "domain",
        "print the number of a guest's vCPUs",
        run_vcpucount,
        (
            domain(),
            flag("maximum", "at most"),
            flag("active", "now"),
            flag("live", "of the running guest"),
            flag("config", "of the stored definition"),
            flag("current", "of whichever is there"),
            flag("guest", "as the guest counts them"),
        ),
        shape="{maximum_config, maximum_live, current_config, current_live} as far as they are; {count} with options",
    ),
    Command(
        "vcpuinfo",
        "domain",
        "print where a guest's vCPUs run",
        run_vcpuinfo,
        (domain(), flag("pretty", "with the allowed CPUs as ranges")),
        shape="[{vcpu, cpu: number or null, state: text or null, time_ns: number or null, affinity: [number]}]",
    ),
)
