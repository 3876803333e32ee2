"""A backup job: `<domainbackup>`, what is copied where, or who may read it.

Format: https://libvirt.org/formatbackup.html
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
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
    write,
)
from guesthouse.model.domain.devices.disk.driver import FORMAT
from guesthouse.model.domain.devices.disk.source import STORAGE_TYPE, PlainSource
from guesthouse.model.kinds import TEXT, UINT, YES_NO, integer, one_of
from guesthouse.model.xmltext import Lines, parse_document


@element("server")
class BackupServer:
    """Where a client of a `pull` backup reads: an NBD server of QEMU's, on a socket of one of three kinds."""

    transport: str = default(one_of("tcp", "unix", "fd", "rdma"), "tcp")
    tls: bool | None = opt(YES_NO)
    name: str | None = opt(TEXT)
    port: int | None = opt(integer(0, 65535))
    socket: str | None = opt(TEXT)
    fdgroup: str | None = opt(TEXT)

    def parsed(self) -> None:
        """What the transport needs is there, and nothing else."""
        self.port = self.port or None
        if self.transport == "rdma":
            raise UnsupportedConfigError("transport rdma is not supported for <server>")
        needed = {"tcp": "name", "unix": "socket", "fd": "fdgroup"}[self.transport]
        if getattr(self, needed) is None:
            raise XmlError(
                f"missing {needed} for {self.transport} transport" if needed != "name" else "missing name for host"
            )
        for other in ("socket", "fdgroup"):
            if other != needed and getattr(self, other) is not None:
                raise XmlError(f"transport '{self.transport}' does not support {other} attribute")
        if self.socket is not None and not self.socket.startswith("/"):
            raise XmlError(f"backup socket path '{self.socket}' must be absolute")
        if self.transport != "tcp":
            self.name = self.port = None


@element("target", omit_empty=True)
class BackupTarget(PlainSource):
    """The image to which a `push` backup is written."""


@element("scratch", omit_empty=True)
class BackupScratch(PlainSource):
    """The image that keeps what the guest overwrites during a `pull` backup."""


@element("driver", omit_empty=True)
class BackupDriver:
    """The format of the image."""

    type: str | None = opt(FORMAT)


@element("disk")
class BackupDisk:
    """What becomes of one disk. `incremental` names the checkpoint since which it is copied."""

    name: str = attr(TEXT)
    backup: bool = default(YES_NO, True)
    state: str | None = opt(one_of("running", "complete", "failed", "cancelling", "cancelled"), status=True)
    type: str | None = opt(STORAGE_TYPE)
    mode: str | None = opt(one_of("full", "incremental"), "backupmode")
    incremental: str | None = opt(TEXT)
    export_name: str | None = opt(TEXT, "exportname")
    export_bitmap: str | None = opt(TEXT, "exportbitmap")
    index: int | None = opt(UINT)
    driver: BackupDriver | None = one(BackupDriver)
    target: BackupTarget | None = one(BackupTarget)
    scratch: BackupScratch | None = one(BackupScratch)

    @property
    def image(self) -> PlainSource | None:
        """The image, of either kind."""
        return self.target or self.scratch

    def parsed(self) -> None:
        """An image is a file or a device. A disk that is left out is left out as a whole."""
        if not self.backup:
            self.type = self.mode = self.incremental = self.export_name = self.export_bitmap = self.index = None
            self.driver = self.target = self.scratch = None
            return
        self.type = self.type or "file"
        if self.type not in ("file", "block"):
            raise XmlError(f"unsupported disk backup type '{self.type}'")
        for image in (self.target, self.scratch):
            if image is not None:
                image.settle(self.type)


@element("disks")
class BackupDisks:
    """The disks."""

    disks: list[BackupDisk] = many(BackupDisk)


@element("secret")
class KeySecret:
    """QEMU's object with the passphrase of the server's key."""

    type: str = default(one_of("tlskey"), "tlskey")
    alias: str = attr(TEXT)


@element("objects", omit_empty=True)
class BackupObjects:
    """What was made in QEMU for the job."""

    secret: KeySecret | None = one(KeySecret)
    tls_alias: str | None = opt(TEXT, "alias", within="TLSx509")


@element("privateData", omit_empty=True)
class BackupState:
    """What only a status file has of a job."""

    objects: BackupObjects | None = one(BackupObjects)


@element("domainbackup")
class Backup:
    """A job. `private` is what libvirt's status files keep of a running one."""

    mode: str = default(one_of("push", "pull"), "push")
    incremental: str | None = opt_leaf(TEXT)
    server: BackupServer | None = one(BackupServer)
    disks: BackupDisks | None = one(BackupDisks)
    private: BackupState | None = one(BackupState, live=True)


def parse_backup(xml: str, *, validate: bool = True, status: bool = False) -> Backup:
    """The job that `xml` asks for; `status` is for a status file.

    Raises `LibvirtError` with libvirt's codes, as `parse_domain` does.
    """
    node = parse_document(xml, "domainbackup", "domain_backup")
    backup = read(Backup, node, Reading(validate=validate, status=status))
    push = backup.mode == "push"
    if push and backup.server is not None:
        raise UnsupportedConfigError("use of <server> requires pull mode backup")
    for disk in backup.disks.disks if backup.disks is not None else ():
        if (disk.scratch if push else disk.target) is not None:
            tag = "scratch" if push else "target"
            raise XmlError(f"element '{tag}' of disk '{disk.name}' does not belong to a backup of mode '{backup.mode}'")
        if push and (disk.export_name is not None or disk.export_bitmap is not None):
            raise XmlError(f"disk '{disk.name}' of a backup of mode 'push' is not exported")
    return backup


def format_backup(backup: Backup, *, status: bool = False) -> str:
    """The job as libvirt writes it; `status` is for a status file."""
    lines = Lines()
    write(backup, lines, Style(status=status, live=status))
    return lines.text()
