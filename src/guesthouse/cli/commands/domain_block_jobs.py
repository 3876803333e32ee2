"""Jobs on a guest's disks: `blockpull`, `blockcommit`, `blockcopy`, and `blockjob` that watches and ends them."""

from __future__ import annotations

from guesthouse.cli.block_waiting import ASYNC, CANCELED, FAILED, PIVOT, BlockWait, timeout_of, write_progress
from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, alias, domain, flag
from guesthouse.cli.words import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context, Json
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.block_jobs import BlockJobInfo
    from guesthouse.client.domain import Domain

#: What clients call the types of jobs (`virDomainBlockJobType`), for people and in JSON.
JOBS = ("Unknown job", "Block Pull", "Block Copy", "Block Commit", "Active Block Commit", "Backup")
JOB_WORDS = ("unknown", "pull", "copy", "commit", "active-commit", "backup")

#: `virDomainBlockRebaseFlags`; those of a copy begin with the same two.
SHALLOW, REUSE, COPY_RAW, COPY, RELATIVE, COPY_DEVICE, REBASE_BYTES = 1, 2, 4, 8, 16, 32, 64
TRANSIENT_JOB, SYNCHRONOUS = 4, 8
#: `virDomainBlockCommitFlags`.
COMMIT_SHALLOW, COMMIT_DELETE, COMMIT_ACTIVE, COMMIT_RELATIVE, COMMIT_BYTES = 1, 2, 4, 8, 16
#: `virDomainBlockJobInfoFlags` and `virDomainBlockJobSetSpeedFlags`.
IN_BYTES = 1

_LONGS = 2**64


#: How libvirt writes what XML has another use for.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _bandwidth(args: Arguments) -> int:
    """The limit in the unit that `--bytes` chooses; a negative number is next to no limit, as virsh reads it."""
    from guesthouse.cli.numerals import decimal
    from guesthouse.cli.scaled import scaled

    text = args.text("bandwidth")
    if text is None:
        return 0
    number = decimal(text)
    if number is not None and -_LONGS < number < _LONGS:
        return number % _LONGS
    size = scaled(text, "--bandwidth", 1)
    return size if args.has("bytes") else size >> 20


def _need_waiting(args: Arguments, waits: bool, ways: str) -> None:
    for name in ("verbose", "async"):
        if args.has(name) and not waits:
            raise CommandError(f"--{name} requires at least one of {ways}")


def _fails(context: Context, status: int, word: str) -> None:
    if status in (CANCELED, FAILED):
        context.remark(f"\n{word} {'aborted' if status == CANCELED else 'failed'}")
        raise CommandError


def _end(context: Context, args: Arguments, found: Domain, flags: int, trouble: str) -> None:
    from guesthouse.client import block_jobs

    path = args.need("path")
    with context.during(f"failed to {trouble} job for disk {path}"):
        block_jobs.abort(found, path, flags | (ASYNC if args.has("async") else 0))


def run_blockpull(context: Context, args: Arguments) -> None:
    """Pull what a disk's image lies on into it."""
    from guesthouse.client import block_jobs

    args.requires("verbose", "wait")
    args.requires("async", "wait")
    path, base, bandwidth = args.need("path"), args.text("base"), _bandwidth(args)
    timeout_of(args)
    flags = RELATIVE if args.has("keep-relative") else 0
    found = context.domain(args.need("domain"))
    wait = BlockWait(context, found, path, "Block Pull", args) if args.has("wait") else None
    try:
        bits = REBASE_BYTES if args.has("bytes") else 0
        if base is not None or flags:
            block_jobs.rebase(found, path, base, bandwidth, flags | bits)
        else:
            block_jobs.pull(found, path, bandwidth, bits)
        if wait is None:
            context.remark("Block Pull started")
            return
        _fails(context, wait.outcome(), "Pull")
        context.remark("\nPull complete")
    finally:
        if wait is not None:
            wait.close()


def run_blockcommit(context: Context, args: Arguments) -> None:
    """Commit images of a disk's chain into one below them."""
    from guesthouse.client import block_jobs

    args.exclusive("pivot", "keep-overlay")
    path, base, top, bandwidth = args.need("path"), args.text("base"), args.text("top"), _bandwidth(args)
    active = args.has("active") or args.has("pivot") or args.has("keep-overlay")
    waits = args.has("wait") or args.has("pivot") or args.has("keep-overlay") or timeout_of(args) is not None
    _need_waiting(args, waits, "--timeout, --wait, --pivot, or --keep-overlay")
    bits = (("bytes", COMMIT_BYTES), ("shallow", COMMIT_SHALLOW), ("delete", COMMIT_DELETE))
    flags = sum(bit for name, bit in (*bits, ("keep-relative", COMMIT_RELATIVE)) if args.has(name))
    found = context.domain(args.need("domain"))
    wait = BlockWait(context, found, path, "Block commit", args) if waits else None
    try:
        block_jobs.commit(found, path, base, top, bandwidth, flags | (COMMIT_ACTIVE if active else 0))
        if wait is None:
            context.remark("Active Block Commit started" if active else "Block Commit started")
            return
        _fails(context, wait.outcome(), "Commit")
        if args.has("pivot"):
            _end(context, args, found, PIVOT, "pivot")
            context.remark("\nSuccessfully pivoted")
        elif args.has("keep-overlay"):
            _end(context, args, found, 0, "finish")
            context.remark("\nCommit complete, overlay image kept")
        else:
            context.remark("\nNow in synchronized phase" if active else "\nCommit complete")
    finally:
        if wait is not None:
            wait.close()


