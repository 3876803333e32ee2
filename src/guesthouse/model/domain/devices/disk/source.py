"""Where a disk's data is: `<source>` of all types, and what stands in it.

Which attributes and children count follows from the type of the disk (or of the link of a chain) around it; `settle`
and `check` get that type. What would not count is refused.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, one, opt, unbound
from guesthouse.model.domain.devices.chardev import SourceLabel
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.devices.disk.protocols import DEFAULT_PORTS, PROTOCOLS, WITH_POOL, check_protocol
from guesthouse.model.domain.devices.disk.source_parts import (
    Cookies,
    Host,
    Identity,
    ImageFormat,
    Initiator,
    NvmeAddress,
    Reservations,
    Slice,
    Slices,
    SourceReconnect,
)
from guesthouse.model.domain.devices.handed_files import HandedFiles
from guesthouse.model.domain.secrets import Auth
from guesthouse.model.kinds import ABSOLUTE_PATH, PROSE, TEXT, UINT, ULL, YES_NO, Kind, one_of

#: The types of storage.
STORAGE_TYPES: Final = ("file", "block", "dir", "network", "volume", "nvme", "vhostuser", "vhostvdpa")
STORAGE_TYPE: Final = one_of(*STORAGE_TYPES)
#: Those that are files, devices or directories of the host.
LOCAL_TYPES: Final = ("file", "block", "dir")

#: An absolute path, or nothing: that is a drive without a medium.
_PATH: Final = Kind("an absolute path", lambda text: text and ABSOLUTE_PATH.parse(text), str)

#: Type of storage to the attributes that belong to it.
_ATTRIBUTES: Final = {
    "file": ("file", "fdgroup"),
    "block": ("dev",),
    "dir": ("dir_",),
    "network": ("protocol", "name", "query", "tls", "tls_hostname"),
    "volume": ("pool", "volume", "mode"),
    "nvme": ("type", "managed", "namespace"),
    "vhostuser": ("type", "socket_path"),
    "vhostvdpa": ("dev",),
}
_ALL: Final = tuple(dict.fromkeys(name for names in _ATTRIBUTES.values() for name in names))
_XML_NAMES: Final = {"dir_": "dir", "tls_hostname": "tlsHostname", "socket_path": "path"}


@element("source", omit_empty=True)
class PlainSource:
    """Where one image is. `name` is the path on a server, with the pool of RBD and the volume of Gluster before it.

    `resolved` is what a volume of a storage pool turned out to be, `host_cdrom` says that the device is a CD-ROM drive,
    `handed` are the open files of `fdgroup`.
    """

    pool: str | None = opt(TEXT)
    volume: str | None = opt(TEXT)
    mode: str | None = opt(one_of("host", "direct"))
    file: str | None = opt(_PATH)
    fdgroup: str | None = opt(TEXT)
    dev: str | None = opt(_PATH)
    dir_: str | None = opt(_PATH)
    protocol: str | None = opt(one_of(*PROTOCOLS))
    name: str | None = opt(PROSE)
    query: str | None = opt(TEXT)
    tls: bool | None = opt(YES_NO)
    tls_hostname: str | None = opt(TEXT, "tlsHostname")
    type: str | None = opt(TEXT)
    managed: bool | None = opt(YES_NO)
    namespace: int | None = opt(ULL)
    socket_path: str | None = opt(TEXT, "path")
    startup_policy: str | None = opt(one_of("mandatory", "requisite", "optional"), "startupPolicy")
    index: int | None = opt(UINT, live=True)
    hosts: list[Host] = many(Host)
    reconnect: SourceReconnect | None = one(SourceReconnect)
    snapshot: str | None = opt(TEXT, "name", within="snapshot")
    config: str | None = opt(TEXT, "file", within="config")
    initiator: Initiator | None = one(Initiator)
    ssl: bool | None = opt(YES_NO, "verify", within="ssl")
    cookies: Cookies | None = one(Cookies, secure=True)
    readahead: int | None = opt(ULL, "size", within="readahead")
    timeout: int | None = opt(ULL, "seconds", within="timeout")
    known_hosts: str | None = opt(TEXT, "path", within="knownHosts")
    identity: Identity | None = one(Identity)
    address: NvmeAddress | None = one(NvmeAddress)
    slices: Slices | None = one(Slices)
    labels: list[SourceLabel] = many(SourceLabel)
    auth: Auth | None = one(Auth)
    encryption: Encryption | None = one(Encryption)
    reservations: Reservations | None = one(Reservations)
    resolved_type: str | None = unbound(None)
    host_cdrom: bool = unbound(False)
    handed: HandedFiles | None = unbound(None)
    resolved: PlainSource | None = unbound(None)

    @property
    def path(self) -> str | None:
        """The path of a local image."""
        return self.file or self.dev or self.dir_ or None

    @property
    def slice(self) -> Slice | None:
        """The part of the file or device that is used."""
        return self.slices.slices[0] if self.slices is not None and self.slices.slices else None

    def empty(self, kind: str) -> bool:
        """Whether there is no medium."""
        if kind in LOCAL_TYPES:
            return self.path is None
        return kind == "volume" and self.pool is None

    def settle(self, kind: str) -> None:
        """Fill in what the document of a source of this type leaves out.

        Raises `XmlError` for what is missing, and for what belongs to another type.
        """
        for name in _ALL:
            if getattr(self, name) is not None and name not in _ATTRIBUTES[kind]:
                raise XmlError(
                    f"attribute '{_XML_NAMES.get(name, name)}' of <source> does not apply to storage type '{kind}'"
                )
        for name in ("file", "dev", "dir_"):
            setattr(self, name, getattr(self, name) or None)
        _SETTLE.get(kind, _nothing)(self)

    def check(self, kind: str, image_format: str | None) -> None:
        """Raise `XmlError` or `UnsupportedConfigError` for what QEMU or this type of storage does not have."""
        network = self.protocol if kind == "network" else None
        if self.encryption is not None:
            self.encryption.check(image_format, on_rbd=network == "rbd")
        check_protocol(self, network)
        if kind == "nvme" and self.namespace == 0:
            raise UnsupportedConfigError("NVMe namespace can't be zero")


def _nothing(_source: PlainSource) -> None:
    pass


def _settle_network(source: PlainSource) -> None:
    protocol = source.protocol
    if protocol is None:
        raise XmlError("Missing required attribute 'protocol' in element 'source'")
    if source.name is None and protocol != "nbd":
        raise XmlError("missing name for disk source")
    name = source.name or ""
    if protocol in WITH_POOL and (name.startswith("/") or "/" not in name):
        raise XmlError(f"can't split path '{name}' into pool name and image name")
    if protocol == "iscsi" and "/" not in name:
        source.name = f"{name}/0"
    for host in source.hosts:
        if host.transport is None and host.port is None:
            host.port = DEFAULT_PORTS.get(protocol)
    identity = source.identity
    if protocol == "ssh" and identity is not None:
        if identity.username is None:
            raise XmlError("Missing required attribute 'username' in element 'identity'")
        if identity.keyfile is None and identity.agentsock is None:
            raise XmlError("element 'identity' requires either 'keyfile' or 'agentsock' attribute")


def _settle_volume(source: PlainSource) -> None:
    if (source.pool is None) != (source.volume is None):
        raise XmlError("'pool' and 'volume' must be specified together for 'pool' type source")
    # Who logs in is the pool's business.
    source.auth = None


def _settle_nvme(source: PlainSource) -> None:
    if source.type is None:
        raise XmlError("missing 'type' attribute to disk source")
    if source.type != "pci":
        raise XmlError(f"unsupported source type '{source.type}'")
    if source.namespace is None:
        raise XmlError("Missing required attribute 'namespace' in element 'source'")
    if source.address is None:
        raise XmlError("NVMe disk source is missing address")
    if source.managed is None:
        source.managed = True


def _settle_vhost_user(source: PlainSource) -> None:
    if source.type is None:
        raise XmlError("missing 'type' attribute for vhostuser disk source")
    if source.type != "unix":
        raise XmlError("invalid 'type' attribute for vhostuser disk source")
    if source.socket_path is None:
        raise XmlError("missing 'path' attribute for vhostuser disk source")


def _settle_vhost_vdpa(source: PlainSource) -> None:
    if source.dev is None:
        raise XmlError("Missing required attribute 'dev' in element 'source'")


_SETTLE: Final = {
    "network": _settle_network,
    "volume": _settle_volume,
    "nvme": _settle_nvme,
    "vhostuser": _settle_vhost_user,
    "vhostvdpa": _settle_vhost_vdpa,
}


@element("dataStore")
class DataStore:
    """The file with the data of a qcow2 image that itself only has the tables.

    A `detected` one was read from the image when the guest started, and is no part of the definition.
    """

    type: str = attr(STORAGE_TYPE)
    detected: bool | None = opt(YES_NO, status=True)
    format: ImageFormat | None = one(ImageFormat)
    source: PlainSource | None = one(PlainSource)

    def parsed(self) -> None:
        """It is whole."""
        if self.format is None:
            raise XmlError("missing data file store format")
        if self.source is None:
            raise XmlError("missing disk data file store source")
        self.source.settle(self.type)

    def check(self, image_format: str | None) -> None:
        """Raise `UnsupportedConfigError` or `XmlError` where the image cannot have one, or not this one."""
        if image_format != "qcow2":
            raise UnsupportedConfigError("<dataStore> feature available only with qcow2 images")
        if self.format is None or self.format.type != "raw":
            raise UnsupportedConfigError("only 'raw' images supported as <dataStore>")
        if self.source is not None:
            if self.source.slice is not None:
                raise XmlError("slices are not supported for <dataStore>")
            self.source.check(self.type, self.format.type)


@element("source", omit_empty=True)
class Source(PlainSource):
    """Where an image is, and where its data is if that is in another file."""

    data_store: DataStore | None = one(DataStore, live=True, keep=lambda store: not store.detected)
