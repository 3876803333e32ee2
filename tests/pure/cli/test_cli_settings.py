"""The options before the command, and the environment."""

from __future__ import annotations

import pytest

from guesthouse.cli.failure import CommandError
from guesthouse.cli.settings import parse


def test_options_end_at_the_command() -> None:
    settings, words = parse(["guest", "-qr", "-c", "test:///x", "list", "-q", "--all"], {})
    assert (settings.quiet, settings.readonly, settings.uri) == (True, True, "test:///x")
    assert words == ["list", "-q", "--all"]


@pytest.mark.parametrize(
    "words", [["-cU"], ["-c", "U"], ["--connect=U"], ["--connect", "U"], ["--conn", "U"], ["-tcU"]]
)
def test_values_of_options(words: list[str]) -> None:
    settings, rest = parse(["guest", *words, "list"], {})
    assert settings.uri == "U"
    assert rest == ["list"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-x"], "unsupported option '-x'. See --help."),
        (["--foo"], "unsupported option '--foo'. See --help."),
        (["--quiet=x"], "unsupported option '--quiet=x'. See --help."),
        (["-c"], "option '-c'/'--connect' requires an argument"),
        (["--log"], "option '-l'/'--log' requires an argument"),
        (["-k", "x"], "Invalid value for option -k"),
        (["--keepalive-count=-1"], "option --keepalive-count requires a positive integer argument"),
        (["-d", "x"], "option -d takes a numeric argument"),
        (["-e", "abc"], "Invalid string 'abc' for escape sequence"),
        (["-e", "^"], "Invalid string '^' for escape sequence"),
    ],
)
def test_wrong_options(words: list[str], text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(["guest", *words], {})
    assert caught.value.text == text


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["-h"], "help"),
        (["-v"], "version"),
        (["-V"], "about"),
        (["--version"], "version"),
        (["--version=long"], "about"),
    ],
)
def test_tasks(words: list[str], task: str) -> None:
    assert parse(["guest", *words], {})[0].task == task


@pytest.mark.parametrize("escape", ["^]", "^a", "x", "^_"])
def test_escape_sequences(escape: str) -> None:
    assert parse(["guest", "-e", escape], {})[0].escape == escape


def test_the_environment_gives_what_no_option_does() -> None:
    environment = {"VIRSH_DEFAULT_CONNECT_URI": "E", "VIRSH_DEBUG": "2", "VIRSH_LOG_FILE": "/log"}
    settings, _ = parse(["guest", "list"], environment)
    assert (settings.uri, settings.debug, settings.log) == ("E", 2, "/log")
    settings, _ = parse(["guest", "-c", "U", "-d", "1", "-l", "/own", "list"], environment)
    assert (settings.uri, settings.debug, settings.log) == ("U", 1, "/own")


def test_keepalive_is_off_at_a_prompt_unless_asked_for() -> None:
    assert parse(["guest"], {})[0].keepalive(interactive=False) == (5, 6)
    assert parse(["guest"], {})[0].keepalive(interactive=True) == (0, 0)
    assert parse(["guest", "-k", "3", "-K", "2"], {})[0].keepalive(interactive=True) == (3, 2)


def test_the_name_of_the_program_decides_who_we_are() -> None:
    assert parse(["/usr/bin/guest"], {})[0].ours
    assert not parse(["/usr/bin/virsh"], {})[0].ours
    with pytest.raises(CommandError, match="unsupported option '--json'"):
        parse(["virsh", "--json"], {})
