"""Logical units of SCSI devices: of the host's own, or of an iSCSI target that QEMU logs in at.

Source: https://libvirt.org/formatdomain.html#usb-pci-scsi-devices.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Final

from guesthouse.errors import InternalError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, flag, many, must, one, opt
from guesthouse.model.domain.devices.address import Address, DriveAddress
from guesthouse.model.domain.devices.base import (
    Alias,
    BootOrder,
    Connection,
    DeviceContext,
    address_slot,
    alias_slot,
    refusing,
)
from guesthouse.model.domain.devices.hostdev import SUBSYSTEM, Hostdev
from guesthouse.model.domain.secrets import Auth, secret_object
from guesthouse.model.kinds import TEXT, YES_NO, Kind, hexadecimal, integer, matching, one_of
from guesthouse.model.qemu_objects import Blockdev, Props, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

_ANY_BASE: Final[Kind[int]] = replace(hexadecimal(1, 2**64 - 1), format=str)
_SGIO: Final = refusing(("filtered",), {"unfiltered": "unfiltered sgio is no longer supported"})
_ISCSI: Final = "iscsi"


@element("adapter")
class ScsiAdapter:
    """The host's controller, such as `scsi_host0`."""

    name: str = attr(matching(r"scsi_host[0-9]{1,9}", "scsi_host and a number"))


@element("address", drops=("@type",))
class ScsiHostAddress:
    """The unit behind the controller."""

    bus: int = attr(_ANY_BASE)
    target: int = attr(_ANY_BASE)
    unit: int = attr(_ANY_BASE)


@element("host", drops=("@transport",))
class IscsiHost:
    """The server of an iSCSI target."""

    name: str = attr(TEXT)
    port: int | None = opt(integer(0, 65535))


@element("iqn")
class IscsiName:
    """The name of who logs in."""

    name: str = attr(TEXT)


@element("initiator")
class IscsiInitiator:
    """Who logs in."""

    iqn: IscsiName | None = one(IscsiName)


@element("source")
class ScsiSource:
    """The unit: of the host's own, by `adapter` and `address`, or of an iSCSI target, by `name` and `hosts`.

    `node` is the name of QEMU's block node, which the status file keeps.
    """

    protocol: str | None = opt(one_of("adapter", _ISCSI))
    name: str | None = opt(TEXT)
    node: str | None = opt(matching(r"libvirt-[0-9]{1,9}-backend", "the name of a node"), status=True)
    adapter: ScsiAdapter | None = one(ScsiAdapter)
    address: ScsiHostAddress | None = one(ScsiHostAddress)
    hosts: list[IscsiHost] = many(IscsiHost)
    auth: Auth | None = one(Auth)
    initiator: IscsiInitiator | None = one(IscsiInitiator)

    def parsed(self) -> None:
        """It is whole. Raises `XmlError`."""
        if self.protocol == _ISCSI:
            self._read_iscsi()
            return
        self.protocol = None
        if self.address is None:
            raise XmlError("'address' must be specified for scsi hostdev source")
        if self.adapter is None:
            raise XmlError("'adapter' name must be specified for scsi hostdev source")

    def _read_iscsi(self) -> None:
        if self.name is None:
            raise XmlError("missing iSCSI hostdev source path name")
        if not self.hosts:
            raise XmlError("missing the host address for the iSCSI hostdev")
        if len(self.hosts) > 1:
            raise XmlError("only one source host address may be specified for the iSCSI hostdev")
        if "/" not in self.name:
            self.name += "/0"
        if not self.name.rpartition("/")[2].isdecimal():
            raise XmlError(f"iSCSI hostdev source '{self.name}' does not end with the number of a unit")
        if self.auth is not None and self.auth.secret.type not in (None, _ISCSI):
            raise InternalError(f"hostdev invalid secret type '{self.auth.secret.type}'", domain=Origin.DOMAIN)


