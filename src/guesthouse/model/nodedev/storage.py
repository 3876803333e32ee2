"""SCSI hosts, targets and devices, and the disks of the host.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.binding import choices, default, element, leaf, one, opt_leaf
from guesthouse.model.kinds import PROSE, TEXT, UINT, ULL, integer, one_of
from guesthouse.model.nodedev.parts import Capability


@element("capability")
class FcHost(Capability):
    """The host adapter is one for Fibre Channel; without names they are made up when a virtual one is created."""

    type: str = default(one_of("fc_host"), "fc_host")
    wwnn: str | None = opt_leaf(TEXT)
    wwpn: str | None = opt_leaf(TEXT)
    fabric_wwn: str | None = opt_leaf(TEXT)


@element("capability")
class VportOps(Capability):
    """The host adapter can have virtual ones."""

    type: str = default(one_of("vport_ops"), "vport_ops")
    max_vports: int | None = opt_leaf(UINT)
    vports: int | None = opt_leaf(UINT)


_HOST: Final[dict[str, type[Capability]]] = {"fc_host": FcHost, "vport_ops": VportOps}


@element("capability", two_lines=True)
class ScsiHost(Capability):
    """A SCSI host adapter; a document that creates one has no number."""

    type: str = default(one_of("scsi_host"), "scsi_host")
    host: int | None = opt_leaf(UINT)
    unique_id: int | None = opt_leaf(integer(-1, 2**31 - 1))
    more: list[Capability] = choices("type", _HOST)

    def parsed(self) -> None:
        """Order the capabilities; id -1 is none."""
        self.more.sort(key=lambda capability: list(_HOST).index(capability.type))
        if self.unique_id is not None and self.unique_id < 0:
            self.unique_id = None


@element("capability")
class FcRemotePort(Capability):
    """The target is behind a remote port."""

    type: str = default(one_of("fc_remote_port"), "fc_remote_port")
    rport: str = leaf(TEXT)
    wwpn: str = leaf(TEXT)


@element("capability", two_lines=True)
class ScsiTarget(Capability):
    """A SCSI target."""

    type: str = default(one_of("scsi_target"), "scsi_target")
    target: str = leaf(TEXT)
    remote_port: FcRemotePort | None = one(FcRemotePort)


@element("capability", two_lines=True)
class ScsiDevice(Capability):
    """A SCSI device."""

    type: str = default(one_of("scsi"), "scsi")
    host: int = leaf(UINT)
    bus: int = leaf(UINT)
    target: int = leaf(UINT)
    lun: int = leaf(UINT)
    kind: str | None = opt_leaf(TEXT, "type")


@element("capability", two_lines=True)
class ScsiGeneric(Capability):
    """The character device for raw commands to a SCSI device."""

    type: str = default(one_of("scsi_generic"), "scsi_generic")
    char: str = leaf(TEXT)


@element("capability")
class Removable(Capability):
    """The medium can be taken out; sizes are in bytes."""

    type: str = default(one_of("removable"), "removable")
    media_available: int | None = opt_leaf(integer(0, 1))
    media_size: int | None = opt_leaf(ULL)
    media_label: str | None = opt_leaf(PROSE)
    logical_block_size: int | None = opt_leaf(ULL)
    num_blocks: int | None = opt_leaf(ULL)


@element("capability")
class Hotpluggable(Capability):
    """The device can be taken out."""

    type: str = default(one_of("hotpluggable"), "hotpluggable")


_STORAGE: Final[dict[str, type[Capability]]] = {"removable": Removable, "hotpluggable": Hotpluggable}


@element("capability", two_lines=True)
class StorageDevice(Capability):
    """A disk or a drive; the size is in bytes, and the medium's where that can be taken out."""

    type: str = default(one_of("storage"), "storage")
    block: str = leaf(TEXT)
    bus: str | None = opt_leaf(TEXT)
    drive_type: str | None = opt_leaf(TEXT)
    model: str | None = opt_leaf(PROSE)
    vendor: str | None = opt_leaf(PROSE)
    serial: str | None = opt_leaf(PROSE)
    size: int | None = opt_leaf(ULL)
    logical_block_size: int | None = opt_leaf(ULL)
    num_blocks: int | None = opt_leaf(ULL)
    more: list[Capability] = choices("type", _STORAGE)

    def parsed(self) -> None:
        """Order the capabilities."""
        self.more.sort(key=lambda capability: list(_STORAGE).index(capability.type))
