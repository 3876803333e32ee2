"""Snapshots, checkpoints and backups for all disks of a guest: what a request leaves open is filled in.

Afterwards there is an entry for every disk, under the name of its target, in the guest's order (of a backup those that
were asked for come first).

Source: https://libvirt.org/formatsnapshot.html, https://libvirt.org/formatcheckpoint.html and
https://libvirt.org/formatbackup.html, the paragraphs on `<disks>`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.backup import Backup, BackupDisk, BackupDisks, BackupScratch, BackupTarget
from guesthouse.model.binding import new
from guesthouse.model.checkpoint import Checkpoint, CheckpointDisk, CheckpointDisks
from guesthouse.model.domain.devices.disk.device import Disk
from guesthouse.model.snapshot import Snapshot, SnapshotDisk, SnapshotDisks


class _Named(Protocol):
    name: str


N = TypeVar("N", bound=_Named)


def _find(disks: Sequence[Disk], name: str, *, by_path: bool) -> Disk:
    for disk in disks:
        path = disk.source.path if disk.source is not None else None
        if name == disk.target.dev or (by_path and name == path):
            return disk
    raise UnsupportedConfigError(f"no disk named '{name}'")


def _match(asked: list[N], disks: Sequence[Disk], what: str, *, by_path: bool = True) -> dict[str, N]:
    """The entries by target. Raises `UnsupportedConfigError` for one of no disk, and for a second one of a disk."""
    if by_path and len(asked) > len(disks):
        raise UnsupportedConfigError(f"too many disk {what} requests for domain")
    found: dict[str, N] = {}
    for entry in asked:
        target = _find(disks, entry.name, by_path=by_path).target.dev
        if target in found:
            raise UnsupportedConfigError(f"disk '{entry.name}' specified twice")
        entry.name = target
        found[target] = entry
    return found


def align_checkpoint(checkpoint: Checkpoint, disks: Sequence[Disk]) -> None:
    """Without disks, every one that can be written gets a bitmap; its name is the checkpoint's, which is set before.

    Raises `UnsupportedConfigError` for a disk that the guest does not have, or that cannot be written.
    """
    if not disks:
        raise UnsupportedConfigError("domain must have at least one disk to perform checkpoints")
    asked = checkpoint.disks.disks if checkpoint.disks is not None else []
    found = _match(asked, disks, "checkpoint")
    entries = []
    for disk in disks:
        writable = disk.actual is not None and not disk.readonly
        entry = found.get(disk.target.dev)
        if entry is None:
            kind = "bitmap" if writable and not asked else "no"
            entry = new(CheckpointDisk, name=disk.target.dev, checkpoint=kind)
        elif entry.checkpoint == "bitmap" and not writable:
            raise UnsupportedConfigError(f"disk '{entry.name}' is empty or readonly")
        if entry.checkpoint == "bitmap":
            entry.bitmap = entry.bitmap or checkpoint.name
        entries.append(entry)
    checkpoint.disks = new(CheckpointDisks, disks=entries)


def align_backup(backup: Backup, disks: Sequence[Disk], suffix: str) -> None:
    """Without disks, every one that can be written is copied. An image that is not named lies beside the disk's file.

    Its name has the `suffix` after a dot. Raises `UnsupportedConfigError` for a disk that the guest does not have, and
    where no name can be made up.
    """
    if not disks:
        raise UnsupportedConfigError("domain must have at least one disk to perform backup")
    asked = backup.disks.disks if backup.disks is not None else []
    found = _match(asked, disks, "backup", by_path=False)
    entries = list(asked)
    for disk in disks:
        if disk.target.dev not in found:
            copied = not asked and disk.actual is not None and not disk.readonly
            entries.append(new(BackupDisk, name=disk.target.dev, backup=copied))
    for entry in entries:
        if entry.mode == "incremental" and entry.incremental is None and backup.incremental is None:
            raise UnsupportedConfigError(
                f"'incremental' backup mode of disk '{entry.name}' requires setting 'incremental' field for disk or "
                "backup"
            )
        if entry.backup:
            _place(entry, _find(disks, entry.name, by_path=False), suffix, push=backup.mode == "push")
            since = entry.incremental or backup.incremental
            entry.mode = entry.mode or ("full" if since is None else "incremental")
            entry.incremental = entry.incremental or (since if entry.mode == "incremental" else None)
    backup.disks = new(BackupDisks, disks=entries)


def _place(entry: BackupDisk, disk: Disk, suffix: str, *, push: bool) -> None:
    """Make up the image of an entry that names none."""
    actual = disk.actual
    if actual is None:
        raise UnsupportedConfigError(f"disk '{entry.name}' has no media")
    image = entry.image
    if image is not None and image.path is not None:
        return
    kind, source = actual
    if kind != "file":
        raise UnsupportedConfigError(f"refusing to generate file name for disk '{entry.name}'")
    entry.type = "file"
    path = f"{source.path}.{suffix}"
    if push:
        entry.target = entry.target or new(BackupTarget)
        entry.target.file = path
    else:
        entry.scratch = entry.scratch or new(BackupScratch)
        entry.scratch.file = path


def align_snapshot(snapshot: Snapshot, disks: Sequence[Disk], location: str, *, uniform: bool = False) -> None:
    """Each disk is where it is asked for, else where its definition says, else at the `location`; empty ones nowhere.

    With `uniform` an internal snapshot takes all disks or none. Where a new image is to lie is left open here.
    Raises `UnsupportedConfigError` for a disk that the guest does not have, and for what contradicts.
    """
    asked = snapshot.disks.disks if snapshot.disks is not None else []
    found = _match(asked, disks, "snapshot")
    strict = uniform and location == "internal"
    entries = []
    for disk in disks:
        own = disk.snapshot or ("no" if disk.readonly else None)
        entry = found.get(disk.target.dev)
        if entry is None:
            kind = "no" if disk.actual is None else own or location
            entry = new(SnapshotDisk, name=disk.target.dev, snapshot=kind)
        elif entry.snapshot is None:
            entry.snapshot = own if own is not None and (not strict or own == "no") else location
        elif strict and entry.snapshot != location and not (entry.snapshot == own == "no"):
            raise UnsupportedConfigError(f"disk '{entry.name}' must use snapshot mode '{location}'")
        _check_image(entry)
        entries.append(entry)
    if entries:
        snapshot.disks = new(SnapshotDisks, disks=entries)


def _check_image(entry: SnapshotDisk) -> None:
    path = entry.source.path if entry.source is not None else None
    if path is not None and entry.snapshot != "external":
        raise UnsupportedConfigError(f"file '{path}' for disk '{entry.name}' requires use of external snapshot mode")
