"""Smartcards: one of the host, one made of certificates, or one of a client.

Source: https://libvirt.org/formatdomain.html#smartcard-devices; QEMU's `docs/system/devices/ccid.rst`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, leaves, opt, opt_leaf
from guesthouse.model.domain.devices.address import Address, CcidAddress
from guesthouse.model.domain.devices.base import Alias, Connection, DeviceContext, address_slot, alias_slot
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    require_socket_path,
    sources_slot,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, PROSE, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject

#: Where the host keeps its certificates (NSS).
_DATABASE: Final = "/etc/pki/nssdb"
_CERTIFICATES: Final = 3


@element("smartcard")
class Smartcard(CharacterDevice):
    """A card in a reader. In mode `passthrough` it has a type and a source as serial ports do."""

    ALIAS: ClassVar[str] = "smartcard"

    mode: str = attr(one_of("host", "host-certificates", "passthrough"))
    type: str | None = opt(TYPES)  # type: ignore[assignment]  # only passed through cards are character devices
    certificates: list[str] = leaves(PROSE, "certificate")
    database: str | None = opt_leaf(ABSOLUTE_PATH)
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """What the mode needs is there, and nothing of another mode."""
        if self.mode == "host-certificates":
            if len(self.certificates) != _CERTIFICATES:
                raise XmlError("host-certificates mode needs exactly three certificates")
        elif self.certificates or self.database is not None:
            raise XmlError(f"smartcard mode '{self.mode}' takes no certificates and no database")
        if self.mode != "passthrough":
            self.type = None  # virt-install gives every card one
            if self.sources or self.protocol is not None or self.log_file is not None:
                raise XmlError(f"smartcard mode '{self.mode}' takes no character device")
            return
        if self.type is None:
            raise XmlError("passthrough mode requires a character device type attribute")
        self.read_source()
        require_socket_path(self)

    def connection(self, ctx: DeviceContext) -> Connection:
        """A slot of a reader."""
        return Connection("ccid")

    def check(self, ctx: DeviceContext) -> None:
        """QEMU has such cards, and one slot for them."""
        address = self.address
        if isinstance(address, CcidAddress) and (address.controller or address.slot):
            raise UnsupportedConfigError("this QEMU binary lacks multiple smartcard support")
        if self.mode == "passthrough":
            self.check_source(ctx)
        if not ctx.qemu.has_device(self._driver):
            kind = "passthrough" if self.mode == "passthrough" else "host"
            raise UnsupportedConfigError(
                f"this QEMU binary lacks smartcard {kind} mode support", hint=f"it has no device '{self._driver}'"
            )

    @property
    def _driver(self) -> str:
        return "ccid-card-passthru" if self.mode == "passthrough" else "ccid-card-emulated"

    def prepare(self, ctx: DeviceContext) -> None:
        """Whether the line is encrypted."""
        self.settle_tls(ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The character device of a card that is passed through, and the card."""
        made: list[QemuObject] = []
        props: Props = {"driver": self._driver}
        if self.mode == "passthrough":
            made = self.backend(ctx)
            props["chardev"] = self.chardev
        elif self.mode == "host":
            props["backend"] = "nss-emulated"
        else:
            first, second, third = self.certificates
            props |= {"backend": "certificates", "cert1": first, "cert2": second, "cert3": third}
            props["db"] = self.database or _DATABASE
        props["id"] = self.name
        return [*made, QemuDevice(props | self.address_props(ctx))]
