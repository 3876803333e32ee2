"""The nodes of QEMU's block layer that make up one image: its storage, a part of it, and its format.

A layer of a chain has a number, its `index`: a running guest shows it, events name it, and its nodes are called
`libvirt-INDEX-storage`, `-slice-sto` and `-format`. A raw image needs no format node. The uppermost node carries what
the disk says about writing; the ones below it are opened for reading until somebody above them writes.

Source: `BlockdevOptions` in QEMU's `qapi/block-core.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guesthouse.errors import InternalError, UnsupportedConfigError
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import nbdkit
from guesthouse.model.domain.devices.disk.driver import CACHE_MODES, FORMATS, WITH_BACKING
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.devices.disk.remote import Credentials, remote_props
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.secrets import Auth, secret_object
from guesthouse.model.domain.tls import client_credentials
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.qemu_objects import Blockdev, FdSet, Object, Props, QemuObject, without_none

#: The program that reserves SCSI devices for all disks of a guest that want it, and its socket.
PR_HELPER: Final = "pr-helper0"
#: Sets of descriptors of images have numbers above those of other sets.
_FIRST_SET: Final = 1000


def pr_socket(guest_dir: str) -> str:
    """Where the program that reserves SCSI devices listens."""
    return f"{guest_dir}/{PR_HELPER}.sock"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a chain, with everything that its nodes need to know. `type` is where a volume really is."""

    index: int
    type: str
    source: PlainSource
    format: str
    readonly: bool
    cache: str | None = None
    io: str | None = None
    discard: str | None = None
    detect_zeroes: str | None = None
    discard_no_unref: bool | None = None
    metadata_bytes: int | None = None
    auth: Auth | None = None
    encryption: Encryption | None = None
    floppy: bool = False
    data: Image | None = None

    @property
    def _decrypted_by_qemu(self) -> bool:
        return self.encryption is not None and self.encryption.in_qemu

    @property
    def storage_node(self) -> str:
        """The node that reads the file, the device or the server."""
        return f"libvirt-{self.index}-storage"

    @property
    def format_node(self) -> str | None:
        """The node that reads the format, where there is one to read."""
        raw = self.format == "raw" and not self._decrypted_by_qemu
        # One descriptor cannot be opened anew for reading only: a node above it has to see to that.
        handed = self.source.handed
        raw = raw and not (handed is not None and handed.writable and len(handed.descriptors) == 1)
        return None if raw else f"libvirt-{self.index}-format"

    @property
    def slice_node(self) -> str | None:
        """The node that cuts out the part that is used."""
        return f"libvirt-{self.index}-slice-sto" if self.source.slice is not None else None

    @property
    def node(self) -> str:
        """The uppermost node of the layer: what a device or another layer is put on."""
        return self.format_node or self.slice_node or self.storage_node

    def objects(self, ctx: DeviceContext, backing: Image | None, *, ended: bool) -> list[QemuObject]:
        """Secrets, then the nodes, the storage node first. With `ended` QEMU is told that there is no backing image.

        Raises `UnsupportedConfigError` for a backing image under a format that has none, and what finding a secret
        raises.
        """
        made: list[QemuObject] = list(self.data.objects(ctx, None, ended=False)) if self.data is not None else []
        known = self._credentials(ctx)
        made += self._companions(ctx, known)
        storage = self._storage(ctx, known, made)
        made.append(Blockdev(storage | self._common(self.storage_node, top=self.node == self.storage_node)))
        part = self.source.slice
        if part is not None and self.slice_node is not None:
            sliced: Props = {"driver": "raw", "file": self.storage_node, "offset": part.offset, "size": part.size}
            made.append(Blockdev(sliced | self._common(self.slice_node, top=self.node == self.slice_node)))
        if self.format_node is not None:
            made.append(Blockdev(self._format(self.format_node, backing, ended=ended)))
        return made

    def _common(self, node: str, *, top: bool) -> Props:
        props: Props = {"node-name": node}
        if top:
            zeroes = "on" if self.detect_zeroes == "unmap" and self.discard != "unmap" else self.detect_zeroes
            props |= without_none({"read-only": self.readonly, "discard": self.discard, "detect-zeroes": zeroes})
        elif (handed := self.source.handed) is not None and len(handed.descriptors) == 1:
            props |= {"read-only": self.readonly and not handed.writable, "discard": "unmap"}
        else:
            props |= {"auto-read-only": True, "discard": "unmap"}
        if self.cache in CACHE_MODES:
            direct, no_flush, _ = CACHE_MODES[self.cache]
            props["cache"] = {"direct": direct, "no-flush": no_flush}
        return props

    def helpers(self, ctx: DeviceContext) -> list[HelperProgram]:
        """The program that reaches the server, where QEMU does not."""
        if self.type != "network" or not nbdkit.serves(self.source, ctx):
            return []
        return [nbdkit.program(self.storage_node, self.source, self.auth, self.readonly, ctx)]

    def _credentials(self, ctx: DeviceContext) -> Credentials:
        if self.type == "network" and nbdkit.serves(self.source, ctx):
            return Credentials()
        return Credentials(
            user=self.auth.username if self.auth is not None else None,
            login=f"{self.storage_node}-auth-secret0" if self.auth is not None else None,
            cookies=f"{self.storage_node}-httpcookie-secret0" if self.source.cookies is not None else None,
            tls=f"obj{self.storage_node}_tls0" if self._encrypted_line(ctx) else None,
            encryption=() if self._decrypted_by_qemu else self._keys,
        )

    @property
    def _keys(self) -> tuple[str, ...]:
        if self.encryption is None:
            return ()
        owner = self.format_node or self.storage_node
        return tuple(f"{owner}-encryption-secret{number}" for number in range(len(self.encryption.secrets)))

    def _encrypted_line(self, ctx: DeviceContext) -> bool:
        if self.type != "network" or self.source.protocol != "nbd":
            return False
        return ctx.settings.nbd_tls if self.source.tls is None else self.source.tls

    def _companions(self, ctx: DeviceContext, known: Credentials) -> list[QemuObject]:
        """The objects that the nodes refer to."""
        made: list[QemuObject] = []
        pr = self.source.reservations
        if pr is not None and not pr.managed and pr.source is not None:
            made.append(Object({"qom-type": "pr-manager-helper", "id": self._pr_manager, "path": pr.source.path}))
        if self.auth is not None and known.login is not None:
            usage = "ceph" if self.source.protocol == "rbd" else "iscsi"
            made.append(secret_object(known.login, ctx.secret(usage, self.auth.secret), ctx.seal))
        if self.source.cookies is not None and known.cookies is not None:
            made.append(secret_object(known.cookies, self.source.cookies.text.encode(), ctx.seal))
        if known.tls is not None:
            made += client_credentials(
                known.tls,
                ctx.settings.nbd_tls_x509_cert_dir,
                ctx,
                secret=ctx.settings.nbd_tls_x509_secret_uuid,
                secret_id=f"{known.tls}-secret0",
            )
        if self.encryption is not None:
            for key, reference in zip(self._keys, self.encryption.secrets, strict=True):
                made.append(secret_object(key, ctx.secret("volume", reference), ctx.seal))
        return made

    @property
    def _pr_manager(self) -> str:
        pr = self.source.reservations
        return PR_HELPER if pr is not None and pr.managed else f"pr-helper-{self.storage_node}"

    def _storage(self, ctx: DeviceContext, known: Credentials, made: list[QemuObject]) -> Props:
        """The properties of the storage node; a descriptor that it needs goes to `made`."""
        source = self.source
        if self.type in ("file", "block"):
            return self._local(made, ctx)
        if self.type == "dir":
            return {"driver": "vvfat", "dir": source.dir_, "floppy": self.floppy, "rw": not self.readonly}
        if self.type == "nvme" and source.address is not None:
            return {"driver": "nvme", "device": source.address.text, "namespace": source.namespace}
        if self.type == "vhostvdpa":
            opened = ctx.open_file(source.dev or "", False, f"{self.storage_node}-vdpa")
            if opened is not None:
                made.append(opened)
            path = opened.path if opened is not None else source.dev
            return {"driver": "virtio-blk-vhost-vdpa", "path": path}
        if self.type == "network" and nbdkit.serves(source, ctx):
            return {"driver": "nbd", "server": {"type": "unix", "path": nbdkit.socket_of(self.storage_node, ctx)}}
        if self.type == "network":
            return remote_props(source, known, ctx.settings.gluster_debug_level)
        raise InternalError(f"storage source pool '{source.pool}' volume '{source.volume}' is not translated")

    def remote(self, ctx: DeviceContext) -> Props:
        """The driver and the properties for storage on a network, without anything that is secret.

        Raises `UnsupportedConfigError` for what would need a secret, and for storage of another type.
        """
        known = self._credentials(ctx)
        if self.type != "network" or known != Credentials() or self.encryption is not None:
            raise UnsupportedConfigError(
                f"storage type '{self.type}' with logins or encryption is not supported for bus 'sd'"
            )
        return remote_props(self.source, known, ctx.settings.gluster_debug_level)

    def _local(self, made: list[QemuObject], ctx: DeviceContext) -> Props:
        driver = "file"
        path = self.source.path
        if self.source.fdgroup is not None:
            files = self.source.handed or ctx.handed(self.source.fdgroup)
            sets = [
                FdSet(_FIRST_SET + self.index, descriptor, f"{self.storage_node}{number}")
                for number, descriptor in enumerate(files.descriptors)
            ]
            made.extend(sets)
            path = sets[0].path
        if self.type == "block":
            driver = "host_cdrom" if self.source.host_cdrom else "host_device"
        pr = self._pr_manager if self.source.reservations is not None else None
        return without_none({"driver": driver, "filename": path, "aio": self.io, "pr-manager": pr})

    def _format(self, node: str, backing: Image | None, *, ended: bool) -> Props:
        if backing is not None and self.format not in WITH_BACKING:
            raise UnsupportedConfigError(f"storage format '{self.format}' does not support backing store")
        props = self._common(node, top=True)
        key = self._keys[0] if self._decrypted_by_qemu and self._keys else None
        if self.encryption is not None and self.encryption.in_qemu and key is None:
            raise InternalError("missing secret info for 'luks' driver", hint="<encryption> needs a <secret>")
        if self.format == "raw" and key is not None:
            props |= {"driver": "luks", "key-secret": key}
        else:
            props["driver"] = FORMATS[self.format]
            if key is not None:
                props["encrypt"] = {"format": "luks", "key-secret": key}
        if self.format == "qcow2":
            props |= without_none({"cache-size": self.metadata_bytes, "discard-no-unref": self.discard_no_unref})
            if self.data is not None:
                props["data-file"] = self.data.node
        props["file"] = self.slice_node or self.storage_node
        if backing is not None:
            props["backing"] = backing.node
        elif ended and self.format in WITH_BACKING:
            props["backing"] = None
        return props
