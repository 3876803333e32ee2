"""What a guest's command line depends on besides its definition, and the command line itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from guesthouse.model.qemu_capabilities import QemuCapabilities


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What the launcher tells the model, which itself touches no file and no process.

    `directory` is the guest's own directory under `lib` (its master key and sockets of channels live there). `accel` is
    `kvm` or `tcg`. `pass_fd` reserves a descriptor that QEMU inherits under a label such as `charserial0`, and returns
    its number; without it paths are used. `backends` says, by alias, what a helper process listens on: the socket of
    `passt`, for example. `monitor` are the arguments of the monitor, which stand where libvirt has them.
    """

    caps: QemuCapabilities
    directory: Path
    accel: str = "tcg"
    pass_fd: Callable[[str], int] | None = None
    backends: dict[str, str] = field(default_factory=dict)
    monitor: tuple[str, ...] = ()


@dataclass(slots=True)
class CommandLine:
    """QEMU's arguments: `argv[0]` is the program. `environment` goes on top of the launcher's own."""

    argv: list[str]
    environment: dict[str, str] = field(default_factory=dict)
