"""From a procedure to the function that answers it.

The drivers' tables are merged once, at start; each row is bound to its driver, so that a call costs one lookup and one
function call. There are three tables, one for each thing that a connection may be: not open yet, open read-only, open
read-write. What a connection may not do is a row that raises, so the hot path checks nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MethodType
from typing import NoReturn, Protocol

from guesthouse.drivers.api import Caller, Handler, Reply
from guesthouse.errors import InternalError, LibvirtError, NotSupportedError, Origin, ReadOnlyError
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.xdr import Struct

Bound = Callable[[Caller, Struct | None], Reply | Awaitable[Reply]]


#: Calls that watch and abort others of the same connection, and so must not wait behind them.
OVERTAKING = frozenset(
    {
        "DOMAIN_ABORT_JOB",
        "DOMAIN_ABORT_JOB_FLAGS",
        "DOMAIN_BLOCK_JOB_ABORT",
        "DOMAIN_GET_BLOCK_JOB_INFO",
        "DOMAIN_GET_CONTROL_INFO",
        "DOMAIN_GET_JOB_INFO",
        "DOMAIN_GET_JOB_STATS",
    }
)


class Route:
    """One bound row.

    `waits` says that `run` is a coroutine function. `allowance` is the number of unanswered calls of one connection
    up to which this one is begun; beyond it waits for its turn.
    """

    __slots__ = ("allowance", "run", "waits")

    def __init__(self, run: Bound, waits: bool, allowance: int) -> None:
        self.run = run
        self.waits = waits
        self.allowance = allowance


class Tabled(Protocol):
    """A driver, as far as dispatch is concerned."""

    @property
    def table(self) -> Mapping[Procedure, Handler[object]]:
        """The procedures that the driver answers."""


class DuplicateProcedureError(Exception):
    """Two drivers answer the same procedure: a mistake in the program, found at start."""


class Dispatch:
    """The three tables. `early` rows may be called before CONNECT_OPEN.

    At most `max_requests` slow calls of one connection are under way. Those of `OVERTAKING`, and those that libvirt
    marks as never slow, have as many more.
    """

    def __init__(self, drivers: Iterable[Tabled], early: frozenset[Procedure], max_requests: int) -> None:
        self.readwrite: dict[Procedure, Route] = {}
        self.readonly: dict[Procedure, Route] = {}
        self.unopened: dict[Procedure, Route] = {}
        self.limit = 2 * max_requests
        owners: dict[Procedure, Tabled] = {}
        for driver in drivers:
            for procedure, handler in driver.table.items():
                if procedure in owners:
                    raise DuplicateProcedureError(f"{owners[procedure]!r} and {driver!r} both answer {procedure!r}")
                owners[procedure] = driver
                self._add(procedure, handler, driver, max_requests, procedure in early)

    def _add(
        self, procedure: Procedure, handler: Handler[object], driver: object, max_requests: int, early: bool
    ) -> None:
        waits = inspect.iscoroutinefunction(handler.function)
        overtakes = procedure.priority or procedure.name in OVERTAKING
        allowance = max_requests if waits and not overtakes else self.limit
        route = Route(MethodType(handler.function, driver), waits, allowance)
        self.readwrite[procedure] = route
        self.readonly[procedure] = Route(_refusal(procedure), False, self.limit) if handler.write else route
        if early:
            self.unopened[procedure] = route

    def missing(self, procedure: Procedure, opened: bool) -> LibvirtError:
        """Why a table has no row for a procedure that the protocol knows."""
        if not opened:
            return InternalError("connection not open", domain=Origin.RPC)
        return NotSupportedError(api_name(procedure.name))


def _refusal(procedure: Procedure) -> Bound:
    """A row for what a read-only connection may not do."""
    text = f"read only access prevents {api_name(procedure.name)}"

    def refuse(_caller: Caller, _args: Struct | None) -> NoReturn:
        raise ReadOnlyError(text)

    return refuse


#: How libvirt spells the words of its functions that are not simply capitalised.
_SPELLING = {
    "Fsfreeze": "FSFreeze",
    "Fsinfo": "FSInfo",
    "Fsthaw": "FSThaw",
    "Fstrim": "FSTrim",
    "Iothread": "IOThread",
    "Nwfilter": "NWFilter",
}
_ACRONYMS = frozenset(["Cpu", "Dhcp", "Id", "Mac", "Nmi", "Os", "Pm", "Scsi", "Uri", "Uuid", "Wwn", "Xml", "Xml2"])


def api_name(procedure: str) -> str:
    """The public function behind a procedure: `DOMAIN_DEFINE_XML` is `virDomainDefineXML`."""
    words = [word.capitalize() for word in procedure.split("_")]
    return "vir" + "".join(word.upper() if word in _ACRONYMS else _SPELLING.get(word, word) for word in words)
