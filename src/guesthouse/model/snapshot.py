"""A state of a guest that one can go back to: `<domainsnapshot>`.

Format: https://libvirt.org/formatsnapshot.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from guesthouse.errors import InternalError, Origin, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    element,
    flag,
    many,
    new,
    one,
    opt,
    opt_leaf,
    read,
    unbound,
    write,
)
from guesthouse.model.domain.cpu import Cpu
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk.driver import FORMAT, MetadataCache
from guesthouse.model.domain.devices.disk.source import STORAGE_TYPE, PlainSource
from guesthouse.model.kinds import INT, PROSE, TEXT, integer, one_of
from guesthouse.model.moment import MomentParent, check_name, take_domain, write_domain
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document

#: The states in which a guest was; the last one is for disks alone.
STATES: Final = (
    "nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "disk-snapshot",
)  # fmt: skip
#: Those without anything of the guest's memory.
OFFLINE: Final = ("shutoff", "disk-snapshot")
_LOCATION: Final = one_of("no", "internal", "external", "manual")


@element("memory")
class MemoryState:
    """Where the guest's memory is: nowhere, in a disk's image, or in a file."""

    snapshot: str | None = opt(_LOCATION)
    file: str | None = opt(TEXT)

    def parsed(self) -> None:
        """A file is an external one, and the other way round."""
        if self.snapshot == "manual":
            raise XmlError("'manual' memory snapshot mode not supported")
        if self.file is None:
            if self.snapshot == "external":
                raise XmlError("external memory snapshots require a filename")
            return
        self.snapshot = self.snapshot or "external"
        if self.snapshot != "external":
            raise XmlError(f"memory filename '{self.file}' requires external snapshot")
        if not self.file.startswith("/"):
            raise XmlError(f"memory snapshot file path ({self.file}) must be absolute")


@element("driver", omit_empty=True)
class SnapshotDriver:
    """The format of the new image."""

    type: str | None = opt(FORMAT)
    metadata_cache: MetadataCache | None = one(MetadataCache)


@element("disk")
class SnapshotDisk:
    """What becomes of a disk, known by its target or its path; an external snapshot has a new image."""

    name: str = attr(TEXT)
    snapshot: str | None = opt(_LOCATION)
    type: str | None = opt(STORAGE_TYPE)
    delete_in_progress: bool = flag("snapshotDeleteInProgress")
    driver: SnapshotDriver | None = one(SnapshotDriver)
    source: PlainSource | None = one(PlainSource)

    def parsed(self) -> None:
        """A new image makes the snapshot an external one."""
        kind = self.type or "file"
        if kind in ("volume", "dir"):
            raise XmlError(f"unsupported disk snapshot type '{kind}'")
        source = self.source
        if source is not None:
            if source.startup_policy is not None:
                raise XmlError("attribute 'startupPolicy' of <source> does not apply to a disk snapshot")
            source.settle(kind)
            if source.empty(kind):
                source = self.source = None
        if source is None and (self.driver is None or self.driver.type is None):
            self.driver = self.type = None
            return
        self.type = kind
        self.snapshot = self.snapshot or "external"


@element("disks")
class SnapshotDisks:
    """The disks."""

    disks: list[SnapshotDisk] = many(SnapshotDisk)


@element("revertDisks")
class RevertDisks:
    """The images that the guest had after it went back to the snapshot."""

    disks: list[SnapshotDisk] = many(SnapshotDisk)


@element("cookie", omit_empty=True)
class SaveCookie:
    """What keeps a saved state compatible: the guest's real processor, and how it was connected."""

    cpu: Cpu | None = one(Cpu)
    slirp_helper: bool = flag("slirpHelper")


