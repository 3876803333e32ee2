"""The table of commands: complete, consistent, and shown as virsh shows its own."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from guesthouse.cli import helptext, registry
from guesthouse.cli.completion import candidates
from guesthouse.cli.context import Context
from guesthouse.cli.grammar import Command
from guesthouse.cli.index import MODULES
from guesthouse.cli.main import run
from guesthouse.cli.settings import Settings

#: What the guide's chapters 8.1 to 8.5, 11.1 to 11.3 and 11.6 call.
GUIDE = (
    "list",
    "edit",
    "start",
    "vcpuinfo",
    "vcpucount",
    "setvcpus",
    "capabilities",
    "help",
    "console",
    "suspend",
    "resume",
    "reboot",
    "shutdown",
    "destroy",
    "autostart",
    "undefine",
)


def test_the_index_names_what_the_modules_hold() -> None:
    for module, names in MODULES.items():
        loaded = __import__(f"guesthouse.cli.commands.{module}", fromlist=["COMMANDS"])
        assert tuple(command.name for command in loaded.COMMANDS) == names, module


def test_no_command_is_there_twice() -> None:
    names = [command.name for command in registry.commands()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", GUIDE)
def test_the_guides_commands_are_there(name: str) -> None:
    assert registry.find(name, ours=False) is not None


@pytest.mark.parametrize("command", list(registry.commands()), ids=lambda command: command.name)
def test_records_follow_the_grammar(command: Command) -> None:
    """What virsh's own self-test asks of its tables."""
    assert command.help
    assert command.group in dict(registry.GROUPS)
    optional = False
    for number, option in enumerate(command.options):
        last = number == len(command.options) - 1
        assert option.kind in ("bool", "int", "string", "argv", "alias")
        if option.kind == "alias":
            target = option.target.partition("=")[0]
            assert target in [one.name for one in command.options[number + 1 :]]
            continue
        assert option.help, option.name
        assert not (option.positional and option.loose)
        assert not (option.kind == "bool" and (option.required or option.positional or option.loose))
        assert option.kind != "argv" or last
        assert not (option.required and option.positional and optional)
        optional = optional or (option.positional and not option.required)


def test_our_own_commands_are_hidden_from_virsh() -> None:
    assert registry.find("doctor", ours=False) is None
    assert registry.find("doctor") is not None
    assert "guest" not in helptext.overview(ours=False).split("help keyword '")[-1]


def test_help_of_a_command() -> None:
    command = registry.find("domstate")
    assert command is not None
    assert helptext.command(command, ours=False) == (
        "  NAME\n    domstate - print a guest's state\n\n"
        "  SYNOPSIS\n    domstate <domain> [--reason]\n\n"
        "  OPTIONS\n"
        "    [--domain] <string>  the guest: its name, id or UUID\n"
        "    --reason         and why it is in it\n"
    )
    assert "[--json]" in helptext.command(command, ours=True)


def test_help_of_a_group() -> None:
    text = helptext.group("events", "Domain Events", ours=False)
    assert text == " Domain Events (help keyword 'events'):\n    event                          wait for events\n"


def lines(*argv: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(["guest", *argv], environment or {})
    return code, out.getvalue(), err.getvalue()


def test_help_needs_no_daemon() -> None:
    for argv in (["help"], ["--help"], ["help", "host"], ["help", "Domain Events"], ["list", "--help"]):
        code, out, err = lines("-q", *argv)
        assert (code, err) == (0, "")
        assert out
    assert lines("help", "nosuch")[2] == "error: command or command group 'nosuch' doesn't exist\n"


def test_a_mistyped_command_is_corrected() -> None:
    code, _, err = lines("dumpxm")
    assert code == 1
    assert err.startswith("error: unknown command: 'dumpxm'; did you mean dumpxml")


def test_several_commands_and_the_code_of_the_last() -> None:
    assert lines("echo a; echo 'b  c'")[:2] == (0, "a\nb  c\n")
    assert lines("cd /nonexistent; echo b")[0] == 0
    code, out, err = lines("echo b; cd /nonexistent")
    assert (code, out) == (1, "b\n\n")
    assert err == "error: cd: No such file or directory: /nonexistent\n"
    assert lines("echo a; nosuch")[1] == ""


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--shell", "a b", "c'd", "", "e"], "'a b' 'c'\\''d' '' e"),
        (["--xml", "<a&\"'>"], "&lt;a&amp;&quot;&apos;&gt;"),
        (["--split", "a,b,,c"], "a\nb,c\n"),
        (["--prefix", "p", "a"], "p a"),
        (["--hi"], "hello"),
    ],
)
def test_echo(words: list[str], text: str) -> None:
    assert lines("-q", "echo", *words)[1] == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_completion(shell: str) -> None:
    code, out, _ = lines("completion", shell)
    assert code == 0
    assert "__complete" in out


def test_completion() -> None:
    context = Context(Settings("guest", {}))
    assert candidates(context, [], "doms") == ["domsetlaunchsecstate", "domstate", "domstats"]
    assert candidates(context, ["list"], "--state-s") == ["--state-shutoff"]
    assert "--all" not in candidates(context, ["list", "--all"], "--")
    assert candidates(context, ["completion"], "z") == ["zsh"]
    assert candidates(context, ["event", "--event"], "re") == ["reboot"]
    assert candidates(context, ["help"], "vcpu") == ["vcpucount", "vcpuinfo", "vcpupin"]
    assert "__complete" not in candidates(context, [], "")


def test_the_completion_command_prints_candidates() -> None:
    assert lines("__complete", "--", "-q", "dominf") == (0, "dominfo\n", "")
