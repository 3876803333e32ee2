"""The commands of secrets that are ours: JSON, the editor, the terminal, events, the completion and the history."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon
from tests.support.terminal import Terminal

pytestmark = pytest.mark.real

ONE = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
VALUE = "open sesame, please"


@pytest.fixture
def secret(daemon: Daemon, short_path: Path) -> Daemon:
    path = short_path / "secret.xml"
    path.write_text(f"<secret><uuid>{ONE}</uuid><usage type='volume'><volume>/a</volume></usage></secret>")
    assert json.loads(daemon.guest("secret-define", str(path), "--json").stdout) == {"uuid": ONE}
    return daemon


def test_json(secret: Daemon, short_path: Path) -> None:
    expected = {"uuid": ONE, "usage": "volume", "id": "/a", "ephemeral": False, "private": False}
    assert json.loads(secret.guest("secret-list", "--json").stdout) == [expected]
    (short_path / "value").write_text(VALUE)
    secret.guest("secret-set-value", ONE, "--plain", "--file", str(short_path / "value"))
    got = json.loads(secret.guest("secret-get-value", ONE, "--json").stdout)
    assert got == {"uuid": ONE, "value": base64.b64encode(VALUE.encode()).decode()}
    assert json.loads(secret.guest("secret-dumpxml", ONE, "--json").stdout)["tag"] == "secret"
    assert json.loads(secret.guest("secret-event", "--list", "--json").stdout) == ["lifecycle", "value-changed"]


def test_what_is_no_base64_is_refused(secret: Daemon, short_path: Path) -> None:
    (short_path / "value").write_text(VALUE)
    refused = secret.guest("secret-set-value", ONE, "--file", str(short_path / "value"), check=False)
    assert refused.stderr == "error: the value is not base64; with --file, --plain takes the file as it is\n"
    assert "does not have a value" in secret.guest("secret-get-value", ONE, check=False).stderr


def test_a_value_is_typed_unseen(secret: Daemon) -> None:
    with Terminal(str(BIN / "guest"), "-c", secret.uri, "secret-set-value", ONE, "--interactive") as terminal:
        terminal.expect("Enter new value for secret:")
        time.sleep(0.3)  # until the terminal is silent
        terminal.type(VALUE + "\n")
        terminal.expect("Secret value set")
        assert VALUE not in terminal.seen
    assert secret.guest("secret-get-value", ONE, "--plain").stdout == VALUE + "\n"


def test_the_editor(secret: Daemon, short_path: Path) -> None:
    def edit(command: str) -> subprocess.CompletedProcess[str]:
        argv = [str(BIN / "guest"), "-c", secret.uri, "secret-edit", ONE]
        environment = {**os.environ, "VISUAL": command, "HOME": str(short_path)}
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False, env=environment)

    assert edit("true").stdout == f"Secret {ONE} XML configuration not changed.\n\n"
    described = "s|  <usage |  <description>for a disk</description>\\\\n  <usage |"
    assert edit(f"sed -i '{described}'").stdout == f"Secret {ONE} XML configuration edited.\n\n"
    assert "<description>for a disk</description>" in secret.guest("secret-dumpxml", ONE).stdout
    refused = edit("sed -i s|/a</|/b</|")
    assert refused.returncode == 1
    assert "is already defined for use with /a" in refused.stderr
    refused = edit("sed -i -e s|6f</uuid|70</uuid| -e s|/a</|/b</|")
    assert "the UUID of a secret cannot be changed" in refused.stderr
    assert [one["uuid"] for one in json.loads(secret.guest("secret-list", "--json").stdout)] == [ONE]


def test_events(secret: Daemon, short_path: Path) -> None:
    argv = [str(BIN / "guest"), "-c", secret.uri, "secret-event", "--loop", "--timeout", "20", "--event"]
    listening = [
        subprocess.Popen([*argv, *more], stdout=subprocess.PIPE, text=True)
        for more in (["lifecycle", "--secret", ONE], ["value-changed", "--json"])
    ]
    (short_path / "value").write_text(VALUE)
    other = short_path / "other.xml"
    other.write_text("<secret ephemeral='yes'/>")
    try:
        time.sleep(1.0)
        uuid = json.loads(secret.guest("secret-define", str(other), "--json").stdout)["uuid"]
        for name in (uuid, ONE):
            secret.guest("secret-set-value", name, "--plain", "--file", str(short_path / "value"))
        secret.guest("secret-undefine", ONE)
        told = []
        for process, lines in zip(listening, (1, 2), strict=True):
            assert process.stdout is not None
            told.append([process.stdout.readline() for _ in range(lines)])
    finally:
        for process in listening:
            process.kill()
            process.communicate()
    assert told[0] == [f"event 'lifecycle' for secret {ONE}: Undefined\n"]
    assert [json.loads(line)["secret"] for line in told[1]] == [uuid, ONE]
    assert {json.loads(line)["event"] for line in told[1]} == {"value-changed"}


def test_completion_and_history(secret: Daemon, short_path: Path) -> None:
    argv = [str(BIN / "guest"), "-c", secret.uri, "__complete", "secret-dumpxml", "0a8"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == f"{ONE}\n"
    home = {"HOME": str(short_path), "XDG_CACHE_HOME": str(short_path / "cache"), "PROMPT_TOOLKIT_NO_CPR": "1"}
    with Terminal(str(BIN / "guest"), "-c", secret.uri, env=home) as terminal:
        terminal.expect("guest #")
        terminal.type("secret-list\r")
        terminal.expect("volume /a")
        terminal.type(f"secret-set-value {ONE} {base64.b64encode(VALUE.encode()).decode()}\r")
        terminal.expect("Secret value set")
        terminal.type("quit\r")
        terminal.process.wait(10)
    kept = (short_path / "cache/guesthouse/history").read_text()
    assert "secret-list" in kept
    assert "secret-set-value" not in kept
