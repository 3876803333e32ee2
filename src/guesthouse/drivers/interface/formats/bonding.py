"""The settings of bonds under the names that the kernel's driver gives them, which two of the formats use.

Source: the kernel's `Documentation/networking/bonding.rst`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guesthouse.drivers.interface.link import Link, Links, Monitor, ports

#: The modes by their numbers.
MODES: Final = (*("balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"),)
#: Whether the driver asks the device for its carrier (1) or with an ioctl (0).
CARRIERS: Final = ("ioctl", "netif")
_WITH_PRIMARY: Final = ("active-backup", "balance-tlb", "balance-alb")
VALIDATIONS: Final = ("none", "active", "backup", "all")


def settings_of(link: Link) -> dict[str, str]:
    """The settings of a bond, but for which card is the primary one."""
    found = {} if link.mode is None else {"mode": link.mode}
    monitor = link.monitor
    if monitor is None:
        return found
    if monitor.kind == "arp":
        found |= {"arp_interval": str(monitor.interval), "arp_ip_target": monitor.target or ""}
        return found | ({} if monitor.validate is None else {"arp_validate": monitor.validate})
    found["miimon"] = str(monitor.interval)
    found |= {"updelay": str(monitor.up_delay)} if monitor.up_delay else {}
    found |= {"downdelay": str(monitor.down_delay)} if monitor.down_delay else {}
    return found | ({} if monitor.carrier is None else {"use_carrier": str(CARRIERS.index(monitor.carrier))})


def mode_of(settings: Mapping[str, str]) -> str | None:
    """The mode, which may also stand there as its number."""
    mode = settings.get("mode", "")
    if mode.isdecimal() and int(mode) < len(MODES):
        return MODES[int(mode)]
    return mode if mode in MODES else None


def monitor_of(settings: Mapping[str, str]) -> Monitor | None:
    """How the cards are watched."""
    interval, target = number(settings.get("arp_interval")), settings.get("arp_ip_target", "").split(",")[0].strip()
    if interval and target:
        validate = settings.get("arp_validate")
        return Monitor("arp", interval, target=target, validate=validate if validate in VALIDATIONS else None)
    interval = number(settings.get("miimon"))
    if not interval:
        return None
    carrier = number(settings.get("use_carrier"))
    return Monitor(
        "mii",
        interval,
        number(settings.get("updelay")) or 0,
        number(settings.get("downdelay")) or 0,
        carrier=CARRIERS[carrier] if carrier in (0, 1) else None,
    )


def primary(links: Links, bond: str) -> str | None:
    """The primary card of a bond; None in the modes that have none, where it cannot be set."""
    if links[bond].mode not in _WITH_PRIMARY:
        return None
    return next((link.name for link in ports(links, bond) if link.primary), None)


def number(text: str | None) -> int | None:
    """The number that a text is, or None."""
    return int(text) if text is not None and text.strip().isdecimal() else None
