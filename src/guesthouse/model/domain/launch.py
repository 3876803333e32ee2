"""What a guest's command line depends on besides its definition, and the command line itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from guesthouse.model.domain.devices.handed_files import HandedLookup, nothing_handed
from guesthouse.model.domain.devices.volumes import VolumeLookup, no_volume
from guesthouse.model.domain.host_parts import NOTHING, HostParts
from guesthouse.model.domain.host_places import no_network, no_rendernode
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings
from guesthouse.model.domain.memory_objects import UNKNOWN_HOST, HostMemory
from guesthouse.model.domain.secrets import Seal, SecretLookup, no_seal, no_secret
from guesthouse.model.domain.tap_ends import TapLookup, no_taps
from guesthouse.model.qemu_capabilities import TCG, QemuCapabilities
from guesthouse.model.qemu_objects import FdSet


def _no_socket(_path: str) -> int | None:
    return None


def _unknown_features() -> frozenset[str]:
    return frozenset()


def _no_file(_path: str, _append: bool, _purpose: str) -> FdSet | None:
    return None


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What the launcher tells the model, which itself touches no file and no process.

    `guest_dir` is the guest's own directory (its master key lives there), `channel_dir` where the sockets of its
    channels go, `passt_dir` where passt's sockets go, `short_name` the prefix of their names (`1-web`). `accel` is
    `kvm` or `tcg`. `listen` makes a listening UNIX socket and tells its descriptor, `open_file` opens a file for QEMU
    to write; each may answer None, and QEMU then does it itself. `connect` is
    as `listen`, for sockets of helper programs. `rendernode` finds the host's graphics card,
    `network_address` its address in a virtual network. `monitor` are the arguments of the monitor, which
    stand where libvirt has them. `now` is what a clock with an adjustment starts from. `host_arch` is the host's
    architecture, `host_features` tells what its processor has whether KVM passes it on or not. `secret` finds the
    value of a secret, `seal` makes a cipher of it that only this QEMU can read. `settings` are those of
    `qemu.conf`, `parts` what the host contributes to special devices. `tap_ends` tells the open ends of cards' devices,
    `run_as` the user and group of helper programs that would choose one themselves.
    `host_memory` is what the host's memory is like.
    """

    caps: QemuCapabilities
    guest_dir: str
    channel_dir: str = ""
    passt_dir: str = ""
    short_name: str = ""
    accel: str = TCG
    host_arch: str = "x86_64"
    host_features: Callable[[], frozenset[str]] = _unknown_features
    vnc_listen: str = "127.0.0.1"
    listen: Callable[[str], int | None] = _no_socket
    connect: Callable[[str], int | None] = _no_socket
    open_file: Callable[[str, bool, str], FdSet | None] = _no_file
    rendernode: Callable[[], str] = no_rendernode
    network_address: Callable[[str], str] = no_network
    monitor: tuple[str, ...] = ()
    secret: SecretLookup = no_secret
    seal: Seal = no_seal
    volume: VolumeLookup = no_volume
    handed: HandedLookup = nothing_handed
    settings: HostSettings = UNCHANGED
    parts: HostParts = NOTHING
    tap_ends: TapLookup = no_taps
    run_as: tuple[int, int] | None = None
    host_memory: HostMemory = UNKNOWN_HOST
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(slots=True)
class CommandLine:
    """QEMU's arguments: `argv[0]` is the program. `environment` goes on top of the launcher's own."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
