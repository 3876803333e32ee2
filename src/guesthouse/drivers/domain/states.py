"""The states of a guest, why it is in them, and what leads from one to another.

The life of a guest is the table `TRANSITIONS`: a cause, the states in which it may come, and the state, reason and
lifecycle event that follow. Nothing else changes a guest's state; `python -m guesthouse.drivers.domain.states` draws
the table as a Graphviz graph.

Numbers and names: libvirt's `virDomainState`, its reasons, and `virDomainEventType`
(https://libvirt.org/html/libvirt-libvirt-domain.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, unique


@unique
class State(IntEnum):
    """What a guest is doing: `VIR_DOMAIN_*`."""

    NOSTATE = 0
    RUNNING = 1
    BLOCKED = 2
    PAUSED = 3
    SHUTDOWN = 4
    SHUTOFF = 5
    CRASHED = 6
    PMSUSPENDED = 7

    @property
    def word(self) -> str:
        """The state's name in status files."""
        return self.name.lower()


#: The names of each state's reasons; a reason's number is its place.
REASONS: Mapping[State, tuple[str, ...]] = {
    State.NOSTATE: ("unknown",),
    State.RUNNING: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    State.BLOCKED: ("unknown",),
    State.PAUSED: (
        "unknown",
        "user",
        "migration",
        "save",
        "dump",
        "ioerror",
        "watchdog",
        "from snapshot",
        "shutdown",
        "snapshot",
        "panicked",
        "starting up",
        "post-copy",
        "post-copy failed",
        "api error",
    ),
    State.SHUTDOWN: ("unknown", "user"),
    State.SHUTOFF: (
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "daemon",
    ),
    State.CRASHED: ("unknown", "panicked"),
    State.PMSUSPENDED: ("unknown",),
}


def reason_number(state: State, word: str) -> int:
    """The number of a reason's name, 0 (unknown) for a name that the state does not have."""
    words = REASONS[state]
    return words.index(word) if word in words else 0


def state_of(word: str) -> State:
    """The state with this name in a status file. Raises ValueError."""
    for state in State:
        if state.word == word:
            return state
    raise ValueError(f"unknown domain state '{word}'")


@unique
class Happening(IntEnum):
    """What a lifecycle event says: `virDomainEventType`."""

    DEFINED = 0
    UNDEFINED = 1
    STARTED = 2
    SUSPENDED = 3
    RESUMED = 4
    STOPPED = 5
    SHUTDOWN = 6
    PMSUSPENDED = 7
    CRASHED = 8


