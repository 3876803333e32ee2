"""Where files live: libvirt's places for the system, for a session, and under one directory for tests and trials.

See `docs/architecture.md`, "Places". Only `places` knows these paths; everything else is handed a `Places`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one daemon.

    `config` holds definitions and `*.conf` files (`/etc/libvirt`), `state` what must not survive a reboot of the host
    (`/run/libvirt`), `lib` what must (`/var/lib/libvirt`), `cache` what can be made again (`/var/cache/libvirt`),
    `logs` the guests' logs (`/var/log/libvirt`), `sockets` the daemon's sockets. `mode` is `system`, `session` or
    `root`: the last under a directory given with `--root`.
    """

    mode: str
    config: Path
    state: Path
    lib: Path
    cache: Path
    logs: Path
    sockets: Path

    @classmethod
    def system(cls) -> Places:
        """Libvirt's places for `qemu:///system`."""
        return cls(
            "system",
            Path("/etc/libvirt"),
            Path("/run/libvirt"),
            Path("/var/lib/libvirt"),
            Path("/var/cache/libvirt"),
            Path("/var/log/libvirt"),
            Path("/run/libvirt"),
        )

    @classmethod
    def session(cls, environment: dict[str, str] | None = None) -> Places:
        """Libvirt's XDG places for `qemu:///session` of the calling user."""
        env = os.environ if environment is None else environment
        home = Path(env.get("HOME") or os.path.expanduser("~"))
        config = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "libvirt"
        cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache") / "libvirt"
        data = Path(env.get("XDG_DATA_HOME") or home / ".local/share") / "libvirt"
        runtime = env.get("XDG_RUNTIME_DIR")
        state = Path(runtime) / "libvirt" if runtime else cache / "run"
        return cls("session", config, state, data, cache, cache, state)

    @classmethod
    def under(cls, root: Path) -> Places:
        """Everything under one directory: `ROOT/etc`, `ROOT/run`, `ROOT/lib`, `ROOT/cache`, `ROOT/log`."""
        root = root.absolute()
        return cls("root", root / "etc", root / "run", root / "lib", root / "cache", root / "log", root / "run")

    @property
    def definitions(self) -> Path:
        """Persistent guest definitions: `NAME.xml`, with links in `autostart/`."""
        return self.config / "qemu"

    @property
    def guest_state(self) -> Path:
        """Status files, pid files and sockets of running guests."""
        return self.state / "qemu"

    @property
    def guest_lib(self) -> Path:
        """Per-guest directories, NVRAM, channel sockets, saved states."""
        return self.lib / "qemu"

    @property
    def guest_logs(self) -> Path:
        """One log file a guest."""
        return self.logs / "qemu" if self.mode != "session" else self.cache / "qemu/log"
