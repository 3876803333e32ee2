"""Procedures that a guest's own agent answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers import flags
from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.domain.agent import actions, channel, guest_info, vcpus
from guesthouse.drivers.domain.interfaces import addresses
from guesthouse.drivers.domain.procedures.cpu import parsed_map
from guesthouse.drivers.domain.procedures.wire import find
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import domain_agent as rpc
from guesthouse.rpc.procedures import domain_devices
from guesthouse.rpc.types import TypedParam, string_param
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

#: `VIR_DOMAIN_PASSWORD_ENCRYPTED`.
_ENCRYPTED = 1

#: `virDomainAuthorizedSSHKeysSetFlags`.
_APPEND, _REMOVE = 1, 2

#: `virNodeSuspendTarget`.
_SLEEPS = ("ram", "disk", "hybrid")


async def _hostname(driver: Guests, _: Caller, args: rpc.DomainGetHostnameArgs) -> Struct:
    flags.check(args.flags, _FROM_LEASE | _FROM_AGENT, "qemuDomainGetHostname")
    flags.exclusive(args.flags, _FROM_LEASE, _FROM_AGENT, _SOURCES, origin=Origin.QEMU)
    guest = find(driver, args.dom)
    if args.flags == _FROM_LEASE:
        guest.live()
        raise LibvirtError(f"no hostname found for domain {guest.name}", code=Code.NO_HOSTNAME, domain=Origin.QEMU)
    return rpc.DomainGetHostnameRet(await channel.hostname(guest))


async def _get_time(driver: Guests, _: Caller, args: rpc.DomainGetTimeArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetTime")
    return rpc.DomainGetTimeRet(*await channel.get_time(find(driver, args.dom)))


async def _set_time(driver: Guests, _: Caller, args: rpc.DomainSetTimeArgs) -> None:
    flags.check(args.flags, _SYNC, "qemuDomainSetTime")
    guest = find(driver, args.dom)
    await channel.set_time(guest, args.seconds, args.nseconds, from_rtc=bool(args.flags & _SYNC))


async def _interface_addresses(driver: Guests, caller: Caller, args: rpc.DomainInterfaceAddressesArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainInterfaceAddresses")
    if args.source == _SOURCE_AGENT:
        flags.need_write(caller, "virDomainInterfaceAddresses")
    guest = find(driver, args.dom)
    live = guest.live().live
    if args.source > _SOURCE_ARP:
        raise LibvirtError(
            f"Unknown IP address data source {args.source}", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU
        )
    if args.source != _SOURCE_AGENT:
        on_arp = args.source == _SOURCE_ARP
        cards = await (driver.in_thread(addresses.seen, live) if on_arp else addresses.lent(driver, live))
        return rpc.DomainInterfaceAddressesRet(
            [
                rpc.DomainInterface(
                    card.name,
                    card.mac,
                    [rpc.DomainIpAddr(int(":" in address), address, prefix) for address, prefix in card.addresses],
                )
                for card in cards
            ]
        )
    found = [
        rpc.DomainInterface(
            interface.name,
            interface.mac or None,
            [
                rpc.DomainIpAddr(int(address.family != _IPV4), address.address, address.prefix)
                for address in interface.addresses
            ],
        )
        for interface in await channel.interfaces(guest)
    ]
    return rpc.DomainInterfaceAddressesRet(found)


async def _freeze(driver: Guests, _: Caller, args: rpc.DomainFsfreezeArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainFSFreeze")
    return rpc.DomainFsfreezeRet(await actions.freeze(find(driver, args.dom), args.mountpoints))


async def _thaw(driver: Guests, _: Caller, args: rpc.DomainFsthawArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainFSThaw")
    if args.mountpoints:
        raise LibvirtError(
            "specifying mountpoints is not supported", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU
        )
    return rpc.DomainFsthawRet(await actions.thaw(find(driver, args.dom)))


async def _trim(driver: Guests, _: Caller, args: rpc.DomainFstrimArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainFSTrim")
    if args.mountPoint is not None:
        raise LibvirtError(
            "Specifying mount point is not supported for now", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU
        )
    await actions.trim(find(driver, args.dom), args.minimum)


async def _filesystems(driver: Guests, _: Caller, args: rpc.DomainGetFsinfoArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetFSInfo")
    found = await actions.filesystems(find(driver, args.dom))
    shown = [rpc.DomainFsinfo(one.mountpoint, one.name, one.type, list(one.disks)) for one in found]
    return rpc.DomainGetFsinfoRet(shown, len(shown))


async def _set_password(driver: Guests, _: Caller, args: rpc.DomainSetUserPasswordArgs) -> None:
    flags.check(args.flags, _ENCRYPTED, "qemuDomainSetUserPassword")
    guest = find(driver, args.dom)
    await actions.set_password(guest, args.user or "", args.password or "", hashed=bool(args.flags & _ENCRYPTED))


async def _guest_vcpus(driver: Guests, _: Caller, args: rpc.DomainGetGuestVcpusArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetGuestVcpus")
    found = vcpus.described(await vcpus.read(find(driver, args.dom)))
    return rpc.DomainGetGuestVcpusRet([string_param(name, text) for name, text in found.items()])


async def _set_guest_vcpus(driver: Guests, _: Caller, args: rpc.DomainSetGuestVcpusArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainSetGuestVcpus")
    if args.state not in (0, 1):
        raise InvalidArgumentError(
            "state in qemuDomainSetGuestVcpus must be zero or one", domain=Origin.QEMU, bare=True
        )
    numbers = parsed_map(args.cpumap)
    await vcpus.set_states(find(driver, args.dom), numbers, on=bool(args.state))


async def _guest_info(driver: Guests, _: Caller, args: rpc.DomainGetGuestInfoArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainGetGuestInfo")
    found = await guest_info.read(find(driver, args.dom), args.types)
    return rpc.DomainGetGuestInfoRet([TypedParam(*one) for one in found])


def _set_timeout(driver: Guests, _: Caller, args: rpc.DomainAgentSetResponseTimeoutArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainAgentSetResponseTimeout")
    channel.set_patience(find(driver, args.dom), args.timeout)
    return rpc.DomainAgentSetResponseTimeoutRet(0)


async def _ssh_keys(driver: Guests, _: Caller, args: rpc.DomainAuthorizedSshKeysGetArgs) -> Struct:
    flags.check(args.flags, 0, "qemuDomainAuthorizedSSHKeysGet")
    return rpc.DomainAuthorizedSshKeysGetRet(await actions.ssh_keys(find(driver, args.dom), args.user))


async def _set_ssh_keys(driver: Guests, _: Caller, args: rpc.DomainAuthorizedSshKeysSetArgs) -> None:
    flags.check(args.flags, _APPEND | _REMOVE, "qemuDomainAuthorizedSSHKeysSet")
    names = ("VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND", "VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE")
    flags.exclusive(args.flags, _APPEND, _REMOVE, names)
    append, remove = bool(args.flags & _APPEND), bool(args.flags & _REMOVE)
    await actions.set_ssh_keys(find(driver, args.dom), args.user, args.keys, append=append, remove=remove)


async def _pm_suspend(driver: Guests, _: Caller, args: domain_devices.DomainPmSuspendForDurationArgs) -> None:
    flags.check(args.flags, 0, "qemuDomainPMSuspendForDuration")
    guest = find(driver, args.dom)
    if args.duration:
        raise LibvirtError("Duration not supported. Use 0 for now", code=Code.ARGUMENT_UNSUPPORTED, domain=Origin.QEMU)
    if args.target >= len(_SLEEPS):
        raise InvalidArgumentError(f"Unknown suspend target: {args.target}", domain=Origin.QEMU)
    await actions.suspend(guest, _SLEEPS[args.target])


TABLE: dict[Procedure, Handler[Guests]] = {
    rpc.DOMAIN_GET_HOSTNAME: write(_hostname),
    rpc.DOMAIN_GET_TIME: write(_get_time),
    rpc.DOMAIN_INTERFACE_ADDRESSES: read(_interface_addresses),
    rpc.DOMAIN_SET_TIME: write(_set_time),
    rpc.DOMAIN_FSFREEZE: write(_freeze),
    rpc.DOMAIN_FSTHAW: write(_thaw),
    rpc.DOMAIN_FSTRIM: write(_trim),
    rpc.DOMAIN_GET_FSINFO: write(_filesystems),
    rpc.DOMAIN_SET_USER_PASSWORD: write(_set_password),
    rpc.DOMAIN_GET_GUEST_VCPUS: write(_guest_vcpus),
    rpc.DOMAIN_SET_GUEST_VCPUS: write(_set_guest_vcpus),
    rpc.DOMAIN_GET_GUEST_INFO: write(_guest_info),
    rpc.DOMAIN_AGENT_SET_RESPONSE_TIMEOUT: write(_set_timeout),
    rpc.DOMAIN_AUTHORIZED_SSH_KEYS_GET: write(_ssh_keys),
    rpc.DOMAIN_AUTHORIZED_SSH_KEYS_SET: write(_set_ssh_keys),
    domain_devices.DOMAIN_PM_SUSPEND_FOR_DURATION: write(_pm_suspend),
}
