"""What of the documents of pools and volumes this driver can honour; the rest is refused by name."""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.pool import Pool, parse_pool
from guesthouse.model.volume import Volume, parse_volume

#: The types of pools.
SUPPORTED: Final = ("dir",)


def _refuse(what: str) -> UnsupportedConfigError:
    return UnsupportedConfigError(f"{what} is not supported", domain=Origin.STORAGE)


def supported_pool(xml: str, *, validate: bool = False) -> Pool:
    """The pool that a document defines. Raises what `parse_pool` raises, and `UnsupportedConfigError`."""
    pool = parse_pool(xml, validate=validate, types=SUPPORTED)
    if pool.features is not None and pool.features.cow is not None:
        raise _refuse("element 'features' in 'pool'")
    if pool.refresh is not None and pool.refresh.allocation == "capacity":
        raise _refuse("element 'refresh' in 'pool'")
    return pool


def supported_volume(xml: str, *, validate: bool = False) -> Volume:
    """The volume that a document asks for. Raises what `parse_volume` raises, and `UnsupportedConfigError`."""
    volume = parse_volume(xml, validate=validate)
    target = volume.target
    if target is None:
        return volume
    if target.encryption is not None:
        raise _refuse("element 'encryption' in 'volume/target'")
    if target.nocow:
        raise _refuse("element 'nocow' in 'volume/target'")
    if target.features is not None and target.features.extended_l2:
        raise _refuse("element 'extended_l2' in 'volume/target/features'")
    return volume
