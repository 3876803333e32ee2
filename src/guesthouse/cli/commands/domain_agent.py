"""What a guest's agent does: file systems, users, vCPUs, sleep, and what it tells."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag
from guesthouse.cli.tuned import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: `virDomainGuestInfoTypes`.
TYPES = {
    "user": 1,
    "os": 2,
    "timezone": 4,
    "hostname": 8,
    "filesystem": 16,
    "disk": 32,
    "interface": 64,
    "load": 128,
}

#: `virNodeSuspendTarget`.
SLEEPS = ("mem", "disk", "hybrid")

#: `virDomainAuthorizedSSHKeysSetFlags`.
APPEND, REMOVE = 1, 2

#: Waiting for the agent as long as it takes.
BLOCK = -2


def run_domfsfreeze(context: Context, args: Arguments) -> None:
    """Bring a guest's file systems to rest."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    with context.during("Unable to freeze filesystems"):
        count = agent.freeze(found, args.words("mountpoint"))
    context.remark(f"Froze {count} filesystem(s)\n")


def run_domfsthaw(context: Context, args: Arguments) -> None:
    """Let a guest's file systems go on."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    with context.during("Unable to thaw filesystems"):
        count = agent.thaw(found, args.words("mountpoint"))
    context.remark(f"Thawed {count} filesystem(s)\n")


def run_domfstrim(context: Context, args: Arguments) -> None:
    """Have a guest give back free blocks."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    minimum = args.unsigned("minimum", 2**64 - 1) or 0
    with context.during("Unable to invoke fstrim"):
        agent.trim(found, args.text("mountpoint"), minimum)


def run_domfsinfo(context: Context, args: Arguments) -> None:
    """Print a guest's mounted file systems."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    with context.during("Unable to get filesystem information"):
        known = agent.filesystems(found)
    if args.has("json"):
        context.dump(
            [
                {"mountpoint": one.mountpoint, "name": one.name, "type": one.fstype, "targets": list(one.dev_aliases)}
                for one in known
            ]
        )
    elif not known:
        context.remark("No filesystems are mounted in the domain")
    else:
        rows = [(one.mountpoint, one.name, one.fstype, ",".join(one.dev_aliases)) for one in known]
        context.table(("Mountpoint", "Name", "Type", "Target"), rows)


def run_guestinfo(context: Context, args: Arguments) -> None:
    """Print what a guest tells of itself."""
    from guesthouse.client import agent

    types = sum(bit for name, bit in TYPES.items() if args.has(name))
    found = context.domain(args.need("domain"))
    show(context, args, agent.information(found, types), width=20)


def run_guestvcpus(context: Context, args: Arguments) -> None:
    """Print or switch the vCPUs that a guest uses."""
    from guesthouse.client import agent

    args.exclusive("enable", "disable")
    args.requires("enable", "cpulist")
    args.requires("disable", "cpulist")
    numbers = args.text("cpulist")
    if numbers is not None and not (args.has("enable") or args.has("disable")):
        raise CommandError("One of options --enable or --disable is required by option --cpulist")
    found = context.domain(args.need("domain"))
    if numbers is not None:
        agent.set_vcpus(found, numbers, args.has("enable"))
        return
    show(context, args, agent.vcpus(found))


def run_set_user_password(context: Context, args: Arguments) -> None:
    """Give a user of a guest a password."""
    from guesthouse.client import agent

    user, name = args.need("user"), args.need("domain")
    found = context.domain(name)
    agent.set_password(found, user, args.need("password"), hashed=args.has("encrypted"))
    context.remark(f"Password set successfully for {user} in {name}")


def run_guest_agent_timeout(context: Context, args: Arguments) -> None:
    """Set how long the daemon waits for a guest's agent."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    seconds = args.number("timeout")
    agent.set_timeout(found, BLOCK if seconds is None else seconds)


def run_get_user_sshkeys(context: Context, args: Arguments) -> None:
    """Print the keys with which a user of a guest may log in."""
    from guesthouse.client import agent

    found = context.domain(args.need("domain"))
    keys = agent.ssh_keys(found, args.need("user"))
    if args.has("json"):
        context.dump([*keys])
    else:
        context.print("".join(keys))


