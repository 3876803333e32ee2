"""What a guest's agent does for us in the guest: file systems, passwords, keys.

Commands: QEMU's `docs/interop/qemu-ga-ref.rst`. Texts: libvirt's.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.disks.places import disk_at
from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.qemu import agent_reports
from guesthouse.qemu.json_value import Json, Sendable, as_object, as_text

#: How long a guest may take to bring its file systems to rest or to trim them, in seconds: it writes what it holds.
WRITING_DEADLINE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Filesystem:
    """A mounted file system, and the targets of the disks that it lies on."""

    mountpoint: str
    name: str
    type: str
    disks: tuple[str, ...]


async def freeze(guest: Guest, mountpoints: Sequence[str]) -> int:
    """Bring file systems (all, or those mounted there) to rest. Returns how many."""
    if mountpoints:
        arguments: dict[str, Sendable] = {"mountpoints": list(mountpoints)}
        return _count(await _writing(guest, "guest-fsfreeze-freeze-list", arguments))
    return _count(await _writing(guest, "guest-fsfreeze-freeze"))


async def thaw(guest: Guest) -> int:
    """Let all file systems go on. Returns how many."""
    return _count(await _writing(guest, "guest-fsfreeze-thaw"))


async def trim(guest: Guest, minimum: int) -> None:
    """Have free blocks given back, in pieces of at least `minimum` bytes."""
    channel.check_running(guest)
    await _writing(guest, "guest-fstrim", {"minimum": minimum})


async def filesystems(guest: Guest) -> list[Filesystem]:
    """The mounted file systems."""
    run = guest.live()
    found = agent_reports.filesystems(await channel.ask(guest, "guest-get-fsinfo"))
    return [
        Filesystem(
            one.mountpoint,
            one.name,
            one.type,
            tuple(disk.target.dev for place in one.disks if (disk := disk_at(run.live, place)) is not None),
        )
        for one in found
    ]


async def set_password(guest: Guest, user: str, password: str, *, hashed: bool) -> None:
    """Give a user of the guest a password, which may be hashed as crypt(3) does."""
    coded = base64.b64encode(password.encode("utf-8", "surrogateescape")).decode()
    await channel.ask(guest, "guest-set-user-password", {"crypted": hashed, "username": user, "password": coded})


async def ssh_keys(guest: Guest, user: str) -> list[str]:
    """The keys with which a user of the guest may log in."""
    channel.check_running(guest)
    answer = as_object(await channel.ask(guest, "guest-ssh-get-authorized-keys", {"username": user}), "the keys")
    keys = answer.get("keys")
    if not isinstance(keys, list):
        raise InternalError("qemu agent didn't return an array of keys", domain=Origin.QEMU)
    return [as_text(key, "a key") for key in keys]


async def set_ssh_keys(guest: Guest, user: str, keys: Sequence[str], *, append: bool, remove: bool) -> None:
    """Set, add or remove keys. Raises `LibvirtError` where that is contradictory."""
    channel.check_running(guest)
    arguments: dict[str, Sendable] = {"username": user, "keys": list(keys)}
    if remove:
        await channel.ask(guest, "guest-ssh-remove-authorized-keys", arguments)
    else:
        await channel.ask(guest, "guest-ssh-add-authorized-keys", {**arguments, "reset": not append})


async def suspend(guest: Guest, target: str) -> None:
    """Put the guest to sleep: `ram`, `disk` or `hybrid`. Raises error 3 where it has no such sleep."""
    pm = guest.live().live.pm
    allowed = pm is None or {"ram": pm.suspend_to_mem, "disk": pm.suspend_to_disk}.get(target, True) is not False
    if not allowed:
        name = "S3" if target == "ram" else "S4"
        raise LibvirtError(f"{name} state is disabled for this domain", code=Code.OPERATION_INVALID, domain=Origin.QEMU)
    await channel.present(guest).suspend(target)


async def _writing(guest: Guest, command: str, arguments: dict[str, Sendable] | None = None) -> Json:
    return await channel.ask(guest, command, arguments, deadline=WRITING_DEADLINE)


def _count(answer: Json) -> int:
    if not isinstance(answer, int):
        raise InternalError("malformed return value", domain=Origin.QEMU)
    return answer
