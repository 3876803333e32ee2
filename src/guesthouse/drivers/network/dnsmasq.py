"""dnsmasq, which serves DHCP, DNS and router advertisements on a network's bridge: one process a network.

1. It is told everything by files, which are written before it starts, or is told to read them again.
2. It goes to the background by itself, when it serves: a configuration that it refuses is noticed at once.
3. It outlives the daemon, and is found again by the pid that it wrote down, or by the name of its configuration.

    LIB/dnsmasq/NAME.conf       its configuration
    LIB/dnsmasq/NAME.hostsfile  hosts with kept addresses; read again when it is told to
    LIB/dnsmasq/NAME.addnhosts  more names; likewise
    LIB/dnsmasq/BRIDGE.status   who has which address: see `lease_script`
    LIB/dnsmasq/BRIDGE.macs     which guest has which cards
    STATE/network/NAME.pid      its process
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from guesthouse.drivers.network import dnsmasq_conf, lease_script
from guesthouse.drivers.network.dnsmasq_conf import Files
from guesthouse.errors import InternalError, Origin
from guesthouse.host.child import run
from guesthouse.host.files import read_limited, remove, write_atomic
from guesthouse.host.processes import Process, adopt, find
from guesthouse.host.procfs import start_time
from guesthouse.host.threads import DISK
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import NetworkPort

log = logging.getLogger(__name__)

PROGRAM: Final = "dnsmasq"
_SCRIPT: Final = "guesthouse-leases"
_START_DEADLINE: Final = 60.0
_GRACE: Final = 2.0
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SIZE_LIMIT: Final = 1 << 20
#: What the script is: a shell spares the start of an interpreter where there are no leases to tell.
_SHELL: Final = """\
#!/bin/sh
# Written by guesthoused: keeps the leases of the networks of this directory.
if [ "$1" = init ] && [ ! -s {folder}/"$VIR_BRIDGE_NAME".status ]; then exit 0; fi
exec {python} -I -S {script} {folder} "$@"
"""


class Dnsmasq:
    """The processes of all networks of one daemon. `folder` is that of their files, `state` that of active networks.

    On a `trial`, under a directory that only its owner may enter, dnsmasq stays root: it could not read its files.
    """

    def __init__(self, folder: Path, state: Path, *, trial: bool = False) -> None:
        self.folder = folder
        self._state = state
        self._trial = trial

    def files(self, name: str) -> Files:
        """Where the files of a network lie."""
        return Files.of(name, self.folder, self._state)

    def write(self, network: Network) -> bool:
        """Write all that dnsmasq reads. Returns whether its configuration changed, so that it has to start anew.

        Raises what `dnsmasq_conf.configuration` raises, and OSError. Blocks.
        """
        files = self.files(network.name)
        hosts, names = dnsmasq_conf.kept_addresses(network), dnsmasq_conf.more_names(network)
        self._write_script()
        conf = dnsmasq_conf.configuration(network, files, as_root=self._must_stay_root()).encode()
        for path, text in ((files.hosts, hosts), (files.names, names)):
            write_atomic(path, text.encode(), 0o644, durable=False)
        try:
            same = read_limited(files.conf, _SIZE_LIMIT) == conf
        except OSError:
            same = False
        write_atomic(files.conf, conf, 0o600, durable=False)
        return not same

    def _must_stay_root(self) -> bool:
        hidden = [path for path in (self.folder, *self.folder.parents) if not path.stat().st_mode & stat.S_IXOTH]
        if hidden and not self._trial:
            log.warning("dnsmasq may not enter '%s', so that it will not know hosts: chmod o+x it", hidden[-1])
        return bool(hidden) and self._trial

    def _write_script(self) -> None:
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        words = {"folder": str(self.folder), "python": sys.executable, "script": str(Path(lease_script.__file__))}
        text = _SHELL.format(**{name: shlex.quote(word) for name, word in words.items()}).encode()
        path = self.folder / _SCRIPT
        if not path.exists() or read_limited(path, _SIZE_LIMIT) != text:
            write_atomic(path, text, 0o755, durable=False)

    async def start(self, network: Network) -> Process:
        """Start it on the files that `write` left. Raises `InternalError` with what it said, and `ChildError`."""
        files = self.files(network.name)
        bridge = (network.bridge.name if network.bridge is not None else None) or ""
        argv = [PROGRAM, f"--conf-file={files.conf}", "--leasefile-ro", f"--dhcp-script={self.folder / _SCRIPT}"]
        env = {"PATH": _PATH, "VIR_BRIDGE_NAME": bridge}
        finished = await run(argv, deadline=_START_DEADLINE, env=env, umask=0o022)
        if not finished.ok:
            raise InternalError(
                f"dnsmasq of network '{network.name}' does not start: {finished.error_text[-500:] or finished.exit}",
                domain=Origin.NETWORK,
            )
        process = await DISK.run(self.running, network.name)
        if process is None:
            text = f"dnsmasq of network '{network.name}' ended as soon as it had started"
            raise InternalError(text, domain=Origin.NETWORK, hint="the system's log says why")
        return process

    def running(self, name: str) -> Process | None:
        """The process of a network, if it runs. Blocks for as long as `/proc` needs."""
        files = self.files(name)
        try:
            pid = int(read_limited(files.pid, 64))
        except (OSError, ValueError):
            pid = 0
        process = adopt(pid, start_time(pid) or 0) if pid > 0 else None
        if process is not None:
            if _serves(pid, name):
                return process
            process.close()
        return next(iter(find(PROGRAM, f"--conf-file={files.conf}\0")), None)

    async def end(self, name: str, process: Process | None) -> None:
        """End it, and whatever else serves this network. Its leases stay."""
        searching = process is None
        if process is None:
            process = await DISK.run(self.running, name)
        while process is not None:
            await process.end(_GRACE, _GRACE)
            process.close()
            # One that is just going to the background is two for a moment.
            process = await DISK.run(self.running, name) if searching else None
        await DISK.run(remove, self.files(name).pid)

    def read_again(self, process: Process) -> None:
        """Let it read hosts and names again."""
        process.signal(signal.SIGHUP)

    def forget(self, network: Network) -> None:
        """Remove all files of a network that is no longer known. Blocks. Raises OSError."""
        files = self.files(network.name)
        bridge = network.bridge.name if network.bridge is not None else None
        own = [files.conf, files.hosts, files.names, files.pid]
        own += [self.folder / f"{bridge}.{kind}" for kind in ("status", "macs")] if bridge is not None else []
        for path in own:
            remove(path)

    def leases(self, bridge: str) -> list[lease_script.Lease]:
        """Who has which address on a bridge. Blocks."""
        return lease_script.read(str(self.folder / f"{bridge}.status"))

    def write_macs(self, bridge: str, ports: Iterable[NetworkPort]) -> None:
        """Write down which guest has which cards on a bridge, for libvirt's NSS module. Blocks. Raises OSError."""
        found: dict[str, list[str]] = {}
        for port in ports:
            if port.owner.name:
                found.setdefault(port.owner.name, []).append(port.mac)
        entries = [{"domain": name, "macs": sorted(macs)} for name, macs in sorted(found.items())]
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = json.dumps(entries, indent=2) + "\n"
        write_atomic(self.folder / f"{bridge}.macs", text.encode(), 0o644, durable=False)


def _serves(pid: int, name: str) -> bool:
    """Whether a process is the dnsmasq of a network, wherever the daemon that started it kept its files."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    conf = os.fsencode(f"/{name}.conf")
    is_dnsmasq = os.path.basename(words[0]) == PROGRAM.encode()
    return is_dnsmasq and any(word.startswith(b"--conf-file=") and word.endswith(conf) for word in words)
