"""What the host contributes to a definition that leaves something open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from guesthouse.model.domain.host_parts import NOTHING, HostParts
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings

#: The prefix of the MAC addresses that libvirt gives to QEMU's guests.
MAC_PREFIX: Final = "52:54:00"


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """A firmware that was chosen: paths and formats of its program and of the template of its variables.

    `template` is None for firmware without variables of its own. `features` are the names of `<firmware>` that it has
    (True) or has not (False); `smm` says that it needs system management mode.
    """

    path: str
    format: str = "raw"
    template: str | None = None
    template_format: str = "raw"
    secure: bool = False
    stateless: bool = False
    smm: bool = False
    type: str = "pflash"
    kind: str = "efi"
    features: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirmwareWish:
    """What a definition says about the firmware that it wants; None leaves a question open.

    `kind` is empty for a loader that is named by hand. `features` are those that may be asked for by name, `needs`
    others in the words of descriptors.
    """

    kind: str
    arch: str
    machine: str
    features: dict[str, bool] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    secure: bool | None = None
    stateless: bool | None = None
    loader: str | None = None
    format: str | None = None
    loader_type: str | None = None
    readonly: bool | None = None
    smm: bool | None = None
    template: str | None = None


def _no_firmware(_wish: FirmwareWish) -> FirmwareImage | None:
    return None


@dataclass(frozen=True, slots=True)
class Defaults:
    """The host's side of `complete`.

    `emulators` maps an architecture to QEMU's program. `choose_firmware` picks an image from the host's firmware
    descriptors, or None. `nvram` is the directory of the guests' firmware variables, `channel_dir` where the sockets of
    channels are made. `vnc_listen` is the address of graphics without one. `host_arch` is the architecture that KVM
    can run. `settings` are those of `qemu.conf`. `new` says that the definition is a new one, and not one that is read
    again: then what libvirt adds to new guests only is added.
    """

    emulators: dict[str, str] = field(default_factory=lambda: {"x86_64": "/usr/bin/qemu-system-x86_64"})
    host_arch: str = "x86_64"
    nvram: Path = Path("/var/lib/libvirt/qemu/nvram")
    choose_firmware: Callable[[FirmwareWish], FirmwareImage | None] = _no_firmware
    channel_dir: str = "/run/libvirt/qemu/channel"
    vnc_listen: str = "127.0.0.1"
    mac_prefix: str = MAC_PREFIX
    settings: HostSettings = UNCHANGED
    new: bool = True
    parts: HostParts = NOTHING
