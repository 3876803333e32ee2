"""What displays, cards and sound must not be together."""

from __future__ import annotations

from collections.abc import Sequence

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.domain.devices.audio import Audio
from guesthouse.model.domain.devices.graphics import Graphics
from guesthouse.model.domain.devices.smartcard import Smartcard
from guesthouse.model.domain.devices.video import Video

_DRAWN_FOR = ("egl-headless", "vnc", "spice")


def check_graphics(displays: Sequence[Graphics]) -> None:
    """Raise `UnsupportedConfigError` for displays that QEMU cannot have at the same time."""
    kinds = [graphics.type for graphics in displays]
    if len(set(kinds)) < len(kinds):
        raise UnsupportedConfigError(
            "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported"
        )
    if "egl-headless" not in kinds:
        return
    for graphics in displays:
        if graphics.type not in _DRAWN_FOR:
            raise UnsupportedConfigError(
                "graphics type 'egl-headless' is only supported with one of: 'vnc', 'spice' graphics types"
            )
        if graphics.type == "spice" and graphics.gl is not None and graphics.gl.enable:
            raise UnsupportedConfigError("multiple OpenGL displays are not supported by QEMU")


def check_videos(videos: Sequence[Video]) -> None:
    """Raise `UnsupportedConfigError` for a card beside `none`."""
    if len(videos) > 1 and any(video.kind == "none" for video in videos):
        raise UnsupportedConfigError("a 'none' video type must be the only video device defined for the domain")


def check_audio(audios: Sequence[Audio], displays: Sequence[Graphics]) -> None:
    """Raise `UnsupportedConfigError` for sound that has no display to go through."""
    if any(audio.type == "spice" for audio in audios) and all(graphics.type != "spice" for graphics in displays):
        raise UnsupportedConfigError("Spice audio is not supported without spice graphics")
    buses = {audio.id for audio in audios if audio.type == "dbus"}
    for graphics in displays:
        if graphics.type == "dbus" and graphics.audio is not None and graphics.audio not in buses:
            raise UnsupportedConfigError("The associated audio is not of 'dbus' kind.")


def check_smartcards(cards: Sequence[Smartcard]) -> None:
    """Raise `UnsupportedConfigError` for a second card: QEMU's reader has one slot."""
    if len(cards) > 1:
        raise UnsupportedConfigError("this QEMU binary lacks multiple smartcard support")
