"""What is found out about a guest's disks before QEMU gets them, and what is made for them.

    volumes of storage pools      where they are
    media that may be missing     left out if they are
    backing chains                read from the images, as far as the definition does not give them
    users of NFS                  their numbers
    transient disks               an image on top, for this run only (`overlays`)

All of it goes to the running guest's own copy of the definition. Images are looked at by a child process, because
storage can hang, and only where there is something to find out: most starts need no such process.
"""

from __future__ import annotations

import contextlib
import grp
import pwd
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.disks import overlays
from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InternalError, LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk import Disk, group
from guesthouse.model.domain.devices.disk.chain import BackingStore
from guesthouse.model.domain.devices.disk.driver import WITH_BACKING
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES, DataStore, PlainSource, Source
from guesthouse.model.domain.devices.disk.source_parts import ImageFormat
from guesthouse.qemu import chains
from guesthouse.qemu.chains import Chain, Link

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guest import Guest
    from guesthouse.drivers.domain.guests import Guests


#: `virConnectDomainEventDiskChangeReason`: a drive lost its medium when the guest started, or was left out.
_EMPTIED = 0
_DROPPED = 1


async def prepare(driver: Guests, guest: Guest, run: Run) -> None:
    """Prepare all disks of a guest that starts. Raises `LibvirtError` for what is missing or cannot be used."""
    devices = run.live.devices
    before = [(disk, disk.path, disk.empty) for disk in devices.disks]
    devices.disks = group.with_volumes(devices.disks, driver.volume)
    kept = []
    for disk in devices.disks:
        if disk.may_be_missing and disk.path is not None and await _is_missing(disk) and not disk.empty_out():
            continue
        kept.append(disk)
    devices.disks = kept
    for disk, path, was_empty in before:
        dropped = not any(disk is other for other in kept)
        if dropped or (disk.empty and not was_empty):
            reason = _DROPPED if dropped else _EMPTIED
            driver.events.publish(EventId.DISK_CHANGE, guest, path, None, disk.name, reason)
    for disk in kept:
        if disk.empty and disk.driver is not None:
            disk.driver.type = None  # an empty drive has no format

    def note() -> None:
        guest.changed()
        statusfile.write(driver, guest, run)

    await prepare_disks(driver, guest, kept, note)


async def prepare_disks(
    driver: Guests, guest: Guest, disks: Iterable[Disk], note: Callable[[], None] = lambda: None
) -> None:
    """Prepare disks that are there, also those that are plugged in later. Raises as `prepare`.

    `note` writes down what the guest has, before anything is made that the next daemon would have to remove.
    """
    for disk in disks:
        disk.resolve(driver.volume)
    await _look(disks)
    for disk in disks:
        for source in _sources(disk):
            if source.protocol == "nfs" and source.identity is not None:
                await driver.in_thread(_number_users, source)
        if disk.transient is not None:
            await overlays.make(guest.name, disk, note)


def take_up(driver: Guests, live: Domain) -> None:
    """Find the volumes of a guest again that runs already; one that is gone from its pool stays unknown."""
    for disk in live.devices.disks:
        with contextlib.suppress(LibvirtError):
            disk.resolve(driver.volume)


async def _is_missing(disk: Disk) -> bool:
    try:
        await chains.follow([(disk.path or "", "raw")])
    except chains.ChainError:
        return True
    return False


async def _look(disks: Iterable[Disk]) -> None:
    """Complete the chains of the disks, with one child process for all of them."""
    asked: list[tuple[Disk, BackingStore | None, tuple[str, str]]] = []
    for disk in disks:
        question = _question(disk)
        if question is not None:
            asked.append((disk, *question))
        elif not disk.empty and _last(disk) is None and disk.backing is None and _is_plain(disk):
            disk.backing = new(BackingStore, detected=True)
    found = await chains.follow([image for _, _, image in asked]) if asked else []
    for (disk, last, _), chain in zip(asked, found, strict=True):
        _complete(disk, last, chain)


def _is_plain(disk: Disk) -> bool:
    """Whether it is a local image of a format that lies on nothing."""
    found = disk.actual
    return found is not None and found[0] in LOCAL_TYPES and (disk.settings.type or "raw") not in WITH_BACKING


def _last(disk: Disk) -> BackingStore | None:
    links = list(disk.chain())
    return links[-1] if links else None


def _question(disk: Disk) -> tuple[BackingStore | None, tuple[str, str]] | None:
    """The last image whose header has to be read, with the link that it is (None for the disk's own)."""
    top = disk.actual
    if top is None:
        return None
    if disk.device == "cdrom" and top[0] == "block" and top[1].path is not None:
        return None if disk.backing is not None else (None, (top[1].path, disk.settings.type or "raw"))
    last = _last(disk)
    below = last.backing if last is not None else disk.backing
    if below is not None:
        return None  # the definition says where the chain ends
    if last is None:
        kind, source, format_ = *top, disk.settings.type
    else:
        kind, source, format_ = last.type or "", last.source or new(Source), last.format.type if last.format else None
    if kind not in ("file", "block") or format_ not in WITH_BACKING or source.path is None or source.fdgroup:
        return None
    return last, (source.path, format_)


def _complete(disk: Disk, last: BackingStore | None, chain: Chain) -> None:
    """Put what was found below the last image that was known."""
    top = disk.actual
    first = chain.links[0]
    if last is None and top is not None:
        top[1].host_cdrom = first.cdrom and disk.device == "cdrom"
    owner = last.source if last is not None else disk.source
    if owner is not None:
        _add_data(owner, first)
    below = new(BackingStore, detected=True) if chain.ended else None
    for link in reversed(chain.links[1:]):
        source = new(Source, **{"dev" if link.kind == "block" else "file": link.path})
        _add_data(source, link)
        below = new(
            BackingStore,
            type=link.kind,
            format=new(ImageFormat, type=link.format),
            source=source,
            backing=below,
            detected=True,
        )
    if last is not None:
        last.backing = below
    else:
        disk.backing = below


def _add_data(source: Source, link: Link) -> None:
    if link.data and source.data_store is None:
        source.data_store = new(
            DataStore,
            type="file",
            format=new(ImageFormat, type="raw"),
            source=new(PlainSource, file=link.data),
            detected=True,
        )


def _sources(disk: Disk) -> Iterable[PlainSource]:
    found = disk.actual
    if found is not None:
        yield found[1]
    for store in disk.chain():
        if store.source is not None:
            yield store.source


def _number_users(source: PlainSource) -> None:
    """Write the user and the group of an NFS server as numbers."""
    identity = source.identity
    if identity is not None:
        identity.user = _numbered(identity.user, lambda name: pwd.getpwnam(name).pw_uid)
        identity.group = _numbered(identity.group, lambda name: grp.getgrnam(name).gr_gid)


def _numbered(name: str | None, find: Callable[[str], int]) -> str | None:
    if name is None or name.startswith("+"):
        return name
    try:
        return f"+{find(name)}"
    except KeyError:
        if name.isdecimal():
            return name
        raise InternalError(f"Failed to find user or group record for name '{name}'") from None
