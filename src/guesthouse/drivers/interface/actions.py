"""Changing the host's interfaces: what is configured, and what is up.

Texts are libvirt's. A definition replaces that of the same name, and of all that is in it: a card that was configured
alone is part of its bridge from then on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.interface import realising
from guesthouse.drivers.interface.documents import links_of, macs_of
from guesthouse.drivers.interface.link import Links, by_name, tree
from guesthouse.drivers.interface.managers import in_time
from guesthouse.drivers.interface.registry import Found, Registry
from guesthouse.errors import LibvirtError, OperationInvalidError, Origin, XmlError
from guesthouse.model.interface import Interface, parse_interface

if TYPE_CHECKING:
    from guesthouse.drivers.interface.driver import InterfaceDriver

#: What the kernel takes as a name, without what has a meaning in one of the formats.
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,14}", re.ASCII)


async def define(driver: InterfaceDriver, xml: str, *, validate: bool) -> Found:
    """Configure an interface.

    Raises what `parse_interface` raises, `XmlError` for names that no device can have, `OperationInvalidError` for what
    is part of another interface, `UnsupportedConfigError` for what the host's configuration cannot say, and
    `ConfigurationError`.
    """
    interface = parse_interface(xml, validate=validate)
    wanted = links_of(interface)
    put = by_name(wanted)
    _check_names(put, len(wanted))
    name = wanted[0].name
    async with driver.changes:
        seen = await driver.look()
        _check_free(seen, put, name)
        _check_macs(seen, interface)
        removed = [link.name for link in tree(seen.configured, name) if link.name not in put]
        changes = driver.configuration.format.change(seen.files, put, removed)
        await driver.in_thread(driver.configuration.apply, seen.files, changes)
        if removed:
            await driver.manager.gone([seen.configured[gone] for gone in removed])
        return (await driver.look()).named(name)


async def undefine(driver: InterfaceDriver, name: str) -> None:
    """Configure an interface no longer. Raises `NoInterfaceError`, `OperationInvalidError`, `ConfigurationError`."""
    async with driver.changes:
        seen = await driver.look()
        seen.named(name)
        link = seen.configured.get(name)
        if link is None:
            raise _invalid(f"interface '{name}' is not configured by {driver.configuration.format.name}")
        if link.master is not None:
            raise _invalid(f"interface '{name}' is part of '{link.master}'", f"undefine '{link.master}'")
        gone = tree(seen.configured, name)
        changes = driver.configuration.format.change(seen.files, {}, [link.name for link in gone])
        await driver.in_thread(driver.configuration.apply, seen.files, changes)
        await driver.manager.gone(gone)


async def start(driver: InterfaceDriver, name: str) -> None:
    """Bring an interface up as it is configured. Raises `OperationInvalidError`, and what the manager raises."""
    async with driver.changes:
        seen = await driver.look()
        if seen.named(name).active:
            raise _invalid("interface is already running")
        if name in seen.configured:
            await driver.manager.up(seen.configured, name, seen.files)
        else:
            await in_time(realising.switch, name, up=True)


async def stop(driver: InterfaceDriver, name: str) -> None:
    """Bring an interface down. Raises `OperationInvalidError`, and what the manager raises."""
    async with driver.changes:
        seen = await driver.look()
        if not seen.named(name).active:
            raise _invalid("interface is not running")
        if name in seen.configured:
            await driver.manager.down(seen.configured, name, seen.files)
        else:
            await in_time(realising.switch, name, up=False)


def _check_names(put: Links, count: int) -> None:
    names = [*put, *(link.device for link in put.values() if link.device is not None)]
    for name in names:
        if not _NAME.fullmatch(name):
            raise XmlError(f"interface name '{name}' is not valid", domain=Origin.INTERFACE,
                           hint="it has at most 15 letters, digits and . _ - @ +")  # fmt: skip
    if len(put) != count:
        raise XmlError("an interface stands twice in the document", domain=Origin.INTERFACE)
    for link in put.values():
        if link.device == link.name:
            raise XmlError(f"VLAN '{link.name}' is on itself", domain=Origin.INTERFACE)


def _check_free(seen: Registry, put: Links, name: str) -> None:
    """Nothing of the document is part of another interface."""
    own = {link.name for link in tree(seen.configured, name)}
    for link in put.values():
        known = seen.configured.get(link.name)
        if known is not None and known.master is not None and link.name not in own - {name}:
            raise _invalid(f"interface '{link.name}' is part of '{known.master}'", f"change '{known.master}' first")


def _check_macs(seen: Registry, interface: Interface) -> None:
    """An address in a document says which card is meant."""
    for name, mac in macs_of(interface).items():
        device = seen.devices.get(name)
        if device is None or (device.seen.mac or "").lower() != mac.lower():
            has = f"has address {device.seen.mac}" if device is not None else "is not there"
            raise _invalid(f"interface '{name}' {has}, and not {mac}", "leave <mac> out, or name the card that has it")


def _invalid(text: str, hint: str = "") -> LibvirtError:
    return OperationInvalidError(text, domain=Origin.INTERFACE, hint=hint)
