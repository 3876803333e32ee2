"""The options before the command: parsed as getopt_long does it, with virsh's letters and words.

See libvirt's manual page virsh(1), "GLOBAL OPTIONS"; `guest` adds `--json`. The process's environment comes in through
here, and no other module of the command or the client reads it.
"""

from __future__ import annotations

import os
import sys

from guesthouse.cli.failure import CommandError
from guesthouse.cli.numerals import decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.uri import Surroundings

#: Long option, its letter, and whether it takes a value (`?`: only with `=`).
OPTIONS = (
    ("connect", "c", "+"),
    ("debug", "d", "+"),
    ("escape", "e", "+"),
    ("help", "h", ""),
    ("keepalive-interval", "k", "+"),
    ("keepalive-count", "K", "+"),
    ("log", "l", "+"),
    ("quiet", "q", ""),
    ("readonly", "r", ""),
    ("timing", "t", ""),
    ("version", "v", "?"),
    ("", "V", ""),
)
JSON_OPTION = ("json", "", "")

SILENT = 4


class Settings:
    """What the options said. `task` is `help`, `version` or `about` where the program only prints that and ends."""

    def __init__(self, program: str, environment: dict[str, str]) -> None:
        self.program = program
        self.ours = program != "virsh"
        self.environment = environment
        self.uri = ""
        self.uri_given = False
        self.debug = SILENT
        self.escape = "^]"
        self.interval: int | None = None
        self.count: int | None = None
        self.log = ""
        self.quiet = False
        self.readonly = False
        self.timing = False
        self.json = False
        self.task = ""

    def surroundings(self) -> Surroundings:
        """What the client needs to know of the environment."""
        from guesthouse.client.uri import Surroundings

        return Surroundings.of(self.environment, os.geteuid(), self._daemon())

    def _daemon(self) -> tuple[str, ...]:
        """What starts a session daemon: the one that is installed with us, or the `libvirtd` in the directory that
        `VIRTD_PATH` or `LIBVIRTD_PATH` names, as libvirt's own clients have it.
        """
        directory = self.environment.get("VIRTD_PATH") or self.environment.get("LIBVIRTD_PATH")
        if directory:
            return os.path.join(directory, "libvirtd"), "--timeout", "120"
        beside = os.path.join(os.path.dirname(sys.executable), "guesthoused")
        return beside if os.path.exists(beside) else "guesthoused", "--session", "--timeout", "120"

    def keepalive(self, *, interactive: bool) -> tuple[int, int]:
        """Seconds of silence before the daemon is asked whether it lives, and how often it may fail to answer.

        At a prompt nobody reads the connection, so there the daemon is not asked and does not ask either.
        """
        if interactive and self.interval is None:
            return 0, 0
        return (5 if self.interval is None else self.interval, 6 if self.count is None else self.count)


def parse(argv: list[str], environment: dict[str, str]) -> tuple[Settings, list[str]]:
    """The settings and the words of the command. Raises CommandError where an option is wrong."""
    program = argv[0].rpartition("/")[2]
    if not program or program.endswith(".py"):
        program = "guest"
    settings = Settings(program, environment)
    at = 1
    while at < len(argv) and not settings.task:
        word = argv[at]
        if not word.startswith("-") or word == "-":
            break
        at += 1
        if word == "--":
            break
        if word.startswith("--"):
            at = _long(settings, word, argv, at)
        else:
            at = _short(settings, word, argv, at)
    _from_environment(settings)
    return settings, argv[at:]


def _from_environment(settings: Settings) -> None:
    """Fill in what no option said."""
    environment = settings.environment
    if not settings.uri_given:
        settings.uri = environment.get("VIRSH_DEFAULT_CONNECT_URI", "")
    if settings.debug == SILENT and (text := environment.get("VIRSH_DEBUG")):
        level = decimal(text)
        if level is None or not 0 <= level <= SILENT:
            sys.stderr.write("error: VIRSH_DEBUG not set with a valid numeric value\n")
        else:
            settings.debug = level
    if not settings.log:
        settings.log = environment.get("VIRSH_LOG_FILE", "")


def _long(settings: Settings, word: str, argv: list[str], at: int) -> int:
    name, sign, given = word[2:].partition("=")
    options = (*OPTIONS, JSON_OPTION) if settings.ours else OPTIONS
    exact = [option for option in options if option[0] == name]
    matches = exact or [option for option in options if name and option[0].startswith(name)]
    if len(matches) != 1 or (sign and not matches[0][2]):
        raise CommandError(f"unsupported option '{word}'. See --help.")
    long, letter, takes = matches[0]
    value = given if sign else None
    if takes == "+" and value is None:
        if at >= len(argv):
            raise CommandError(f"option '-{letter}'/'--{long}' requires an argument")
        value = argv[at]
        at += 1
    _apply(settings, letter or long, value, f"--{long}")
    return at


def _short(settings: Settings, word: str, argv: list[str], at: int) -> int:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        match = next((option for option in OPTIONS if option[1] == letter), None)
        if match is None:
            raise CommandError(f"unsupported option '-{letter}'. See --help.")
        value = None
        if match[2] == "+":
            if letters:
                value, letters = letters, ""
            elif at < len(argv):
                value = argv[at]
                at += 1
            else:
                raise CommandError(f"option '-{letter}'/'--{match[0]}' requires an argument")
        _apply(settings, letter, value, f"-{letter}")
        if settings.task:
            break
    return at


def _apply(settings: Settings, letter: str, value: str | None, shown: str) -> None:
    if letter in SWITCHES:
        setattr(settings, SWITCHES[letter], True)
    elif letter in TASKS:
        settings.task = "about" if letter == "v" and value == "long" else TASKS[letter]
    else:
        VALUED[letter](settings, value or "", shown)


def _connect(settings: Settings, value: str, _shown: str) -> None:
    settings.uri = value
    settings.uri_given = True


def _debug(settings: Settings, value: str, shown: str) -> None:
    level = decimal(value)
    if level is None:
        raise CommandError(f"option {shown} takes a numeric argument")
    if 0 <= level <= SILENT:
        settings.debug = level
    else:
        sys.stderr.write(f"error: ignoring debug level {level} out of range [0-{SILENT}]\n")


def _escape(settings: Settings, value: str, _shown: str) -> None:
    control = len(value) == 2 and value[0] == "^" and ("a" <= value[1] <= "z" or "@" <= value[1] <= "_")
    if not control and (len(value) != 1 or value == "^"):
        raise CommandError(f"Invalid string '{value}' for escape sequence")
    settings.escape = value


def _seconds(value: str, shown: str) -> int:
    number = decimal(value)
    if number is None:
        raise CommandError(f"Invalid value for option {shown}")
    if number < 0:
        raise CommandError(f"option {shown} requires a positive integer argument")
    return number


def _interval(settings: Settings, value: str, shown: str) -> None:
    settings.interval = _seconds(value, shown)


def _count(settings: Settings, value: str, shown: str) -> None:
    settings.count = _seconds(value, shown)


def _log(settings: Settings, value: str, _shown: str) -> None:
    settings.log = value


SWITCHES = {"q": "quiet", "r": "readonly", "t": "timing", "json": "json"}
TASKS = {"h": "help", "v": "version", "V": "about"}
VALUED = {"c": _connect, "d": _debug, "e": _escape, "k": _interval, "K": _count, "l": _log}
