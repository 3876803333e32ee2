"""Cryptography that a guest leaves to its host.

Source: https://libvirt.org/formatdomain.html#crypto.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, must, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    VIRTIO,
    Alias,
    Connection,
    Device,
    DeviceContext,
    VirtioDriver,
    address_slot,
    alias_slot,
    virtio_props,
)
from guesthouse.model.kinds import UINT, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Object, Props, QemuObject, without_none

_BACKENDS: Final = {"builtin": "cryptodev-backend-builtin", "lkcf": "cryptodev-backend-lkcf"}


@element("backend")
class CryptoBackend:
    """Who computes: QEMU itself, or the kernel of the host (`lkcf`)."""

    model: str = attr(one_of(*_BACKENDS))
    queues: int | None = opt(UINT)

    def parsed(self) -> None:
        """No queues are the default number of them."""
        self.queues = self.queues or None


@element("crypto")
class Crypto(Device):
    """A virtio cryptography device."""

    ALIAS: ClassVar[str] = "crypto"

    model: str = attr(one_of("virtio"))
    type: str = attr(one_of("qemu"))
    backend: CryptoBackend = must(CryptoBackend)
    driver: VirtioDriver | None = one(VirtioDriver)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device."""
        return VIRTIO

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the device and the backend, which has one queue."""
        if not (ctx.qemu.has_device("virtio-crypto-pci") or ctx.qemu.has_device("virtio-crypto-ccw")):
            raise UnsupportedConfigError(f"crypto model {self.model} is not supported")
        if not ctx.qemu.has_object(_BACKENDS[self.backend.model]):
            raise UnsupportedConfigError(f"crypto backend {self.backend.model} is not supported")
        if (self.backend.queues or 1) > 1:
            raise UnsupportedConfigError(
                f"crypto backend {self.backend.model} supports only one queue, not {self.backend.queues}",
                hint="leave queues out",
            )

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The backend and the device."""
        kind = _BACKENDS[self.backend.model]
        backend = without_none({"qom-type": kind, "id": f"obj{self.name}", "queues": self.backend.queues})
        props: Props = {"driver": self.virtio_driver("virtio-crypto")}
        props |= virtio_props(self.driver)
        props |= {"cryptodev": f"obj{self.name}", "id": self.name}
        return [Object(backend), QemuDevice(props | self.address_props(ctx))]
