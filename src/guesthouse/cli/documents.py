"""Printing a document that the daemon sent: as it is, what an XPath picks of it, or as JSON."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: The shape that `help` tells for `--json` on documents.
SHAPE = "{tag, attributes: {name: value}, text, children: [the same]}"


def print_document(context: Context, args: Arguments, text: str) -> None:
    """Print `text` as `--xpath`, `--wrap` and `--json` ask, where the command has them. Raises CommandError."""
    path = args.text("xpath")
    if path is None and not args.has("json"):
        context.print(text)
        return
    from guesthouse.cli import xmltool

    chosen = text if path is None else xmltool.picked(text, path, wrap=args.has("wrap") or args.has("json"))
    if args.has("json"):
        context.dump(xmltool.tree(xmltool.parse(chosen, indented=False)))
    else:
        context.print(chosen)