def run_set_user_sshkeys(context: Context, args: Arguments) -> None:
    """Add, replace or remove the keys of a user of a guest."""
    from guesthouse.cli.files import read_document
    from guesthouse.client import agent

    args.requires("remove", "file")
    args.exclusive("reset", "remove")
    found = context.domain(args.need("domain"))
    path = args.text("file")
    flags = REMOVE if args.has("remove") else 0 if args.has("reset") else APPEND
    if flags == APPEND and path is None:
        raise CommandError("Option --file is required")
    keys = read_document(path).split("\n") if path is not None else []
    agent.set_ssh_keys(found, args.need("user"), keys, flags)


def run_dompmsuspend(context: Context, args: Arguments) -> None:
    """Have a guest go to sleep."""
    from guesthouse.client import tuning

    found = context.domain(args.need("domain"))
    duration = args.unsigned("duration", 2**64 - 1) or 0
    target = args.need("target")
    if target not in SLEEPS:
        raise CommandError("Invalid target")
    with context.during(f"Domain '{found.name}' could not be suspended"):
        tuning.suspend_guest(found, SLEEPS.index(target), duration)
    context.remark(f"Domain '{found.name}' successfully suspended")


_USER = Option("user", "string", "the user", required=True, positional=True)
_MOUNTPOINT = Option("mountpoint", "argv", "only what is mounted there", positional=True)

COMMANDS = (
    Command("domfsfreeze", "domain", "bring a guest's file systems to rest", run_domfsfreeze, (domain(), _MOUNTPOINT)),
    Command(
        "domfsinfo",
        "domain",
        "print a guest's mounted file systems",
        run_domfsinfo,
        (domain(),),
        shape="[{mountpoint, name, type, targets: [text]}]",
    ),
    Command("domfsthaw", "domain", "let a guest's file systems go on", run_domfsthaw, (domain(), _MOUNTPOINT)),
    Command(
        "domfstrim",
        "domain",
        "have a guest give back free blocks",
        run_domfstrim,
        (
            domain(),
            Option("minimum", "int", "in pieces of at least so many bytes", loose=True),
            Option("mountpoint", "string", "only what is mounted there", loose=True),
        ),
    ),
    Command(
        "dompmsuspend",
        "domain",
        "have a guest go to sleep",
        run_dompmsuspend,
        (
            domain(),
            Option("target", "string", "where to", required=True, positional=True, complete=" ".join(SLEEPS)),
            Option("duration", "int", "for so many seconds; only 0 is supported"),
        ),
    ),
    Command(
        "get-user-sshkeys",
        "domain",
        "print the keys of a user of a guest",
        run_get_user_sshkeys,
        (domain(), _USER),
        shape="[text]",
    ),
    Command(
        "guest-agent-timeout",
        "domain",
        "set how long to wait for a guest's agent",
        run_guest_agent_timeout,
        (domain(), Option("timeout", "int", "seconds; -2 for ever, -1 the default, 0 not at all")),
    ),
    Command(
        "guestinfo",
        "domain",
        "print what a guest tells of itself",
        run_guestinfo,
        (domain(), *(flag(name, "only this") for name in TYPES)),
        shape="{NAME: value}",
    ),
    Command(
        "guestvcpus",
        "domain",
        "print or switch the vCPUs that a guest uses",
        run_guestvcpus,
        (
            domain(),
            Option("cpulist", "string", "which ones", loose=True),
            flag("enable", "turn them on"),
            flag("disable", "turn them off"),
        ),
        shape="{vcpus, online, offlinable: text}",
    ),
    Command(
        "set-user-password",
        "domain",
        "give a user of a guest a password",
        run_set_user_password,
        (
            domain(),
            _USER,
            Option("password", "string", "the new password", required=True, positional=True),
            flag("encrypted", "it is hashed already"),
        ),
    ),
    Command(
        "set-user-sshkeys",
        "domain",
        "set the keys of a user of a guest",
        run_set_user_sshkeys,
        (
            domain(),
            _USER,
            Option("file", "string", "a file with the keys, one a line", positional=True, complete="file"),
            flag("reset", "instead of those that are there"),
            flag("remove", "take these away"),
        ),
    ),
)
