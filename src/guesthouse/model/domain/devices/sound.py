"""Sound cards.

Source: https://libvirt.org/formatdomain.html#sound-devices.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, many, one, opt
from guesthouse.model.domain.devices.address import Address
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    Alias,
    Connection,
    Device,
    DeviceContext,
    VirtioDriver,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.kinds import YES_NO, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

#: The speaker of a PC, which is part of the machine.
SPEAKER: Final = "pcspk"
#: Model to QEMU's device and where it is plugged in.
_MODELS: Final[dict[str, tuple[str, Connection]]] = {
    "es1370": ("ES1370", PCI),
    "ac97": ("AC97", PCI),
    "ich6": ("intel-hda", PCI),
    "ich9": ("ich9-intel-hda", PCI),
    "usb": ("usb-audio", Connection("usb")),
    "sb16": ("sb16", Connection("isa")),
}
_WITH_CODECS: Final = ("ich6", "ich9")
_CODECS: Final = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}


@element("codec")
class Codec:
    """What hangs on the bus of an HDA controller."""

    type: str = attr(one_of(*_CODECS))


@element("sound")
class Sound(Device):
    """A sound card."""

    ALIAS: ClassVar[str] = "sound"

    model: str = attr(one_of(*_MODELS, "virtio", SPEAKER, "ich7"))
    multichannel: bool | None = opt(YES_NO)
    streams: int | None = opt(integer(1, 64))
    codecs: list[Codec] = many(Codec)
    audio: int | None = opt(integer(1, 2**31 - 1), "id", within="audio")
    alias: Alias | None = alias_slot()
    address: Address | None = address_slot()
    driver: VirtioDriver | None = one(VirtioDriver)

    def connection(self, ctx: DeviceContext) -> Connection:
        """By the model."""
        return virtio_connection(None) if self.model == "virtio" else _MODELS.get(self.model, ("", NOWHERE))[1]

    def defaults(self, ctx: DeviceContext) -> None:
        """A virtio card has two streams, one for each direction."""
        if self.model == "virtio" and self.streams is None:
            self.streams = 2

    def check(self, ctx: DeviceContext) -> None:
        """The card exists in this QEMU, and its options are its."""
        if self.model == "ich7" or (self.model == SPEAKER and not ctx.x86):
            raise UnsupportedConfigError(f"sound card model '{self.model}' is not supported by qemu")
        if self.model != SPEAKER:
            device = "virtio-sound-pci" if self.model == "virtio" else _MODELS[self.model][0]
            ctx.need(device, f"sound model '{self.model}'")
        if self.codecs and self.model not in _WITH_CODECS:
            raise UnsupportedConfigError(f"sound card model '{self.model}' takes no <codec>")
        if self.multichannel is not None and self.model != "usb":
            raise UnsupportedConfigError("multichannel is only supported for sound model 'usb'")
        if self.streams is not None and self.model != "virtio":
            raise UnsupportedConfigError("streams is only supported for sound model 'virtio'")
        if self.audio is not None and self.audio not in ctx.audio_ids:
            raise UnsupportedConfigError(f"unable to find audio backend for ID '{self.audio}'", hint="see <audio>")

    def audiodev(self, audio_ids: tuple[int, ...]) -> str:
        """QEMU's name of the backend that the card plays to, by default the guest's first."""
        return f"audio{self.audio or next(iter(audio_ids), 1)}"

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The card; for an HDA controller also its codecs, which are what plays. A speaker belongs to `-machine`."""
        if self.model == SPEAKER:
            return []
        audiodev = self.audiodev(ctx.audio_ids)
        virtio = self.model == "virtio"
        props: Props = {"driver": self.virtio_driver("virtio-sound") if virtio else _MODELS[self.model][0]}
        if virtio:
            props |= virtio_props(self.driver)
        props["id"] = self.name
        if self.model not in _WITH_CODECS:
            props["audiodev"] = audiodev
        props |= without_none({"multi": self.multichannel, "streams": self.streams})
        card = QemuDevice(props | self.address_props(ctx))
        if self.model not in _WITH_CODECS:
            return [card]
        kinds = [codec.type for codec in self.codecs] or ["duplex"]
        return [card, *(self._codec(number, kind, audiodev) for number, kind in enumerate(kinds))]

    def _codec(self, number: int, kind: str, audiodev: str) -> QemuDevice:
        return QemuDevice(
            {
                "driver": _CODECS[kind],
                "id": f"{self.name}-codec{number}",
                "bus": f"{self.name}.0",
                "cad": number,
                "audiodev": audiodev,
            }
        )


def speaker_words(sounds: list[Sound], audio_ids: tuple[int, ...]) -> list[str]:
    """What `-machine` says of a PC's speaker: where it plays."""
    return [f"pcspk-audiodev={sound.audiodev(audio_ids)}" for sound in sounds if sound.model == SPEAKER]
