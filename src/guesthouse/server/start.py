"""From the command line to a running daemon: read the settings, own the places, listen, and serve.

Exit status, as libvirtd's: 0 after a clean end, 1 where another daemon owns the places, 3 where something could not
be set up, 6 where a socket could not be made, 7 where the settings are wrong, 10 where a driver did not start.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from guesthouse.errors import LibvirtError
from guesthouse.host.confsyntax import ConfSyntaxError
from guesthouse.places import Places
from guesthouse.server import activation, background, listeners, memory, settings
from guesthouse.server import log as logs
from guesthouse.server.daemon import Daemon, DriverMaker
from guesthouse.server.lock import OccupiedError, PlaceLock
from guesthouse.server.loop import Loop
from guesthouse.server.options import Options
from guesthouse.server.settings import Settings, SettingsError

log = logging.getLogger(__name__)

EXIT_OCCUPIED = 1
EXIT_SETUP = 3
EXIT_NETWORK = 6
EXIT_SETTINGS = 7
EXIT_DRIVER = 10

_STATUS: tuple[tuple[type[LibvirtError], int], ...] = (
    (OccupiedError, EXIT_OCCUPIED),
    (ConfSyntaxError, EXIT_SETTINGS),
    (SettingsError, EXIT_SETTINGS),
    (listeners.ListenError, EXIT_NETWORK),
    (activation.ActivationError, EXIT_NETWORK),
)


def start(chosen: Options, makers: Sequence[DriverMaker]) -> int:
    """Run a daemon with these drivers until it ends; returns its exit status."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("guesthoused", encoding="ascii")
    memory.share_one_heap()
    try:
        return _run(chosen, makers)
    except LibvirtError as error:
        print(f"guesthoused: {error.message}", file=sys.stderr)
        return next((status for kind, status in _STATUS if isinstance(error, kind)), EXIT_SETUP)
    except OSError as error:
        print(f"guesthoused: {error}", file=sys.stderr)
        return EXIT_SETUP


def _run(chosen: Options, makers: Sequence[DriverMaker]) -> int:
    ready = background.detach() if chosen.daemon else _nothing
    known = settings.load(chosen.config_path, required=chosen.config is not None)
    plans = listeners.plan(chosen.places, known)
    _make_places(chosen.places)
    log_writer = logs.Log()
    _configure_log(log_writer, chosen, known)
    lock = PlaceLock(chosen.places)
    opened: list[listeners.Listener] = []
    try:
        lock.acquire()
        inherited = activation.inherited(os.environ)
        if inherited:
            opened = [listeners.Listener(found, readonly) for found, readonly in inherited]
        else:
            opened = listeners.listen(plans, known.max_queued_clients)
        with _pid_file(chosen.pid_file):
            return _serve(chosen, known, opened, makers, log_writer, ready)
    finally:
        listeners.close_all(opened)
        lock.release()
        log_writer.close()


def _serve(
    chosen: Options,
    known: Settings,
    opened: list[listeners.Listener],
    makers: Sequence[DriverMaker],
    log_writer: logs.Log,
    ready: Callable[[], None],
) -> int:
    def reload_settings() -> Settings:
        again = settings.load(chosen.config_path, required=chosen.config is not None)
        _configure_log(log_writer, chosen, again)
        return again

    async def serve() -> None:
        daemon = Daemon(
            chosen.places,
            known,
            opened,
            makers,
            timeout=chosen.timeout,
            notifier=activation.Notifier(os.environ),
            reload_settings=reload_settings,
        )
        await daemon.run(ready)

    try:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(serve())
    except Exception:
        log.exception("the daemon failed")
        print("guesthoused: the daemon failed; its log says why", file=sys.stderr)
        return EXIT_DRIVER
    return 0


def _configure_log(log_writer: logs.Log, chosen: Options, known: Settings) -> None:
    level = logs.LEVELS[chosen.log_level] if chosen.log_level else logs.number_level(known.log_level)
    outputs = logs.parse_outputs(known.log_outputs)
    if not outputs and (chosen.daemon or _nobody_reads_stderr()):
        outputs = (logs.Output(logging.NOTSET, "file", str(chosen.places.logs / "guesthoused.log")),)
    log_writer.configure(level, logs.parse_filters(known.log_filters), outputs, as_json=chosen.json)


def _nobody_reads_stderr() -> bool:
    """Whether what we say there is thrown away, as for a daemon that a client started on demand."""
    try:
        return os.path.samestat(os.fstat(2), os.stat(os.devnull))
    except OSError:
        return True


def _make_places(places: Places) -> None:
    """The directories that the daemon itself needs. A session's are its user's alone, as XDG has it."""
    mode = 0o700 if places.mode == "session" else 0o755
    for wanted in (places.state, places.sockets, places.config, places.lib, places.cache, places.logs):
        for directory in (*reversed(wanted.parents), wanted):
            if not directory.exists():
                directory.mkdir(mode=mode, exist_ok=True)


@contextlib.contextmanager
def _pid_file(path: Path | None) -> Iterator[None]:
    """Write our process number to a file for as long as we run."""
    if path is None:
        yield
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(f"{os.getpid()}\n", encoding="ascii")
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _nothing() -> None:
    """In the foreground nobody waits to be told that the daemon is ready."""
