"""The grammar of command lines: options and commands as records, and the words of a line parsed after them.

It is virsh's grammar (libvirt's manual page virsh(1), "NOTES"): `--option`, `--option value`, `--option=value`,
positional values, `--` before values that start with dashes, and several commands with `;` between them. One record
of a command gives the parser, the help, the completion and the documentation.

An option's `kind` is `bool`, `int`, `string`, `argv` (all words that are left over) or `alias` (another spelling of
`target`, which is `name` or `name=value`). A `positional` option takes a bare word and is shown as one; a `loose` one
takes a bare word, too, for old scripts, but is shown with its name.
"""

from __future__ import annotations

from guesthouse.cli.failure import CommandError
from guesthouse.cli.numerals import INT_MAX, decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guesthouse.cli.context import Context

    Run = Callable[[Context, "Arguments"], None]


class Option:
    """One option of a command; the module's text says what the fields mean.

    `complete` names what the value can be completed with: `domain`, `file`, or words with spaces between them. `ours`
    marks an option that virsh does not have.
    """

    __slots__ = ("complete", "empty", "help", "kind", "loose", "name", "ours", "positional", "required", "target")

    def __init__(
        self,
        name: str,
        kind: str,
        help_text: str = "",
        *,
        required: bool = False,
        positional: bool = False,
        loose: bool = False,
        empty: bool = False,
        target: str = "",
        complete: str = "",
        ours: bool = False,
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help_text
        self.required = required
        self.positional = positional
        self.loose = loose
        self.empty = empty
        self.target = target
        self.complete = complete
        self.ours = ours


def flag(name: str, help_text: str, *, ours: bool = False) -> Option:
    """An option without a value."""
    return Option(name, "bool", help_text, ours=ours)


def alias(name: str, target: str) -> Option:
    """Another spelling of the option `target`; `name=value` fills the value in."""
    return Option(name, "alias", target=target)


def domain(help_text: str = "the guest: its name, id or UUID") -> Option:
    """The guest that nearly every command is about."""
    return Option("domain", "string", help_text, required=True, positional=True, complete="domain")


def file(help_text: str) -> Option:
    """A local file that the command reads."""
    return Option("file", "string", help_text, required=True, positional=True, complete="file")


JSON = flag("json", "print JSON instead of text")


class Command:
    """One command: how it is called, what it is for, and what runs.

    `connect` says whether it needs a connection. `shape` is the documented shape of its JSON and is empty where it
    gives none. `alias` is the name of the command that it is another spelling of. `ours` marks commands that virsh
    does not have; they and `--json` are absent when the program is called `virsh`.
    """

    __slots__ = (
        "alias",
        "connect",
        "description",
        "group",
        "help",
        "hidden",
        "name",
        "options",
        "ours",
        "run",
        "shape",
        "since",
    )

    def __init__(
        self,
        name: str,
        group: str,
        help_text: str,
        run: Run,
        options: tuple[Option, ...] = (),
        *,
        description: str = "",
        connect: bool = True,
        shape: str = "",
        alias: str = "",
        hidden: bool = False,
        ours: bool = False,
        since: str = "0.1.0",
    ) -> None:
        self.name = name
        self.group = group
        self.help = help_text
        self.run = run
        self.options = options
        self.description = description
        self.connect = connect
        self.shape = shape
        self.alias = alias
        self.hidden = hidden
        self.ours = ours
        self.since = since


Value = str | bool | list[str]


class Arguments:
    """A command with the values of its options, as typed; the getters check and convert, in virsh's words."""

    __slots__ = ("command", "values")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.values: dict[str, Value] = {}

    def has(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.values

    def text(self, name: str) -> str | None:
        """The value, or None where the option was not given. Raises CommandError where it is empty and must not be."""
        value = self.values.get(name)
        if value is None:
            return None
        text = str(value)
        if not text and not next(option.empty for option in self.command.options if option.name == name):
            raise CommandError(f"Failed to get option '{name}': Option argument is empty")
        return text

    def need(self, name: str) -> str:
        """The value of an option that is required."""
        return self.text(name) or ""

    def words(self, name: str) -> list[str]:
        """The values of an `argv` option."""
        value = self.values.get(name)
        return value if isinstance(value, list) else []

    def number(self, name: str, low: int = -INT_MAX - 1, high: int = INT_MAX) -> int | None:
        """The value as a number between `low` and `high`, or None where the option was not given."""
        value = self.values.get(name)
        if value is None:
            return None
        number = decimal(str(value))
        if number is None or not low <= number <= high:
            raise CommandError(f"Numeric value '{value}' for <{name}> option is malformed or out of range")
        return number

    def unsigned(self, name: str, high: int = 2**32 - 1) -> int | None:
        """The value as a number that is not negative."""
        return self.number(name, 0, high)

    def exclusive(self, *names: str) -> None:
        """Refuse two of these options together."""
        seen = [name for name in names if name in self.values]
        if len(seen) > 1:
            raise CommandError(f"Options --{seen[0]} and --{seen[1]} are mutually exclusive")

    def requires(self, name: str, other: str) -> None:
        """Refuse `name` without `other`."""
        if name in self.values and other not in self.values:
            raise CommandError(f"Option --{other} is required by option --{name}")


class Parser:
    """Parses the words of one line into commands.

    `find` gives the record of a command by name, or None; `unknown` is asked for the error of a name that it does not
    know. Words come as strings, `None` is the end of a command (`;` or the line's end).
    """

    def __init__(self, find: Callable[[str], Command | None], unknown: Callable[[str], str], *, ours: bool) -> None:
        self._find = find
        self._unknown = unknown
        self._ours = ours

    def parse(self, words: Iterator[str | None]) -> list[Arguments]:
        """All commands of the line. Raises CommandError at the first mistake: then none of them may run."""
        commands: list[Arguments] = []
        for word in words:
            if word is None or word == "":
                if word is None:
                    continue
                raise CommandError(self._unknown(""))
            if word.startswith("#"):
                for rest in words:
                    if rest is None:
                        break
                continue
            commands.append(self._command(word, words))
        return commands

    def _command(self, name: str, words: Iterator[str | None]) -> Arguments:
        command = self._find(name)
        if command is None:
            raise CommandError(self._unknown(name))
        arguments = Arguments(command)
        wants_help = False
        only_positional = False
        for word in words:
            if word is None:
                break
            if only_positional or not word.startswith("--"):
                self._positional(arguments, word)
            elif word == "--":
                only_positional = True
            elif word == "--help" or word.startswith("--help="):
                wants_help = True
            else:
                self._option(arguments, word[2:], words)
        if wants_help:
            helper = self._find("help")
            if helper is not None:
                arguments = Arguments(helper)
                arguments.values["command"] = command.name
        self._complete(arguments)
        return arguments

    def _option(self, arguments: Arguments, word: str, words: Iterator[str | None]) -> None:
        name, sign, given = word.partition("=")
        value: str | None = given if sign else None
        command = arguments.command
        option = self._lookup(arguments, name, value is not None)
        if option is None:
            if command.name == "help":
                return
            raise CommandError(f"command '{command.name}' doesn't support option --{self._resolved(command, name)}")
        if sign == "" and "=" in (target := self._target(command, name)):
            value = target.partition("=")[2]
        if option.kind == "bool":
            if value is not None:
                raise CommandError(f"invalid '=' after option --{option.name}")
            arguments.values[option.name] = True
            return
        if value is None:
            value = next(words, None)
        if value is None:
            kind = "number" if option.kind == "int" else "string"
            raise CommandError(f"expected syntax: --{option.name} <{kind}>")
        assign(arguments, option, value)

    def _target(self, command: Command, name: str) -> str:
        """What an alias stands for; empty for other options."""
        return next((option.target for option in command.options if option.name == name), "")

    def _resolved(self, command: Command, name: str) -> str:
        return self._target(command, name).partition("=")[0] or name

    def _lookup(self, arguments: Arguments, name: str, valued: bool) -> Option | None:
        command = arguments.command
        if "=" in self._target(command, name) and valued:
            raise CommandError(f"invalid '=' after option --{name}")
        resolved = self._resolved(command, name)
        if resolved == "json" and command.shape and self._ours:
            return JSON
        option = next((one for one in command.options if one.name == resolved and (self._ours or not one.ours)), None)
        if option is not None and option.kind != "argv" and option.name in arguments.values:
            raise CommandError(f"option --{resolved} already seen")
        return option

    def _positional(self, arguments: Arguments, word: str) -> None:
        for option in arguments.command.options:
            if (option.positional or option.loose) and (option.kind == "argv" or option.name not in arguments.values):
                assign(arguments, option, word)
                return
        if arguments.command.name != "help":
            raise CommandError(f"unexpected data '{word}'")

    def _complete(self, arguments: Arguments) -> None:
        command = arguments.command
        for option in command.options:
            if option.required and option.name not in arguments.values:
                shown = f"<{option.name}>" if option.positional else f"--{option.name}"
                raise CommandError(f"command '{command.name}' requires {shown} option")


def assign(arguments: Arguments, option: Option, word: str) -> None:
    """Give the option the word as its value, or as one more of its values."""
    if option.kind == "argv":
        words = arguments.values.setdefault(option.name, [])
        if isinstance(words, list):
            words.append(word)
    else:
        arguments.values[option.name] = word
