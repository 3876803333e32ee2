"""A guest's life: define, create, start, suspend, resume, shutdown, reboot, reset, destroy, autostart, rename."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option, domain, file, flag
from guesthouse.errors import Code, LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

DEFINE_VALIDATE = 1

#: Option to flag of starting (`virDomainCreateFlags`).
START_PAUSED = 1
START_FORCE_BOOT = 8
START_FLAGS = {
    "paused": START_PAUSED,
    "autodestroy": 2,
    "bypass-cache": 4,
    "force-boot": START_FORCE_BOOT,
    "validate": 16,
    "reset-nvram": 32,
}

#: Way to flag of shutting down and rebooting (`virDomainShutdownFlagValues`, the same in both).
MODES = {"acpi": 1, "agent": 2, "initctl": 4, "signal": 8, "paravirt": 16}

DESTROY_FLAGS = {"graceful": 1, "remove-logs": 2}


def run_define(context: Context, args: Arguments) -> None:
    """Store a definition."""
    from guesthouse.client.host import define

    path = args.need("file")
    document = read_document(path)
    with context.during(f"Failed to define domain from {path}"):
        found = define(context.connection, document, DEFINE_VALIDATE if args.has("validate") else 0)
    context.remark(f"Domain '{found.name}' defined from {path}\n")


def run_create(context: Context, args: Arguments) -> None:
    """Start a guest from a document, without storing it."""
    from guesthouse.client.host import create

    path = args.need("file")
    document = read_document(path)
    _no_descriptors(args)
    flags, resume = _start_flags(args)
    connection = context.connection
    with context.during(f"Failed to create domain from {path}"):
        found = create(connection, document, flags)
    context.remark(f"Domain '{found.name}' created from {path}\n")
    if args.has("console"):
        _console(context, found, resume=resume)


def run_start(context: Context, args: Arguments) -> None:
    """Start a guest that is off."""
    found = context.domain(args.need("domain"), by="un")
    if found.id >= 0:
        raise CommandError("Domain is already active")
    _no_descriptors(args)
    flags, resume = _start_flags(args)
    with context.during(f"Failed to start domain '{found.name}'"):
        _start(found, flags)
    context.remark(f"Domain '{found.name}' started\n")
    if args.has("console"):
        _console(context, found, resume=resume)


def _start_flags(args: Arguments) -> tuple[int, bool]:
    """The flags, and whether the guest is to be let go once the console is there."""
    flags = sum(bit for name, bit in START_FLAGS.items() if args.has(name))
    resume = args.has("console") and not args.has("paused")
    return flags | (START_PAUSED if resume else 0), resume


def _no_descriptors(args: Arguments) -> None:
    """Refuse descriptors by name: the client does not hand any over yet."""
    if args.has("pass-fds"):
        raise CommandError("--pass-fds is not supported yet; name the files in the definition instead")


def _start(found: Domain, flags: int) -> None:
    """Start; without the saved memory also over a daemon that does not know how: that memory is then thrown away."""
    try:
        found.start(flags)
        return
    except LibvirtError as error:
        if not flags & START_FORCE_BOOT or error.code not in (Code.NO_SUPPORT, Code.INVALID_ARG):
            raise
    if found.has_managed_save():
        found.remove_managed_save()
    found.start(flags & ~START_FORCE_BOOT)


def _console(context: Context, found: Domain, *, resume: bool) -> None:
    from guesthouse.cli.commands.domain_console import attach

    attach(context, found, None, 0, resume=resume)


def _simple(act: Callable[[Domain], None], verb: str, done: str) -> Callable[[Context, Arguments], None]:
    """A command that does one thing to one guest and says that it did."""

    def run(context: Context, args: Arguments) -> None:
        name = args.need("domain")
        found = context.domain(name)
        with context.during(f"Failed to {verb} domain '{name}'"):
            act(found)
        context.remark(f"Domain '{name}' {done}\n")

    return run


def _modes(args: Arguments, last: str) -> int:
    """The flags for the ways that `--mode` lists."""
    text = args.text("mode")
    flags = 0
    for mode in text.split(",") if text else ():
        if mode not in MODES:
            raise CommandError(
                f"Unknown mode {mode} value, expecting 'acpi', 'agent', 'initctl', 'signal'{last} 'paravirt'"
            )
        flags |= MODES[mode]
    return flags


def run_shutdown(context: Context, args: Arguments) -> None:
    """Ask a guest to shut down."""
    flags = _modes(args, ", or")
    name = args.need("domain")
    found = context.domain(name)
    with context.during(f"Failed to shutdown domain '{name}'"):
        found.shutdown(flags)
    context.remark(f"Domain '{name}' is being shutdown\n")


def run_reboot(context: Context, args: Arguments) -> None:
    """Ask a guest to reboot."""
    flags = _modes(args, " or")
    name = args.need("domain")
    found = context.domain(name)
    with context.during(f"Failed to reboot domain '{name}'"):
        found.reboot(flags)
    context.remark(f"Domain '{name}' is being rebooted\n")


def run_destroy(context: Context, args: Arguments) -> None:
    """Stop a guest at once."""
    name = args.need("domain")
    found = context.domain(name)
    with context.during(f"Failed to destroy domain '{name}'"):
        found.destroy(sum(bit for option, bit in DESTROY_FLAGS.items() if args.has(option)))
    context.remark(f"Domain '{name}' destroyed\n")


def run_autostart(context: Context, args: Arguments) -> None:
    """Let a guest start with the host, or not."""
    name = args.need("domain")
    found = context.domain(name)
    wanted = not args.has("disable")
    mark = "mark" if wanted else "unmark"
    when = "autostarted on next boot" if args.has("once") else "autostarted"
    with context.during(f"Failed to {mark} domain '{name}' as {when}"):
        if args.has("once"):
            found.set_autostart_once(wanted)
        else:
            found.set_autostart(wanted)
    context.remark(f"Domain '{name}' {mark}ed as {when}\n")


def run_domrename(context: Context, args: Arguments) -> None:
    """Give a guest that is off another name."""
    found = context.domain(args.need("domain"))
    found.rename(args.need("new-name"))
    context.remark("Domain successfully renamed\n")


def run_dompmwakeup(context: Context, args: Arguments) -> None:
    """Wake a guest."""
    found = context.domain(args.need("domain"))
    with context.during(f"Domain '{found.name}' could not be woken up"):
        found.wake()
    context.remark(f"Domain '{found.name}' successfully woken up")


MODE = Option("mode", "string", "how: acpi, agent, initctl, signal, paravirt; several with commas", positional=True)
CONSOLE = flag("console", "and attach to its console")
PAUSED = flag("paused", "but leave its CPUs stopped")
AUTODESTROY = flag("autodestroy", "and destroy it when this connection ends")
PASS_FDS = Option("pass-fds", "string", "hand over these open files: N,M,…", loose=True)
NVRAM = flag("reset-nvram", "after making its NVRAM anew from the template")

COMMANDS = (
    Command(
        "autostart",
        "domain",
        "let a guest start with the host",
        run_autostart,
        (domain(), flag("disable", "not any more"), flag("once", "the next time only")),
    ),
    Command(
        "create",
        "domain",
        "start a guest from a document",
        run_create,
        (
            file("the document: a guest's definition as XML"),
            CONSOLE,
            PAUSED,
            AUTODESTROY,
            PASS_FDS,
            flag("validate", "after checking the document against the schema"),
            NVRAM,
        ),
        description="Start a guest without storing its definition: when it stops, nothing of it is left.",
    ),
    Command(
        "define",
        "domain",
        "store a guest's definition",
        run_define,
        (
            file("the document: a guest's definition as XML"),
            flag("validate", "after checking the document against the schema"),
        ),
        description="Store the definition of a guest, new or changed, without starting it.",
    ),
    Command(
        "destroy",
        "domain",
        "stop a guest at once",
        run_destroy,
        (
            domain(),
            flag("graceful", "but give up rather than kill QEMU"),
            flag("remove-logs", "and remove its logs"),
        ),
        description="Stop a guest as if its plug were pulled. Its definition stays.",
    ),
    Command(
        "dompmwakeup",
        "domain",
        "wake a guest that sleeps",
        run_dompmwakeup,
        (domain(),),
    ),
    Command(
        "domrename",
        "domain",
        "rename a guest that is off",
        run_domrename,
        (
            domain(),
            Option("new-name", "string", "its new name", required=True, positional=True),
        ),
    ),
    Command(
        "reboot",
        "domain",
        "ask a guest to reboot",
        run_reboot,
        (domain(), MODE),
    ),
    Command(
        "reset",
        "domain",
        "reset a guest",
        _simple(lambda found: found.reset(), "reset", "was reset"),
        (domain(),),
        description="Press a guest's reset button; it is not asked.",
    ),
    Command(
        "resume",
        "domain",
        "let a paused guest go on",
        _simple(lambda found: found.resume(), "resume", "resumed"),
        (domain(),),
    ),
    Command(
        "shutdown",
        "domain",
        "ask a guest to shut down",
        run_shutdown,
        (domain(), MODE),
    ),
    Command(
        "start",
        "domain",
        "start a guest",
        run_start,
        (
            domain("the guest: its name or UUID"),
            CONSOLE,
            PAUSED,
            AUTODESTROY,
            flag("bypass-cache", "past the file cache, where it is restored"),
            flag("force-boot", "afresh, and not from its saved memory"),
            PASS_FDS,
            NVRAM,
        ),
        description="Start a guest that is off: from its saved memory where there is such, else afresh.",
    ),
    Command(
        "suspend",
        "domain",
        "pause a guest",
        _simple(lambda found: found.suspend(), "suspend", "suspended"),
        (domain(),),
    ),
)
