"""Which interfaces there are, as one look finds them: devices of the kernel, and what is configured.

Which devices are interfaces of their own is libvirt's rule: not those in a bridge or a bond, and not those of guests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from guesthouse.drivers.interface.documents import Seen, document_of
from guesthouse.drivers.interface.formats import Files
from guesthouse.drivers.interface.kernel import Device
from guesthouse.drivers.interface.link import FAMILIES, Link, Links
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.interface import Interface


class NoInterfaceError(LibvirtError):
    """There is no such interface."""

    code = Code.NO_INTERFACE
    domain = Origin.INTERFACE


@dataclass(frozen=True, slots=True)
class Found:
    """An interface: its name, its address (empty where there is no device yet), and whether it is up."""

    name: str
    mac: str
    active: bool


@dataclass(frozen=True, slots=True)
class Registry:
    """One look: `devices` are there, `configured` is in the host's files `files`, which are of the format `format`."""

    devices: Mapping[str, Device]
    configured: Links
    files: Files
    format: str

    def all(self) -> list[Found]:
        """The interfaces, by name."""
        names = {name for name, one in self.devices.items() if one.link.master is None and not one.guests}
        names |= {name for name, link in self.configured.items() if link.master is None}
        return [self._found(name) for name in sorted(names)]

    def named(self, name: str) -> Found:
        """The interface of a name, also one in a bridge. Raises `NoInterfaceError`."""
        if name not in self.devices and name not in self.configured:
            raise NoInterfaceError(f"couldn't find interface named '{name}'")
        return self._found(name)

    def with_mac(self, mac: str) -> Found:
        """The one interface with an address. Raises `NoInterfaceError`, and error 59 where there are several."""
        found = [one for one in self.all() if one.mac.lower() == mac.lower()]
        if not found:
            raise NoInterfaceError(f"couldn't find interface with MAC address '{mac}'")
        if len(found) > 1:
            raise LibvirtError(
                f"the MAC address '{mac}' matches multiple interfaces",
                code=Code.MULTIPLE_INTERFACES,
                domain=Origin.INTERFACE,
            )
        return found[0]

    def document(self, name: str, *, configured: bool) -> Interface:
        """What an interface is, or what it is configured as; each stands for the other where that is not.

        Raises `NoInterfaceError`.
        """
        self.named(name)
        macs = {known: Seen(device.seen.mac) for known, device in self.devices.items()}
        if name in self.configured and (configured or name not in self.devices):
            return document_of(self.configured, name, macs)
        live = {known: self._live(device) for known, device in self.devices.items() if not device.guests}
        sight = macs if configured else {known: device.seen for known, device in self.devices.items()}
        return document_of(live, name, sight)

    def _found(self, name: str) -> Found:
        device = self.devices.get(name)
        return Found(
            name, (device.seen.mac if device is not None else None) or "", device is not None and device.active
        )

    def _live(self, device: Device) -> Link:
        """A device, with what only its configuration tells: how it starts, and where its addresses come from."""
        link, known = device.link, self.configured.get(device.link.name)
        if known is None or known.kind != link.kind:
            return link
        families = {}
        for name in FAMILIES:
            seen, told = link.family(name), known.family(name)
            families[name] = replace(seen, dhcp=told.dhcp, peer_dns=told.peer_dns, autoconf=told.autoconf)
        return replace(link, start=known.start, families={name: one for name, one in families.items() if one})
