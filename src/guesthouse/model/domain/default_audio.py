"""The audio backend of a guest whose definition has none: it follows from the displays, as libvirt has it."""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.audio import DRIVERS, Audio
from guesthouse.model.domain.host_settings import HostSettings

_TYPES = {driver: kind for kind, driver in DRIVERS.items()}


def add(devices: Devices, settings: HostSettings) -> None:
    """Add the backend: the host's sound where it is open to guests, SPICE's, or one that plays nowhere.

    Displays that play by themselves (D-Bus) or not at all have none, unless there is a card. Raises
    `UnsupportedConfigError` for an unknown driver in the daemon's environment.
    """
    if devices.audios:
        return
    kind = _kind(devices, settings)
    if kind is None and devices.sounds:
        kind = "none"
    if kind is not None:
        devices.audios.append(new(Audio, id=1, type=kind, driver=_sdl_driver(settings) if kind == "sdl" else None))


def _kind(devices: Devices, settings: HostSettings) -> str | None:
    kind: str | None = None
    host = False
    if not devices.graphics:
        kind, host = "none", settings.nographics_allow_host_audio
    for graphics in devices.graphics:
        if graphics.type == "vnc":
            host = settings.vnc_allow_host_audio
            kind = kind if host and kind is not None else "none"
        elif graphics.type == "spice":
            kind, host = "spice", False
        elif graphics.type == "sdl":
            kind, host = kind or "none", True
    return kind if kind is None or not host else _host_kind(settings)


def _host_kind(settings: HostSettings) -> str | None:
    driver = dict(settings.environment).get("QEMU_AUDIO_DRV")
    if driver is None:
        return None
    if driver not in _TYPES:
        raise UnsupportedConfigError(f"unknown QEMU_AUDIO_DRV setting {driver}")
    return _TYPES[driver]


def _sdl_driver(settings: HostSettings) -> str | None:
    return dict(settings.environment).get("SDL_AUDIODRIVER")
