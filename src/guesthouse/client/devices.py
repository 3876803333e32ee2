"""Devices of one guest: attached, detached and changed.

The functions are libvirt's under shorter names (https://libvirt.org/html/libvirt-libvirt-domain.html). `flags` are
`virDomainDeviceModifyFlags`; None asks over the oldest procedure, which is about the running guest.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import domain_devices as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain


def attach(found: Domain, xml: str, flags: int | None) -> None:
    """Give the guest the device that `xml` describes."""
    if flags is None:
        found.connection.call(rpc.DOMAIN_ATTACH_DEVICE, rpc.DomainAttachDeviceArgs(found.handle, xml))
    else:
        args = rpc.DomainAttachDeviceFlagsArgs(found.handle, xml, flags)
        found.connection.call(rpc.DOMAIN_ATTACH_DEVICE_FLAGS, args)


def detach(found: Domain, xml: str, flags: int | None) -> None:
    """Take the device that `xml` means from the guest."""
    if flags is None:
        found.connection.call(rpc.DOMAIN_DETACH_DEVICE, rpc.DomainDetachDeviceArgs(found.handle, xml))
    else:
        args = rpc.DomainDetachDeviceFlagsArgs(found.handle, xml, flags)
        found.connection.call(rpc.DOMAIN_DETACH_DEVICE_FLAGS, args)


def detach_alias(found: Domain, alias: str, flags: int) -> None:
    """Ask the guest to let go of the device with this alias."""
    args = rpc.DomainDetachDeviceAliasArgs(found.handle, alias, flags)
    found.connection.call(rpc.DOMAIN_DETACH_DEVICE_ALIAS, args)


def update(found: Domain, xml: str, flags: int) -> None:
    """Make the device that `xml` means what `xml` says."""
    args = rpc.DomainUpdateDeviceFlagsArgs(found.handle, xml, flags)
    found.connection.call(rpc.DOMAIN_UPDATE_DEVICE_FLAGS, args)
