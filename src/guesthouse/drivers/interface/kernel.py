"""The devices of the host as links: what each is, and what it shows. Blocks: call it in a thread.

Units are the document's: the kernel counts a bridge's delay in hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.interface.documents import Seen
from guesthouse.drivers.interface.formats.bonding import CARRIERS, MODES, VALIDATIONS
from guesthouse.drivers.interface.link import FAMILIES, IPV6, VIRTUAL, Family, Link, Monitor
from guesthouse.host.net_devices import BOND_SETTINGS, NetDevice, devices
from guesthouse.host.sysfs import HostTree, read_int
from guesthouse.model.binding import new
from guesthouse.model.interface import Link as Cable

_HOST: Final = HostTree()
_FORWARD_DELAY, _STP = 1, 5
_TICKS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Device:
    """A device that is there. `guests` says that it belongs to a guest: those are no interfaces of the host's."""

    link: Link
    seen: Seen
    active: bool
    guests: bool


def look() -> dict[str, Device]:
    """All devices by name. Raises OSError."""
    found = devices()
    return {device.name: _device(device, found) for device in found.values() if device.name}


def _device(device: NetDevice, others: Mapping[int, NetDevice]) -> Device:
    master = others.get(device.master)
    kind = device.kind if device.kind in VIRTUAL else "ethernet"
    link = Link(
        device.name,
        kind,
        mtu=device.mtu or None,
        master=master.name if master is not None and master.kind in ("bridge", "bond") else None,
        families={name: family for name in FAMILIES if (family := _family(device, name))},
        stp=bool(device.number(_STP)) if kind == "bridge" else None,
        delay=(device.number(_FORWARD_DELAY) or 0) / _TICKS if kind == "bridge" else None,
        mode=_word(MODES, device.number(BOND_SETTINGS["mode"][0])) if kind == "bond" else None,
        monitor=_monitor(device) if kind == "bond" else None,
        primary=_is_primary(device, master),
        tag=device.vlan,
        device=others[device.lower].name if kind == "vlan" and device.lower in others else None,
    )
    speed = read_int(_HOST.sys / "class/net" / device.name / "speed") if device.state == "up" else None
    cable = new(Cable, state=device.state, speed=speed if speed is not None and speed > 0 else None)
    return Device(link, Seen(device.mac, cable), device.up, device.kind == "tun")


def _family(device: NetDevice, name: str) -> Family:
    own = tuple(one for one in device.addresses if (":" in one[0]) == (name == IPV6))
    gateway = next((one for one in device.gateways if (":" in one) == (name == IPV6)), None)
    return Family(own, gateway)


def _is_primary(device: NetDevice, master: NetDevice | None) -> bool:
    if master is None or master.kind != "bond":
        return False
    return master.number(BOND_SETTINGS["primary"][0]) == device.index


def _monitor(device: NetDevice) -> Monitor | None:
    def setting(name: str) -> int:
        return device.number(BOND_SETTINGS[name][0]) or 0

    if setting("arp_interval") and device.arp_targets:
        validate = _word(VALIDATIONS, setting("arp_validate"))
        return Monitor("arp", setting("arp_interval"), target=device.arp_targets[0], validate=validate)
    if not setting("miimon"):
        return None
    carrier = _word(CARRIERS, setting("use_carrier"))
    return Monitor("mii", setting("miimon"), setting("updelay"), setting("downdelay"), carrier=carrier)


def _word(words: tuple[str, ...], number: int | None) -> str | None:
    return words[number] if number is not None and number < len(words) else None
