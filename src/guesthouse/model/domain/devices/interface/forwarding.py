"""Ports of the host that lead to a guest on a network of passt.

Source: https://libvirt.org/formatdomain.html#userspace-connection-using-passt.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, opt
from guesthouse.model.domain.devices.interface.addresses import IP
from guesthouse.model.kinds import TEXT, YES_NO, integer, one_of

_PORT: Final = integer(1, 65535)


@element("range")
class PortRange:
    """Ports of the host, and what they become in the guest. An empty one is every port."""

    start: int | None = opt(_PORT)
    end: int | None = opt(_PORT)
    to: int | None = opt(_PORT)
    exclude: bool | None = opt(YES_NO)

    def parsed(self) -> None:
        """The range has a start and does not run backwards."""
        if self.start is None:
            if self.end is not None or self.to is not None or self.exclude is not None:
                raise UnsupportedConfigError(
                    "The 'range' of a 'portForward' requires 'start' attribute if 'end', 'to', or 'exclude' is "
                    "specified"
                )
        elif self.end is not None and self.end < self.start:
            raise XmlError(f"'end' of the portForward range {self.start} to {self.end} is before its 'start'")


@element("portForward")
class PortForward:
    """Ports of the host that lead to the guest; without ranges all of them."""

    proto: str = attr(one_of("tcp", "udp"))
    address: str | None = opt(IP)
    dev: str | None = opt(TEXT)
    ranges: list[PortRange] = many(PortRange)
