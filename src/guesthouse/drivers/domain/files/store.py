"""The files of guests, in libvirt's places: definitions, autostart links, status files, and a journal.

    CONFIG/qemu/NAME.xml                   the definition of a persistent guest
    CONFIG/qemu/autostart/NAME.xml         link to it: start with the daemon
    CONFIG/qemu/autostart/NAME.xml.once    link to it: start with the daemon, once
    STATE/qemu/NAME.xml                    the status of a running guest, see `status`
    STATE/qemu/NAME.pid                    its QEMU's pid
    STATE/qemu/autostarted                 marked guests have been started since the host's boot
    LIB/qemu/domain-ID-NAME/               the run's private files
    STATE/qemu/channel/ID-NAME/            its channels' sockets
    LIB/qemu/guesthouse-journal/UUID       an undefine or a rename that is under way
    STATE/qemu/guesthouse-instance         the mark that our QEMUs carry in their environment

An operation on several files is written to the journal first, and its entry is removed last. `replay` finishes what a
dead daemon left there, so every operation is done or undone, never half. Every function here blocks (for the
time that the daemon's own directories need); the driver runs those that wait for the disk in a thread.

Sources: https://libvirt.org/drvqemu.html#location-of-configuration-files; libvirt 11.3.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.helpers import traces
from guesthouse.errors import Code, LibvirtError, Origin, XmlError
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic
from guesthouse.places import Places

#: No definition is larger; libvirt's clients cannot send one.
SIZE_LIMIT = 4 * 1024 * 1024

#: The lock that the daemon itself holds among the pid files of guests (`guesthouse.server.lock`).
_LOCK = "driver.pid"

#: The environment variable by which a QEMU of ours is known, whatever its files are called.
INSTANCE_VARIABLE = "GUESTHOUSE_INSTANCE"

#: How much of a name goes into the names of a run's directories; sockets' addresses have room for 107 bytes.
SHORT_NAME = 20


class StorageError(LibvirtError):
    """A file of a guest could not be written or removed. The host's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.DOMAIN


@dataclass(frozen=True, slots=True)
class Intent:
    """One entry of the journal: `undefine` of `name` with the files in `extra`, or `rename` of `name` to `new_name`."""

    action: str
    name: str
    uuid: str
    new_name: str = ""
    extra: tuple[str, ...] = ()


