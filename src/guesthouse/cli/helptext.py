"""The help: for one command, for a group, for all; in virsh's layout, from the commands' records."""

from __future__ import annotations

from guesthouse.cli.grammar import JSON, Command, Option
from guesthouse.cli.registry import GROUPS, visible


def options(command: Command, *, ours: bool) -> list[Option]:
    """The options that the help shows: aliases stay unsaid; those that virsh does not have, as `--json`, are ours."""
    shown = [option for option in command.options if option.kind != "alias" and (ours or not option.ours)]
    return [*shown, JSON] if command.shape and ours else shown


def synopsis(command: Command, *, ours: bool) -> str:
    """The command with its options, as it is typed."""
    return " ".join([command.name, *(_in_synopsis(option) for option in options(command, ours=ours))])


def _in_synopsis(option: Option) -> str:
    if option.kind == "bool":
        return f"[--{option.name}]"
    kind = "number" if option.kind == "int" else "string"
    word = f"<{option.name}>" if option.positional else f"--{option.name} <{kind}>"
    if not option.required:
        word = f"[{word}]"
    return word + "..." if option.kind == "argv" else word


def _in_list(option: Option) -> str:
    if option.kind == "bool":
        word = f"--{option.name}"
    else:
        kind = "<number>" if option.kind == "int" else "<string>"
        word = f"[--{option.name}] {kind}" if option.positional else f"--{option.name} {kind}"
        if option.kind == "argv":
            word += "..."
    return f"    {word:<15}  {option.help}\n"


def command(record: Command, *, ours: bool) -> str:
    """The page of one command."""
    parts = [
        f"  NAME\n    {record.name} - {record.help}\n\n",
        f"  SYNOPSIS\n    {synopsis(record, ours=ours)}\n",
    ]
    if record.description:
        parts.append(f"\n  DESCRIPTION\n    {record.description}\n")
    shown = options(record, ours=ours)
    if shown:
        parts.append("\n  OPTIONS\n" + "".join(map(_in_list, shown)))
    if record.shape and ours:
        parts.append(f"\n  JSON\n    {record.shape}\n")
    return "".join(parts)


def group(keyword: str, title: str, *, ours: bool) -> str:
    """The commands of one group, a line each."""
    lines = "".join(f"    {record.name:<30} {record.help}\n" for record in visible(keyword, ours=ours))
    return f" {title} (help keyword '{keyword}'):\n{lines}"


def overview(*, ours: bool) -> str:
    """The commands of all groups."""
    pages = (group(keyword, title, ours=ours) for keyword, title in GROUPS if visible(keyword, ours=ours))
    return "Grouped commands:\n\n" + "".join(page + "\n" for page in pages)


def usage(program: str, *, ours: bool) -> str:
    """What `--help` prints: the options before the command, then all commands."""
    json = f"{'':9}--json             print JSON where a command can\n" if ours else ""
    parts = [
        f"\n{program} [options]... [<command_string>]\n{program} [options]... <command> [args...]\n\n",
        "  options:\n"
        "    -c | --connect=URI      hypervisor connection URI\n"
        "    -d | --debug=NUM        debug level [0-4]\n"
        "    -e | --escape <char>    set escape sequence for console\n"
        "    -h | --help             this help\n"
        "    -k | --keepalive-interval=NUM\n"
        "                            keepalive interval in seconds, 0 for disable\n"
        "    -K | --keepalive-count=NUM\n"
        "                            number of possible missed keepalive messages\n"
        "    -l | --log=FILE         output logging to file\n"
        "    -q | --quiet            quiet mode\n"
        "    -r | --readonly         connect readonly\n"
        "    -t | --timing           print timing information\n"
        "    -v                      short version\n"
        "    -V                      long version\n"
        "         --version[=TYPE]   version, TYPE is short or long (default short)\n",
        json,
        "  commands (non interactive mode):\n\n",
    ]
    for keyword, title in GROUPS:
        page = group(keyword, title, ours=ours)
        if visible(keyword, ours=ours):
            parts.append(page.replace("'):\n", "')\n", 1) + "\n")
    parts.append(
        "\n  (specify help <group> for details about the commands in the group)\n"
        "\n  (specify help <command> for details about the command)\n\n"
    )
    return "".join(parts)
