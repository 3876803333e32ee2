"""The types of `<graphics>`: what each adds to `graphics.Graphics`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.helper_programs import HelperProgram
from guesthouse.model.qemu_objects import Option, QemuObject

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.graphics import Graphics


class GraphicsKind(ABC):
    """What a type of graphics answers. `options` are the fields that it takes."""

    options: frozenset[str] = frozenset()

    def read(self, graphics: Graphics) -> None:  # noqa: B027 - not all kinds need it
        """Bring a document's attributes into their one form."""

    def defaults(self, graphics: Graphics) -> None:  # noqa: B027 - not all kinds need it
        """Drop what an earlier start chose."""

    def check(self, graphics: Graphics, ctx: DeviceContext) -> None:  # noqa: B027 - not all kinds need it
        """Raise `UnsupportedConfigError` for what cannot be honoured."""

    def place(self, ctx: DeviceContext) -> tuple[str, bool]:
        """The address where the definition names none, and whether a UNIX socket is to be made instead."""
        return ctx.vnc_listen, False

    def password(self, settings: HostSettings) -> str | None:
        """The password that all guests of the host have."""
        return None

    def draws(self, graphics: Graphics) -> bool:
        """Whether it needs a graphics card of the host."""
        return False

    def prepare(self, graphics: Graphics, ctx: DeviceContext) -> None:  # noqa: B027 - not all kinds need it
        """Fill in what is only known when the guest starts."""

    def choose_ports(self, graphics: Graphics, free: Callable[[str], int], settings: HostSettings) -> None:  # noqa: B027 - not all kinds need it
        """Take ports where the definition leaves them open."""

    def helpers(self, graphics: Graphics, ctx: DeviceContext) -> list[HelperProgram]:
        """The programs that must run before QEMU."""
        return []

    def environment(self, graphics: Graphics, ctx: DeviceContext) -> dict[str, str]:
        """What QEMU reads from its environment."""
        return {}

    @abstractmethod
    def objects(self, graphics: Graphics, ctx: DeviceContext) -> list[QemuObject]:
        """QEMU's options for it."""


def keyboard(graphics: Graphics) -> list[QemuObject]:
    """The keyboard's layout, which is one option for all displays."""
    return [] if graphics.keymap is None else [Option("-k", graphics.keymap)]


def on_off(value: bool) -> str:
    """QEMU's words for a switch."""
    return "on" if value else "off"
