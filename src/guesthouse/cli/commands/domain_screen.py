"""A guest's screen and keys: `screenshot`, `send-key`, `inject-nmi`."""

from __future__ import annotations

import os

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, domain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

KEYS_MAX = 16
KEYCODE_MAX = 0xFFFF

#: Codesets by number (`virKeycodeSet`); `rfb` is the former name of `qnum`.
CODESETS = ("linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum")

EXTENSIONS = {"image/x-portable-pixmap": ".ppm", "image/png": ".png"}


def run_screenshot(context: Context, args: Arguments) -> None:
    """Save a picture of a guest's screen."""
    path = args.text("file")
    screen = args.unsigned("screen") or 0
    name = args.need("domain")
    found = context.domain(name)
    with context.during(f"could not take a screenshot of {name}"):
        mime, stream = found.screenshot(screen)
    if path is None:
        from time import localtime, strftime

        path = f"{found.name}-{strftime('%Y-%m-%d-%H:%M:%S', localtime())}{EXTENSIONS.get(mime, '')}"
    # The file appears whole: what comes is written beside it first.
    draft = f"{path}.{os.getpid()}.part" if not _special(path) else path
    try:
        with open(draft, "wb") as output, context.during(f"could not receive data from domain '{name}'"):
            while chunk := stream.receive():
                output.write(chunk)
        stream.finish()
        if draft != path:
            os.replace(draft, path)
    except OSError as error:
        stream.abort()
        raise CommandError(f"cannot create file {path}: {error.strerror}") from None
    finally:
        if draft != path and os.path.exists(draft):
            os.unlink(draft)
    context.remark(f"Screenshot saved to {path}, with type of {mime}")


def _special(path: str) -> bool:
    """Whether it is a device or a pipe, which is written where it is."""
    return os.path.exists(path) and not os.path.isfile(path)


def run_send_key(context: Context, args: Arguments) -> None:
    """Press keys on a guest's keyboard."""
    found = context.domain(args.need("domain"))
    codeset = args.text("codeset") or "linux"
    hold = args.unsigned("holdtime") or 0
    number = CODESETS.index("qnum" if codeset == "rfb" else codeset) if codeset in (*CODESETS, "rfb") else -1
    if number < 0:
        raise CommandError(f"unknown codeset: '{codeset}'")
    words = args.words("keycode")
    if len(words) > KEYS_MAX:
        raise CommandError("too many keycodes")
    found.send_keys(number, hold, [keycode(codeset, one) for one in words])


def keycode(codeset: str, text: str) -> int:
    """The number of a key: given as such, decimal, octal (0…) or hexadecimal (0x…), or by name."""
    code = _number(text)
    if code is None:
        from guesthouse.cli.keynames import NAMES

        code = NAMES.get(codeset, {}).get(text)
    if code is None:
        raise CommandError(f"invalid keycode: '{text}'")
    return code


def _number(text: str) -> int | None:
    octal = len(text) > 1 and text[0] == "0" and text.isdigit()
    try:
        number = int(text, 8) if octal else int(text, 0)
    except ValueError:
        return None
    return number if 0 <= number <= KEYCODE_MAX else None


def run_inject_nmi(context: Context, args: Arguments) -> None:
    """Send a guest a non-maskable interrupt."""
    context.domain(args.need("domain")).inject_nmi()


COMMANDS = (
    Command("inject-nmi", "domain", "send a guest an NMI", run_inject_nmi, (domain(),)),
    Command(
        "screenshot",
        "domain",
        "save a picture of a guest's screen",
        run_screenshot,
        (
            domain(),
            Option("file", "string", "the file (else one named after the guest and the time)", loose=True),
            Option("screen", "int", "this screen (else the first)", loose=True),
        ),
    ),
    Command(
        "send-key",
        "domain",
        "press keys on a guest's keyboard",
        run_send_key,
        (
            domain(),
            Option("codeset", "string", "how the keys are given (else linux)", complete=" ".join((*CODESETS, "rfb"))),
            Option("holdtime", "int", "for so many milliseconds"),
            Option("keycode", "argv", "the keys: names or numbers", required=True, positional=True),
        ),
        description="Press one or several keys of a guest's keyboard at the same time.",
    ),
)