def run_blockcopy(context: Context, args: Arguments) -> None:
    """Copy a disk to another image."""
    for pair in (("dest", "xml"), ("format", "xml"), ("blockdev", "xml"), ("pivot", "finish")):
        args.exclusive(*pair)
    if not args.has("dest") and not args.has("xml"):
        raise CommandError("need either --dest or --xml")
    path = args.need("path")
    waits = args.has("wait") or args.has("pivot") or args.has("finish") or timeout_of(args) is not None
    _need_waiting(args, waits, "--timeout, --wait, --pivot, or --finish")
    call = _Copy(args)
    found = context.domain(args.need("domain"))
    wait = BlockWait(context, found, path, "Block Copy", args) if waits else None
    try:
        if args.has("print-xml"):
            context.print(call.document)
            return
        call.make(found)
        if wait is None:
            context.remark("Block Copy started")
            return
        _fails(context, wait.outcome(), "Copy")
        if args.has("pivot"):
            _end(context, args, found, PIVOT, "pivot")
            context.remark("\nSuccessfully pivoted")
        elif args.has("finish"):
            _end(context, args, found, 0, "finish")
            context.remark("\nSuccessfully copied")
        else:
            context.remark("\nNow in mirroring phase")
    finally:
        if wait is not None:
            wait.close()


class _Copy:
    """What `blockcopy` asks for, over the procedure that virsh would choose."""

    def __init__(self, args: Arguments) -> None:
        self.args = args
        self.bandwidth = _bandwidth(args)
        self.granularity = args.unsigned("granularity") or 0
        self.buffer = args.unsigned("buf-size", 2**64 - 1) or 0
        self.format = args.text("format")
        bits = (("shallow", SHALLOW), ("reuse-external", REUSE), ("transient-job", TRANSIENT_JOB))
        self.flags = sum(bit for name, bit in (*bits, ("synchronous-writes", SYNCHRONOUS)) if args.has(name))

    @property
    def document(self) -> str:
        """The destination as a document."""
        from guesthouse.cli.files import read_document

        if self.args.has("xml"):
            return read_document(self.args.need("xml"))
        kind, name = ("block", "dev") if self.args.has("blockdev") else ("file", "file")
        driver = f"  <driver type='{_escaped(self.format)}'/>\n" if self.format is not None else ""
        return f"<disk type='{kind}'>\n  <source {name}='{_escaped(self.args.need('dest'))}'/>\n{driver}</disk>\n"

    def make(self, found: Domain) -> None:
        """Begin the copy."""
        from guesthouse.client import block_jobs

        args = self.args
        plain = self.format in (None, "raw") and not self.granularity and not self.buffer
        if plain and not any(args.has(name) for name in ("xml", "transient-job", "synchronous-writes")):
            flags = self.flags | COPY | (REBASE_BYTES if args.has("bytes") else 0)
            flags |= COPY_DEVICE if args.has("blockdev") else 0
            flags |= COPY_RAW if self.format == "raw" else 0
            block_jobs.rebase(found, args.need("path"), args.need("dest"), self.bandwidth, flags)
        else:
            tuning = {"bandwidth": self._limit, "granularity": self.granularity, "buf-size": self.buffer}
            block_jobs.copy(found, args.need("path"), self.document, tuning, self.flags)

    @property
    def _limit(self) -> int:
        """The limit in bytes a second."""
        if self.args.has("bytes"):
            return self.bandwidth
        if self.bandwidth > _LONGS - 1 >> 20:
            raise CommandError(f"bandwidth must be less than {_LONGS - 1 >> 20}")
        return self.bandwidth << 20


def run_blockjob(context: Context, args: Arguments) -> None:
    """Print, limit or end the job on a disk."""
    from guesthouse.client import block_jobs

    for mode in ("raw", "info", "bytes"):
        for other in ("abort", "pivot", "async", *(() if mode == "bytes" else ("bandwidth",))):
            args.exclusive(mode, other)
    found = context.domain(args.need("domain"))
    path = args.need("path")
    if args.has("bandwidth"):
        block_jobs.set_speed(found, path, _bandwidth(args), IN_BYTES if args.has("bytes") else 0)
    elif args.has("abort") or args.has("pivot") or args.has("async"):
        flags = (ASYNC if args.has("async") else 0) | (PIVOT if args.has("pivot") else 0)
        block_jobs.abort(found, path, flags)
    else:
        _print_info(context, args, found, path)


