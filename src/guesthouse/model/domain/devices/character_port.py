"""What the ports with a line of their own share: serial ports, parallel ports and consoles.

Source: https://libvirt.org/formatdomain.html#consoles-serial-parallel-channel-devices.
"""

from __future__ import annotations

from guesthouse.model.binding import default, opt, shared
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.chardev import (
    PROTOCOLS,
    TYPES,
    CharacterDevice,
    ChardevSource,
    require_socket_path,
    sources_slot,
)
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF


@shared
class CharacterPort(CharacterDevice):
    """The line: its type, which is a terminal unless it is said, where it goes, and what is kept of what it carries."""

    type: str = default(TYPES, "pty")
    sources: list[ChardevSource] = sources_slot()
    protocol: str | None = opt(PROTOCOLS, "type", within="protocol")
    log_file: str | None = opt(ABSOLUTE_PATH, "file", within="log")
    log_append: bool | None = opt(ON_OFF, "append", within="log")

    def parsed(self) -> None:
        """The source is whole."""
        self.read_source()
        require_socket_path(self)

    def prepare(self, ctx: DeviceContext) -> None:
        """Whether the line is encrypted."""
        self.settle_tls(ctx)