class Store:
    """The files of all guests of one daemon."""

    def __init__(self, places: Places) -> None:
        self._definitions = places.definitions
        self._autostart = places.definitions / "autostart"
        self._state = places.guest_state
        self._lib = places.guest_lib
        self._channels = places.guest_state / "channel"
        self._journal = places.guest_lib / "guesthouse-journal"
        self.nvram = places.nvram
        self.instance = ""

    def prepare(self) -> None:
        """Make the directories, and sweep what dead writers left in them."""
        for directory, mode in (
            (self._definitions, 0o700),
            (self._autostart, 0o700),
            (self._state, 0o755),
            (self._lib, 0o751),
            (self._channels, 0o751),
            (self._journal, 0o700),
            (self.nvram, 0o751),
        ):
            directory.mkdir(mode=mode, parents=True, exist_ok=True)
            sweep_temporaries(directory)
        self.instance = self._known_instance()

    def _known_instance(self) -> str:
        """The mark of these places, made when they are first used after a boot.

        QEMU carries it in its environment, so that a QEMU of another daemon, whose directories have the same names
        (libvirtd's, or one in another mount namespace), is never taken for ours.
        """
        path = self._state / "guesthouse-instance"
        with contextlib.suppress(FileNotFoundError):
            return read_limited(path, 64).decode("ascii", "replace").strip()
        made = os.urandom(16).hex()
        write_atomic(path, made.encode(), durable=False)
        return made

    # definitions

    def definition_path(self, name: str) -> Path:
        """Where the definition of a guest of this name stands."""
        return self._definitions / f"{name}.xml"

    def check_name(self, name: str) -> None:
        """Refuse a name that no file can have. Raises `XmlError`."""
        if "/" in name:
            raise XmlError(f"name {name} cannot contain '/'")
        if not name or name in (".", "..") or "\n" in name:
            raise XmlError(f"name '{name}' is not usable", hint="choose another name")
        if len(os.fsencode(name)) > 240:
            raise XmlError(f"name '{name[:40]}…' is longer than 240 bytes")

    def write_definition(self, name: str, xml: str) -> None:
        """Write a definition, durably."""
        with _reporting(f"cannot write the definition of domain '{name}'"):
            write_atomic(self.definition_path(name), (header(f"virsh edit {name}") + xml).encode())

    def read_definitions(self) -> dict[str, str]:
        """All definitions: name of the file without `.xml`, to its text."""
        found = {}
        for path in sorted(self._definitions.glob("*.xml")):
            with contextlib.suppress(OSError):
                found[path.name.removesuffix(".xml")] = read_limited(path, SIZE_LIMIT).decode("utf-8", "replace")
        return found

    # autostart

    def autostart_link(self, name: str, *, once: bool = False) -> Path:
        """Where the link that starts this guest with the daemon stands."""
        return self._autostart / (f"{name}.xml.once" if once else f"{name}.xml")

    def is_autostart(self, name: str, *, once: bool = False) -> bool:
        """Whether the link is there and points to the guest's definition."""
        try:
            target = os.readlink(self.autostart_link(name, once=once))
        except OSError:
            return False
        return os.path.normpath(self._autostart / target) == os.path.normpath(self.definition_path(name))

    def set_autostart(self, name: str, on: bool, *, once: bool = False) -> None:
        """Make or remove the link."""
        link = self.autostart_link(name, once=once)
        with _reporting(f"Failed to {'create' if on else 'delete'} symlink '{link}'"):
            remove(link)
            if on:
                link.symlink_to(self.definition_path(name))

    def first_since_boot(self) -> bool:
        """Whether no daemon, libvirt's or ours, has started the marked guests since the boot; from now on one has.

        The mark is libvirt's empty file in a directory that a boot empties. A session without `XDG_RUNTIME_DIR` keeps
        its state in a cache, which no boot empties: there the mark of a former boot is out of date.
        """
        stamp = self._state / "autostarted"
        try:
            if stamp.stat().st_mtime >= time.time() - time.clock_gettime(time.CLOCK_BOOTTIME):
                return False
        except FileNotFoundError:
            pass
        with _reporting(f"cannot write '{stamp}'"):
            write_atomic(stamp, b"", durable=False)
        return True

    # operations on several files

    def undefine(self, intent: Intent) -> None:
        """Remove a definition with its links and the files in `intent.extra`; survives a crash."""
        with _reporting(f"cannot remove the definition of domain '{intent.name}'"):
            if not intent.extra and not self._has_links(intent.name):
                remove(self.definition_path(intent.name), durable=True)  # one step, which needs no journal
                return
            self._note(intent)
            self._finish_undefine(intent)
            self._strike(intent)

    def rename(self, intent: Intent, xml: str) -> None:
        """Write `xml` under the new name and remove the old definition; links move along. Survives a crash."""
        with _reporting(f"cannot rename domain '{intent.name}'"):
            self._note(intent)
            try:
                self.write_definition(intent.new_name, xml)
            except LibvirtError:
                self._strike(intent)
                raise
            self._finish_rename(intent)
            self._strike(intent)

    def replay(self) -> None:
        """Finish what the journal holds: a dead daemon had begun it."""
        for path in sorted(self._journal.iterdir()):
            intent = _read_intent(path)
            if intent is not None and intent.action == "undefine":
                self._finish_undefine(intent)
            elif intent is not None and self.definition_path(intent.new_name).exists():
                self._finish_rename(intent)
            remove(path)
        self._sweep_links()

    def _has_links(self, name: str) -> bool:
        return any(os.path.lexists(self.autostart_link(name, once=once)) for once in (False, True))

    def _finish_undefine(self, intent: Intent) -> None:
        for once in (False, True):
            remove(self.autostart_link(intent.name, once=once))
        remove(self.definition_path(intent.name), durable=True)
        for path in intent.extra:
            self.remove_state(path)

    def remove_state(self, path: str) -> None:
        """Remove a file of a guest that is gone, or a directory with all that is in it; links are not followed."""
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove(path)

    def _finish_rename(self, intent: Intent) -> None:
        for once in (False, True):
            if self.is_autostart(intent.name, once=once):
                self.set_autostart(intent.new_name, True, once=once)
                remove(self.autostart_link(intent.name, once=once))
        remove(self.definition_path(intent.name), durable=True)

    def _note(self, intent: Intent) -> None:
        entry = {
            "action": intent.action,
            "name": intent.name,
            "new_name": intent.new_name,
            "extra": list(intent.extra),
        }
        write_atomic(self._journal / intent.uuid, json.dumps(entry).encode())

    def _strike(self, intent: Intent) -> None:
        remove(self._journal / intent.uuid)

    def _sweep_links(self) -> None:
        for link in self._autostart.iterdir():
            if link.is_symlink() and not link.exists():
                remove(link)

    # running guests

    def where(self, id_: int, name: str) -> Where:
        """The files of a run."""
        short = f"{id_}-{_shorten(name)}"
        return Where(
            private=self._lib / f"domain-{short}",
            channels=self._channels / short,
            status=self._state / f"{name}.xml",
            pid=self._pid_path(name),
        )

    def make_room(self, where: Where) -> None:
        """Make the directories of a run, empty."""
        with _reporting(f"cannot make the directory '{where.private}'"):
            for directory in (where.private, where.channels):
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir(mode=0o750, parents=True)

    def clean(self, where: Where) -> None:
        """Remove every trace of a run. The status file goes last: while it is there, the rest is not forgotten."""
        traces.end(where.private)
        shutil.rmtree(where.private, ignore_errors=True)
        shutil.rmtree(where.channels, ignore_errors=True)
        remove(where.pid)
        remove(where.status)

    def write_status(self, where: Where, text: str, pid: int) -> None:
        """Write the status file, and the pid file. Not durable: neither outlives the host's reboot."""
        with _reporting(f"cannot write the status file '{where.status}'"):
            write_atomic(where.status, text.encode(), durable=False)
            if pid and not where.pid.exists():
                write_atomic(where.pid, f"{pid}".encode(), mode=0o644, durable=False)

    def read_statuses(self) -> dict[str, str]:
        """All status files: the guest's name to the text."""
        found = {}
        for path in sorted(self._state.glob("*.xml")):
            with contextlib.suppress(OSError):
                found[path.name.removesuffix(".xml")] = read_limited(path, SIZE_LIMIT).decode("utf-8", "replace")
        return found

    def forget_status(self, name: str) -> None:
        """Remove a status file that nothing else belongs to."""
        remove(self._state / f"{name}.xml")
        remove(self._pid_path(name))

    def _pid_path(self, name: str) -> Path:
        path = self._state / f"{name}.pid"
        return path if path.name != _LOCK else self._state / f"domain-{_LOCK}"

    def run_at(self, name: str, private: Path) -> Where:
        """The files of a run that another daemon began, by the directory that is its QEMU's home."""
        channels = self._channels / private.name.removeprefix("domain-")
        return Where(private, channels, self._state / f"{name}.xml", self._pid_path(name))

    def is_home(self, name: str, private: Path) -> bool:
        """Whether a directory can be that of a run of the guest of this name."""
        number, _, short = private.name.removeprefix("domain-").partition("-")
        return private.parent == self._lib and number.isdigit() and short == _shorten(name)

    def sweep_runs(self, kept: set[Path]) -> None:
        """Remove the directories and pid files of runs that are not in `kept`."""
        for directory in (*self._lib.glob("domain-*"), *self._channels.iterdir()):
            if directory not in kept:
                traces.end(directory)
                shutil.rmtree(directory, ignore_errors=True)
        for path in self._state.glob("*.pid"):
            if path not in kept and path.name != _LOCK:
                remove(path)

    @property
    def private_root(self) -> str:
        """What the paths of all monitors begin with."""
        return f"{self._lib}/domain-"


def header(command: str) -> str:
    """The comment that libvirt's files begin with; `command` is how to change what follows."""
    return (
        "<!--\n"
        "WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE\n"
        "OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:\n"
        f"  {command.replace('--', '- -')}\n"
        "or other application using the libvirt API.\n"
        "-->\n\n"
    )


def _shorten(name: str) -> str:
    encoded = os.fsencode(name)[:SHORT_NAME]
    return encoded.decode("utf-8", "ignore")


def _read_intent(path: Path) -> Intent | None:
    try:
        entry = json.loads(read_limited(path, SIZE_LIMIT))
        return Intent(entry["action"], entry["name"], path.name, entry["new_name"], tuple(entry["extra"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def _reporting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{what}: {error.strerror}") from error
