"""Records what a daemon answers, in words that do not tell one host's run from another's."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

import libvirt

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")
_Call: TypeAlias = Callable[..., T]  # type: ignore[explicit-any]  # the binding's calls take what they like

#: What differs from run to run: a pattern and what stands for it.
_VOLATILE = (
    (re.compile(r"\bdiff[GL]-"), "diff-"),
    (re.compile(r"/var/lib/libvirt/|/[\w./-]*?/(?:root|peer)/lib/(?:libvirt/)?(?=qemu|dnsmasq)"), "LIB/"),
    (re.compile(r"/var/log/libvirt/|/[\w./-]*?/(?:root|peer)/log/(?:libvirt/)?(?=qemu)"), "LOG/"),
    (re.compile(r"/run/libvirt/|/[\w./-]*?/(?:root|peer)/run/(?:libvirt/)?(?=qemu)"), "RUN/"),
    (re.compile(r"domain-\d+-"), "domain-N-"),
    (re.compile(r"\bid='-?\d+'"), "id='N'"),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"port='5[9]\d\d'"), "port='59NN'"),
    (re.compile(r"52:54:00:(?!aa)[0-9a-f:]{8}"), "MAC"),
    (re.compile(r"(?!6e4f2f9e)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"process ID \d+|pid \d+|pid=\d+"), "PID"),
    (re.compile(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d{4}: "), ""),
)

#: Events that come when the guest likes: clock, balloon.
_UNTIMED = (libvirt.VIR_DOMAIN_EVENT_ID_RTC_CHANGE, libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE)

_EVENT_NAMES = {
    number: name.removeprefix("VIR_DOMAIN_EVENT_ID_").lower()
    for name, number in vars(libvirt).items()
    if name.startswith("VIR_DOMAIN_EVENT_ID_") and not name.endswith("_LAST")
}


def plain(text: str) -> str:
    """The text without what differs from run to run."""
    for pattern, word in _VOLATILE:
        text = pattern.sub(word, text)
    return text


def told(value: object) -> str:
    """A value of the binding in words."""
    if isinstance(value, libvirt.virDomain):
        return f"domain {plain(value.name())}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {told(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(told(item) for item in value) + "]"
    return plain(value if isinstance(value, str) else repr(value))


def shape(value: object) -> str:
    """The names and the types of what a figure consists of, without the figures."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shape(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shape(item) for item in value) + "]"
    return "none" if value is None else type(value).__name__


class Recorder:
    """One run of the story against one daemon.

    `steps` holds pairs of what was done and what came of it. Names of guests begin with `prefix`.
    """

    def __init__(self, uri: str, prefix: str, folder: Path, kernel: Path) -> None:
        self.uri, self.prefix, self.folder, self.kernel = uri, prefix, folder, kernel
        self.conn = libvirt.open(uri)
        self.steps: list[tuple[str, str]] = []
        self.chapter = ""
        self._events: list[tuple[float, str]] = []
        self._lock = threading.Lock()
        self._last = 0.0
        for number in sorted(_EVENT_NAMES):
            if number not in _UNTIMED:
                self.conn.domainEventRegisterAny(None, number, self._hear, _EVENT_NAMES[number])

    def name(self, word: str) -> str:
        """The name of this run's guest."""
        return f"{self.prefix}-{word}"

    def note(self, step: str, result: str) -> None:
        """Record a result."""
        self.steps.append((f"{self.chapter}: {step}", result))

    def do(self, step: str, call: _Call[T], *args: object, see: Callable[[T], str] = told) -> T:
        """Do something and record what it returned or raised. Returns the value, or None after an error."""
        try:
            value = call(*args)
        except libvirt.libvirtError as error:
            self.note(step, f"error {error.get_error_code()} of {error.get_error_domain()}: {plain(str(error))}")
            return cast(T, None)
        except (TypeError, OverflowError, ValueError) as error:
            self.note(step, f"{type(error).__name__}: {error}")
            return cast(T, None)
        self.note(step, str(see(value)))
        return value

    def all(self, step: str, call: _Call[object], cases: Iterator[object] | list[object]) -> None:
        """One step for each argument."""
        for case in cases:
            self.do(f"{step} {plain(str(case))[:60]}", call, *(case if isinstance(case, tuple) else (case,)))

    def events(self, step: str, *, until: str = "", quiet: float = 0.12, deadline: float = 20.0) -> None:
        """Record the events since the last call, once `until` was among them and none came for `quiet` seconds."""
        end = time.monotonic() + deadline
        begun = time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.02)
            with self._lock:
                latest = self._events[-1][0] if self._events else begun
                seen = not until or any(until in text for _, text in self._events)
            if seen and time.monotonic() - max(latest, begun) > quiet:
                break
        with self._lock:
            got, self._events = self._events, []
        self.note(f"events of {step}", "; ".join(text for _, text in got))

    def virsh(self, *argv: str, stdin: str = "") -> None:
        """Run the stock virsh and record all that it says."""
        done = subprocess.run(
            ["virsh", "-c", self.uri, *argv], capture_output=True, text=True, input=stdin, timeout=60, check=False
        )
        words = " ".join(plain(word) for word in argv)
        self.note(f"virsh {words}", plain(f"{done.returncode}\n{done.stdout}{done.stderr}"))

    def _hear(self, _conn: libvirt.virConnect, dom: libvirt.virDomain, *rest: object) -> None:
        text = f"{rest[-1]} {plain(dom.name())} {told(rest[:-1])}"
        with self._lock:
            self._events.append((time.monotonic(), text))