def _print_info(context: Context, args: Arguments, found: Domain, path: str) -> None:
    from guesthouse.cli.words import capacity
    from guesthouse.client import block_jobs

    raw = args.has("raw") and not args.has("json")
    info = block_jobs.info(found, path, IN_BYTES if args.has("bytes") or not raw else 0)
    if args.has("json"):
        context.dump(None if info is None else _entry(info))
    elif info is None:
        if not raw:
            context.remark(f"No current block job for {path}")
    elif raw:
        context.print(f" type={word(JOBS, info.kind)}\n bandwidth={info.bandwidth}\n")
        context.print(f" cur={info.done}\n end={info.total}\n")
    else:
        write_progress(word(JOBS, info.kind), info.total - info.done, info.total)
        if info.bandwidth:
            limit = capacity(info.bandwidth)
            context.print(f"    Bandwidth limit: {info.bandwidth} bytes/s ({limit}/s)")
        context.print("\n")


def _entry(info: BlockJobInfo) -> dict[str, Json]:
    return {
        "type": word(JOB_WORDS, info.kind),
        "bandwidth": info.bandwidth,
        "cur": info.done,
        "end": info.total,
    }


_PATH = Option("path", "string", "the disk: its target or its image", required=True, positional=True)
_BANDWIDTH = Option("bandwidth", "int", "the limit in MiB a second, or with a unit", loose=True)
_BYTES = flag("bytes", "the limit is in bytes a second")
_VERBOSE = flag("verbose", "show how far it is while waiting")
_TIMEOUT = Option("timeout", "int", "abort after so many seconds", loose=True)
_ASYNC = flag("async", "do not wait until an abort is done")

COMMANDS = (
    Command(
        "blockcommit",
        "domain",
        "commit images of a disk's chain into one below them",
        run_blockcommit,
        (
            domain(),
            _PATH,
            _BANDWIDTH,
            Option("base", "string", "the image to commit into: its path or target[number]", loose=True),
            flag("shallow", "into the image right below"),
            Option("top", "string", "the uppermost image to commit: its path or target[number]", loose=True),
            flag("active", "also what the guest writes meanwhile"),
            flag("delete", "remove the files that were committed"),
            flag("wait", "wait for the end, or with --active until both images are equal"),
            _VERBOSE,
            _TIMEOUT,
            flag("pivot", "with --active: go on with the image below once both are equal"),
            flag("keep-overlay", "with --active: stay on the image above once both are equal"),
            _ASYNC,
            flag("keep-relative", "keep the names of images in headers relative"),
            _BYTES,
        ),
        description="Commit what images of a chain hold into one below them, while the guest runs.",
    ),
    Command(
        "blockcopy",
        "domain",
        "copy a disk to another image",
        run_blockcopy,
        (
            domain(),
            _PATH,
            Option("dest", "string", "the file to copy to", loose=True),
            _BANDWIDTH,
            flag("shallow", "only the disk's own image; the copy lies on what that lies on"),
            flag("reuse-external", "the file is there, and of the right size"),
            alias("raw", "format=raw"),
            flag("blockdev", "copy to a block device"),
            flag("wait", "wait until both images are equal"),
            _VERBOSE,
            _TIMEOUT,
            flag("pivot", "go on with the copy once both are equal"),
            flag("finish", "stay on the original once both are equal"),
            _ASYNC,
            Option("xml", "string", "a <disk> document that says where to", loose=True, complete="file"),
            Option("format", "string", "the format of the copy", loose=True, complete="qcow2 raw"),
            Option("granularity", "int", "bytes that are copied at a time: a power of two", loose=True),
            Option("buf-size", "int", "the most bytes that are under way", loose=True),
            _BYTES,
            flag("transient-job", "the job need not outlive the guest's end"),
            flag("synchronous-writes", "the guest's writes go to both images at once"),
            flag("print-xml", "print the document of the destination only"),
        ),
        description="Copy a disk while the guest runs; the guest can go on with the copy or with the original.",
    ),
    Command(
        "blockjob",
        "domain",
        "watch, limit or end the job on a disk",
        run_blockjob,
        (
            domain(),
            _PATH,
            flag("abort", "abort the job"),
            flag("async", "abort it, and do not wait for that"),
            flag("pivot", "go on with the copy, or with the image that was committed into"),
            flag("info", "print how far it is"),
            flag("bytes", "the limit is in bytes a second"),
            flag("raw", "print the fields as they come"),
            Option("bandwidth", "int", "limit the job, in MiB a second or with a unit", loose=True),
        ),
        shape="null, or {type, bandwidth (bytes a second), cur, end}",
    ),
    Command(
        "blockpull",
        "domain",
        "pull what a disk's image lies on into it",
        run_blockpull,
        (
            domain(),
            _PATH,
            _BANDWIDTH,
            Option("base", "string", "only down to above this image: its path or target[number]", loose=True),
            flag("wait", "wait for the end"),
            _VERBOSE,
            _TIMEOUT,
            _ASYNC,
            flag("keep-relative", "keep the names of images in headers relative"),
            _BYTES,
        ),
        description="Pull what a disk's image lies on into it, so that it does not need that any more.",
    ),
)
