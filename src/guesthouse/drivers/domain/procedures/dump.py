"""Procedures that write a guest to a file for later study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.dumps import dump
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_save as rpc

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainCoreDumpFlags`.
_CRASH, _LIVE, _BYPASS_CACHE, _RESET, _MEMORY_ONLY = 1, 2, 4, 8, 16
_ALL = 31
_EXCLUSIVE = (
    (_CRASH, _LIVE, ("VIR_DUMP_CRASH", "VIR_DUMP_LIVE")),
    (_CRASH, _RESET, ("VIR_DUMP_CRASH", "VIR_DUMP_RESET")),
    (_LIVE, _RESET, ("VIR_DUMP_LIVE", "VIR_DUMP_RESET")),
)


async def _dump(driver: Guests, _: Caller, args: rpc.DomainCoreDumpArgs) -> None:
    await _begin(driver, args, 0)


async def _dump_with_format(driver: Guests, _: Caller, args: rpc.DomainCoreDumpWithFormatArgs) -> None:
    await _begin(driver, args, args.dumpformat)


async def _begin(driver: Guests, args: rpc.DomainCoreDumpArgs | rpc.DomainCoreDumpWithFormatArgs, number: int) -> None:
    flags.check(args.flags, _ALL, "qemuDomainCoreDumpWithFormat")
    for one, other, names in _EXCLUSIVE:
        flags.exclusive(args.flags, one, other, names)
    wish = dump.Wish(
        dump.parse_format(number),
        crash=bool(args.flags & _CRASH),
        live=bool(args.flags & _LIVE),
        direct=bool(args.flags & _BYPASS_CACHE),
        reset=bool(args.flags & _RESET),
        memory_only=bool(args.flags & _MEMORY_ONLY),
    )
    guest = find(driver, args.dom)
    if not args.to.startswith("/"):
        raise InvalidArgumentError(f"the path of a dump must be absolute, not '{args.to}'", domain=Origin.QEMU)
    await dump.dump(driver, guest, Path(args.to), wish)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_CORE_DUMP: write(_dump),
    rpc.DOMAIN_CORE_DUMP_WITH_FORMAT: write(_dump_with_format),
}
