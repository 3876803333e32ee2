"""How far long work is: a bar with rate and time left on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
from time import monotonic

from guesthouse.cli.interrupt import Interruptible
from guesthouse.cli.words import capacity
from guesthouse.errors import LibvirtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.client.connection import Connection

#: Seconds between two looks at the progress, before the bar first shows, and between two drawings.
_INTERVAL = 0.5
_PATIENCE = 1.0
_DRAWING = 0.1

_WIDTH = 24


class Bar:
    """One bar on the terminal. `show` says whether there is a person to look at it."""

    def __init__(self, context: Context, label: str) -> None:
        self.show = context.ours and not context.settings.quiet and sys.stderr.isatty()
        self._label = label
        self._begun = monotonic()
        self._drawn = 0.0
        self._length = 0

    def tell(self, done: int, total: int) -> None:
        """Draw it; `total` 0 means that nobody knows."""
        now = monotonic()
        if not self.show or now - self._begun < _PATIENCE or now - self._drawn < _DRAWING:
            return
        self._drawn = now
        self._write(line(self._label, done, total, now - self._begun))

    def end(self) -> None:
        """Take it away."""
        if self._length:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()
            self._length = 0

    def _write(self, text: str) -> None:
        sys.stdout.flush()
        sys.stderr.write(f"\r{text}{' ' * max(self._length - len(text), 0)}")
        sys.stderr.flush()
        self._length = len(text)


def line(label: str, done: int, total: int, seconds: float) -> str:
    """What the bar shows: how much is done, how fast, and how long the rest will take at that rate."""
    rate = done / seconds if seconds > 0 else 0.0
    speed = f"{capacity(int(rate), 2)}/s"
    if not total:
        return f"{label}: {capacity(done, 2)}  {speed}" if done else f"{label}: {_clock(seconds)}"
    share = min(done / total, 1.0)
    filled = int(share * _WIDTH)
    left = _clock((total - done) / rate) if rate > 0 and done < total else "-:--"
    bar = "#" * filled + "-" * (_WIDTH - filled)
    return f"{label}: [{bar}] {share * 100:3.0f} %  {capacity(done, 2)} of {capacity(total, 2)}  {speed}  {left} left"


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def watch(context: Context, connection: Connection, serial: int, pool: str, name: str, label: str) -> None:
    """Wait until the reply to a call about a volume is there; on a terminal show how far it is.

    An interrupt ends the work, and the reply then tells so.
    """
    bar = Bar(context, label)
    try:
        with Interruptible():
            while True:
                try:
                    if connection.answered(serial, _INTERVAL):
                        break
                    if bar.show:
                        _look(connection, bar, pool, name)
                except KeyboardInterrupt:
                    if not context.ours:
                        raise
                    _abort(connection, pool, name)
    finally:
        bar.end()


def _look(connection: Connection, bar: Bar, pool: str, name: str) -> None:
    from guesthouse.client.volumes import progress

    try:
        found = progress(connection, pool, name)
    except LibvirtError:
        bar.show = False  # a daemon that does not tell
        return
    bar.tell(found.done, found.total)


def _abort(connection: Connection, pool: str, name: str) -> None:
    from guesthouse.client.volumes import abort

    try:  # noqa: SIM105 - contextlib is not worth its import
        abort(connection, pool, name)
    except LibvirtError:
        pass  # it has ended meanwhile, or cannot be ended: the call tells
