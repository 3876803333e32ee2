"""Whether a real QEMU takes the devices of `tests/pure/model/devices`, on the command line and over the monitor."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pure.model import device_cases as cases

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not installed"),
]

QEMU = ["qemu-system-x86_64", "-S", "-nodefaults", "-no-user-config", "-m", "64", "-qmp", "stdio"]
MACHINES = {"q35": "q35,accel=tcg,hpet=off", "pc": "pc,accel=tcg"}
ACCEPTED = [name for name in cases.CASES if name.partition("-")[0] in MACHINES]
QCOW2 = ("plain.qcow2", "cor.qcow2", "base.qcow2", "overlay.qcow2")
RAW = ("raw.img", "second.img", "third.img", "base.img", "cd.iso")
SIZE = 10321920  # 20 cylinders of 16 heads and 63 sectors
FLOPPY = 1474560


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with the images that the cases name; its own name is short, for the sake of the sockets."""
    made = Path(tempfile.mkdtemp(prefix="gh-", dir="/tmp"))
    for name in ("images", "logs", "sockets"):
        (made / name).mkdir(parents=True)
    for name in RAW:
        with (made / "images" / name).open("wb") as file:
            file.truncate(SIZE)
    with (made / "images" / "floppy.img").open("wb") as file:
        file.truncate(FLOPPY)
    for name in QCOW2:
        image = str(made / "images" / name)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, str(SIZE)], check=True, timeout=30)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def localised(text: str, folder: Path) -> str:
    """The case's text with the test's own files."""
    for name in ("images", "logs", "sockets"):
        text = text.replace(f"/{name}/", f"{folder}/{name}/")
    return text


def words(name: str, folder: Path) -> list[str]:
    """The options of a case as the command line has them."""
    lines = localised((cases.FOLDER / f"{name}.args").read_text(), folder).splitlines()
    return [word for line in lines for word in line.split(" ", 1)]


@contextmanager
def running(machine: str, options: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A QEMU with its monitor on its standard streams."""
    display = [] if "-vnc" in options else ["-display", "none"]
    argv = [*QEMU, "-machine", MACHINES[machine], *display, *options]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def converse(process: subprocess.Popen[str], commands: list[str]) -> list[dict[str, object]]:
    """The answers to `commands`, and to the greeting's confirmation before them and the farewell after them."""
    lines = ['{"execute": "qmp_capabilities"}', *commands, '{"execute": "quit"}']
    output, complaints = process.communicate("".join(f"{line}\n" for line in lines), timeout=60)
    # QEMU also says there which terminals it opened.
    messages = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    answers = [message for message in messages if "return" in message or "error" in message]
    assert len(answers) == len(lines), complaints
    return answers


def base(machine: str) -> str:
    """The case with the controllers that the other cases of a machine stand on."""
    return f"{machine}-controllers"


def options_of(name: str, folder: Path) -> list[str]:
    """The case's options after those of the controllers."""
    machine = name.partition("-")[0]
    under = [] if "controllers" in name else words(base(machine), folder)
    return under + words(name, folder)


@pytest.mark.parametrize("name", ACCEPTED)
def test_command_line(name: str, folder: Path) -> None:
    late = [
        line
        for line in localised((cases.FOLDER / f"{name}.qmp").read_text(), folder).splitlines()
        if json.loads(line)["execute"] in ("qom-set", "set_link", "set_password", "block_set_io_throttle")
    ]
    with running(name.partition("-")[0], options_of(name, folder)) as process:
        for answer in converse(process, late):
            assert "error" not in answer, answer


#: What QEMU says about a device that cannot be plugged in while the machine is there, or only where there is room; and
#: about a filesystem, whose directory can only be given on the command line.
NOT_NOW = (
    "hotplug",
    "hot-plug",
    "not allowed",
    "doesn't support",
    "can't be hot",
    "unavailable",
    "couldn't find fsdev",
)


@pytest.mark.parametrize("name", [name for name in ACCEPTED if "controllers" not in name and "display" not in name])
def test_monitor(name: str, folder: Path) -> None:
    """What can be plugged in later is taken in the monitor's form too."""
    machine = name.partition("-")[0]
    lines = localised((cases.FOLDER / f"{name}.qmp").read_text(), folder).splitlines()
    with running(machine, words(base(machine), folder)) as process:
        answers = converse(process, [line for line in lines if '"set_password"' not in line])
    refused: list[str] = []
    for line, answer in zip(lines, answers[1:], strict=False):
        error = answer.get("error")
        if isinstance(error, dict):
            text = str(error["desc"])
            assert json.loads(line)["execute"] in ("device_add", "qom-set", "set_link", "block_set_io_throttle"), text
            assert any(word in text for word in NOT_NOW) or any(device in text for device in refused), (line, text)
            refused.append(str(json.loads(line)["arguments"].get("id", "")))


def test_sockets_are_what_the_case_says(folder: Path) -> None:
    """A UNIX socket that QEMU opened for a channel takes a connection."""
    with running("q35", options_of("q35-channel", folder)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"execute": "qmp_capabilities"}\n')
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(folder / "sockets" / "org.qemu.guest_agent.0"))
