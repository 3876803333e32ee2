"""A point in time from which changed blocks are counted: `<domaincheckpoint>`.

Format: https://libvirt.org/formatcheckpoint.html
"""

from __future__ import annotations

from guesthouse.errors import InternalError, Origin, XmlError
from guesthouse.model.binding import (
    Reading,
    Style,
    attr,
    default,
    element,
    many,
    one,
    opt,
    opt_leaf,
    read,
    unbound,
    write,
)
from guesthouse.model.domain.definition import Domain
from guesthouse.model.kinds import PROSE, TEXT, ULL, integer, one_of
from guesthouse.model.moment import MomentParent, check_name, take_domain, write_domain
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document


@element("disk")
class CheckpointDisk:
    """Whether a bitmap of the disk's changes is kept, and its name. `size` is in bytes, and only shown."""

    name: str = attr(TEXT)
    checkpoint: str = default(one_of("no", "bitmap"), "bitmap")
    bitmap: str | None = opt(TEXT)
    size: int | None = opt(ULL)


@element("disks")
class CheckpointDisks:
    """The disks."""

    disks: list[CheckpointDisk] = many(CheckpointDisk)


@element("domaincheckpoint", two_lines=True)
class Checkpoint:
    """A checkpoint. `parent`, `creation_time` (seconds since 1970) and the guest are only in a redefinition."""

    name: str | None = opt_leaf(TEXT)
    description: str | None = opt_leaf(PROSE)
    parent: MomentParent | None = one(MomentParent)
    creation_time: int | None = opt_leaf(integer(-(2**63), 2**63 - 1), "creationTime")
    disks: CheckpointDisks | None = one(CheckpointDisks)
    domain: Domain | None = unbound(None)
    domain_uuid: str | None = unbound(None)


def parse_checkpoint(xml: str, *, redefine: bool = False, validate: bool = True) -> Checkpoint:
    """The checkpoint that `xml` asks for; with `redefine`, the one that it describes as a whole.

    Raises `LibvirtError` with libvirt's codes.
    """
    reading = Reading(validate=validate)
    with noticed_by(Origin.DOMAIN_CHECKPOINT):
        node = parse_document(xml, "domaincheckpoint", "domain_checkpoint")
        domain, uuid = take_domain(node, "domain", reading, read=redefine)
        checkpoint = read(Checkpoint, node, reading)
        checkpoint.domain, checkpoint.domain_uuid = domain, uuid
        check_name(checkpoint.name, "checkpoint")
        for disk in checkpoint.disks.disks if checkpoint.disks is not None else ():
            disk.size = None
        if not redefine:
            checkpoint.parent = checkpoint.creation_time = None
        elif checkpoint.name is None:
            raise XmlError("a redefined checkpoint must have a name")
        elif checkpoint.creation_time is None:
            raise InternalError("missing creationTime from existing checkpoint", domain=Origin.DOMAIN_CHECKPOINT)
    return checkpoint


def format_checkpoint(checkpoint: Checkpoint, *, secure: bool = False, with_domain: bool = True) -> str:
    """The checkpoint as libvirt writes it; `secure` adds the guest's passwords."""
    lines = Lines()
    write(checkpoint, lines, Style(secure=secure))
    closing = lines.lines.pop()
    lines.indent = "  "
    if with_domain:
        write_domain(checkpoint.domain, checkpoint.domain_uuid, lines, "domain", secure=secure)
    lines.lines.append(closing)
    return lines.text()
