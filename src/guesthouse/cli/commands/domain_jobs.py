"""A guest's running job: `domjobinfo`, `domjobabort`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, domain, flag
from guesthouse.cli.params import raw, value
from guesthouse.cli.words import JOB_OPERATIONS, JOB_TYPES, capacity, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.params import TypedParam

    Fields = dict[str, TypedParam]

NONE, BOUNDED, UNBOUNDED, COMPLETED = range(4)

STATS_COMPLETED, STATS_KEEP = 1, 2
ABORT_POSTCOPY = 1

#: Rows after the summary: field, label, and how the value is written. `downtime` has two labels.
DETAILS: tuple[tuple[str, str, str], ...] = (
    ("memory_constant", "Constant pages:", "{:<12d}"),
    ("memory_normal", "Normal pages:", "{:<12d}"),
    ("memory_normal_bytes", "Normal data:", "size"),
    ("downtime", "Expected downtime:", "{:<12d} ms"),
    ("downtime_net", "Downtime w/o network:", "{:<12d} ms"),
    ("setup_time", "Setup time:", "{:<12d} ms"),
    ("compression_cache", "Compression cache:", "size"),
    ("compression_bytes", "Compressed data:", "size"),
    ("compression_pages", "Compressed pages:", "{:<13d}"),
    ("compression_cache_misses", "Compression cache misses:", "{:<13d}"),
    ("compression_overflow", "Compression overflows:", "{:<13d}"),
    ("auto_converge_throttle", "Auto converge throttle:", "{:<13d}"),
    ("disk_temp_used", "Temporary disk space use:", "size"),
    ("disk_temp_total", "Temporary disk space total:", "size"),
)

#: Rows about memory, where there is any.
MEMORY: tuple[tuple[str, str, str], ...] = (
    ("memory_dirty_rate", "Dirty rate:", "{:<12d} pages/s"),
    ("memory_page_size", "Page size:", "{:<12d} bytes"),
    ("memory_iteration", "Iteration:", "{:<12d}"),
    ("memory_postcopy_requests", "Postcopy requests:", "{:<12d}"),
)


def run_domjobinfo(context: Context, args: Arguments) -> None:
    """Print the running job."""
    args.requires("keep-completed", "completed")
    found = context.domain(args.need("domain"))
    flags = (STATS_COMPLETED if args.has("completed") else 0) | (STATS_KEEP if args.has("keep-completed") else 0)
    ret = found.job_stats(flags)
    fields: Fields = {one.field: one for one in ret.params}
    if args.has("json"):
        context.dump(
            {
                "type": word(JOB_TYPES, ret.type),
                "operation": word(JOB_OPERATIONS, _int(fields, "operation")),
                "stats": {name: value(one) for name, one in fields.items()},
            }
        )
        return
    if args.has("rawstats"):
        context.print(f"Job type: {ret.type}\n\n")
        context.print("".join(f"{name}: {raw(one)}\n" for name, one in fields.items()))
        return
    _line(context, "Job type:", f"{word(JOB_TYPES, ret.type):<12}")
    if ret.type == NONE:
        return
    _line(context, "Operation:", f"{word(JOB_OPERATIONS, _int(fields, 'operation'), 'unknown'):<12}")
    completed = bool(flags & STATS_COMPLETED) and ret.type == COMPLETED
    if args.has("anystats") or ret.type in (BOUNDED, UNBOUNDED) or completed:
        _figures(context, ret.type, fields)


def _int(fields: Fields, name: str) -> int:
    param = fields.get(name)
    return int(param.value) if param is not None else 0


def _line(context: Context, label: str, text: str) -> None:
    context.print(f"{label:<17} {text}\n")


def _rows(context: Context, fields: Fields, rows: tuple[tuple[str, str, str], ...]) -> None:
    for name, label, form in rows:
        if name in fields:
            number = _int(fields, name)
            _line(context, label, capacity(number) if form == "size" else form.format(number))


def _amounts(context: Context, fields: Fields, prefix: str, label: str) -> bool:
    """Print processed, remaining and total of one kind, if any of them is there."""
    parts = [(part, _int(fields, f"{prefix}_{part}")) for part in ("processed", "remaining", "total")]
    if not any(number for _, number in parts):
        return False
    for part, number in parts:
        _line(context, f"{label} {part}:", capacity(number))
    return True


def _figures(context: Context, kind: int, fields: Fields) -> None:
    _line(context, "Time elapsed:", f"{_int(fields, 'time_elapsed'):<12d} ms")
    if "time_elapsed_net" in fields:
        _line(context, "Time elapsed w/o network:", f"{_int(fields, 'time_elapsed_net'):<12d} ms")
    if kind == BOUNDED:
        _line(context, "Time remaining:", f"{_int(fields, 'time_remaining'):<12d} ms")
    _amounts(context, fields, "data", "Data")
    if _amounts(context, fields, "memory", "Memory"):
        if _int(fields, "memory_bps"):
            _line(context, "Memory bandwidth:", f"{capacity(_int(fields, 'memory_bps'))}/s")
        _rows(context, fields, MEMORY)
    if _amounts(context, fields, "disk", "File") and _int(fields, "disk_bps"):
        _line(context, "File bandwidth:", f"{capacity(_int(fields, 'disk_bps'))}/s")
    rows = DETAILS
    if kind == COMPLETED:
        rows = tuple((name, "Total downtime:" if name == "downtime" else label, form) for name, label, form in rows)
    _rows(context, fields, rows)
    if "errmsg" in fields:
        _line(context, "Error message:", str(fields["errmsg"].value))


def run_domjobabort(context: Context, args: Arguments) -> None:
    """Break off the running job."""
    context.domain(args.need("domain")).abort_job(ABORT_POSTCOPY if args.has("postcopy") else 0)


COMMANDS = (
    Command(
        "domjobabort",
        "domain",
        "break off a guest's job",
        run_domjobabort,
        (domain(), flag("postcopy", "even a migration that has gone over to copying behind the guest")),
    ),
    Command(
        "domjobinfo",
        "domain",
        "print a guest's job",
        run_domjobinfo,
        (
            domain(),
            flag("completed", "the last one that has ended"),
            flag("keep-completed", "and keep what is known about it"),
            flag("anystats", "figures of any kind of job"),
            flag("rawstats", "all figures as they come"),
        ),
        description="Print how far the job of a guest is: a save, a migration, a backup.",
        shape="{type, operation, stats: {field: value}}",
    ),
)
