"""Where sound goes to and comes from on the host.

Source: https://libvirt.org/formatdomain.html#audio-backends; `Audiodev` in QEMU's `qapi/audio.json`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, new, one, opt, shared, unbound
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext, refusing
from guesthouse.model.kinds import ABSOLUTE_PATH, PROSE, YES_NO, integer, one_of
from guesthouse.model.qemu_objects import Audiodev, Props, QemuObject, without_none

#: Type to QEMU's name of the driver.
DRIVERS: Final = {
    "none": "none",
    "alsa": "alsa",
    "jack": "jack",
    "oss": "oss",
    "pulseaudio": "pa",
    "sdl": "sdl",
    "spice": "spice",
    "file": "wav",
    "dbus": "dbus",
    "pipewire": "pipewire",
}
_REFUSED: Final = {"coreaudio": "audio backend 'coreaudio' is not supported: it is part of macOS (use another type)"}
#: Type to the fields that it takes, of the backend and of either direction.
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "oss": ("try_mmap", "exclusive", "dsp_policy"),
    "pulseaudio": ("server_name",),
    "sdl": ("driver",),
    "file": ("path",),
    "pipewire": ("runtime_dir",),
}
_WAY_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "alsa": ("dev",),
    "jack": ("server_name", "client_name", "connect_ports", "exact_name"),
    "oss": ("dev", "buffer_count", "try_poll"),
    "pulseaudio": ("name", "stream_name", "latency"),
    "sdl": ("buffer_count",),
    "pipewire": ("name", "stream_name", "latency"),
}
_POSITIVE: Final = integer(1, 2**32 - 1)


@element("settings")
class AudioSettings:
    """The form of the samples: `frequency` in Hz."""

    frequency: int | None = opt(_POSITIVE)
    channels: int | None = opt(_POSITIVE)
    format: str | None = opt(one_of("s8", "u8", "s16", "u16", "s32", "u32", "f32"))


@shared
class AudioWay:
    """One direction. `buffer_length` and `latency` are in microseconds."""

    mixing_engine: bool | None = opt(YES_NO, "mixingEngine")
    fixed_settings: bool | None = opt(YES_NO, "fixedSettings")
    voices: int | None = opt(_POSITIVE)
    buffer_length: int | None = opt(_POSITIVE, "bufferLength")
    dev: str | None = opt(PROSE)
    server_name: str | None = opt(PROSE, "serverName")
    client_name: str | None = opt(PROSE, "clientName")
    connect_ports: str | None = opt(PROSE, "connectPorts")
    exact_name: bool | None = opt(YES_NO, "exactName")
    buffer_count: int | None = opt(_POSITIVE, "bufferCount")
    try_poll: bool | None = opt(YES_NO, "tryPoll")
    name: str | None = opt(PROSE)
    stream_name: str | None = opt(PROSE, "streamName")
    latency: int | None = opt(_POSITIVE)
    settings: AudioSettings | None = one(AudioSettings)

    def parsed(self) -> None:
        """A fixed form needs QEMU's own mixing."""
        if self.fixed_settings and not self.mixing_engine:
            raise UnsupportedConfigError("fixed audio settings requires mixing engine")
        if self.settings is not None and not self.fixed_settings:
            raise UnsupportedConfigError("audio settings specified without fixed settings flag")
        if self.fixed_settings and self.settings is None:
            self.settings = new(AudioSettings)

    def check(self, kind: str) -> None:
        """Raise `UnsupportedConfigError` for what another type has."""
        for name in _WAY_NAMES:
            if getattr(self, name) is not None and name not in _WAY_OPTIONS.get(kind, ()):
                raise UnsupportedConfigError(f"audio type '{kind}' takes no '{_camel(name)}' in <input> and <output>")

    def props(self) -> Props:
        """The properties of `in` or `out`."""
        form = self.settings or new(AudioSettings)
        common = without_none(
            {
                "mixing-engine": self.mixing_engine,
                "fixed-settings": self.fixed_settings,
                "voices": self.voices,
                "buffer-length": self.buffer_length,
                "frequency": form.frequency,
                "channels": form.channels,
                "format": form.format,
            }
        )
        return common | without_none({name.replace("_", "-"): getattr(self, name) for name in _WAY_NAMES})


#: What only some backends have, in QEMU's order within each of them.
_WAY_NAMES: Final = (
    *("dev", "server_name", "client_name", "connect_ports", "exact_name"),
    *("buffer_count", "try_poll", "name", "stream_name", "latency"),
)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@element("input")
class AudioInput(AudioWay):
    """What the guest hears from the host."""


@element("output")
class AudioOutput(AudioWay):
    """What the host hears from the guest."""


@element("audio")
class Audio(Device):
    """A backend. It has no alias; cards name its `id`. `timer` is in microseconds."""

    ALIAS: ClassVar[str] = ""

    id: int = attr(integer(1, 2**31 - 1))
    type: str = attr(refusing(tuple(DRIVERS), _REFUSED))
    timer: int | None = opt(_POSITIVE, "timerPeriod")
    try_mmap: bool | None = opt(YES_NO, "tryMMap")
    exclusive: bool | None = opt(YES_NO)
    dsp_policy: int | None = opt(integer(0, 2**31 - 1), "dspPolicy")
    server_name: str | None = opt(PROSE, "serverName")
    driver: str | None = opt(one_of("esd", "alsa", "arts", "pulseaudio"))
    path: str | None = opt(PROSE)
    runtime_dir: str | None = opt(ABSOLUTE_PATH, "runtimeDir")
    input: AudioInput | None = one(AudioInput)
    output: AudioOutput | None = one(AudioOutput)
    alias: Alias | None = unbound(None)

    def check(self, ctx: DeviceContext) -> None:
        """What another type has is refused."""
        for names in _OPTIONS.values():
            for name in names:
                if getattr(self, name) is not None and name not in _OPTIONS.get(self.type, ()):
                    raise UnsupportedConfigError(f"audio type '{self.type}' takes no '{_camel(name)}'")
        for way in (self.input, self.output):
            if way is not None:
                way.check(self.type)

    def environment(self, ctx: DeviceContext) -> dict[str, str]:
        """Which of its own drivers SDL takes, and where PipeWire's socket is."""
        if self.type == "sdl" and self.driver is not None:
            return {"SDL_AUDIODRIVER": self.driver}
        if self.type == "pipewire":
            if self.runtime_dir is not None:
                return {"PIPEWIRE_RUNTIME_DIR": self.runtime_dir}
            known = dict(ctx.settings.environment)
            names = ("PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR", "USERPROFILE")
            return next(({name: known[name]} for name in names if name in known), {})
        return {}

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The backend."""
        props = without_none(
            {
                "id": f"audio{self.id}",
                "driver": DRIVERS[self.type],
                "timer-period": self.timer,
                "try-mmap": self.try_mmap,
                "exclusive": self.exclusive,
                "dsp-policy": self.dsp_policy,
                "server": self.server_name,
                "path": self.path,
            }
        )
        for name, way in (("in", self.input), ("out", self.output)):
            if way is not None and (said := way.props()):
                props[name] = said
        return [Audiodev(props)]
