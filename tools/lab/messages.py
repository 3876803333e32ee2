"""What the host and the lab say to each other: one JSON object a line, over a virtio port."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

#: The name of the port, for both sides.
PORT: Final = "org.guesthouse.lab"
#: There while the kernel is the lab's: tests/lab is collected only where this exists.
MARK: Final = "/run/guesthouse-lab"


@dataclass(frozen=True, slots=True)
class Job:
    """What the host wants run: a command with its arguments, in the project's folder; a file of its results."""

    command: list[str]
    results: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What the lab tells: output as it comes; the file of results at the end, with the exit status of the command."""

    output: str = ""
    results: str = ""
    status: int | None = None


def encode(message: Job | Report) -> bytes:
    """The line of a message."""
    return json.dumps(asdict(message)).encode() + b"\n"


def decode_job(line: bytes) -> Job:
    """The job of a line. Raises ValueError or TypeError for what is none."""
    return Job(**json.loads(line))


def decode_report(line: bytes) -> Report:
    """The report of a line. Raises ValueError or TypeError for what is none."""
    return Report(**json.loads(line))
