"""Procedures for a guest's disks at work: their limits and their size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import parameters
from guesthouse.drivers.domain.disks import size as block_size
from guesthouse.drivers.domain.disks import throttling
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.drivers.domain.typed import STRING
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_block as rpc
from guesthouse.rpc.types import TypedParam
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

_IMPACT = flags.LIVE | flags.CONFIG

#: `VIR_TYPED_PARAM_STRING_OKAY`.
_STRINGS = 4

#: `virDomainBlockResizeFlags`.
_BYTES, _CAPACITY = 1, 2
_KIB_MOST = (2**64 - 1) // 1024


async def _limits(driver: Guests, _: Caller, args: rpc.DomainGetBlockIoTuneArgs) -> Struct:
    flags.check(args.flags, _IMPACT | _STRINGS, "qemuDomainGetBlockIoTune")
    guest = find(driver, args.dom)
    if not args.nparams:
        return rpc.DomainGetBlockIoTuneRet([], len(throttling.NAMES))
    if args.disk is None:
        raise InvalidArgumentError("disk in virDomainGetBlockIoTune must not be NULL", domain=Origin.DOMAIN, bare=True)
    found = await throttling.read(guest, args.disk, args.flags & _IMPACT)
    shown = [TypedParam(*one) for one in found if args.flags & _STRINGS or one[1] != STRING][: max(args.nparams, 0)]
    return rpc.DomainGetBlockIoTuneRet(shown, len(shown))


async def _set_limits(driver: Guests, _: Caller, args: rpc.DomainSetBlockIoTuneArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetBlockIoTune")
    values = _values(args.params)
    await throttling.set_(driver, find(driver, args.dom), args.disk, values, args.flags)


def _values(params: list[TypedParam]) -> parameters.Values:
    return parameters.checked(((one.field, one.type, one.value) for one in params), throttling.TYPES)


async def _set_group(driver: Guests, _: Caller, args: rpc.DomainSetThrottleGroupArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainSetThrottleGroup")
    await throttling.set_group(driver, find(driver, args.dom), args.group, _values(args.params), args.flags)


async def _remove_group(driver: Guests, _: Caller, args: rpc.DomainDelThrottleGroupArgs) -> None:
    flags.check(args.flags, _IMPACT, "qemuDomainDelThrottleGroup")
    await throttling.remove_group(driver, find(driver, args.dom), args.group or "", args.flags)


async def _resize(driver: Guests, _: Caller, args: rpc.DomainBlockResizeArgs) -> None:
    flags.check(args.flags, _BYTES | _CAPACITY, "qemuDomainBlockResize")
    size = args.size
    if not args.flags & _BYTES:
        if size > _KIB_MOST:
            raise LibvirtError(f"size must be less than {_KIB_MOST}", code=Code.OVERFLOW, domain=Origin.QEMU)
        size *= 1024
    guest = find(driver, args.dom)
    await block_size.resize(guest, args.disk, size, capacity=bool(args.flags & _CAPACITY))


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_BLOCK_IO_TUNE: read(_limits),
    rpc.DOMAIN_SET_BLOCK_IO_TUNE: write(_set_limits),
    rpc.DOMAIN_SET_THROTTLE_GROUP: write(_set_group),
    rpc.DOMAIN_DEL_THROTTLE_GROUP: write(_remove_group),
    rpc.DOMAIN_BLOCK_RESIZE: write(_resize),
}
