"""What a procedure and a program of the protocol are; the tables are in `guesthouse.rpc.procedures`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from guesthouse.rpc.xdr import Struct

    Kind = Literal["call", "event"]
    Stream = Literal["none", "read", "write"]

#: Program numbers (libvirt's `remote_protocol.x`, `qemu_protocol.x`, `admin_protocol.x`, `virkeepaliveprotocol.x`).
REMOTE_PROGRAM = 0x20008086
QEMU_PROGRAM = 0x20008087
ADMIN_PROGRAM = 0x06900690
#: Our own: `GHST`.
GUESTHOUSE_PROGRAM = 0x47485354
KEEPALIVE_PROGRAM = 0x6B656570


class Procedure:
    """One procedure. Compared and hashed by identity: there is one object for each, in the table of its family.

    `args` and `ret` are the structs of the call and of its reply, None where void. The struct of an event message is
    `ret`: what the server sends. `since` is the libvirt version that brought it. `stream` is the direction of the
    stream that the call opens, seen from the client. `priority` marks the calls that libvirt lets pass busy workers,
    because they never wait for a hypervisor.
    """

    __slots__ = ("args", "kind", "name", "number", "priority", "program", "ret", "since", "stream", "version")

    def __init__(
        self,
        program: int,
        number: int,
        name: str,
        args: type[Struct] | None = None,
        ret: type[Struct] | None = None,
        since: str = "",
        *,
        kind: Kind = "call",
        stream: Stream = "none",
        priority: bool = False,
        version: int = 1,
    ) -> None:
        self.program = program
        self.version = version
        self.number = number
        self.name = name
        self.args = args
        self.ret = ret
        self.since = since
        self.kind = kind
        self.stream = stream
        self.priority = priority

    def __repr__(self) -> str:
        return f"<Procedure {self.name} ({self.program:#x}:{self.number})>"


class Family:
    """Makes the procedures of one program: `call(number, name, args, ret, since)` is a row of a table."""

    __slots__ = ("program",)

    def __init__(self, program: int) -> None:
        self.program = program

    def call(
        self,
        number: int,
        name: str,
        args: type[Struct] | None,
        ret: type[Struct] | None,
        since: str,
        *,
        stream: Stream = "none",
        priority: bool = False,
    ) -> Procedure:
        """A procedure that clients call."""
        return Procedure(self.program, number, name, args, ret, since, stream=stream, priority=priority)

    def event(self, number: int, name: str, message: type[Struct] | None, since: str) -> Procedure:
        """A message that the server sends by itself."""
        return Procedure(self.program, number, name, None, message, since, kind="event")


class Program:
    """A program: its number, version, name, and procedures by number.

    The modules of its families are imported one by one, as numbers are looked up that no loaded one has.
    """

    def __init__(self, number: int, version: int, name: str, families: tuple[str, ...] = ()) -> None:
        self.number = number
        self.version = version
        self.name = name
        self._unloaded = list(families)
        self._procedures: dict[int, Procedure] = {}

    def __repr__(self) -> str:
        return f"<Program {self.name} ({self.number:#x} version {self.version})>"

    def lookup(self, number: int) -> Procedure | None:
        """The procedure of that number, or None."""
        found = self._procedures.get(number)
        while found is None and self._unloaded:
            self._load(self._unloaded.pop(0))
            found = self._procedures.get(number)
        return found

    def procedures(self) -> list[Procedure]:
        """All procedures, by number."""
        while self._unloaded:
            self._load(self._unloaded.pop(0))
        return [self._procedures[number] for number in sorted(self._procedures)]

    def _load(self, family: str) -> None:
        from importlib import import_module

        for value in vars(import_module(f"guesthouse.rpc.procedures.{family}")).values():
            if isinstance(value, Procedure) and value.program == self.number:
                self._procedures[value.number] = value
