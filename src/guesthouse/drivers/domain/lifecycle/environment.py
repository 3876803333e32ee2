"""The environment that a guest's QEMU gets: nothing of the daemon's own, and a home of the guest's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SAME_FOR_ALL: Final = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def of_guest(home: str, own: Mapping[str, str]) -> dict[str, str]:
    """The variables for the guest whose directory is `home`; `own` are those of its definition and go on top."""
    return {
        **_SAME_FOR_ALL,
        "HOME": home,
        "XDG_DATA_HOME": f"{home}/.local/share",
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
        **own,
    }
