"""Where files live: libvirt's places for the system, for a session, and under one directory for tests and trials.

See `docs/running.md`, "Files". Only `places` knows these paths; everything else is handed a `Places`.

The places of a session follow the XDG Base Directory Specification, with libvirt's own choice of what lies where:
what the system keeps in `/var/lib` is in the user's configuration directory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of one daemon.

    `config` holds definitions and `*.conf` files (`/etc/libvirt`), `state` what must not survive a reboot of the host
    (`/run/libvirt`), `lib` what must (`/var/lib/libvirt`), `cache` what can be made again (`/var/cache/libvirt`),
    `logs` the daemon's log (`/var/log/libvirt`), `sockets` the daemon's sockets. `mode` is `system`, `session` or
    `root`: the last under a directory given with `--root`.

    Of the guests, `guest_state` holds status files, pid files and sockets of those that run, `guest_lib` the private
    directories of runs, `nvram` the firmware's variables, `guest_logs` one log a guest. `pool_state` tells which
    storage pools are active.
    """

    mode: str
    config: Path
    state: Path
    lib: Path
    cache: Path
    logs: Path
    sockets: Path
    guest_state: Path
    guest_lib: Path
    nvram: Path
    guest_logs: Path
    pool_state: Path

    @classmethod
    def system(cls) -> Places:
        """Libvirt's places for `qemu:///system`."""
        return cls._of_host(
            "system",
            config=Path("/etc/libvirt"),
            state=Path("/run/libvirt"),
            lib=Path("/var/lib/libvirt"),
            cache=Path("/var/cache/libvirt"),
            logs=Path("/var/log/libvirt"),
        )

    @classmethod
    def under(cls, root: Path) -> Places:
        """Everything under one directory: `ROOT/etc`, `ROOT/run`, `ROOT/lib`, `ROOT/cache`, `ROOT/log`."""
        root = root.absolute()
        return cls._of_host(
            "root", config=root / "etc", state=root / "run", lib=root / "lib", cache=root / "cache", logs=root / "log"
        )

    @classmethod
    def _of_host(cls, mode: str, *, config: Path, state: Path, lib: Path, cache: Path, logs: Path) -> Places:
        return cls(
            mode,
            config=config,
            state=state,
            lib=lib,
            cache=cache,
            logs=logs,
            sockets=state,
            guest_state=state / "qemu",
            guest_lib=lib / "qemu",
            nvram=lib / "qemu/nvram",
            guest_logs=logs / "qemu",
            pool_state=state / "storage",
        )

    @classmethod
    def session(cls, environment: Mapping[str, str] | None = None) -> Places:
        """Libvirt's XDG places for `qemu:///session` of the calling user."""
        env = os.environ if environment is None else environment
        home = Path(env.get("HOME") or os.path.expanduser("~"))
        config = (_named(env, "XDG_CONFIG_HOME") or home / ".config") / "libvirt"
        cache = (_named(env, "XDG_CACHE_HOME") or home / ".cache") / "libvirt"
        runtime = _named(env, "XDG_RUNTIME_DIR")
        state = runtime / "libvirt" if runtime else cache
        return cls(
            "session",
            config=config,
            state=state,
            lib=config / "qemu/lib",
            cache=cache,
            logs=cache,
            sockets=state,
            guest_state=state / "qemu/run",
            guest_lib=config / "qemu/lib",
            nvram=config / "qemu/nvram",
            guest_logs=cache / "qemu/log",
            pool_state=state / "storage/run",
        )

    @property
    def tpm_state(self) -> Path:
        """What the TPMs of guests remember: `UUID/tpm2` or `UUID/tpm1.2`."""
        return (self.config / "qemu" if self.mode == "session" else self.lib) / "swtpm"

    @property
    def secrets_key(self) -> Path:
        """The key of the values of secrets. It is no part of the system's configuration, whose copies lie about."""
        return (self.config if self.mode == "session" else self.lib) / "secrets/guesthouse.key"

    @property
    def host_config(self) -> Path:
        """Where the host's own network configuration is: `/etc`, or `ROOT/etc` for trials."""
        return self.config if self.mode == "root" else Path("/etc")

    @property
    def network_state(self) -> Path:
        """Which virtual networks are active: `NAME.xml`, with the places given on them in `NAME.ports/`."""
        return self.state / ("network/lib" if self.mode == "session" else "network")

    @property
    def definitions(self) -> Path:
        """Persistent guest definitions: `NAME.xml`, with links in `autostart/`."""
        return self.config / "qemu"


def _named(env: Mapping[str, str], name: str) -> Path | None:
    """The directory that a variable names. An empty variable names none."""
    value = env.get(name)
    return Path(value) if value else None
