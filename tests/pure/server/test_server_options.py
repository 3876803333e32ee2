from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.server.options import parse


@pytest.mark.parametrize(
    ("arguments", "uid", "mode"),
    [
        ([], 0, "system"),
        ([], 1000, "session"),
        (["--session"], 0, "session"),
        (["--system"], 1000, "system"),
        (["--root", "/x"], 0, "root"),
        (["--root", "/x"], 1000, "root"),
    ],
)
def test_places(arguments: list[str], uid: int, mode: str) -> None:
    assert parse(arguments, uid).places.mode == mode


def test_everything() -> None:
    options = parse(["--root", "/x", "--timeout", "9", "--json", "-d", "-p", "/p", "-f", "/f", "--log-level", "debug"])
    assert (options.timeout, options.json, options.daemon) == (9, True, True)
    assert (options.pid_file, options.config_path, options.log_level) == (Path("/p"), Path("/f"), "debug")


def test_defaults() -> None:
    options = parse(["--root", "/x"])
    assert (options.timeout, options.json, options.daemon, options.log_level) == (0, False, False, None)
    assert options.config_path == Path("/x/etc/libvirtd.conf")
    assert parse(["--root", "/x", "-v"]).log_level == "info"


@pytest.mark.parametrize(
    "arguments",
    [["--timeout", "0"], ["--timeout", "-3"], ["--timeout", "x"], ["--system", "--session"], ["--bogus"], ["stray"]],
)
def test_mistakes_end_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "guesthoused: error:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("guesthoused ")
