"""What the commands about descriptions and metadata share: guests and networks have them alike."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

    class Described(Protocol):
        """An object of the daemon's that has a title, a description and metadata."""

        @property
        def name(self) -> str:
            """Its name."""

        def description(self, kind: int, flags: int, /) -> str:
            """The description or the title; empty where there is none."""

        def metadata(self, kind: int, uri: str | None, flags: int, /) -> str:
            """The description, the title or an element of a namespace."""

        def set_metadata(self, kind: int, value: str | None, key: str | None, uri: str | None, flags: int, /) -> None:
            """Set one of them; None removes it."""


#: `virDomainModificationImpact` and `virNetworkUpdateFlags`.
LIVE, CONFIG = 1, 2

#: Kinds of metadata (`virDomainMetadataType` and `virNetworkMetadataType`).
DESCRIPTION, TITLE, ELEMENT = range(3)


def impact(args: Arguments) -> int:
    """The flags for what a change concerns: what runs, the stored definition, or what is there."""
    args.exclusive("current", "live")
    args.exclusive("current", "config")
    return (LIVE if args.has("live") else 0) | (CONFIG if args.has("config") else 0)


def describe(context: Context, args: Arguments, found: Described, noun: str, flags: int, query: int) -> None:
    """Print or set a description or title; `query` are the flags for printing, `flags` those for setting."""
    kind, word = (TITLE, "title") if args.has("title") else (DESCRIPTION, "description")
    if not (args.has("edit") or args.has("new-desc")):
        text = found.description(kind, query)
        if args.has("json"):
            context.dump({word: text or None})
        elif text:
            context.print(text)
        else:
            context.remark(f"No {word} for {noun}: {found.name}")
        return
    new = " ".join(args.words("new-desc"))
    if args.has("edit"):
        from guesthouse.cli.editing import edit_text

        old = found.description(kind, query)
        new = edit_text(context, new if args.has("new-desc") else old)
        if new == old:
            context.remark(f"{noun.capitalize()} {word} not changed\n")
            return
    with context.during(f"Failed to set new {noun} {word}"):
        found.set_metadata(kind, new, None, None, flags)
    context.remark(f"{noun.capitalize()} {word} updated successfully")


def element(context: Context, args: Arguments, found: Described, flags: int, missing: int) -> None:
    """Print, set, edit or remove one element of the metadata; `missing` is the error for one that is not there."""
    uri, key, new = args.need("uri"), args.text("key"), args.text("set")
    if (new is not None or args.has("edit")) and not key:
        raise CommandError("namespace key is required when modifying metadata")
    if new is not None or args.has("remove"):
        found.set_metadata(ELEMENT, new, key, uri, flags)
        context.remark("Metadata removed\n" if args.has("remove") else "Metadata modified\n")
    elif args.has("edit"):
        from guesthouse.cli.editing import edit_document

        changed = edit_document(
            context,
            lambda: _text(found, uri, flags, missing) or "\n",
            lambda text: found.set_metadata(ELEMENT, text, key, uri, flags),
        )
        context.remark("Metadata modified\n" if changed else "Metadata not changed")
    else:
        text = _text(found, uri, flags, missing)
        if args.has("json"):
            context.dump({"uri": uri, "element": text or None})
        else:
            context.print(f"{text}\n")


def exclusive(args: Arguments) -> None:
    """Refuse what `metadata` cannot do at once."""
    args.exclusive("edit", "set")
    args.exclusive("remove", "set")
    args.exclusive("remove", "edit")


def _text(found: Described, uri: str, flags: int, missing: int) -> str:
    try:
        return found.metadata(ELEMENT, uri, flags)
    except LibvirtError as error:
        if error.code == missing:
            return ""
        raise
