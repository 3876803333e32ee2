"""Programs that run beside a guest's QEMU (swtpm, virtiofsd, passt, …), as pure data.

A device says in `Device.helpers` which programs it needs; the domain driver starts them before QEMU, or before the
device is plugged in, and ends them with the guest. What a program needs open is handed over as a descriptor: a socket
that already listens (so nobody waits for the program, and nobody else can take its place), a secret that must be
neither in a file nor on a command line, or a file that the launcher holds open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: How long a program may take until it is ready, in seconds.
READY_DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A UNIX socket at `path`, which the program gets already listening."""

    path: str


@dataclass(frozen=True, slots=True)
class SecretText:
    """What only the program may read, from a descriptor."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A descriptor of the launcher's, which stays the launcher's to close."""

    fd: int


@dataclass(frozen=True, slots=True)
class OwnLog:
    """The program's own log: for one that does not write it to its errors."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A word of a command line that names a descriptor by number: `before` N `after`."""

    what: ListeningSocket | SecretText | OpenFile | OwnLog
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Preparation:
    """A program to be run to its end before, at most `deadline` seconds.

    With a `directory` it makes what is to be in there: the directory is made for the user `owner` (or whoever starts
    it), and where it holds something already, the program is not run. If it fails, the directory is removed again.
    """

    argv: tuple[str | Handed, ...]
    directory: str | None = None
    owner: str | None = None
    deadline: float = READY_DEADLINE


@dataclass(frozen=True, slots=True)
class HelperProgram:
    """One program to start.

    `name` is unique within a guest, and part of its log's name: `GUEST-NAME.log`. What is to be done `before` is done
    in its order. The program is ready at once when it
    is handed its socket; when it makes one itself, `ready` is the path, and connecting to it does no harm unless
    it takes one connection `once`: such a socket is only looked for. One that
    goes into the background by itself writes its pid to `pid_file` before it does. It has `deadline` seconds for that.

    With `restart` it is started again when it dies under a running guest, because QEMU connects to it anew; it then
    has no `Handed` words. `package` says where it comes from, for whoever does not have it.
    """

    name: str
    argv: tuple[str | Handed, ...]
    before: tuple[Preparation, ...] = ()
    ready: str | None = None
    once: bool = False
    pid_file: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    deadline: float = READY_DEADLINE
    restart: bool = False
    package: str = ""
