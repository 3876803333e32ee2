"""Procedures that plug devices into guests, unplug them and change them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, write
from guesthouse.drivers.domain.hotplug import actions
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_devices as rpc

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def _attach(driver: Guests, _: Caller, args: rpc.DomainAttachDeviceArgs) -> None:
    await actions.attach_device(driver, find(driver, args.dom), args.xml, flags.LIVE)


async def _attach_flags(driver: Guests, _: Caller, args: rpc.DomainAttachDeviceFlagsArgs) -> None:
    await actions.attach_device(driver, find(driver, args.dom), args.xml, args.flags)


async def _detach(driver: Guests, _: Caller, args: rpc.DomainDetachDeviceArgs) -> None:
    await actions.detach_device(driver, find(driver, args.dom), args.xml, flags.LIVE)


async def _detach_flags(driver: Guests, _: Caller, args: rpc.DomainDetachDeviceFlagsArgs) -> None:
    await actions.detach_device(driver, find(driver, args.dom), args.xml, args.flags)


async def _detach_alias(driver: Guests, _: Caller, args: rpc.DomainDetachDeviceAliasArgs) -> None:
    await actions.detach_alias(driver, find(driver, args.dom), args.alias, args.flags)


async def _update(driver: Guests, _: Caller, args: rpc.DomainUpdateDeviceFlagsArgs) -> None:
    await actions.update_device(driver, find(driver, args.dom), args.xml, args.flags)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_ATTACH_DEVICE: write(_attach),
    rpc.DOMAIN_ATTACH_DEVICE_FLAGS: write(_attach_flags),
    rpc.DOMAIN_DETACH_DEVICE: write(_detach),
    rpc.DOMAIN_DETACH_DEVICE_FLAGS: write(_detach_flags),
    rpc.DOMAIN_DETACH_DEVICE_ALIAS: write(_detach_alias),
    rpc.DOMAIN_UPDATE_DEVICE_FLAGS: write(_update),
}
