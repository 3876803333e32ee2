"""The systemd units say what the daemon does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guesthouse.places import Places
from guesthouse.server.listeners import plan
from guesthouse.server.options import parse
from guesthouse.server.settings import Settings

FOLDER = Path(__file__).resolve().parents[3] / "packaging/systemd"
UNITS = sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("guesthoused*"))
PROGRAM = "/usr/bin/guesthoused"


def entries(unit: str) -> dict[str, list[str]]:
    """Key to values, of all sections: a key may stand more than once, which `configparser` does not know."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text().splitlines():
        if line and line[0] not in "#[":
            key, sign, value = line.partition("=")
            assert sign, line
            found.setdefault(key, []).append(value)
    return found


def test_all_units_are_there() -> None:
    assert [str(unit) for unit in UNITS] == [
        "guesthoused-ro.socket",
        "guesthoused.service",
        "guesthoused.socket",
        "user/guesthoused.service",
        "user/guesthoused.socket",
    ]


def test_the_sockets_are_those_that_the_daemon_would_make() -> None:
    system = plan(Places.system(), Settings())
    for unit, readonly in (("guesthoused.socket", False), ("guesthoused-ro.socket", True)):
        assert entries(unit)["ListenStream"] == [str(each.path) for each in system if each.readonly is readonly]
    session = plan(Places.session({"HOME": "/home/me", "XDG_RUNTIME_DIR": "%t"}), Settings())
    assert entries("user/guesthoused.socket")["ListenStream"] == [str(each.path) for each in session]


@pytest.mark.parametrize(("unit", "mode"), [("guesthoused.service", "system"), ("user/guesthoused.service", "session")])
def test_the_command_is_one_that_the_daemon_understands(unit: str, mode: str) -> None:
    (command,) = entries(unit)["ExecStart"]
    program, *arguments = command.split()
    assert program == PROGRAM
    assert parse(arguments, uid=0 if mode == "system" else 1000).places.mode == mode


@pytest.mark.parametrize("unit", ["guesthoused.service", "user/guesthoused.service"])
def test_guests_survive_the_service(unit: str) -> None:
    found = entries(unit)
    assert found["KillMode"] == ["process"]
    assert found["Delegate"] == ["yes"]
    assert found["Type"] == ["notify"]
    harmful = {
        "MemoryDenyWriteExecute",
        "PrivateDevices",
        "PrivateTmp",
        "ProtectSystem",
        "ProtectHome",
        "PrivateMounts",
    }
    assert not harmful & set(found)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (package systemd)")
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_systemd_understands_them(unit: Path, tmp_path: Path) -> None:
    """Nothing that its own checker remarks on, but for programs that are not installed here."""
    for path in (FOLDER / unit.parent).glob("guesthoused*"):
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, sys.executable))
    kind = ["--user"] if unit.parent.name == "user" else []
    done = subprocess.run(
        ["systemd-analyze", *kind, "--man=no", "verify", str(tmp_path / unit.name)],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if "guesthoused" in line]
    assert said == []
