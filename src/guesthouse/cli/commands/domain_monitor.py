"""How a guest is: `domstate`, `dominfo`, `domcontrol`, `domtime`, `domhostname`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.numerals import LONG_MAX
from guesthouse.cli.words import CONTROL_REASONS, CONTROL_STATES, reason, state, word, yes
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

    T = TypeVar("T")

TIME_SYNC = 1

#: Where `domhostname` may ask.
HOSTNAME_SOURCES = {"lease": 1, "agent": 2}

CONTROL_ERROR = 3


def run_domstate(context: Context, args: Arguments) -> None:
    """Print a guest's state."""
    number, why = context.domain(args.need("domain")).state()
    if args.has("json"):
        context.dump({"state": state(number), "reason": reason(number, why)})
    elif args.has("reason"):
        context.print(f"{state(number)} ({reason(number, why)})\n")
    else:
        context.print(f"{state(number)}\n")


def run_domcontrol(context: Context, args: Arguments) -> None:
    """Print the state of the daemon's way to a guest."""
    info = context.domain(args.need("domain")).control_info()
    text = word(CONTROL_STATES, info.state)
    if args.has("json"):
        context.dump({"state": text, "details": word(CONTROL_REASONS, info.details), "milliseconds": info.stateTime})
    elif info.state not in (0, CONTROL_ERROR):
        context.print(f"{text} ({info.stateTime / 1000:0.3f}s)\n")
    elif info.state == CONTROL_ERROR and info.details > 0:
        context.print(f"{text}: {word(CONTROL_REASONS, info.details)}\n")
    else:
        context.print(f"{text}\n")


def run_domhostname(context: Context, args: Arguments) -> None:
    """Print the host name that a guest has given itself."""
    found = context.domain(args.need("domain"))
    source = args.text("source")
    if source is not None and source not in HOSTNAME_SOURCES:
        raise CommandError(f"Unknown data source '{source}'")
    with context.during("failed to get hostname"):
        name = found.hostname(HOSTNAME_SOURCES[source] if source else 0)
    if args.has("json"):
        context.dump({"hostname": name})
    else:
        context.print(f"{name}\n")


def run_domtime(context: Context, args: Arguments) -> None:
    """Print a guest's clock, or set it."""
    import time

    args.exclusive("time", "now")
    args.exclusive("time", "sync")
    args.exclusive("now", "sync")
    found = context.domain(args.need("domain"))
    wanted = args.number("time", -LONG_MAX - 1, LONG_MAX)
    if wanted is not None or args.has("now") or args.has("sync"):
        seconds = int(time.time()) if args.has("now") else wanted or 0
        found.set_time(seconds, TIME_SYNC if args.has("sync") else 0)
        return
    seconds = found.time()
    if args.has("json"):
        context.dump({"time": seconds})
    elif args.has("pretty"):
        context.print(f"Time: {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}")
    else:
        context.print(f"Time: {seconds}")


def run_dominfo(context: Context, args: Arguments) -> None:
    """Print what there is to know about a guest at a glance."""
    found = context.domain(args.need("domain"))
    if args.has("json"):
        context.dump(_facts(context, found))
        return
    _identity(context, found)
    failure = _resources(context, found)
    _storage(context, found)
    _security(context, found)
    for number, message in enumerate(_messages(found)):
        _line(context, "" if number else "Messages:", message)
    if failure is not None:
        raise failure


def _line(context: Context, label: str, value: object) -> None:
    context.print(f"{label:<15} {value}\n")


def _quietly(ask: Callable[[], T], otherwise: T) -> T:
    """The answer, or `otherwise` from a daemon that cannot answer."""
    try:
        return ask()
    except LibvirtError:
        return otherwise


def _messages(found: Domain) -> list[str]:
    none: list[str] = []
    return _quietly(found.messages, none)


def _identity(context: Context, found: Domain) -> None:
    _line(context, "Id:", found.id if found.id >= 0 else "-")
    _line(context, "Name:", found.name)
    _line(context, "UUID:", found.uuid)
    os_type = _quietly(found.os_type, "")
    if os_type:
        _line(context, "OS Type:", os_type)


