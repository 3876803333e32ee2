"""Making, copying and removing volumes.

A pool is not locked meanwhile: only the name is taken. The new volume can be found by its name while it is made, so
that clients see how far it is, and nobody can use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from guesthouse.drivers.storage.backend import Ability, CopySource, Order, VolumeBackend, VolumeFacts, Work
from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.volumes import checking, finding, journal, secrets, users
from guesthouse.drivers.storage.volumes.claims import taken
from guesthouse.drivers.storage.volumes.surroundings import Surroundings
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.model.volume import Volume

T = TypeVar("T")


async def create(pool: StoragePool, surroundings: Surroundings, xml: str, flags: int) -> VolumeFacts:
    """Make a volume. Raises error 90 where there is one of its name, and what the back end raises."""
    pool.need(active=True)
    backend = pool.volume_backend
    wanted = checking.wanted_volume(xml, pool.definition.type, flags, needs_capacity=backend.needs_capacity)
    if wanted.name in pool.volumes:
        raise taken(wanted.name, copying=False)
    finding.able(pool, Ability.CREATE)
    encryption = wanted.target.encryption if wanted.target is not None else None
    order = Order(
        wanted=wanted,
        work=Work("create"),
        secret=secrets.new_passphrase(surroundings, encryption, format_of(wanted)),
        metadata=bool(flags & checking.PREALLOCATE_METADATA),
    )
    return await _make(pool, surroundings, backend, order)


async def copy(
    pool: StoragePool, surroundings: Surroundings, xml: str, source_pool: StoragePool, name: str, flags: int
) -> VolumeFacts:
    """Make a volume with the content of another. Raises as `create`, but error 1 for a name that is taken."""
    pool.need(active=True)
    source_pool.need(active=True)
    finding.volume(source_pool, name)
    source_pool.claims.check_made(name)
    source = await finding.look_again(source_pool, name)
    wanted = checking.wanted_copy(xml, pool.definition.type, flags, source)
    if wanted.name in pool.volumes:
        raise taken(wanted.name, copying=True)
    backend = finding.able(pool, Ability.COPY)
    encryption = wanted.target.encryption if wanted.target is not None else None
    work = Work("copy", total=source.capacity)
    order = Order(
        wanted=wanted,
        work=work,
        secret=secrets.new_passphrase(surroundings, encryption, format_of(wanted)),
        source=CopySource(
            source, source_pool.volume_backend.image(source), secrets.passphrase(surroundings, source, encryption)
        ),
        metadata=bool(flags & checking.PREALLOCATE_METADATA),
        reflink=bool(flags & checking.REFLINK),
    )
    with source_pool.claims.use(name, Work("being copied"), alone=False):
        return await _make(pool, surroundings, backend, order)


def format_of(wanted: Volume) -> str:
    """The format of a volume that is to be made."""
    found = wanted.target.format if wanted.target is not None else None
    return found.type if found is not None else "raw"


async def _make(pool: StoragePool, surroundings: Surroundings, backend: VolumeBackend, order: Order) -> VolumeFacts:
    name = order.wanted.name
    facts = _promise(backend, order.wanted)
    with pool.claims.make(facts, order.work, copying=order.source is not None):
        if backend.makes_hidden:
            made = await abortable(order.work, lambda: backend.make(order))
        else:
            async with journal.entry(pool, surroundings.journal, name, journal.MAKING):
                made = await abortable(order.work, lambda: backend.make(order))
        survey = made or await backend.look(name)
        found = survey.volumes.get(name)
        if found is None:
            raise LibvirtError(
                f"volume '{name}' is gone as soon as it was made", code=Code.INTERNAL_ERROR, domain=Origin.STORAGE
            )
        finding.take(pool, survey, [name])
        return found


def _promise(backend: VolumeBackend, wanted: Volume) -> VolumeFacts:
    """What is known of a volume before it is there."""
    path = backend.path(wanted.name)
    return VolumeFacts(
        name=wanted.name,
        kind="dir" if format_of(wanted) == "dir" else "file",
        path=path,
        key=path,
        format=format_of(wanted),
        capacity=wanted.capacity.bytes_ if wanted.capacity is not None else 0,
        allocation=0,
    )


async def abortable(work: Work, begin: Callable[[], Awaitable[T]]) -> T:
    """Do something long, which `work.abort` ends. Raises error 78 then."""
    task = asyncio.ensure_future(begin())
    aborted = False

    def abort() -> None:
        nonlocal aborted
        aborted = True
        task.cancel()

    work.abort = abort
    try:
        return await task
    except asyncio.CancelledError:
        if not aborted:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        raise LibvirtError(
            f"{work.operation} of the volume was aborted", code=Code.OPERATION_ABORTED, domain=Origin.STORAGE
        ) from None
    finally:
        work.abort = None


async def delete(
    pool: StoragePool, surroundings: Surroundings, name: str, *, snapshots: bool = False, force: bool = False
) -> None:
    """Remove a volume. Raises `OperationInvalidError` for one that somebody is at, or a running guest has."""
    known = finding.volume(pool, name)
    backend = finding.able(pool, Ability.DELETE)
    pool.claims.check_free(name)
    if not force:
        refuse_in_use(pool, surroundings, known, "deleted")
    with pool.claims.use(name, Work("delete"), alone=True):
        survey = await backend.delete(known, snapshots=snapshots) or await backend.look(name)
        finding.take(pool, survey, [name])
        await journal.settled(pool, surroundings.journal, name)


def refuse_in_use(pool: StoragePool, surroundings: Surroundings, volume: VolumeFacts, done: str) -> None:
    """Raise `OperationInvalidError` for a volume that a running guest has."""
    running = users.running(surroundings, pool.name, volume)
    if running:
        guest = running[0]
        raise OperationInvalidError(
            f"volume '{volume.name}' cannot be {done}: guest '{guest.name}' runs with it as disk '{guest.target}'",
            domain=Origin.STORAGE, hint="stop the guest or detach the disk; guest vol-delete --force does it anyway",
        )  # fmt: skip
