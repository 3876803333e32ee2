"""The daemon's log: levels, filters and outputs of `libvirtd.conf`, plain lines or one JSON object a line.

Whoever logs only puts a line into a queue; a thread of its own writes it, so that a full pipe or a slow disk cannot
hold up the event loop. The queue is bounded: what does not fit is counted and the count is logged.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import logging
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guesthouse.server.settings import SettingsError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: libvirt's numbers, 1 to 4; 0 is its default.
_BY_NUMBER = [logging.WARNING, logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_JOURNAL = "/run/systemd/journal/socket"
_SYSLOG = "/dev/log"
_CAPACITY = 10_000
_FLUSH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Filter:
    """A level for the parts of the program whose name contains `match` (a shell pattern)."""

    level: int
    match: str


@dataclass(frozen=True, slots=True)
class Output:
    """One place for log lines: `stderr`, `file` (with a path), `journald` or `syslog` (with a name)."""

    level: int
    kind: str
    argument: str = ""


def parse_filters(text: str) -> tuple[Filter, ...]:
    """Read the value of `log_filters`: `LEVEL:MATCH` separated by blanks. Raises `SettingsError`."""
    found = []
    for word in text.split():
        level, _, match = word.partition(":")
        if level not in ("1", "2", "3", "4") or not match.removeprefix("+"):
            raise SettingsError(f"log_filters: '{word}' is not LEVEL:MATCH with a level from 1 to 4")
        found.append(Filter(_BY_NUMBER[int(level)], f"*{match.removeprefix('+')}*"))
    return tuple(found)


def parse_outputs(text: str) -> tuple[Output, ...]:
    """Read the value of `log_outputs`. Raises `SettingsError`."""
    found = []
    for word in text.split():
        level, _, rest = word.partition(":")
        kind, _, argument = rest.partition(":")
        needs_argument = kind in ("file", "syslog")
        if level not in ("1", "2", "3", "4") or kind not in ("stderr", "journald", "file", "syslog"):
            raise SettingsError(f"log_outputs: '{word}' is not LEVEL:stderr, :file:PATH, :journald or :syslog:NAME")
        if needs_argument != bool(argument) or (kind == "file" and not argument.startswith("/")):
            raise SettingsError(
                f"log_outputs: '{word}' needs {'an absolute path or a name' if needs_argument else 'no'} argument"
            )
        found.append(Output(_BY_NUMBER[int(level)], kind, argument))
    return tuple(found)


def number_level(level: int) -> int:
    """Python's level for libvirt's number (0 to 4)."""
    return _BY_NUMBER[level]


class PlainFormatter(logging.Formatter):
    """`2026-01-31 12:00:00.123+0000: warning : server.session : text`, as libvirtd's lines look."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03d%(zone)s: %(level)s : %(part)s : %(message)s", "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several where there is a traceback."""
        record.zone = time.strftime("%z", time.localtime(record.created))
        record.level = record.levelname.lower()
        record.part = record.name.removeprefix("guesthouse.")
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (seconds since 1970), `level`, `part`, `message` and, on failures, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, object] = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("guesthouse."),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def journal_packet(name: str, priority: int, text: bytes) -> bytes:
    """One entry in the native format of systemd's journal (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/)."""
    head = f"PRIORITY={priority}\nSYSLOG_IDENTIFIER={name}\nMESSAGE\n".encode()
    return head + len(text).to_bytes(8, "little") + text + b"\n"


def syslog_packet(name: str, priority: int, text: bytes) -> bytes:
    """One line as syslog(3) sends it, from the facility `daemon`."""
    return f"<{3 * 8 + priority}>{name}: ".encode() + text


class DatagramHandler(logging.Handler):
    """Sends each record as one datagram. Where nobody takes it, it is lost."""

    def __init__(self, address: str, packet: Callable[[str, int, bytes], bytes], name: str) -> None:
        super().__init__()
        self._address = address
        self._packet = packet
        self._name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        text = self.format(record).encode(errors="replace")
        with contextlib.suppress(OSError):
            self._socket.sendto(self._packet(self._name, _PRIORITIES.get(record.levelno, 6), text), self._address)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()


class _Gate(logging.Filter):
    """Lets a record pass by the level of the first filter that matches its name, else by the general level."""

    def __init__(self, level: int, filters: tuple[Filter, ...]) -> None:
        super().__init__()
        self._level = level
        self._filters = filters
        self._levels: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        level = self._levels.get(record.name)
        if level is None:
            name = record.name.removeprefix("guesthouse.")
            level = next((each.level for each in self._filters if fnmatch.fnmatch(name, each.match)), self._level)
            self._levels[record.name] = level
        return record.levelno >= level


class _Queue(logging.Handler):
    """Puts records into the bounded queue, and counts those that do not fit."""

    def __init__(self, lines: queue.Queue[logging.LogRecord | None]) -> None:
        super().__init__()
        self._lines = lines
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None  # what the arguments say now, not when it is written
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class Log:
    """The log of a running daemon. `configure` may be called again (SIGHUP)."""

    def __init__(self) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(_CAPACITY)
        self._handler = _Queue(self._lines)
        self._outputs: list[logging.Handler] = []
        self._writer: threading.Thread | None = None

    def configure(self, level: int, filters: tuple[Filter, ...], outputs: tuple[Output, ...], *, as_json: bool) -> None:
        """Set levels and outputs; without outputs, lines go to standard error. Raises `SettingsError`."""
        formatter = JsonFormatter() if as_json else PlainFormatter()
        made = [_open(output, formatter) for output in outputs or (Output(logging.NOTSET, "stderr"),)]
        for old in self._outputs:
            old.close()
        self._outputs = made
        self._handler.filters.clear()
        self._handler.addFilter(_Gate(level, filters))
        root = logging.getLogger()
        root.handlers[:] = [self._handler]
        root.setLevel(min([level, *(each.level for each in filters)]))
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()

    def close(self) -> None:
        """Write what is pending, with a deadline, and stop."""
        logging.getLogger().handlers.clear()
        if self._writer is not None:
            with contextlib.suppress(queue.Full):
                self._lines.put(None, timeout=_FLUSH_SECONDS)
            self._writer.join(_FLUSH_SECONDS)
            self._writer = None
        for output in self._outputs:
            output.close()
        self._outputs = []

    def _write(self) -> None:
        reported = 0
        while (record := self._lines.get()) is not None:
            self._emit(record)
            dropped = self._handler.dropped
            if dropped != reported:
                self._emit(
                    _record(logging.WARNING, f"{dropped - reported} log lines were dropped: outputs are too slow")
                )
                reported = dropped

    def _emit(self, record: logging.LogRecord) -> None:
        for output in self._outputs:
            if record.levelno >= output.level:
                output.handle(record)


def _record(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord("guesthouse.server.log", level, __file__, 0, text, (), None)


def _open(output: Output, formatter: logging.Formatter) -> logging.Handler:
    handler: logging.Handler
    try:
        if output.kind == "file":
            Path(output.argument).parent.mkdir(parents=True, exist_ok=True)
            handler = logging.FileHandler(output.argument, encoding="utf-8", errors="replace")
        elif output.kind == "journald":
            handler = DatagramHandler(_JOURNAL, journal_packet, "guesthoused")
        elif output.kind == "syslog":
            handler = DatagramHandler(_SYSLOG, syslog_packet, output.argument)
        else:
            handler = logging.StreamHandler(sys.stderr)
    except OSError as error:
        raise SettingsError(f"cannot log to {output.kind} {output.argument}: {error.strerror}") from error
    handler.setLevel(output.level)
    handler.setFormatter(formatter)
    return handler
