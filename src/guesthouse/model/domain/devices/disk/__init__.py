"""Disks. `device` is the drive as a whole, and names the others: `source` and `chain` say where its data is, `images`
and `nodes` what QEMU reads that with, `front_end` what the guest sees, `checks` what cannot be.
"""

from guesthouse.model.domain.devices.disk.device import Disk
from guesthouse.model.domain.devices.disk.names import name_index
from guesthouse.model.domain.devices.disk.parts import DiskTarget

__all__ = ["Disk", "DiskTarget", "name_index"]
