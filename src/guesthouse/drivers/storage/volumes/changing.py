"""Changing the size of volumes, and wiping them.

Source: libvirt's `virStorageVolResize` and `virStorageVolWipePattern`
(https://libvirt.org/html/libvirt-libvirt-storage.html); texts and codes are libvirt's.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.storage.backend import Ability, VolumeFacts, Work
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import finding, journal, secrets
from guesthouse.drivers.storage.volumes.creating import abortable, refuse_in_use
from guesthouse.drivers.storage.volumes.surroundings import Surroundings
from guesthouse.drivers.storage.volumes.wiping import algorithm_of
from guesthouse.errors import InvalidArgumentError, OperationFailedError, Origin

#: Flags of `virStorageVolResize`.
ALLOCATE: Final = 1
DELTA: Final = 2
SHRINK: Final = 4


async def resize(pool: StoragePool, surroundings: Surroundings, name: str, asked: int, flags: int) -> None:
    """Change the size of a volume to `asked` bytes, or by that with `DELTA`."""
    finding.volume(pool, name)
    pool.claims.check_free(name)
    volume = await finding.look_again(pool, name)
    capacity = _target(volume, asked, flags)
    room = capacity - volume.allocation if flags & ALLOCATE else 0
    available = pool.definition.available
    if room > (available.bytes_ if available is not None else 0):
        raise OperationFailedError("Not enough space left in storage pool", domain=Origin.STORAGE)
    backend = finding.able(pool, Ability.RESIZE)
    work = Work("resize")
    with pool.claims.use(name, work, alone=True):
        secret = secrets.passphrase(surroundings, volume)
        await abortable(
            work,
            lambda: backend.resize(
                volume, capacity, allocate=bool(flags & ALLOCATE), shrink=bool(flags & SHRINK), secret=secret
            ),
        )
        finding.take(pool, await backend.look(name), [name])


def _target(volume: VolumeFacts, asked: int, flags: int) -> int:
    """The new size in bytes. Raises error 8 for one that would lose something."""
    capacity = asked
    if flags & DELTA:
        shrunk = volume.capacity - min(asked, volume.capacity)
        capacity = shrunk if flags & SHRINK else volume.capacity + asked
    if capacity < volume.allocation:
        raise _invalid("can't shrink capacity below existing allocation")
    if capacity < volume.capacity and not flags & SHRINK:
        raise _invalid("Can't shrink capacity below current capacity unless shrink flag explicitly specified")
    return capacity


def _invalid(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(text, domain=Origin.STORAGE)


async def wipe(pool: StoragePool, surroundings: Surroundings, name: str, number: int) -> None:
    """Destroy what a volume holds, by the algorithm with this number. The volume of a running guest is refused."""
    algorithm = algorithm_of(number)
    volume = finding.volume(pool, name)
    pool.claims.check_free(name)
    backend = finding.able(pool, Ability.WIPE)
    refuse_in_use(pool, surroundings, volume, "wiped")
    work = Work("wipe", total=volume.physical or volume.allocation)
    with pool.claims.use(name, work, alone=True):
        async with journal.entry(pool, surroundings.journal, name, "wipe"):
            await abortable(work, lambda: backend.wipe(volume, algorithm, work))
        await journal.settled(pool, surroundings.journal, name)
        finding.take(pool, await backend.look(name), [name])
