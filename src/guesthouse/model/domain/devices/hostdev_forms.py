"""The forms of `<hostdev>` by their type: what `Devices` needs to read them."""

from __future__ import annotations

from typing import Final

from guesthouse.model.domain.devices.hostdev import CapabilityHostdev, Hostdev
from guesthouse.model.domain.devices.hostdev_mdev import MdevHostdev
from guesthouse.model.domain.devices.hostdev_pci import PciHostdev
from guesthouse.model.domain.devices.hostdev_scsi import ScsiHostdev
from guesthouse.model.domain.devices.hostdev_usb import UsbHostdev
from guesthouse.model.domain.devices.hostdev_vhost import VhostScsiHostdev

#: The value of `type` to the form.
HOSTDEVS: Final[dict[str, type[Hostdev]]] = {
    "pci": PciHostdev,
    "usb": UsbHostdev,
    "scsi": ScsiHostdev,
    "scsi_host": VhostScsiHostdev,
    "mdev": MdevHostdev,
    "storage": CapabilityHostdev,
    "misc": CapabilityHostdev,
    "net": CapabilityHostdev,
}