@element("hostdev")
class ScsiHostdev(Hostdev):
    """A logical unit, to which a guest can send any SCSI command."""

    mode: str = default(SUBSYSTEM, "subsystem")
    type: str = attr(one_of("scsi"))
    managed: bool = default(YES_NO, False)
    sgio: str | None = opt(_SGIO)
    rawio: bool | None = opt(YES_NO)
    source: ScsiSource = must(ScsiSource)
    readonly: bool = flag()
    shareable: bool = flag()
    boot: BootOrder | None = one(BootOrder)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    @property
    def identity(self) -> tuple[object, ...]:
        """Adapter and unit, or server and target."""
        source = self.source
        if source.adapter is None or source.address is None:
            return ("iscsi", source.hosts[0].name, source.hosts[0].port, source.name)
        return ("scsi", source.adapter.name, source.address.bus, source.address.target, source.address.unit)

    @property
    def not_found(self) -> str:
        """In libvirt's words."""
        place = self.source.address
        if place is None or self.source.adapter is None:
            return f"host scsi iSCSI path {self.source.name} not found"
        return f"host scsi device {self.source.adapter.name}:{place.bus}:{place.target}.{place.unit} not found"

    def connection(self, ctx: DeviceContext) -> Connection:
        """A unit behind a SCSI controller."""
        return Connection("scsi")

    def check_address(self, ctx: DeviceContext) -> None:
        """A drive's address, in libvirt's words."""
        if self.address is not None and not isinstance(self.address, DriveAddress):
            raise UnsupportedConfigError("SCSI host device must use 'drive' address type")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the device."""
        ctx.need("scsi-generic", "SCSI host device")
        if self.rawio:
            raise UnsupportedConfigError(
                "rawio of a SCSI host device is not supported: QEMU is given no privileges", hint="remove rawio"
            )

    @property
    def node_number(self) -> int:
        """The number of its block node; 0 where it has none yet."""
        return int((self.source.node or "libvirt-0-backend").split("-")[1])

    def number_node(self, number: int) -> int:
        """Name its block node by `number`; the next number is returned."""
        self.source.node = f"libvirt-{number}-backend"
        return number + 1

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """What opens it, and the device."""
        node = self.source.node
        if node is None:
            raise InternalError("SCSI host device has no block node yet")
        made: list[QemuObject] = []
        backend = self._iscsi(node, ctx, made) if self.source.protocol == _ISCSI else self._generic(ctx)
        made.append(Blockdev(backend | {"node-name": node, "read-only": self.readonly}))
        props = without_none(
            {"driver": "scsi-generic", "drive": node, "id": self.name, "bootindex": self.boot_index(ctx)}
        )
        return [*made, QemuDevice(props | self.address_props(ctx))]

    def _generic(self, ctx: DeviceContext) -> Props:
        adapter, place = self.source.adapter, self.source.address
        if adapter is None or place is None:
            raise InternalError("SCSI host device has no source")
        path = ctx.parts.scsi_generic(adapter.name, place.bus, place.target, place.unit)
        return {"driver": "host_device", "filename": path}

    def _iscsi(self, node: str, ctx: DeviceContext, made: list[QemuObject]) -> Props:
        source = self.source
        host = source.hosts[0]
        target, _, unit = (source.name or "").rpartition("/")
        key = f"{node}-secret0" if source.auth is not None else None
        if source.auth is not None and key is not None:
            made.append(secret_object(key, ctx.secret(_ISCSI, source.auth.secret), ctx.seal))
        return without_none(
            {
                "driver": _ISCSI,
                "portal": f"{_bracketed(host.name)}:{host.port or 3260}",
                "target": target,
                "lun": int(unit),
                "transport": "tcp",
                "user": source.auth.username if source.auth is not None else None,
                "password-secret": key,
                "initiator-name": source.initiator.iqn.name if source.initiator and source.initiator.iqn else None,
            }
        )


def _bracketed(name: str) -> str:
    try:
        return f"[{name}]" if ipaddress.ip_address(name).version == 6 else name
    except ValueError:
        return name