#: The names of each event's details; a detail's number is its place.
DETAILS: Mapping[Happening, tuple[str, ...]] = {
    Happening.DEFINED: ("added", "updated", "renamed", "from snapshot"),
    Happening.UNDEFINED: ("removed", "renamed"),
    Happening.STARTED: ("booted", "migrated", "restored", "from snapshot", "wakeup", "recovered"),
    Happening.SUSPENDED: (
        "paused",
        "migrated",
        "ioerror",
        "watchdog",
        "restored",
        "from snapshot",
        "api error",
        "post-copy",
        "post-copy failed",
    ),
    Happening.RESUMED: ("unpaused", "migrated", "from snapshot", "post-copy", "post-copy failed"),
    Happening.STOPPED: (
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "recreated",
    ),
    Happening.SHUTDOWN: ("finished", "guest", "host"),
    Happening.PMSUSPENDED: ("memory", "disk"),
    Happening.CRASHED: ("panicked", "crashloaded"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One lifecycle event: what happened and the detail."""

    happening: Happening
    detail: int

    @classmethod
    def of(cls, happening: Happening, detail: str) -> Notice:
        """By the detail's name."""
        return cls(happening, DETAILS[happening].index(detail))


@unique
class Cause(Enum):
    """What changes a guest's state."""

    LAUNCH = "launch"
    BOOT = "boot"
    BOOT_PAUSED = "boot paused"
    SUSPEND = "suspend"
    DUMP = "paused for a dump"
    RESUME = "resume"
    GUEST_SHUTDOWN = "guest shut down"
    HOST_SHUTDOWN = "shut down by the host"
    UNKNOWN_SHUTDOWN = "shut down"
    REBOOTED = "rebooted instead of shut down"
    IO_ERROR = "I/O error"
    WATCHDOG = "watchdog"
    PANIC = "panic"
    RESET_AFTER_PANIC = "reset after a panic"
    RESTART_AFTER_PANIC = "restarted after a panic"
    SLEEP = "guest sleeps"
    SLEEP_TO_DISK = "guest sleeps on disk"
    WAKE = "guest wakes"
    STOPPED_BY_QEMU = "QEMU stopped it"
    RESUMED_BY_QEMU = "QEMU resumed it"
    POWERED_OFF = "powered off"
    DESTROY = "destroyed"
    QEMU_DIED = "QEMU died"
    START_FAILED = "start failed"
    PANICKED_OFF = "ended after a panic"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: from which states, into which state and reason, and the events that tell of it, in order."""

    sources: frozenset[State]
    target: State
    reason: int
    notices: tuple[Notice, ...] = ()


def _row(sources: str, target: State, reason: str, *notices: tuple[Happening, str]) -> Transition:
    states = {_LETTERS[letter] for letter in sources}
    return Transition(frozenset(states), target, REASONS[target].index(reason), tuple(Notice.of(*n) for n in notices))


#: o shut off, r running, p paused, d shut down (QEMU still there), c crashed, s asleep.
_LETTERS = {
    "o": State.SHUTOFF,
    "r": State.RUNNING,
    "p": State.PAUSED,
    "d": State.SHUTDOWN,
    "c": State.CRASHED,
    "s": State.PMSUSPENDED,
}
_LIVE = "rpdcs"
_OFF = State.SHUTOFF

TRANSITIONS: Mapping[Cause, Transition] = {
    Cause.LAUNCH: _row("o", State.PAUSED, "starting up"),
    Cause.BOOT: _row("p", State.RUNNING, "booted", (Happening.RESUMED, "unpaused"), (Happening.STARTED, "booted")),
    Cause.BOOT_PAUSED: _row("p", State.PAUSED, "user", (Happening.STARTED, "booted"), (Happening.SUSPENDED, "paused")),
    Cause.SUSPEND: _row("r", State.PAUSED, "user", (Happening.SUSPENDED, "paused")),
    Cause.DUMP: _row("r", State.PAUSED, "dump", (Happening.SUSPENDED, "paused")),
    Cause.RESUME: _row("pc", State.RUNNING, "unpaused", (Happening.RESUMED, "unpaused")),
    Cause.GUEST_SHUTDOWN: _row("rpcs", State.SHUTDOWN, "unknown", (Happening.SHUTDOWN, "guest")),
    Cause.HOST_SHUTDOWN: _row("rpcs", State.SHUTDOWN, "unknown", (Happening.SHUTDOWN, "host")),
    Cause.UNKNOWN_SHUTDOWN: _row("rpcs", State.SHUTDOWN, "unknown", (Happening.SHUTDOWN, "finished")),
    Cause.REBOOTED: _row("rpds", State.RUNNING, "booted"),
    Cause.IO_ERROR: _row("rp", State.PAUSED, "ioerror", (Happening.SUSPENDED, "ioerror")),
    Cause.WATCHDOG: _row("rp", State.PAUSED, "watchdog", (Happening.SUSPENDED, "watchdog")),
    Cause.PANIC: _row("rps", State.CRASHED, "panicked", (Happening.CRASHED, "panicked")),
    Cause.RESET_AFTER_PANIC: _row("c", State.PAUSED, "panicked"),
    Cause.RESTART_AFTER_PANIC: _row("c", State.RUNNING, "crashed", (Happening.RESUMED, "unpaused")),
    Cause.SLEEP: _row("rp", State.PMSUSPENDED, "unknown", (Happening.PMSUSPENDED, "memory")),
    Cause.SLEEP_TO_DISK: _row("rp", State.PMSUSPENDED, "unknown", (Happening.PMSUSPENDED, "disk")),
    Cause.WAKE: _row("s", State.RUNNING, "wakeup", (Happening.STARTED, "wakeup")),
    Cause.STOPPED_BY_QEMU: _row("r", State.PAUSED, "unknown", (Happening.SUSPENDED, "paused")),
    Cause.RESUMED_BY_QEMU: _row("p", State.RUNNING, "unpaused", (Happening.RESUMED, "unpaused")),
    Cause.POWERED_OFF: _row(_LIVE, _OFF, "shutdown", (Happening.STOPPED, "shutdown")),
    Cause.DESTROY: _row(_LIVE, _OFF, "destroyed", (Happening.STOPPED, "destroyed")),
    Cause.QEMU_DIED: _row(_LIVE, _OFF, "crashed", (Happening.STOPPED, "failed")),
    Cause.START_FAILED: _row(_LIVE, _OFF, "failed"),
    Cause.PANICKED_OFF: _row(_LIVE, _OFF, "crashed", (Happening.STOPPED, "crashed")),
}


def draw() -> str:
    """The table as a Graphviz digraph."""
    lines = ["digraph guest {"]
    for cause, row in TRANSITIONS.items():
        lines += [
            f'  "{source.word}" -> "{row.target.word}" [label="{cause.value}"];' for source in sorted(row.sources)
        ]
    return "\n".join([*lines, "}"])


if __name__ == "__main__":
    print(draw())