def _resources(context: Context, found: Domain) -> LibvirtError | None:
    """Print CPU and memory; a failure is for the end, after everything else."""
    try:
        info = found.info()
    except LibvirtError as error:
        return error
    _line(context, "State:", state(info.state))
    _line(context, "CPU(s):", info.nrVirtCpu)
    if info.cpuTime:
        _line(context, "CPU time:", f"{info.cpuTime / 1e9:.1f}s")
    unlimited = info.maxMem == 2**32 - 1
    _line(context, "Max memory:", "no limit" if unlimited else f"{info.maxMem} KiB")
    _line(context, "Used memory:", f"{info.memory} KiB")
    return None


def _storage(context: Context, found: Domain) -> None:
    persistent = _quietly(found.is_persistent, None)
    _line(context, "Persistent:", "unknown" if persistent is None else yes(persistent))
    autostart = _quietly(found.autostart, None)
    if autostart is not None:
        _line(context, "Autostart:", "enable" if autostart else "disable")
    once = _quietly(found.autostart_once, None)
    if once is not None:
        _line(context, "Autostart Once:", "enable" if once else "disable")
    saved = _quietly(found.has_managed_save, None)
    _line(context, "Managed save:", "unknown" if saved is None else yes(saved))


def _security(context: Context, found: Domain) -> None:
    from guesthouse.client.host import security_model

    try:
        model, doi = security_model(context.connection)
    except LibvirtError as error:
        if error.code == Code.NO_SUPPORT:
            return
        raise
    if model:
        _line(context, "Security model:", model)
        _line(context, "Security DOI:", doi)
        label, enforcing = found.security_label()
        if label:
            _line(context, "Security label:", f"{label} ({'enforcing' if enforcing else 'permissive'})")


def _facts(context: Context, found: Domain) -> dict[str, Json]:
    info = found.info()
    return {
        "id": found.id if found.id >= 0 else None,
        "name": found.name,
        "uuid": found.uuid,
        "os_type": found.os_type(),
        "state": state(info.state),
        "vcpus": info.nrVirtCpu,
        "cpu_time_ns": info.cpuTime,
        "max_memory_kib": info.maxMem,
        "memory_kib": info.memory,
        "persistent": found.is_persistent(),
        "autostart": _quietly(found.autostart, None),
        "autostart_once": _quietly(found.autostart_once, None),
        "managed_save": _quietly(found.has_managed_save, None),
        "messages": [*_messages(found)],
    }


COMMANDS = (
    Command(
        "domcontrol",
        "monitor",
        "print the state of the daemon's way to a guest",
        run_domcontrol,
        (domain(),),
        shape="{state, details, milliseconds}",
    ),
    Command(
        "domhostname",
        "domain",
        "print a guest's host name",
        run_domhostname,
        (
            domain(),
            Option("source", "string", "who is asked: lease or agent", loose=True, complete="agent lease"),
        ),
        shape="{hostname}",
    ),
    Command(
        "dominfo",
        "monitor",
        "print a guest's main facts",
        run_dominfo,
        (domain(),),
        description="Print state, CPUs, memory and the like of a guest.",
        shape="{id: number or null, name, uuid, os_type, state, vcpus, cpu_time_ns, max_memory_kib, memory_kib,"
        " persistent, autostart, autostart_once, managed_save, messages: [text]}",
    ),
    Command(
        "domstate",
        "monitor",
        "print a guest's state",
        run_domstate,
        (domain(), flag("reason", "and why it is in it")),
        shape="{state, reason}",
    ),
    Command(
        "domtime",
        "monitor",
        "print or set a guest's clock",
        run_domtime,
        (
            domain(),
            flag("now", "set it to this machine's time"),
            flag("pretty", "print it as date and time"),
            flag("sync", "set it from the guest's own real-time clock"),
            Option("time", "int", "set it to this: seconds since 1970", loose=True),
        ),
        shape="{time: seconds since 1970}",
    ),
)
