"""Making, copying and removing volumes of a directory.

A new image is made under a temporary name beside its place, by `qemu-img` in a child process, and gets its name when it
is whole; an image that is there is never replaced. A pool is not locked meanwhile: only the name is reserved.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from guesthouse.drivers.storage.registry import StoragePool
from guesthouse.drivers.storage.supported import supported_volume
from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host.child import check
from guesthouse.host.files import temporary_name
from guesthouse.model.pool import Permissions, measure
from guesthouse.model.volume import Volume
from guesthouse.qemu import images
from guesthouse.qemu.directory import Entry, survey

#: Flags of `virStorageVolCreateXML` and its sibling.
PREALLOCATE_METADATA = 1
VALIDATE = 4

#: The formats that an image can be made in.
_FORMATS = ("raw", "qcow2", "qed", "vmdk", "vdi")
_MODE = 0o600

#: Seconds for making an image (space may be reserved for it), for copying one, and for what takes a moment.
_CREATE_DEADLINE = 300.0
_COPY_DEADLINE = 6 * 3600.0
_SHORT_DEADLINE = 10.0


async def create(pool: StoragePool, xml: str, flags: int) -> Entry:
    """Make a volume. Raises error 90 where there is one of its name, `UnsupportedConfigError` for its format."""
    pool.need(active=True)
    volume = supported_volume(xml, validate=bool(flags & VALIDATE))
    format_ = _format(volume)
    size = None if volume.capacity is None else volume.capacity.bytes_
    backing = volume.backing
    if size is None and backing is None:
        raise LibvirtError(
            "volume capacity required for this storage pool", code=Code.NO_SUPPORT, domain=Origin.STORAGE
        )
    with _reserved(pool, volume.name) as place:
        await images.create(
            place.temporary, format_, size, options=_options(volume, format_, flags), deadline=_CREATE_DEADLINE,
            backing=None if backing is None else os.path.join(pool.path, backing.path),
            backing_format=None if backing is None or backing.format is None else backing.format.type,
        )  # fmt: skip
        return await _finish(pool, volume, place)


async def copy(pool: StoragePool, xml: str, source_pool: StoragePool, source: Entry, flags: int) -> Entry:
    """Make a volume with the content of another. It is never smaller than that one. Raises as `create`."""
    pool.need(active=True)
    volume = supported_volume(xml, validate=bool(flags & VALIDATE))
    format_ = _format(volume, source.format)
    argv = [images.QEMU_IMG, "convert", "-q", "-f", source.format, "-O", format_]
    for name, value in _options(volume, format_, flags, copying=True).items():
        argv += ["-o", f"{name}={value}"]
    with _reserved(pool, volume.name) as place:
        words = [*argv, os.path.join(source_pool.path, source.name), str(place.temporary)]
        await check(words, deadline=_COPY_DEADLINE, umask=0o077)
        if volume.capacity is not None and volume.capacity.bytes_ > source.capacity:
            size = str(volume.capacity.bytes_)
            await check(
                [images.QEMU_IMG, "resize", "-q", "-f", format_, str(place.temporary), size], deadline=_SHORT_DEADLINE
            )
        return await _finish(pool, volume, place)


async def delete(pool: StoragePool, name: str) -> None:
    """Remove a volume's file, or its directory if that is empty. Raises `NoVolumeError`."""
    entry = pool.volume(name)
    program = ["rmdir"] if entry.kind == "dir" else ["rm", "-f"]
    await check([*program, "--", os.path.join(pool.path, name)], deadline=_SHORT_DEADLINE)
    pool.volumes.pop(name, None)


class _Place:
    """Where a new image will be, and where it is made."""

    def __init__(self, pool: StoragePool, name: str) -> None:
        self.final = Path(pool.path) / name
        self.temporary = Path(pool.path) / temporary_name()

    def settle(self, mode: int) -> None:
        """Give the image its name; raises FileExistsError where that is taken. Blocks."""
        # Others may write in a pool's directory too: what they put in the image's place is not followed.
        descriptor = os.open(self.temporary, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.link(self.temporary, self.final)

    def clear(self) -> None:
        """Forget the temporary name. Blocks."""
        self.temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _reserved(pool: StoragePool, name: str) -> Iterator[_Place]:
    """Nobody else makes a volume of this name meanwhile; whatever happens, no temporary file stays."""
    if name in pool.volumes or name in pool.reserved:
        raise _exists(name)
    place = _Place(pool, name)
    pool.reserved.add(name)
    try:
        yield place
    except FileExistsError:
        raise _exists(name) from None
    finally:
        pool.reserved.discard(name)
        asyncio.get_running_loop().run_in_executor(None, place.clear)


def _exists(name: str) -> LibvirtError:
    return LibvirtError(f"'{name}'", code=Code.STORAGE_VOL_EXIST, domain=Origin.STORAGE)


async def _finish(pool: StoragePool, volume: Volume, place: _Place) -> Entry:
    wanted = volume.target.permissions if volume.target is not None else None
    mode = _MODE if wanted is None or wanted.mode is None else wanted.mode
    await asyncio.wait_for(asyncio.to_thread(place.settle, mode), _CREATE_DEADLINE)
    if wanted is not None:
        await _give_away(wanted, place.final)
    contents = await survey(pool.path, volume.name)
    entry = contents.entries[volume.name]
    if pool.active:
        pool.volumes[volume.name] = entry
        measure(pool.definition, contents.capacity, contents.capacity - contents.available, contents.available)
    return entry


async def _give_away(wanted: Permissions, path: Path) -> None:
    if owner := wanted.chown_argument:
        await check(["chown", "--no-dereference", owner, "--", str(path)], deadline=_SHORT_DEADLINE)


def _format(volume: Volume, default: str = "raw") -> str:
    """The format of a new image; a copy has its source's unless the client says otherwise."""
    found = volume.target.format if volume.target is not None else None
    if found is None:
        return default
    if found.type not in _FORMATS:
        raise UnsupportedConfigError(
            f"unknown volume format type {found.type}", hint=f"use one of {', '.join(_FORMATS)}"
        )
    return found.type


def _options(volume: Volume, format_: str, flags: int, *, copying: bool = False) -> dict[str, str]:
    """The options of `qemu-img` for an image of this format."""
    target = volume.target
    if format_ == "raw":
        full = volume.capacity is not None and (
            volume.allocation is None or volume.allocation.bytes_ >= volume.capacity.bytes_
        )
        return {"preallocation": "falloc"} if full and not copying else {}
    if format_ != "qcow2":
        return {}
    options = {"compat": (target.compat if target is not None else None) or "1.1"}
    if target is not None and target.features is not None and target.features.lazy_refcounts:
        options["lazy_refcounts"] = "on"
    if target is not None and target.cluster_size is not None:
        options["cluster_size"] = str(target.cluster_size.bytes_)
    if flags & PREALLOCATE_METADATA:
        options["preallocation"] = "metadata"
    return options
