"""The grammar of command lines, word by word, with virsh's error texts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.cli.failure import CommandError
from guesthouse.cli.grammar import Arguments, Command, Option, Parser, alias, domain, flag
from guesthouse.cli.numerals import decimal
from guesthouse.cli.tokens import quote, split


def nothing(context: object, args: object) -> None:
    """Stand for what a command does."""


RECORDS = {
    record.name: record
    for record in (
        Command(
            "act",
            "domain",
            "act",
            nothing,
            (
                domain(),
                flag("all", ""),
                Option("mode", "string", loose=True),
                Option("count", "int"),
                alias("old", "mode"),
                alias("both", "mode=agent"),
                Option("word", "argv", positional=True),
            ),
            shape="{}",
        ),
        Command("name", "domain", "name", nothing, (Option("key", "string", required=True),)),
        Command("help", "virsh", "help", nothing, (Option("command", "string", positional=True),)),
    )
}


def parse(*words: str | None, ours: bool = True) -> list[Arguments]:
    parser = Parser(RECORDS.get, lambda name: f"unknown command: '{name}'", ours=ours)
    return parser.parse(iter(words))


def values(*words: str | None) -> object:
    return [(one.command.name, one.values) for one in parse(*words)]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["act", "web"], {"domain": "web"}),
        (["act", "--domain", "web"], {"domain": "web"}),
        (["act", "--domain=web"], {"domain": "web"}),
        (["act", "--all", "web"], {"all": True, "domain": "web"}),
        (["act", "web", "acpi"], {"domain": "web", "mode": "acpi"}),
        (["act", "web", "acpi", "a", "b"], {"domain": "web", "mode": "acpi", "word": ["a", "b"]}),
        (["act", "--mode", "acpi", "web", "x"], {"domain": "web", "mode": "acpi", "word": ["x"]}),
        (["act", "web", "--old", "acpi"], {"domain": "web", "mode": "acpi"}),
        (["act", "web", "--both"], {"domain": "web", "mode": "agent"}),
        (["act", "web", "--word", "a", "--word", "b"], {"domain": "web", "word": ["a", "b"]}),
        (["act", "--", "--all"], {"domain": "--all"}),
        (["act", "web", "--mode", "--all"], {"domain": "web", "mode": "--all"}),
        (["act", "web", "--mode="], {"domain": "web", "mode": ""}),
        (["act", "web", "--json"], {"domain": "web", "json": True}),
        (["act", "-x"], {"domain": "-x"}),
    ],
)
def test_words_become_values(words: list[str], expected: dict[str, object]) -> None:
    assert values(*words) == [("act", expected)]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nosuch"], "unknown command: 'nosuch'"),
        (["act"], "command 'act' requires <domain> option"),
        (["name"], "command 'name' requires --key option"),
        (["act", "--foo"], "command 'act' doesn't support option --foo"),
        (["act", "--all=yes", "web"], "invalid '=' after option --all"),
        (["act", "--both=x", "web"], "invalid '=' after option --both"),
        (["act", "--domain"], "expected syntax: --domain <string>"),
        (["act", "web", "--count"], "expected syntax: --count <number>"),
        (["act", "--domain", None, "name"], "expected syntax: --domain <string>"),
        (["act", "web", "--mode", "a", "--mode", "b"], "option --mode already seen"),
        (["act", "web", "--mode", "a", "--old", "b"], "option --mode already seen"),
        (["name", "--key", "k", "extra"], "unexpected data 'extra'"),
        (["name", "--key", "k", "--json"], "command 'name' doesn't support option --json"),
    ],
)
def test_mistakes_are_told_in_virshs_words(words: list[str | None], text: str) -> None:
    with pytest.raises(CommandError) as caught:
        parse(*words)
    assert caught.value.text == text


def test_json_is_not_an_option_of_virsh() -> None:
    with pytest.raises(CommandError, match="doesn't support option --json"):
        parse("act", "web", "--json", ours=False)


def test_help_is_an_option_of_every_command() -> None:
    assert values("act", "--help") == [("help", {"command": "act"})]
    assert values("help", "--nonsense", "act", "more") == [("help", {"command": "act"})]


def test_one_line_holds_several_commands() -> None:
    assert values("act", "a", None, "name", "--key", "k", None) == [
        ("act", {"domain": "a"}),
        ("name", {"key": "k"}),
    ]


def test_a_comment_ends_with_its_line() -> None:
    assert values("#", "anything", "--at", "all", None, "act", "a") == [("act", {"domain": "a"})]


def test_numbers_are_checked_when_they_are_asked_for() -> None:
    [args] = parse("act", "web", "--count", " +7")
    assert args.number("count") == 7
    assert parse("act", "web")[0].number("count") is None
    for bad in ("seven", "1.5", "", "9999999999", "0x10", "7 "):
        [args] = parse("act", "web", "--count", bad)
        with pytest.raises(CommandError) as caught:
            args.number("count")
        assert caught.value.text == f"Numeric value '{bad}' for <count> option is malformed or out of range"


def test_an_empty_value_is_refused_where_it_means_nothing() -> None:
    [args] = parse("act", "")
    with pytest.raises(CommandError) as caught:
        args.need("domain")
    assert caught.value.text == "Failed to get option 'domain': Option argument is empty"


def test_options_that_exclude_each_other() -> None:
    [args] = parse("act", "web", "--all", "--mode", "x")
    with pytest.raises(CommandError, match="Options --all and --mode are mutually exclusive"):
        args.exclusive("all", "mode")
    with pytest.raises(CommandError, match="Option --count is required by option --all"):
        args.requires("all", "count")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("list --all", ["list", "--all"]),
        ("  a\tb  ", ["a", "b"]),
        ("a;b", ["a", None, "b"]),
        ("a ; b;", ["a", None, "b", None]),
        ("'a b' c", ["a b", "c"]),
        ('"a b"c', ["a bc"]),
        ("a'b;c'd", ["ab;cd"]),
        (r"a\ b", ["a b"]),
        (r"'a\ b'", [r"a\ b"]),
        (r'"a\"b"', ['a"b']),
        ("a\\\nb", ["ab"]),
        ("a \\\n b", ["a", "b"]),
        ("a\nb", ["a", None, "b"]),
        ("a # rest; of\nb", ["a", None, "b"]),
        ("a#b", ["a#b"]),
        ("''", [""]),
        ("'open", ["open"]),
        ("", []),
    ],
)
def test_lines_are_cut_into_words(line: str, words: list[str | None]) -> None:
    assert list(split(line)) == words


@pytest.mark.parametrize(("line", "text"), [('a "b', 'missing "'), ("a\\", "dangling \\")])
def test_what_is_left_open_is_refused(line: str, text: str) -> None:
    with pytest.raises(CommandError) as caught:
        list(split(line))
    assert caught.value.text == text


@given(
    st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20), max_size=6)
)
def test_quoted_words_are_read_back(words: list[str]) -> None:
    assert list(split(" ".join(quote(word) for word in words))) == words


@given(st.text())
def test_no_line_makes_the_parser_stumble(line: str) -> None:
    with suppress(CommandError):
        parse(*split(line))


@given(st.integers())
def test_numbers_are_read_as_c_reads_them(number: int) -> None:
    assert decimal(str(number)) == number
    assert decimal(f"\t {number}") == number
