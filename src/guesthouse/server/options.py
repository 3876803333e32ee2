"""The command line of `guesthoused`: libvirtd's options where it has them, and `--root` for tests and trials.

Only this module and `main` look at arguments and at the environment.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

from guesthouse import __version__
from guesthouse.places import Places

LEVELS = ("debug", "info", "warning", "error")

_EPILOG = """\
Without --system, --session or --root, root gets --system and every other user --session.
Signals: SIGTERM and SIGINT end the daemon (guests keep running), SIGHUP reads the configuration again.
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said.

    `timeout` is in seconds, 0 for never. `config` is None where the default place is meant, which may then be absent.
    `log_level` is None where the configuration decides.
    """

    places: Places
    timeout: int = 0
    log_level: str | None = None
    json: bool = False
    config: Path | None = None
    daemon: bool = False
    pid_file: Path | None = None

    @property
    def config_path(self) -> Path:
        """The file with the daemon's settings: libvirt's `libvirtd.conf`."""
        return self.config or self.places.config / "libvirtd.conf"


def parse(arguments: list[str], uid: int | None = None) -> Options:
    """Read the command line (without the program's name). Exits like argparse on `--help` and on errors."""
    given = _parser().parse_args(arguments)
    return Options(
        places=_places(given.root, given.system, given.session, os.getuid() if uid is None else uid),
        timeout=given.timeout,
        log_level=given.log_level or ("info" if given.verbose else None),
        json=given.json,
        config=given.config,
        daemon=given.daemon,
        pid_file=given.pid_file,
    )


def _places(root: Path | None, system: bool, session: bool, uid: int) -> Places:
    if root is not None:
        return Places.under(root)
    if system or (uid == 0 and not session):
        return Places.system()
    return Places.session()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="guesthoused",
        description="Run virtual machines and answer libvirt's clients.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--system", action="store_true", help="serve qemu:///system from libvirt's system places")
    place.add_argument("--session", action="store_true", help="serve qemu:///session of this user")
    place.add_argument("--root", type=Path, metavar="DIR", help="keep everything under DIR; sockets in DIR/run")
    parser.add_argument("-t", "--timeout", type=_seconds, default=0, metavar="SECONDS", help="exit when idle that long")
    parser.add_argument("-f", "--config", type=Path, metavar="FILE", help="settings (default: libvirtd.conf)")
    parser.add_argument("-d", "--daemon", action="store_true", help="run in the background, once ready")
    parser.add_argument("-p", "--pid-file", type=Path, metavar="FILE", help="also write the process number there")
    parser.add_argument("-v", "--verbose", action="store_true", help="log at level info")
    parser.add_argument("--log-level", choices=LEVELS, help="what to log (default: from the settings, or warning)")
    parser.add_argument("--json", action="store_true", help="log one JSON object a line")
    parser.add_argument("-V", "--version", action="version", version=f"guesthoused {__version__}")
    return parser


def _seconds(text: str) -> int:
    seconds = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < seconds <= 2**31 // 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 2147483")
    return seconds
