"""How large the logs of guests may become: the keys of libvirt's `virtlogd.conf` that are about that.

There is no second daemon for logs here: this one rotates them (`files.log_keeper`). The keys that are about libvirt's
as a program have no effect, which is said in the daemon's log. Keys and defaults: the comments of libvirt 11.3's file.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from guesthouse.drivers.domain.qemu_conf import QemuConfError
from guesthouse.host.confsyntax import Assignment, parse
from guesthouse.host.files import read_limited
from guesthouse.qemu.log_rotation import LogLimits

log = logging.getLogger(__name__)

FILE: Final = "virtlogd.conf"
_LIMIT: Final = 10 * 1024 * 1024

#: The largest values that are honoured; libvirt has no more backups either.
_MOST: Final = {"max_size": 2**63 - 1, "max_backups": 32}
#: What libvirt's daemon does as a program.
_WITHOUT_EFFECT: Final = frozenset(("log_level", "log_filters", "log_outputs", "max_clients", "admin_max_clients"))
#: What is about the removal of old logs, which nobody does here.
_OF_REMOVAL: Final = ("max_age_days", "log_root")


def read(config: Path) -> LogLimits:
    """Read `virtlogd.conf` in a directory; a file that is not there says nothing.

    Raises `QemuConfError` for a key that cannot be honoured, `ConfSyntaxError` for a file that cannot be read as one.
    """
    path = config / FILE
    try:
        text = read_limited(path, _LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return LogLimits()
    return limits_of(parse(text, str(path)), str(path))


def limits_of(given: Mapping[str, Assignment], path: str) -> LogLimits:
    """The limits that the file's keys say; `path` is the file's. Raises `QemuConfError`."""
    found: dict[str, int] = {}
    for key, assignment in given.items():
        where = f"{path}:{assignment.line}: {key}"
        if key in _MOST:
            found[key] = _count(key, assignment, where)
        elif key in _WITHOUT_EFFECT:
            log.warning("%s has no effect: guesthoused keeps the logs of guests itself", where)
        elif key not in _OF_REMOVAL:
            raise QemuConfError(f"{where} is not supported", hint="remove the line")
        elif key == "max_age_days" and assignment.value != 0:
            raise QemuConfError(f"{where} is not supported", hint="set it to 0: old logs are not removed by their age")
    return LogLimits(**found)


def _count(key: str, assignment: Assignment, where: str) -> int:
    value = assignment.value
    if not isinstance(value, int) or not 0 <= value <= _MOST[key]:
        raise QemuConfError(f"{where} must be a number from 0 to {_MOST[key]}")
    return value