@element("domainsnapshot", two_lines=True)
class Snapshot:
    """A snapshot. What is below `description` and not a request, such as `state`, is only in a redefinition.

    `creation_time` is in seconds since 1970. `domain` is the guest as it was, `inactive_domain` its definition for the
    next start where that was another; old documents only have the guest's UUID. `cookie` is what keeps a saved state
    compatible. `active` says in files of libvirt's that the snapshot is the current one.
    """

    name: str | None = opt_leaf(TEXT)
    description: str | None = opt_leaf(PROSE)
    state: str | None = opt_leaf(one_of(*STATES))
    parent: MomentParent | None = one(MomentParent)
    creation_time: int | None = opt_leaf(integer(-(2**63), 2**63 - 1), "creationTime")
    memory: MemoryState | None = one(MemoryState)
    disks: SnapshotDisks | None = one(SnapshotDisks)
    revert_disks: RevertDisks | None = one(RevertDisks)
    cookie: SaveCookie | None = one(SaveCookie)
    active: int | None = opt_leaf(INT)
    domain: Domain | None = unbound(None)
    inactive_domain: Domain | None = unbound(None)
    domain_uuid: str | None = unbound(None)

    @property
    def offline(self) -> bool:
        """Whether nothing of the guest's memory belongs to it."""
        return self.state in OFFLINE


def parse_snapshot(xml: str, *, redefine: bool = False, offline: bool = False, validate: bool = False) -> Snapshot:
    """The snapshot that `xml` asks for; with `redefine`, the one that it describes as a whole.

    `offline` is for a request without the guest's memory. Raises `LibvirtError` with libvirt's codes.
    """
    reading = Reading(validate=validate)
    with noticed_by(Origin.DOMAIN_SNAPSHOT):
        node = parse_document(xml, "domainsnapshot", "domain_snapshot")
        domain, uuid = take_domain(node, "domain", reading, read=redefine)
        inactive, _ = take_domain(node, "inactiveDomain", reading, read=redefine)
        snapshot = read(Snapshot, node, reading)
        snapshot.domain, snapshot.domain_uuid, snapshot.inactive_domain = domain, uuid, inactive
        check_name(snapshot.name, "snapshot")
        if redefine:
            _check_whole(snapshot)
            offline = snapshot.offline
        else:
            _keep_request(snapshot)
        memory = snapshot.memory
        if offline and memory is not None and memory.snapshot not in (None, "no"):
            raise XmlError("memory state cannot be saved with offline or disk-only snapshot")
    return snapshot


def _check_whole(snapshot: Snapshot) -> None:
    if snapshot.name is None:
        raise XmlError("a redefined snapshot must have a name")
    if snapshot.creation_time is None:
        raise InternalError("missing creationTime from existing snapshot", domain=Origin.DOMAIN_SNAPSHOT)
    if snapshot.state is None:
        raise XmlError("missing state from existing snapshot")
    memory = snapshot.memory = snapshot.memory or new(MemoryState)
    memory.snapshot = memory.snapshot or ("no" if snapshot.offline else "internal")


def _keep_request(snapshot: Snapshot) -> None:
    """Drop what describes a snapshot that is there."""
    snapshot.state = snapshot.parent = snapshot.creation_time = snapshot.revert_disks = snapshot.active = None
    snapshot.cookie = None
    for disk in snapshot.disks.disks if snapshot.disks is not None else ():
        disk.delete_in_progress = False


def format_snapshot(snapshot: Snapshot, *, secure: bool = False, files: bool = False) -> str:
    """The snapshot as libvirt writes it; `files` adds what only its files have, `secure` the guest's passwords."""
    style = Style(secure=secure)
    active = snapshot.active if files else None
    head, tail = Lines(), Lines()
    write(replace(snapshot, cookie=None, active=None), head, style)
    write(new(Snapshot, cookie=snapshot.cookie, active=active), tail, style)
    closing = head.lines.pop()
    head.indent = "  "
    write_domain(snapshot.domain, snapshot.domain_uuid, head, "domain", secure=secure)
    write_domain(snapshot.inactive_domain, None, head, "inactiveDomain", secure=secure)
    head.lines += [*tail.lines[1:-1], closing]
    return head.text()
