"""What iscsiadm(8) prints, and where it keeps what it knows."""

from __future__ import annotations

import re
from typing import Final

_SESSION: Final = re.compile(r"\w+:\s+\[(\d+)\]\s+\S+\s+(\S+).*")
_TARGET: Final = re.compile(r"\s*(\S+)\s+(\S+)\s*")


def parse_sessions(output: str) -> dict[str, int]:
    """Target to the number of its first session, from `iscsiadm --mode session`."""
    found: dict[str, int] = {}
    for line in output.splitlines():
        match = _SESSION.fullmatch(line)
        if match:
            found.setdefault(match[2], int(match[1]))
    return found


def parse_targets(output: str) -> list[str]:
    """The targets that a discovery printed, a line each after its portal."""
    return [match[2] for line in output.splitlines() if (match := _TARGET.fullmatch(line))]


def parse_interfaces(output: str) -> dict[str, str]:
    """Initiator name to the interface that has it, from `iscsiadm --mode iface`."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        name, _, rest = line.partition(" ")
        fields = rest.split(",", 4)
        if len(fields) == 5:
            found.setdefault(fields[4].strip(), name)
    return found


def with_settings(record: str, settings: dict[str, str]) -> str:
    """A node's record with these settings: lines `NAME = VALUE` before its end."""
    kept = [line for line in record.splitlines() if line.partition(" = ")[0] not in settings]
    ends = [number for number, line in enumerate(kept) if line.startswith("# END RECORD")]
    at = ends[0] if ends else len(kept)
    added = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join([*kept[:at], *added, *kept[at:]]) + "\n"
