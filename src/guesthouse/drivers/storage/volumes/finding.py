"""Finding a volume, and what is known of it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping

from guesthouse.drivers.storage.backend import Ability, Survey, VolumeBackend, VolumeFacts
from guesthouse.drivers.storage.registry import NoVolumeError, Registry, StoragePool
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.pool import measure


def able(pool: StoragePool, ability: Ability) -> VolumeBackend:
    """The back end for the pool's volumes. Raises error 3 where its kind has no such thing."""
    backend = pool.volume_backend
    if ability not in backend.abilities:
        raise LibvirtError(ability.value, code=Code.NO_SUPPORT, domain=Origin.STORAGE)
    return backend


def volumes_of(pool: StoragePool) -> list[VolumeFacts]:
    """The volumes, in the order of their names, with those that are being made."""
    making = {name: facts for name, (facts, _) in pool.claims.making.items()}
    found = {**making, **pool.volumes}
    return [found[name] for name in sorted(found)] if making else list(pool.volumes.values())


def volume(pool: StoragePool, name: str) -> VolumeFacts:
    """The volume of this name, be it whole or not yet. Raises `OperationInvalidError`, `NoVolumeError`."""
    pool.need(active=True)
    found = pool.volumes.get(name)
    if found is None and name in pool.claims.making:
        found = pool.claims.making[name][0]
    if found is None:
        raise NoVolumeError(f"no storage vol with matching name '{name}'")
    return found


def with_key(registry: Registry, key: str) -> tuple[StoragePool, VolumeFacts]:
    """The volume with this key, of any active pool. Raises `NoVolumeError`."""
    found = _first(registry, key, lambda one: one.key)
    if found is None:
        raise NoVolumeError(f"no storage vol with matching key {key}")
    return found


def with_path(registry: Registry, path: str) -> tuple[StoragePool, VolumeFacts]:
    """The volume with this path, of any active pool. Raises `NoVolumeError`."""
    clean = os.path.normpath(path) if path.startswith("/") else path
    found = _first(registry, clean, lambda one: one.path)
    if found is None:
        also = f" ({clean})" if clean != path else ""
        raise NoVolumeError(f"no storage vol with matching path '{path}'{also}")
    return found


def _first(
    registry: Registry, wanted: str, what: Callable[[VolumeFacts], str]
) -> tuple[StoragePool, VolumeFacts] | None:
    name = os.path.basename(wanted)
    for pool in registry:
        if not pool.active:
            continue
        quick = pool.volumes.get(name)
        if quick is not None and what(quick) == wanted:
            return pool, quick
        if pool.path and not wanted.startswith(pool.path):
            continue
        for found in volumes_of(pool):
            if what(found) == wanted:
                return pool, found
    return None


async def look_again(pool: StoragePool, name: str) -> VolumeFacts:
    """The volume as it is now. Raises `NoVolumeError` where it is gone from the storage."""
    known = volume(pool, name)
    if name in pool.claims.making:
        return progressed(pool, name)
    survey = await pool.volume_backend.look(name)
    found = survey.volumes.get(name)
    if found is None:
        raise NoVolumeError(f"no storage vol with matching path '{known.path}'", hint="refresh the pool")
    take(pool, survey, [name])
    return found


def progressed(pool: StoragePool, name: str) -> VolumeFacts:
    """A volume that is being made, with what of it is there already: clients show that as progress."""
    facts, work = pool.claims.making[name]
    return dataclasses.replace(facts, allocation=min(work.done, facts.capacity) if work.total else 0)


async def survey(pool: StoragePool, known: Mapping[str, VolumeFacts]) -> Survey:
    """Find out all that is in a pool; once more where volumes came or went meanwhile, so that none is forgotten."""
    while True:
        before = pool.changes
        found = await pool.volume_backend.survey(known)
        if pool.changes == before:
            return found
        known = found.volumes


def take(pool: StoragePool, survey: Survey, names: Iterable[str]) -> None:
    """Know these volumes as a survey found them, and the pool's sizes. What it did not find is gone."""
    if not pool.active:
        return
    pool.changes += 1
    for name in names:
        found = survey.volumes.get(name)
        if found is None:
            pool.volumes.pop(name, None)
        else:
            pool.volumes[name] = found
    measure(pool.definition, survey.capacity, survey.allocation, survey.available)
