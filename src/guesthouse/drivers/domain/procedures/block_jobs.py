"""Procedures for the jobs on a guest's disks: pulling, committing, copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import parameters
from guesthouse.drivers.domain.block_jobs import committing, copying, destination, ending, figures, pulling, starting
from guesthouse.drivers.domain.block_jobs.jobs import COPY_REUSE, COPY_SHALLOW
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.typed import UINT, ULLONG
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_block as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainBlockJobAbortFlags`.
_ASYNC, _PIVOT = 1, 2

#: `virDomainBlockJobInfoFlags` and `virDomainBlockJobSetSpeedFlags`.
_BYTES = 1

_REBASE = 127
#: Those that only a copy has.
_OF_COPIES = pulling.SHALLOW | pulling.REUSE | pulling.COPY_RAW | pulling.COPY_DEVICE
_COMMIT = 31
_COPY = 15

_PARAMETERS: Final = {"bandwidth": ULLONG, "granularity": UINT, "buf-size": ULLONG}


async def _pull(driver: Guests, _: Caller, args: rpc.DomainBlockPullArgs) -> None:
    flags.check(args.flags, pulling.IN_BYTES, "qemuDomainBlockPull")
    await pulling.pull(driver, find(driver, args.dom), args.path, None, args.bandwidth, args.flags)


async def _rebase(driver: Guests, _: Caller, args: rpc.DomainBlockRebaseArgs) -> None:
    copies = bool(args.flags & pulling.COPY)
    if copies and args.base is None:
        raise InvalidArgumentError("base in virDomainBlockRebase must not be NULL", domain=Origin.DOMAIN, bare=True)
    if not copies and args.flags & _OF_COPIES:
        raise InvalidArgumentError("use of flags requires a copy job", domain=Origin.DOMAIN, bare=True)
    flags.check(args.flags, _REBASE, "qemuDomainBlockRebase")
    guest = find(driver, args.dom)
    if not copies:
        await pulling.pull(driver, guest, args.path, args.base, args.bandwidth, args.flags)
        return
    speed = starting.bytes_a_second(args.bandwidth, in_bytes=bool(args.flags & pulling.IN_BYTES))
    if args.flags & pulling.RELATIVE:
        raise LibvirtError(
            "Relative backing during copy not supported yet", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU
        )
    mirror = destination.from_path(
        args.base or "",
        device=bool(args.flags & pulling.COPY_DEVICE),
        raw=bool(args.flags & pulling.COPY_RAW),
    )
    kept = args.flags & (COPY_SHALLOW | COPY_REUSE)
    await copying.copy(driver, guest, args.path, copying.Wish(mirror, speed, flags=kept, labels=True))


async def _copy(driver: Guests, _: Caller, args: rpc.DomainBlockCopyArgs) -> None:
    flags.check(args.flags, _COPY, "qemuDomainBlockCopy")
    values = parameters.numbers(((one.field, one.type, one.value) for one in args.params), _PARAMETERS)
    guest = find(driver, args.dom)
    granularity = values.get("granularity", 0)
    if granularity & (granularity - 1):
        raise InvalidArgumentError("granularity must be power of 2", domain=Origin.QEMU)
    mirror = destination.from_document(args.destxml)
    wish = copying.Wish(mirror, values.get("bandwidth", 0), granularity, values.get("buf-size", 0), args.flags)
    await copying.copy(driver, guest, args.path, wish)


async def _commit(driver: Guests, _: Caller, args: rpc.DomainBlockCommitArgs) -> None:
    flags.check(args.flags, _COMMIT, "qemuDomainBlockCommit")
    guest = find(driver, args.dom)
    await committing.commit(driver, guest, args.disk, args.base, args.top, args.bandwidth, args.flags)


async def _abort(driver: Guests, _: Caller, args: rpc.DomainBlockJobAbortArgs) -> None:
    flags.check(args.flags, _ASYNC | _PIVOT, "qemuDomainBlockJobAbort")
    guest = find(driver, args.dom)
    await ending.end(driver, guest, args.path, pivot=bool(args.flags & _PIVOT), wait=not args.flags & _ASYNC)


async def _info(driver: Guests, _: Caller, args: rpc.DomainGetBlockJobInfoArgs) -> Struct:
    flags.check(args.flags, _BYTES, "qemuDomainGetBlockJobInfo")
    found = await figures.of(find(driver, args.dom), args.path, in_bytes=bool(args.flags & _BYTES))
    if found is None:
        return rpc.DomainGetBlockJobInfoRet(0, 0, 0, 0, 0)
    return rpc.DomainGetBlockJobInfoRet(1, found.kind, found.bandwidth, found.done, found.total)


async def _set_speed(driver: Guests, _: Caller, args: rpc.DomainBlockJobSetSpeedArgs) -> None:
    flags.check(args.flags, _BYTES, "qemuDomainBlockJobSetSpeed")
    speed = starting.bytes_a_second(args.bandwidth, in_bytes=bool(args.flags & _BYTES))
    await figures.limit(find(driver, args.dom), args.path, speed)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_BLOCK_PULL: write(_pull),
    rpc.DOMAIN_BLOCK_REBASE: write(_rebase),
    rpc.DOMAIN_BLOCK_COPY: write(_copy),
    rpc.DOMAIN_BLOCK_COMMIT: write(_commit),
    rpc.DOMAIN_BLOCK_JOB_ABORT: write(_abort),
    rpc.DOMAIN_GET_BLOCK_JOB_INFO: read(_info),
    rpc.DOMAIN_BLOCK_JOB_SET_SPEED: write(_set_speed),
}
