"""What a command works with: the connection, the options of the whole program, and the ways to say something.

Text for the person goes through `print`, `remark` (nothing in quiet mode) and `error`; data in JSON through `dump`.
"""

from __future__ import annotations

import sys

from guesthouse.cli.failure import CommandError
from guesthouse.errors import Code, LibvirtError, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from guesthouse.cli.settings import Settings
    from guesthouse.client.connection import Connection
    from guesthouse.client.domain import Domain

    Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]

#: The release of libvirt whose words and numbers the command speaks.
LIBVIRT_LEVEL = "11.3.0"

#: Codes after which the connection is not worth keeping, besides a system error of the transport.
BROKEN = (Code.RPC, Code.NO_CONNECT, Code.INVALID_CONN)


class Context:
    """One run of the program, or one session of the interactive shell."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.uri = settings.uri
        self.readonly = settings.readonly
        self.interactive = False
        self.leaving = False
        self.silent = False
        self._connection: Connection | None = None
        self._lost = False

    @property
    def ours(self) -> bool:
        """Whether the program is `guest`, and not called by the name of virsh."""
        return self.settings.ours

    # What is said

    def print(self, text: str) -> None:
        """Write text as it is; a command ends its lines itself."""
        sys.stdout.write(text)

    def remark(self, text: str) -> None:
        """Write text that quiet mode leaves out."""
        if not self.settings.quiet:
            sys.stdout.write(text)

    def error(self, text: str) -> None:
        """Write an error, in its place between the lines of the output; not while `silent`."""
        if self.silent:
            return
        sys.stdout.flush()
        sys.stderr.write(f"error: {text}\n")
        sys.stderr.flush()
        if self.settings.log:
            self.log(4, text)

    def report(self, error: LibvirtError) -> None:
        """Write the error of a call."""
        self.error(error.message)

    def log(self, level: int, text: str) -> None:
        """Append a line to the log file."""
        from guesthouse.cli.log import append

        append(self.settings.log, self.settings.program, level, text)

    def debug(self, level: int, text: str) -> None:
        """Write a line of tracing where `-d` asks for this level or a lower one (0 all, 4 errors only)."""
        if level >= self.settings.debug and self.settings.debug < 4:
            sys.stderr.write(f"{text}\n")
            if self.settings.log:
                self.log(level, text)

    def table(self, heading: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Write a table."""
        from guesthouse.cli.table import render

        self.print(render(heading, rows, quiet=self.settings.quiet))

    def dump(self, data: Json) -> None:
        """Write data as JSON, one value a line of output, keys in the order in which they are documented."""
        import json

        self.print(json.dumps(data, ensure_ascii=False, indent=2) + "\n")

    def during(self, text: str) -> During:
        """A block whose failure is introduced by a line of its own: `text`, then the reason."""
        return During(self, text)

    # The connection

    @property
    def connection(self) -> Connection:
        """The open connection; opened when it is first needed, and again after it broke."""
        connection = self._connection
        if connection is not None:
            if self.interactive and not self._lost and not connection.check():
                self.error(f"Disconnected from {self.uri or connection.known_uri} due to end of file")
                self._lost = True
            if connection.alive and not self._lost:
                return connection
        return self.connect(self.uri, readonly=self.readonly)

    def connect(self, uri: str, *, readonly: bool, quietly: bool = False) -> Connection:
        """Open a connection in place of the present one. Raises CommandError after having said why not."""
        from guesthouse.client.connection import Connection

        was_open = self._connection is not None
        self.disconnect()
        settings = self.settings
        try:
            self._connection = Connection.open(
                uri,
                settings.surroundings(),
                readonly=readonly,
                keepalive=settings.keepalive(interactive=self.interactive),
                trace=self._trace if settings.debug == 0 else None,
            )
        except LibvirtError as error:
            self.error("Failed to reconnect to the hypervisor" if self._lost else "failed to connect to the hypervisor")
            self.report(error)
            if self.ours and error.code == Code.SYSTEM_ERROR and not self.silent:
                sys.stderr.write("hint: is the daemon running? 'guesthoused --system' starts it in the foreground\n")
            raise CommandError from None
        self.uri, self.readonly = uri, readonly
        if was_open and not quietly:
            self.error("Reconnected to the hypervisor")
        self._lost = False
        return self._connection

    def disconnect(self) -> None:
        """Close the connection, where there is one. Failures at this point are of no interest any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def drop(self) -> None:
        """Let the connection go without a word, whatever is still under way on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop()

    def note(self, error: LibvirtError) -> None:
        """Look whether an error means that the connection is gone; the next command then opens a new one."""
        broken = error.code == Code.SYSTEM_ERROR and error.domain in (Origin.REMOTE, Origin.RPC)
        if broken or error.code in BROKEN:
            self._lost = True

    def _trace(self, text: str) -> None:
        self.debug(0, text)

    def domain(self, name: str, by: str = "iun") -> Domain:
        """The guest of an id, UUID or name, tried in this order; `by` leaves some of them out.

        Raises CommandError where there is none.
        """
        for look in self._lookups(name, by):
            try:
                return look()
            except LibvirtError as error:
                self.note(error)
        raise CommandError(f"failed to get domain '{name}'")

    def _lookups(self, name: str, by: str) -> list[Callable[[], Domain]]:
        from guesthouse.cli.numerals import INT_MAX, decimal

        connection = self.connection
        number, uuid = decimal(name), uuid_bytes(name)
        lookups: list[Callable[[], Domain]] = []
        if "i" in by and number is not None and 0 <= number <= INT_MAX:
            lookups.append(lambda: connection.domain_by_id(number))
        if "u" in by and len(name) == 36 and uuid is not None:
            lookups.append(lambda: connection.domain_by_uuid(uuid))
        if "n" in by:
            lookups.append(lambda: connection.domain_by_name(name))
        return lookups


class During:
    """See `Context.during`."""

    def __init__(self, context: Context, text: str) -> None:
        self._context = context
        self._text = text

    def __enter__(self) -> During:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, LibvirtError):
            self._context.error(self._text)


def uuid_bytes(text: str) -> bytes | None:
    """The 16 bytes of a UUID in text form, or None where it is none."""
    try:
        data = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return data if len(data) == 16 else None
