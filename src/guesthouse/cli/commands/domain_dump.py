"""Writing a guest to a file for later study: `dump`."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: `virDomainCoreDumpFlags`.
FLAGS = {"crash": 1, "live": 2, "bypass-cache": 4, "reset": 8, "memory-only": 16}

#: `virDomainCoreDumpFormat`.
FORMATS = ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp")


def run_dump(context: Context, args: Arguments) -> None:
    """Write a guest's memory to a file."""
    import os

    from guesthouse.cli.watching import watch
    from guesthouse.client import tuning

    target = args.need("file")
    name = args.need("domain")
    found = context.domain(name)
    form = args.text("format")
    if form is not None and not args.has("memory-only"):
        raise CommandError("--format only works with --memory-only")
    if form is not None and form not in FORMATS:
        known = "'kdump-zlib', 'kdump-lzo', 'kdump-snappy', 'win-dmp' or 'elf'"
        raise CommandError(f"format '{form}' is not supported, expecting {known}")
    flags = sum(bit for option, bit in FLAGS.items() if args.has(option))
    with context.during(f"Failed to core dump domain '{name}' to {target}"):
        serial = tuning.dump(found, os.path.abspath(target), FORMATS.index(form or "elf"), flags)
        watch(found, serial, "Dump", verbose=args.has("verbose"))
    context.remark(f"\nDomain '{name}' dumped to {target}\n")


COMMANDS = (
    Command(
        "dump",
        "domain",
        "write a guest's memory to a file",
        run_dump,
        (
            domain(),
            Option("file", "string", "the file, on the daemon's host", required=True, positional=True, complete="file"),
            flag("live", "let the guest run meanwhile"),
            flag("crash", "end the guest afterwards, as crashed"),
            flag("bypass-cache", "past the host's cache"),
            flag("reset", "reset the guest afterwards"),
            flag("verbose", "show how far it is"),
            flag("memory-only", "the memory alone, without the devices"),
            Option("format", "string", "of a dump of memory alone", loose=True, complete=" ".join(FORMATS)),
        ),
        description="Write a guest to a file, whole or not at all. An interrupt aborts the dump.",
    ),
)
