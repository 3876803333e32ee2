"""libvirt's numbers as virsh's words: states, their reasons, and other small enumerations."""

from __future__ import annotations

SHUTOFF = 5

#: `virDomainState`.
STATES = ("no state", "running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended")

#: State to the words for its reasons (`virDomainRunningReason` and its neighbours).
REASONS: dict[int, tuple[str, ...]] = {
    0: ("unknown",),
    1: (
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ),
    2: ("unknown",),
    3: (
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
        "api error",
    ),
    4: ("unknown", "user"),
    5: (
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
    6: ("unknown", "panicked"),
    7: ("unknown",),
}

#: `virDomainControlState` and `virDomainControlErrorReason`.
CONTROL_STATES = ("ok", "background job", "occupied", "error")
CONTROL_REASONS = ("", "unknown", "monitor failure", "internal (locking) error")

#: `virVcpuState`.
VCPU_STATES = ("offline", "running", "blocked")

#: `virDomainJobType` and `virDomainJobOperation`.
JOB_TYPES = ("None", "Bounded", "Unbounded", "Completed", "Failed", "Cancelled")
JOB_OPERATIONS = (
    "Unknown",
    "Start",
    "Save",
    "Restore",
    "Incoming migration",
    "Outgoing migration",
    "Snapshot",
    "Snapshot revert",
    "Dump",
    "Backup",
    "Snapshot delete",
)


def word(table: tuple[str, ...], number: int, other: str = "unknown") -> str:
    """The word for a number, or `other` where the number is newer than the table."""
    return table[number] if 0 <= number < len(table) else other


def state(number: int) -> str:
    """The word for a guest's state."""
    return word(STATES, number, "no state")


def reason(state_number: int, number: int) -> str:
    """The word for why a guest is in its state."""
    return word(REASONS.get(state_number, ()), number)


def yes(value: bool | int) -> str:
    """`yes` or `no`."""
    return "yes" if value else "no"


def capacity(size: int, digits: int = 3) -> str:
    """A size with the largest unit that leaves at least one whole, and so many digits after the point."""
    for power, unit in enumerate(("B", "KiB", "MiB", "GiB", "TiB", "PiB")):
        if size < 1024 ** (power + 1):
            return f"{size / 1024**power:.{digits}f} {unit}"
    return f"{size / 1024**6:.{digits}f} EiB"
