"""Sockets between a guest and its host (AF_VSOCK).

Source: https://libvirt.org/formatdomain.html#vsock.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import element, new, one, opt, unbound
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    Alias,
    Connection,
    Device,
    DeviceContext,
    VirtioDriver,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.kinds import YES_NO, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject

#: The context ids below belong to the hypervisor, to loopback and to the host.
FIRST_CID: Final = 3


@element("cid")
class Cid:
    """The guest's context id; with `auto` a free one is taken at every start."""

    auto: bool | None = opt(YES_NO)
    address: int | None = opt(integer(1, 2**32 - 1))


@element("vsock")
class Vsock(Device):
    """A virtio-vsock device. The kernel of the host carries it. `host_end` is the descriptor of that, in a run."""

    ALIAS: ClassVar[str] = "vsock"

    model: str | None = opt(one_of("virtio", "virtio-transitional", "virtio-non-transitional"))
    cid: Cid | None = one(Cid)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()
    driver: VirtioDriver | None = one(VirtioDriver)
    host_end: int | None = unbound(None)

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device."""
        return virtio_connection(self.model)

    def defaults(self, ctx: DeviceContext) -> None:
        """A plain virtio device; without an id of its own it takes a free one."""
        self.model = self.model or "virtio"
        cid = self.cid = self.cid or new(Cid)
        if cid.auto is None:
            cid.auto = cid.address is None

    def check(self, ctx: DeviceContext) -> None:
        """The id can be a guest's."""
        if self.cid is not None and self.cid.address is not None and self.cid.address < FIRST_CID:
            raise UnsupportedConfigError("guest CIDs must be >= 3")
        if not (ctx.qemu.has_device("vhost-vsock-pci") or ctx.qemu.has_device("vhost-vsock-ccw")):
            raise UnsupportedConfigError("vsock device is not supported with this QEMU binary")

    def prepare(self, ctx: DeviceContext) -> None:
        """Take the id of this run."""
        cid = self.cid = self.cid or new(Cid)
        end = ctx.parts.open_vsock(None if cid.auto else cid.address)
        cid.address, self.host_end = end.cid, end.fd

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device."""
        props: Props = {"driver": self.virtio_driver("vhost-vsock", self.model)}
        props |= virtio_props(self.driver)
        props |= {"id": self.name, "guest-cid": self.cid.address if self.cid is not None else None}
        if self.host_end is not None:
            props["vhostfd"] = str(self.host_end)
        return [QemuDevice(props | self.address_props(ctx))]
