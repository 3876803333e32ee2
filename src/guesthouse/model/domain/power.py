"""Power management: `<pm>`.

Format: https://libvirt.org/formatdomain.html#power-management
"""

from __future__ import annotations

from guesthouse.model.binding import element, opt
from guesthouse.model.kinds import YES_NO


@element("pm", omit_empty=True)
class PowerManagement:
    """Whether the firmware offers sleep (S3) and hibernation (S4)."""

    suspend_to_mem: bool | None = opt(YES_NO, "enabled", within="suspend-to-mem")
    suspend_to_disk: bool | None = opt(YES_NO, "enabled", within="suspend-to-disk")
