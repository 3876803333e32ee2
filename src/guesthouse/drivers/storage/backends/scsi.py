"""SCSI adapters of the host: a logical unit is a volume. Also virtual adapters for Fibre Channel, made for the pool.

Source: https://libvirt.org/storage.html, "SCSI pool"; https://libvirt.org/formatstorage.html#source-elements;
Documentation/scsi/scsi_fc_transport.rst of the kernel (`vport_create`).
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from guesthouse.drivers.storage.backend import VolumeBackend
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import PoolBackend
from guesthouse.drivers.storage.backends.unit_volumes import UnitVolumes
from guesthouse.drivers.storage.backends.units import HOST, need_stable, rescan
from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.host.sysfs import HostTree, numbered, read_int, read_text
from guesthouse.model.pool_source import FcHostAdapter, ScsiHostAdapter

_NAME: Final = re.compile(r"(?:scsi_)?host(\d+)")
_RESCAN_DEADLINE: Final = 30.0
_CLASSES: Final = ("fc_host", "scsi_host")


def adapter_number(name: str) -> int:
    """The number in an adapter's name, `scsi_host5` or `host5`. Raises `InternalError`."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise InternalError(f"Invalid adapter name '{name}' for SCSI pool", domain=Origin.STORAGE)
    return int(match[1])


def scsi_host_number(adapter: ScsiHostAdapter, tree: HostTree = HOST) -> int:
    """The number of the adapter that a definition means, by its name or its card. Raises `LibvirtError`."""
    if adapter.name is not None or adapter.parent is None:
        return adapter_number(adapter.name or "")
    parent = adapter.parent.address
    address = f"{parent.domain or 0:04x}:{parent.bus or 0:02x}:{parent.slot or 0:02x}.{parent.function or 0:x}"
    for number, path in numbered(tree.sys / "class/scsi_host", "host"):
        if f"/{address}/" in os.path.realpath(path) and read_int(path / "unique_id") == adapter.parent.unique_id:
            return number
    raise XmlError(f"Failed to find scsi_host using PCI '{address}' and unique_id='{adapter.parent.unique_id}'")


def fc_host_number(wwnn: str, wwpn: str, tree: HostTree = HOST) -> int | None:
    """The number of the adapter with these names in its fabric, or None where it is not there (yet)."""
    for number, path in numbered(tree.sys / "class/fc_host", "host"):
        names = (_wwn(path / "node_name"), _wwn(path / "port_name"))
        if names == (wwnn.lower(), wwpn.lower()):
            return number
    return None


def _wwn(path: Path) -> str:
    return (read_text(path) or "").removeprefix("0x").lower()


def vport_parent(adapter: FcHostAdapter, tree: HostTree = HOST) -> int:
    """The number of the adapter on which a virtual one is made. Raises `LibvirtError` where there is none."""
    if adapter.parent is not None:
        return adapter_number(adapter.parent)
    for number, path in numbered(tree.sys / "class/fc_host", "host"):
        if (
            not (path / "vport_create").exists()
            and not (tree.sys / f"class/scsi_host/host{number}/vport_create").exists()
        ):
            continue
        names = (_wwn(path / "node_name"), _wwn(path / "port_name"), _wwn(path / "fabric_name"))
        wanted = (adapter.parent_wwnn, adapter.parent_wwpn, adapter.parent_fabric_wwn)
        if all(want is None or want.lower() == name for want, name in zip(wanted, names, strict=True)):
            return number
    raise UnsupportedConfigError(
        "'parent' for vHBA not specified, and cannot find one on this host", domain=Origin.STORAGE
    )


class ScsiPool(PoolBackend):
    """The units behind an adapter."""

    def volumes(self) -> VolumeBackend:
        """The units."""
        return UnitVolumes(self.definition, self.find_units)

    async def find_units(self) -> int:
        """The adapter's number, after the kernel has looked for units behind it."""
        number = self._number()
        if number is None:
            raise XmlError(f"Failed to find SCSI host with {self._names()}")
        try:
            await asyncio.wait_for(asyncio.to_thread(rescan, number), _RESCAN_DEADLINE)
        except TimeoutError:
            raise LibvirtError(
                f"the scan of adapter host{number} did not end within {_RESCAN_DEADLINE:g} seconds",
                code=Code.OPERATION_TIMEOUT, domain=Origin.STORAGE,
            ) from None  # fmt: skip
        await tools.settle()
        return number

    def _number(self) -> int | None:
        adapter = self.source.adapter
        if isinstance(adapter, FcHostAdapter):
            return fc_host_number(adapter.wwnn or "", adapter.wwpn or "")
        return scsi_host_number(adapter) if isinstance(adapter, ScsiHostAdapter) else None

    def _names(self) -> str:
        adapter = self.source.adapter
        assert isinstance(adapter, FcHostAdapter)  # noqa: S101 - only these may be missing
        return f"wwnn='{adapter.wwnn}', wwpn='{adapter.wwpn}'"

    async def check(self) -> bool:
        """Whether the adapter is there."""
        number = self._number()
        return number is not None and (HOST.sys / f"class/scsi_host/host{number}").exists()

    async def start(self) -> None:
        """Make the virtual adapter, where the pool has one that is not there."""
        need_stable(self.definition.path)
        adapter = self.source.adapter
        if isinstance(adapter, FcHostAdapter) and self._number() is None:
            adapter.managed = True
            await self._write_vport(vport_parent(adapter), "vport_create", adapter)

    async def stop(self) -> str:
        """Remove the virtual adapter, where we made it."""
        adapter = self.source.adapter
        if isinstance(adapter, FcHostAdapter) and adapter.managed and self._number() is not None:
            await self._write_vport(vport_parent(adapter), "vport_delete", adapter)
        return ""

    async def _write_vport(self, parent: int, action: str, adapter: FcHostAdapter) -> None:
        places = [HOST.sys / f"class/{kind}/host{parent}/{action}" for kind in _CLASSES]
        path = next((place for place in places if place.exists()), None)
        if path is None:
            raise UnsupportedConfigError(
                f"vport operation '{action}' is not supported for host{parent}", domain=Origin.STORAGE
            )
        try:
            await asyncio.wait_for(
                asyncio.to_thread(path.write_text, f"{adapter.wwpn}:{adapter.wwnn}"), _RESCAN_DEADLINE
            )
        except OSError as error:
            raise LibvirtError(
                f"Write of '{adapter.wwpn}:{adapter.wwnn}' to '{path}' during vport create/delete failed: "
                f"{error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.STORAGE,
            ) from error  # fmt: skip
