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
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    require_socket_path,
    sources_slot,
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
    """Where the randomness comes from: a file of the host, QEMU itself, or a daemon that speaks EGD's protocol."""

    model: str = attr(one_of("random", "builtin", "egd"))
    type: str | None = opt(TYPES)
    path: str | None = opt_content(ABSOLUTE_PATH)
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")

    def parsed(self) -> None:
        """A file of the host has libvirt's default; QEMU itself has no file; a daemon has a line to it."""
        if self.model == "egd":
            self._read_line()
            return
        if self.type is not None or self.sources or self.protocol is not None:
            raise XmlError(f"rng backend '{self.model}' takes no character device")
        if self.model == "random" and self.path is None:
            self.path = "/dev/random"
        if self.model == "builtin" and self.path is not None:
            raise XmlError("rng backend 'builtin' takes no path")

    def _read_line(self) -> None:
        if self.type is None:
            raise XmlError("missing EGD backend type")
        self.path = None
        line = EgdLine(self, None)
        line.read_source()
        require_socket_path(line)
        self.protocol = line.protocol


class EgdLine(CharacterDevice):
    """The line to a daemon, of the device with this alias."""

    def __init__(self, backend: RngBackend, alias: Alias | None) -> None:
        self.alias = alias
        self.type = backend.type or ""
        self.sources = backend.sources
        self.protocol = backend.protocol
        self.log_file = None
        self.log_append = None


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

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has the source."""
        model = self.backend.model
        if not ctx.qemu.has_object(f"rng-{model}"):
            raise UnsupportedConfigError(f"this qemu doesn't support the rng-{model} backend")
        if model == "egd":
            EgdLine(self.backend, self.alias).check_source(ctx)

    def prepare(self, ctx: DeviceContext) -> None:
        """Whether the line to a daemon is encrypted, where the definition leaves it to the host."""
        if self.backend.model == "egd":
            EgdLine(self.backend, self.alias).settle_tls(ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The line to a daemon, the source and the device."""
        made: list[QemuObject] = []
        source: Props = {"qom-type": f"rng-{self.backend.model}", "id": f"obj{self.name}"}
        if self.backend.path is not None:
            source["filename"] = self.backend.path
        if self.backend.model == "egd":
            line = EgdLine(self.backend, self.alias)
            made += line.backend(ctx)
            source["chardev"] = line.chardev
        props: Props = {"driver": self.virtio_driver("virtio-rng", self.model)}
        props |= virtio_props(self.driver)
        props |= {"rng": f"obj{self.name}", "id": self.name}
        if self.rate is not None:
            props |= {"max-bytes": self.rate.bytes, "period": self.rate.period or _PERIOD}
        return [*made, Object(source), QemuDevice(props | self.address_props(ctx))]
