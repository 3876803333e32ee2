"""Values of secrets: `secret-get-value`, `secret-set-value`."""

from __future__ import annotations

import sys

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Command, Option, flag
from guesthouse.cli.secrets import find, secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments

#: The longest value that the protocol carries, and what it may take in base64 with lines.
VALUE_MAX = 65536
FILE_MAX = 2 * VALUE_MAX


def run_get(context: Context, args: Arguments) -> None:
    """Print a secret's value."""
    from base64 import b64encode

    found = find(context, args)
    value = found.value()
    if args.has("json"):
        context.dump({"uuid": found.uuid, "value": b64encode(value).decode()})
    elif args.has("plain"):
        sys.stdout.flush()
        sys.stdout.buffer.write(value)
    else:
        context.print(b64encode(value).decode())


def run_set(context: Context, args: Arguments) -> None:
    """Give a secret its value."""
    for one, other in (
        ("file", "base64"),
        ("plain", "base64"),
        ("interactive", "base64"),
        ("interactive", "plain"),
        ("interactive", "file"),
    ):
        args.exclusive(one, other)
    found = find(context, args)
    given = _given(context, args)
    value = given if args.has("plain") or args.has("interactive") else _decoded(given)
    with context.during("Failed to set secret value"):
        found.set_value(value)
    context.remark("Secret value set\n")


def _given(context: Context, args: Arguments) -> bytes:
    """What the person gave, wherever it comes from."""
    text, path = args.text("base64"), args.text("file")
    if text is not None:
        context.error("Passing secret value as command-line argument is insecure!")
        return text.encode("utf-8", "surrogateescape")
    if path is not None:
        return _read(path)
    if args.has("interactive"):
        context.print("Enter new value for secret:")
        sys.stdout.flush()
        return _typed().encode("utf-8", "surrogateescape")
    raise CommandError("Input secret value is missing")


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            data = stream.read(FILE_MAX + 1)
    except OSError as error:
        what = "Failed to read file" if error.errno == 21 else "Failed to open file"
        raise CommandError(f"{what} '{path}': {error.strerror}") from None
    if len(data) > FILE_MAX:
        raise CommandError(f"Failed to read file '{path}': Value too large for defined data type")
    return data


def _typed() -> str:
    """A line from the terminal, which does not show it; without a terminal, from the input."""
    import os

    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        line = sys.stdin.readline()
        if not line:
            raise CommandError("Failed to read secret") from None
        return line.removesuffix("\n")
    from getpass import getpass

    try:
        return getpass("")
    except EOFError:
        raise CommandError("Failed to read secret") from None


def _decoded(text: bytes) -> bytes:
    """What stands in base64. Raises CommandError for anything else: a wrong value is found out too late."""
    import binascii
    from base64 import b64decode

    try:
        return b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        raise CommandError("the value is not base64; with --file, --plain takes the file as it is") from None


COMMANDS = (
    Command(
        "secret-get-value",
        "secret",
        "print a secret's value",
        run_get,
        (secret(), flag("plain", "as it is, not as base64")),
        description="Print the value of a secret as base64. The value of a private one is not told.",
        shape="{uuid, value: text in base64}",
    ),
    Command(
        "secret-set-value",
        "secret",
        "set a secret's value",
        run_set,
        (
            secret(),
            Option("file", "string", "read the value from this file", complete="file"),
            flag("plain", "and take it as it is, not as base64"),
            flag("interactive", "ask for the value at the terminal"),
            Option("base64", "string", "the value as base64, for everyone to see", loose=True),
        ),
        description="Give a secret its value, from a file or from the terminal.",
    ),
)
