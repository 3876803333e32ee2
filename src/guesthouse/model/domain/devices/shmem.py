"""Memory that guests share with each other and with the host (ivshmem).

Source: https://libvirt.org/formatdomain.html#shared-memory-device.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, new, one, opt
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    PCI,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    refusing,
)
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, TEXT, UINT, ULL, one_of
from guesthouse.model.qemu_objects import Chardev, Object, QemuObject, without_none
from guesthouse.model.qemu_objects import Device as QemuDevice

_MIB: Final = 1 << 20
_DEFAULT_SIZE: Final = 4
_PLAIN: Final = "ivshmem-plain"
_DOORBELL: Final = "ivshmem-doorbell"
_MODELS: Final = refusing((_PLAIN, _DOORBELL), {"ivshmem": "ivshmem device is no longer supported"})
_SIZE_RULE: Final = "shmem size must be a power of 2 and at least 1 MiB (1024 KiB)"


@element("size")
class ShmemSize:
    """The size, in MiB; a document may use any unit, and bytes where it names none."""

    unit: str = default(TEXT, "b")
    mib: int = content(ULL)

    def parsed(self) -> None:
        """Turn any unit into MiB. Raises `XmlError` for a size that no such device can have."""
        size = in_bytes(self.mib, self.unit)
        if size and (size < _MIB or size & (size - 1)):
            raise XmlError(_SIZE_RULE)
        self.unit, self.mib = "M", size // _MIB


@element("server")
class ShmemServer:
    """The socket of the server that hands out the memory and the interrupts."""

    path: str | None = opt(ABSOLUTE_PATH)


@element("msi")
class ShmemInterrupts:
    """How guests ring at each other."""

    vectors: int | None = opt(UINT)
    ioeventfd: bool | None = opt(ON_OFF)


@element("shmem")
class Shmem(Device):
    """A PCI device whose memory is shared: a file in /dev/shm by its name, or what a server hands out."""

    ALIAS: ClassVar[str] = "shmem"

    shared: str = attr(TEXT, "name")
    role: str | None = opt(one_of("master", "peer"))
    model: str | None = opt(_MODELS, "type", within="model")
    size: ShmemSize | None = one(ShmemSize)
    server: ShmemServer | None = one(ShmemServer)
    msi: ShmemInterrupts | None = one(ShmemInterrupts)
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()

    def parsed(self) -> None:
        """The name is one, and what is said belongs to the model. Raises what libvirt's parser does."""
        if self.model is None:
            raise UnsupportedConfigError("ivshmem device is no longer supported", hint=f"use <model type='{_PLAIN}'/>")
        if self.msi is not None and self.server is None:
            raise XmlError("msi option is only supported with a server")
        if self.size is not None and not self.size.mib:
            self.size = None

    def connection(self, ctx: DeviceContext) -> Connection:
        """A conventional PCI device."""
        return PCI

    def defaults(self, ctx: DeviceContext) -> None:
        """4 MiB, or interrupts that do not leave the kernel. Raises `UnsupportedConfigError`."""
        if self.model == _PLAIN:
            self.size = self.size or new(ShmemSize, unit="M", mib=_DEFAULT_SIZE)
            if self.server is not None:
                raise UnsupportedConfigError(
                    f"shmem model '{self.model}' is supported only with server option disabled"
                )
            return
        if self.server is None:
            raise UnsupportedConfigError(f"shmem model '{self.model}' is supported only with server option enabled")
        if self.size is not None:
            raise UnsupportedConfigError(f"shmem model '{self.model}' does not support size setting")
        self.msi = self.msi or new(ShmemInterrupts)
        if self.msi.ioeventfd is None:
            self.msi.ioeventfd = True

    def check_address(self, ctx: DeviceContext) -> None:
        """Only PCI, in libvirt's words."""
        if self.address is not None and not isinstance(self.address, PciAddress):
            raise UnsupportedConfigError("only 'pci' addresses are supported for the shared memory device")

    def check(self, ctx: DeviceContext) -> None:
        """The name leads nowhere else, and QEMU has the model."""
        if "/" in self.shared:
            raise UnsupportedConfigError("shmem name cannot include '/' character")
        if self.shared in ("", ".", ".."):
            raise UnsupportedConfigError(f"shmem name cannot be equal to '{self.shared}'")
        if not ctx.qemu.has_device(self.model or ""):
            raise UnsupportedConfigError(f"shmem model '{self.model}' is not supported by this QEMU binary")

    def prepare(self, ctx: DeviceContext) -> None:
        """The server has libvirt's socket where none is named."""
        if self.server is not None and self.server.path is None:
            self.server.path = f"{ctx.parts.shmem}-{self.shared}-sock"

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The memory or the line to the server, and the device."""
        if self.server is not None:
            line = f"char{self.name}"
            msi = self.msi
            props = without_none(
                {
                    "driver": self.model,
                    "id": self.name,
                    "chardev": line,
                    "vectors": (msi.vectors if msi is not None else None) or None,
                    "ioeventfd": msi.ioeventfd if msi is not None else None,
                }
            )
            backend: QemuObject = Chardev(line, "socket", {"path": self.server.path})
            return [backend, QemuDevice(props | self.address_props(ctx))]
        memory = f"shmmem-{self.name}"
        size = (self.size.mib if self.size is not None else _DEFAULT_SIZE) * _MIB
        master = {"master": "on", "peer": "off"}.get(self.role or "")
        props = without_none({"driver": self.model, "id": self.name, "memdev": memory, "master": master})
        path = f"/dev/shm/{self.shared}"  # noqa: S108 - a name that all share is the purpose
        backend = Object(
            {"qom-type": "memory-backend-file", "id": memory, "mem-path": path, "size": size, "share": True}
        )
        return [backend, QemuDevice(props | self.address_props(ctx))]
