"""`xml-validate`: check documents without a daemon, as defining them would."""

from __future__ import annotations

import re

from guesthouse.cli.failure import CommandError
from guesthouse.cli.files import read_document
from guesthouse.cli.grammar import Command, Option
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

SHAPE = "[{file, kind, valid, line, error}]"

#: The kinds of documents. Their module would have to import the formats themselves.
_KINDS = (
    "capability cpu device domain domainbackup domaincaps domaincheckpoint domainsnapshot interface "
    "network networkport nodedev nwfilter nwfilterbinding secret storagepool storagepoolcaps storagepoolsources "
    "storagevol sysinfo"
)

_LINE = re.compile(r"\(line (\d+)\)|; line (\d+)\)|at line (\d+):")


def run_xml_validate(context: Context, args: Arguments) -> None:
    """Check each file, and say which are valid. Fails where one is not."""
    from guesthouse.model.documents import validate

    rows = []
    for path in args.words("file"):
        kind: str | None = None
        error: str | None = None
        try:
            kind = validate(read_document(path), args.text("kind"))
        except LibvirtError as problem:
            error = problem.message
        rows.append((path, kind, error))
    if args.has("json"):
        context.dump(
            [
                {"file": path, "kind": kind, "valid": error is None, "line": _line(error), "error": error}
                for path, kind, error in rows
            ]
        )
    for path, kind, error in [] if args.has("json") else rows:
        if error is None:
            context.print(f"{path} validates: {kind}\n")
        else:
            context.print(f"{path} fails to validate\n")
            context.error(f"{path}: {error}")
    if any(error is not None for _, _, error in rows):
        raise CommandError


def _line(error: str | None) -> int | None:
    found = _LINE.search(error or "")
    return int(next(group for group in found.groups() if group)) if found else None


COMMANDS: tuple[Command, ...] = (
    Command(
        "xml-validate",
        "guest",
        "check documents, as defining them would",
        run_xml_validate,
        (
            Option("kind", "string", "what they have to be: domain, device, network, ...", complete=_KINDS),
            Option("file", "argv", "the documents", required=True, positional=True, complete="file"),
        ),
        connect=False,
        shape=SHAPE,
        ours=True,
    ),
)
