"""What stands in a disk's `<source>`: servers, identities, cookies, slices, reservations, addresses.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, default, element, many, new, one, opt, opt_content
from guesthouse.model.domain.devices.disk.driver import FORMAT, MetadataCache
from guesthouse.model.kinds import PROSE, TEXT, UINT, ULL, YES_NO, hexadecimal, integer, one_of


@element("host")
class Host:
    """A server: a name and a port, or a UNIX socket."""

    name: str | None = opt(TEXT)
    port: int | None = opt(integer(0, 65535))
    transport: str | None = opt(one_of("tcp", "unix", "rdma"))
    socket: str | None = opt(TEXT)

    def parsed(self) -> None:
        """What the transport needs is there, and nothing else."""
        if self.transport == "unix":
            if self.socket is None:
                raise XmlError("missing socket for unix transport")
            self.name = self.port = None
            return
        if self.socket is not None:
            raise XmlError(f"transport '{self.transport or 'tcp'}' does not support socket attribute")
        if self.name is None:
            raise XmlError("missing name for host")
        self.transport = None if self.transport == "tcp" else self.transport
        self.port = self.port or None


@element("reconnect")
class SourceReconnect:
    """When to connect again: for so many seconds (`delay`, NBD), or every so many (`timeout`, vhost-user)."""

    delay: int | None = opt(UINT)
    enabled: bool | None = opt(YES_NO)
    timeout: int | None = opt(UINT)


@element("iqn")
class InitiatorName:
    """The iSCSI name under which QEMU logs in."""

    name: str = attr(TEXT)


@element("initiator")
class Initiator:
    """Who logs in at an iSCSI target."""

    iqn: InitiatorName | None = one(InitiatorName)


@element("identity")
class Identity:
    """Who reads: a user and a group of NFS, or a user of SSH with the file of a key or the socket of an agent."""

    user: str | None = opt(TEXT)
    group: str | None = opt(TEXT)
    username: str | None = opt(TEXT)
    keyfile: str | None = opt(TEXT)
    agentsock: str | None = opt(TEXT)


@element("cookie")
class Cookie:
    """A name and a value that an HTTP server is shown."""

    name: str = attr(PROSE)
    value: str | None = opt_content(PROSE)


@element("cookies", omit_empty=True)
class Cookies:
    """Everything of that kind. They are secret."""

    cookies: list[Cookie] = many(Cookie)

    @property
    def text(self) -> str:
        """As the server gets it."""
        return "; ".join(f"{cookie.name}={cookie.value or ''}" for cookie in self.cookies)


@element("address")
class NvmeAddress:
    """The PCI address of the host's NVMe controller."""

    domain: int = default(hexadecimal(4, 0xFFFF), 0)
    bus: int = default(hexadecimal(2, 0xFF), 0)
    slot: int = default(hexadecimal(2, 0x1F), 0)
    function: int = default(hexadecimal(1, 7), 0)

    @property
    def text(self) -> str:
        """As QEMU and the host write it."""
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


@element("slice")
class Slice:
    """The part of the file or device that holds the image, in bytes."""

    type: str = attr(one_of("storage"))
    offset: int = attr(ULL)
    size: int = attr(ULL)


@element("slices", omit_empty=True)
class Slices:
    """The parts of the file or device that are used: libvirt knows one."""

    slices: list[Slice] = many(Slice)


@element("source")
class ReservationSource:
    """The socket of a program that reserves SCSI devices."""

    type: str | None = opt(TEXT)
    path: str | None = opt(TEXT)
    mode: str | None = opt(TEXT)


@element("reservations")
class Reservations:
    """Who reserves the SCSI device for the guest: a program that we start (`managed`), or one that runs already."""

    managed: bool = attr(YES_NO)
    source: ReservationSource | None = one(ReservationSource)

    def parsed(self) -> None:
        """An unmanaged program has a socket."""
        source = self.source or new(ReservationSource)
        if not self.managed or self.source is not None:
            if source.type is None:
                raise XmlError("missing connection type for <reservations/>")
            if source.path is None:
                raise XmlError("missing path for <reservations/>")
            if source.mode is None:
                raise XmlError("missing connection mode for <reservations/>")
        if source.type not in (None, "unix"):
            raise XmlError(f"unsupported connection type for <reservations/>: {source.type}")
        if source.mode not in (None, "client"):
            raise XmlError(f"unsupported connection mode for <reservations/>: {source.mode}")


@element("format")
class ImageFormat:
    """The format of an image that lies under another. It is never guessed from an image that a guest can write."""

    type: str = attr(FORMAT)
    metadata_cache: MetadataCache | None = one(MetadataCache)
