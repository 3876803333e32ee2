"""The random number generator that a guest gets from its host.

Source: https://libvirt.org/formatdomain.html#random-number-generator-device.
"""

from __future__ import annotations

from typing import ClassVar

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, default, element, must, one, opt, opt_content
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
from guesthouse.model.kinds import ABSOLUTE_PATH, UINT, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Object, Props, QemuObject

#: The period of a rate that names none, in milliseconds.
_PERIOD = 1000


@element("rate")
class Rate:
    """At most `bytes` every `period` milliseconds."""

    bytes: int = attr(integer(1, 2**32 - 1))
    period: int | None = opt(UINT)


@element("backend")
class RngBackend:
    """Where the randomness comes from: a file of the host, or QEMU itself."""

    model: str = attr(one_of("random", "builtin", "egd"))
    path: str | None = opt_content(ABSOLUTE_PATH)

    def parsed(self) -> None:
        """A file of the host has libvirt's default; QEMU itself has no file."""
        if self.model == "egd":
            raise UnsupportedConfigError("rng backend 'egd' is not supported", hint="use 'random' or 'builtin'")
        if self.model == "random" and self.path is None:
            self.path = "/dev/random"
        if self.model == "builtin" and self.path is not None:
            raise XmlError("rng backend 'builtin' takes no path")


@element("rng")
class Rng(Device):
    """A virtio random number generator."""

    ALIAS: ClassVar[str] = "rng"

    model: str = default(one_of("virtio", "virtio-transitional", "virtio-non-transitional"), "virtio")
    rate: Rate | None = one(Rate)
    backend: RngBackend = must(RngBackend)
    driver: VirtioDriver | None = one(VirtioDriver)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def connection(self, ctx: DeviceContext) -> Connection:
        """A virtio device."""
        return virtio_connection(self.model)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The source and the device."""
        source: Props = {"qom-type": f"rng-{self.backend.model}", "id": f"obj{self.name}"}
        if self.backend.path is not None:
            source["filename"] = self.backend.path
        props: Props = {"driver": self.virtio_driver("virtio-rng", self.model)}
        props |= virtio_props(self.driver)
        props |= {"rng": f"obj{self.name}", "id": self.name}
        if self.rate is not None:
            props |= {"max-bytes": self.rate.bytes, "period": self.rate.period or _PERIOD}
        return [Object(source), QemuDevice(props | self.address_props(ctx))]
