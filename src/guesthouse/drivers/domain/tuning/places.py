"""Where the control groups of one daemon's guests are, and what they are called.

Layout: https://libvirt.org/cgroups.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from guesthouse.host import cgroup_places
from guesthouse.host.cgroups import Hierarchies
from guesthouse.places import Places

_SYSTEMD: Final = Path("/run/systemd/system")

#: As long as libvirt lets the name of a machine become.
_NAME_LIMIT: Final = 64


class Housing:
    """Where the guests of one daemon are put. `hierarchies` is None where they cannot be put anywhere."""

    def __init__(self, places: Places) -> None:
        self.privileged = os.geteuid() == 0
        self.systemd = _SYSTEMD.is_dir()
        self.hierarchies = _usable() if self.privileged else None
        self._prefix = "qemu"
        if places.mode == "root":
            import hashlib  # here, because it brings OpenSSL, and only trials have a name of their own

            digest = hashlib.sha256(os.fsencode(places.config.parent)).hexdigest()
            self._prefix = f"qemu-embed-{digest[:8]}"

    def machine(self, id_: int, name: str) -> str:
        """The name of the machine, as systemd and the control groups know it: `qemu-3-web`."""
        return f"{self._prefix}-{id_}-{_valid(name, _NAME_LIMIT - len(self._prefix))}"

    def folder(self, id_: int, name: str) -> str:
        """The last part of the group's path."""
        machine = self.machine(id_, name)
        return f"machine-{cgroup_places.unit_escaped(machine)}.scope" if self.systemd else f"{machine}.libvirt-qemu"

    def is_ours(self, folder: str) -> bool:
        """Whether a folder of the partition is of a guest of this daemon."""
        head, _, rest = folder.removeprefix(self._prefix).partition("-")
        return folder.startswith(self._prefix) and not head and rest.split("-")[0].isdigit()


def _usable() -> Hierarchies | None:
    try:
        found = Hierarchies.read()
    except OSError:
        return None
    places = [*found.first.values(), *([found.second] if found.second is not None else [])]
    return found if found.available and all(os.access(place, os.W_OK) for place in places) else None


def _valid(name: str, limit: int) -> str:
    """What of a guest's name may stand in a machine's: letters, digits, single dots and dashes."""
    text = ""
    skip = True
    for char in name:
        if len(text) >= limit:
            break
        if char in ".-":
            if not skip:
                text += char
            skip = True
        elif char.isascii() and char.isalnum():
            text += char
            skip = False
    return text.strip("-.")
