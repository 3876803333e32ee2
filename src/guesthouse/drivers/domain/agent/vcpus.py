"""The processors of a guest as the guest itself sees them: its agent turns them off and on.

Source: QEMU's `docs/interop/qemu-ga-ref.rst`, `guest-get-vcpus` and `guest-set-vcpus`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.guest import Guest
from guesthouse.errors import InternalError, InvalidArgumentError, OperationUnsupportedError, Origin
from guesthouse.model.kinds import format_cpuset
from guesthouse.qemu.json_value import as_int, objects


@dataclass(slots=True)
class GuestVcpu:
    """One processor: its number in the guest, whether it is on, and whether it can be turned off."""

    number: int
    online: bool
    can_offline: bool


async def read(guest: Guest) -> list[GuestVcpu]:
    """All that the guest has. Raises what the agent raises."""
    channel.check_running(guest)
    answer = await channel.present(guest).execute("guest-get-vcpus")
    return [
        GuestVcpu(
            as_int(item.get("logical-id"), "a processor's number"),
            item.get("online") is True,
            item.get("can-offline") is True,
        )
        for item in objects(answer, "the guest's processors")
    ]


def described(known: Sequence[GuestVcpu]) -> dict[str, str]:
    """What `guestvcpus` prints: sets of all, of those that are on, and of those that can be off."""
    return {
        "vcpus": format_cpuset(frozenset(one.number for one in known)),
        "online": format_cpuset(frozenset(one.number for one in known if one.online)),
        "offlinable": format_cpuset(frozenset(one.number for one in known if one.can_offline)),
    }


async def set_count(guest: Guest, count: int) -> None:
    """Have so many on. Raises `InvalidArgumentError` for more than there are, or fewer than have to stay."""
    channel.check_running(guest)
    channel.present(guest)
    online = guest.current.vcpu.online
    if count > online:
        raise InvalidArgumentError(
            f"requested vcpu count is greater than the count of enabled vcpus in the domain: {count} > {online}",
            domain=Origin.QEMU,
        )
    known = await read(guest)
    await _send(guest, chosen(known, count))


def chosen(known: Sequence[GuestVcpu], count: int) -> list[GuestVcpu]:
    """Which have to change, with their new state; the first processor is turned off last.

    Raises `InternalError` for an answer that cannot be, `InvalidArgumentError`.
    """
    if any(not one.online and not one.can_offline for one in known):
        raise InternalError("Invalid data provided by guest agent", domain=Origin.QEMU)
    online = [one for one in known if one.online]
    removable = [one for one in online if one.can_offline]
    if len(removable) == len(online):  # one has to stay, and the first is the one that kernels need
        removable = [one for one in removable if one.number != 0]
    if count > len(known):
        raise InternalError("guest agent reports less cpu than requested", domain=Origin.QEMU)
    if count < len(online) - len(removable):
        raise InvalidArgumentError("Cannot offline enough CPUs", domain=Origin.QEMU)
    if count < len(online):
        return [GuestVcpu(one.number, False, True) for one in removable[: len(online) - count]]
    offline = [one for one in known if not one.online]
    return [GuestVcpu(one.number, True, True) for one in offline[: count - len(online)]]


async def set_states(guest: Guest, numbers: Collection[int], *, on: bool) -> None:
    """Turn these on or off. Raises `InvalidArgumentError` for those that the guest has not, error 84 for one that
    cannot be turned off.
    """
    known = await read(guest)
    touched = [one for one in known if one.number in numbers]
    for one in touched:
        if not on and not one.can_offline:
            raise OperationUnsupportedError(f"vCPU '{one.number}' is not offlinable")
    missing = frozenset(numbers) - {one.number for one in known}
    if missing:
        raise InvalidArgumentError(f"guest is missing vCPUs '{format_cpuset(missing)}'", domain=Origin.QEMU)
    await _send(guest, [GuestVcpu(one.number, on, one.can_offline) for one in touched])


async def _send(guest: Guest, wanted: Sequence[GuestVcpu]) -> None:
    """Send all. The agent stops at the first that it cannot change, and says how many it has: the rest goes again."""
    left = list(wanted)
    while left:
        arguments = {"vcpus": [{"logical-id": one.number, "online": one.online} for one in left]}
        done = await channel.present(guest).execute("guest-set-vcpus", arguments)
        if not isinstance(done, int) or not 0 < done <= len(left):
            raise InternalError("guest agent returned malformed or invalid return value", domain=Origin.QEMU)
        left = left[done:]
