"""Procedures that a guest's own agent answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain import agent
from guesthouse.drivers.domain.procedures_wire import find
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_agent as rpc
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: `virDomainGetHostnameFlags`.
_FROM_LEASE, _FROM_AGENT = 1, 2
_SOURCES = ("VIR_DOMAIN_GET_HOSTNAME_LEASE", "VIR_DOMAIN_GET_HOSTNAME_AGENT")

#: `virDomainInterfaceAddressesSource`.
_SOURCE_AGENT, _SOURCE_ARP = 1, 2
_IPV4 = 4

#: `VIR_DOMAIN_TIME_SYNC`.
_SYNC = 1


async def _hostname(driver: Guests, _: Caller, args: rpc.DomainGetHostnameArgs) -> Struct:
    flags.check(args.flags, _FROM_LEASE | _FROM_AGENT, "qemuDomainGetHostname")
    flags.exclusive(args.flags, _FROM_LEASE, _FROM_AGENT, _SOURCES, origin=Origin.QEMU)
    guest = find(driver, args.dom)
    if args.flags == _FROM_LEASE:
        guest.live()
        raise LibvirtError(f"no hostname found for domain {guest.name}", code=Code.NO_HOSTNAME, domain=Origin.QEMU)
    return rpc.DomainGetHostnameRet(await agent.hostname(guest))


async def _get_time(driver: Guests, _: Caller, args: rpc.DomainGetTimeArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetTime")
    return rpc.DomainGetTimeRet(*await agent.get_time(find(driver, args.dom)))


async def _set_time(driver: Guests, _: Caller, args: rpc.DomainSetTimeArgs) -> None:
    flags.check(args.flags, _SYNC, "qemuDomainSetTime")
    guest = find(driver, args.dom)
    await agent.set_time(guest, args.seconds, args.nseconds, from_rtc=bool(args.flags & _SYNC))


async def _interface_addresses(driver: Guests, _: Caller, args: rpc.DomainInterfaceAddressesArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainInterfaceAddresses")
    guest = find(driver, args.dom)
    guest.live()
    if args.source > _SOURCE_ARP:
        raise LibvirtError(
            f"Unknown IP address data source {args.source}", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU
        )
    if args.source != _SOURCE_AGENT:
        return rpc.DomainInterfaceAddressesRet([])  # neither leases nor neighbours of a user-mode network
    found = [
        rpc.DomainInterface(
            interface.name,
            interface.mac or None,
            [
                rpc.DomainIpAddr(int(address.family != _IPV4), address.address, address.prefix)
                for address in interface.addresses
            ],
        )
        for interface in await agent.interfaces(guest)
    ]
    return rpc.DomainInterfaceAddressesRet(found)


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_HOSTNAME: read(_hostname),
    rpc.DOMAIN_GET_TIME: read(_get_time),
    rpc.DOMAIN_INTERFACE_ADDRESSES: read(_interface_addresses),
    rpc.DOMAIN_SET_TIME: write(_set_time),
}
