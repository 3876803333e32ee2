"""What commands that change devices share: which definition a change is for, and the documents that they write."""

from __future__ import annotations

from guesthouse.cli.grammar import Option, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.domain import Domain

#: `virDomainDeviceModifyFlags`.
LIVE, CONFIG, FORCE = 1, 2, 4

IMPACT: tuple[Option, ...] = (
    flag("persistent", "in what is there: the stored definition, and the guest if it runs"),
    flag("config", "in the stored definition"),
    flag("live", "in the running guest"),
    flag("current", "in whichever is there"),
)


def check(args: Arguments) -> None:
    """Refuse options that contradict each other. Raises CommandError."""
    args.exclusive("persistent", "current")
    args.exclusive("current", "live")
    args.exclusive("current", "config")


def impact(args: Arguments, found: Domain) -> int:
    """The flags that the options stand for; `--persistent` means the running guest, too, if it runs."""
    flags = CONFIG if args.has("config") or args.has("persistent") else 0
    if args.has("live") or (args.has("persistent") and found.is_active()):
        flags |= LIVE
    return flags


def asked(args: Arguments, flags: int) -> int | None:
    """The flags to send; None over the oldest procedure, where no option says anything."""
    return flags if flags or args.has("current") else None


class Builder:
    """An element in the making, as virsh prints what it sends: two spaces a level, attributes in single quotes."""

    def __init__(self, tag: str, level: int = 0) -> None:
        self._tag = tag
        self._level = level
        self._attributes: list[tuple[str, str]] = []
        self._inside: list[str] = []

    def set(self, **attributes: str | None) -> Builder:
        """Add attributes, in this order; those without a value stay away."""
        self._attributes += [(name.rstrip("_"), text) for name, text in attributes.items() if text is not None]
        return self

    def child(self, tag: str) -> Builder:
        """An element below this one, which `add` puts there."""
        return Builder(tag, self._level + 1)

    def add(self, built: Builder) -> None:
        """Put a child there, unless it is empty."""
        if built._attributes or built._inside:
            self._inside.append(built.text())

    def line(self, text: str) -> None:
        """Put a line there that is XML already."""
        self._inside.append(f"{'  ' * (self._level + 1)}{text}\n")

    def text(self) -> str:
        """The element, with a newline at the end."""
        indent = "  " * self._level
        head = f"{indent}<{self._tag}" + "".join(f" {name}='{quoted(text)}'" for name, text in self._attributes)
        if not self._inside:
            return f"{head}/>\n"
        return f"{head}>\n{''.join(self._inside)}{indent}</{self._tag}>\n"


_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


def quoted(text: str) -> str:
    """`text` for an attribute or an element."""
    return text.translate(_ESCAPES)
