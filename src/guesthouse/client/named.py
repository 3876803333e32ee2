"""Objects that the protocol names by their name and UUID."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Handle(Protocol):
        """What the protocol calls such an object."""

        @property
        def name(self) -> str:
            """Its name."""

        @property
        def uuid(self) -> bytes:
            """Its UUID, 16 bytes."""


class Named:
    """One such object of one connection. Its name and UUID were told with it."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def handle(self) -> Handle:
            """What the protocol calls it."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.handle.name

    @property
    def uuid(self) -> str:
        """Its UUID in text form."""
        return uuid_text(self.handle.uuid)


def uuid_text(uuid: bytes) -> str:
    """The text form of a UUID of 16 bytes."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
