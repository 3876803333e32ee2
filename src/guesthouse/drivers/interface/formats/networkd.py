"""The files of systemd-networkd: one `.netdev` for each device that exists only by it, one `.network` for its use.

A VLAN is named by the file of the device that it is on; a file is found by the one name that it matches. Files with
patterns belong to many devices, and are left alone: ours come before them.

Source: systemd.netdev(5), systemd.network(5), systemd.time(7).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from guesthouse.drivers.interface.formats import Changes, Files
from guesthouse.drivers.interface.formats.bonding import VALIDATIONS, mode_of, number
from guesthouse.drivers.interface.formats.ini import Ini
from guesthouse.drivers.interface.link import IPV4, IPV6, Family, Link, Links, Monitor, by_name

_FOLDER: Final = "systemd/network"
_PREFIX: Final = "05-guesthouse-"
_KINDS: Final = ("bridge", "bond", "vlan")
_DHCP: Final = {"yes": (True, True), "both": (True, True), "true": (True, True), "ipv4": (True, False),
                "v4": (True, False), "ipv6": (False, True), "v6": (False, True)}  # fmt: skip
_YES: Final = ("yes", "true", "1", "on")
_MILLISECONDS: Final = {"": 1000.0, "s": 1000.0, "sec": 1000.0, "ms": 1.0, "min": 60000.0}


class Networkd:
    """The format."""

    name = "systemd-networkd"
    patterns = (f"{_FOLDER}/*.netdev", f"{_FOLDER}/*.network")
    mode = 0o644

    def parse(self, files: Files) -> dict[str, Link]:
        """What is configured."""
        found: dict[str, Link] = {}
        parents: dict[str, str] = {}
        primaries: set[str] = set()
        for path in sorted(files):
            ini = Ini(files[path])
            if path.endswith(".netdev"):
                name = ini.value("NetDev", "Name")
                if name is not None and ini.value("NetDev", "Kind") in _KINDS:
                    found[name] = _device(name, ini)
        for path in sorted(files, reverse=True):  # the first file that matches counts
            ini = Ini(files[path])
            name = _matched(ini) if path.endswith(".network") else None
            if name is None:
                continue
            found[name] = _used(found.get(name) or Link(name), ini)
            parents |= dict.fromkeys(ini.values("Network", "VLAN"), name)
            if ini.value("Network", "PrimarySlave") in _YES:
                primaries.add(name)
        return by_name(
            replace(link, device=parents.get(link.name), primary=link.name in primaries)
            for link in found.values()
            if link.kind != "vlan" or link.name in parents
        )

    def change(self, files: Files, put: Links, removed: Collection[str]) -> Changes:
        """The files that change."""
        before = self.parse(files)
        after = {name: link for name, link in before.items() if name not in removed} | dict(put)
        lower = {link.device for link in (*before.values(), *after.values()) if link.device is not None}
        changes: Changes = {}
        for name in {*put, *removed, *lower}:
            wanted = after.get(name)
            vlans = sorted(link.name for link in after.values() if link.device == name)
            if wanted is None and vlans:
                wanted = Link(name, start="onboot")
            master = after.get(wanted.master or "") if wanted is not None else None
            in_bond = master is not None and master.kind == "bond"
            for path, text in (
                (_netdev(files, name), _netdev_text(files, wanted) if wanted is not None else ""),
                (_network(files, name), _network_text(files, wanted, vlans, in_bond=in_bond) if wanted else ""),
            ):
                if (text or None) != files.get(path):
                    changes[path] = text or None
        return changes


def _matched(ini: Ini) -> str | None:
    """The one device that a file is for; None for several, or a pattern."""
    name = ini.value("Match", "Name")
    return name if name is not None and not re.search(r"[\s*?\[!]", name) else None


def _network(files: Files, name: str) -> str:
    found = (path for path in sorted(files) if path.endswith(".network") and _matched(Ini(files[path])) == name)
    return next(found, f"{_FOLDER}/{_PREFIX}{name}.network")


def _netdev(files: Files, name: str) -> str:
    named = (path for path in sorted(files) if path.endswith(".netdev"))
    found = (path for path in named if Ini(files[path]).value("NetDev", "Name") == name)
    return next(found, f"{_FOLDER}/{_PREFIX}{name}.netdev")


# -- reading ------------------------------------------------------------------------------------------


def _device(name: str, ini: Ini) -> Link:
    kind = ini.value("NetDev", "Kind") or ""
    link = Link(name, kind, start="onboot", mtu=number(ini.value("NetDev", "MTUBytes")))
    if kind == "bridge":
        stp, delay = ini.value("Bridge", "STP"), _milliseconds(ini.value("Bridge", "ForwardDelaySec"))
        return replace(link, stp=None if stp is None else stp in _YES, delay=None if delay is None else delay / 1000)
    if kind == "vlan":
        return replace(link, tag=number(ini.value("VLAN", "Id")))
    return replace(link, mode=mode_of({"mode": ini.value("Bond", "Mode") or ""}), monitor=_monitor(ini))


def _monitor(ini: Ini) -> Monitor | None:
    def time(key: str) -> int:
        return round(_milliseconds(ini.value("Bond", key)) or 0)

    targets = (ini.value("Bond", "ARPIPTargets") or "").split()
    if time("ARPIntervalSec") and targets:
        validate = ini.value("Bond", "ARPValidate")
        known = validate if validate in VALIDATIONS else None
        return Monitor("arp", time("ARPIntervalSec"), target=targets[0], validate=known)
    if not time("MIIMonitorSec"):
        return None
    return Monitor("mii", time("MIIMonitorSec"), time("UpDelaySec"), time("DownDelaySec"))


def _used(link: Link, ini: Ini) -> Link:
    master = ini.value("Network", "Bridge") or ini.value("Network", "Bond")
    start = "none" if ini.value("Link", "ActivationPolicy") in ("manual", "down", "always-down") else "onboot"
    mtu = number(ini.value("Link", "MTUBytes")) or link.mtu
    families = {} if master is not None else _families(ini)
    return replace(link, start=None if master is not None else start, mtu=mtu, master=master, families=families)


def _families(ini: Ini) -> dict[str, Family]:
    dhcp = _DHCP.get(ini.value("Network", "DHCP") or "no", (False, False))
    addresses = [*ini.values("Network", "Address"), *ini.values("Address", "Address")]
    gateways = [*ini.values("Network", "Gateway"), *ini.values("Route", "Gateway")]
    routers = ini.value("Network", "IPv6AcceptRA")
    found = {}
    for name, asked, colon in ((IPV4, dhcp[0], False), (IPV6, dhcp[1], True)):
        own = [one.partition("/") for one in addresses if (":" in one) == colon]
        gateway = next((one for one in gateways if (":" in one) == colon), None)
        sections = ("DHCPv6",) if colon else ("DHCPv4", "DHCP")
        peer_dns = not any(ini.value(section, "UseDNS") in ("no", "false", "0", "off") for section in sections)
        whole = 128 if colon else 32
        found[name] = Family(
            tuple((address, number(prefix) or whole) for address, _, prefix in own),
            gateway,
            asked,
            peer_dns or not asked,
            colon and (routers is None or routers in _YES),
        )
    return {name: family for name, family in found.items() if family}


def _milliseconds(text: str | None) -> float | None:
    """A time of one unit; a bare number is in seconds."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", text or "")
    if match is None or match[2] not in _MILLISECONDS:
        return None
    return float(match[1]) * _MILLISECONDS[match[2]]


# -- writing ------------------------------------------------------------------------------------------


def _netdev_text(files: Files, link: Link) -> str:
    if not link.is_virtual:
        return ""
    ini = Ini(files.get(_netdev(files, link.name), ""))
    if ini.value("NetDev", "Kind") != link.kind:
        ini = Ini()
    ini.put("NetDev", "Name", [link.name])
    ini.put("NetDev", "Kind", [link.kind])
    ini.put("NetDev", "MTUBytes", _given(link.mtu))
    if link.kind == "bridge":
        ini.put("Bridge", "STP", [] if link.stp is None else ["yes" if link.stp else "no"])
        ini.put("Bridge", "ForwardDelaySec", [] if link.delay is None else [f"{link.delay:g}"])
    elif link.kind == "vlan":
        ini.put("VLAN", "Id", _given(link.tag))
    else:
        ini.put("Bond", "Mode", [] if link.mode is None else [link.mode])
        for key, value in _watch(link.monitor).items():
            ini.put("Bond", key, value)
    return ini.text()


def _watch(monitor: Monitor | None) -> dict[str, list[str]]:
    watch = monitor if monitor is not None else Monitor("", 0)
    mii, arp = watch.kind == "mii", watch.kind == "arp"

    def time(value: int, *, on: bool) -> list[str]:
        return [f"{value}ms"] if on and value else []

    return {
        "MIIMonitorSec": time(watch.interval, on=mii),
        "UpDelaySec": time(watch.up_delay, on=mii),
        "DownDelaySec": time(watch.down_delay, on=mii),
        "ARPIntervalSec": time(watch.interval, on=arp),
        "ARPIPTargets": _given(watch.target),
        "ARPValidate": _given(watch.validate),
    }


def _network_text(files: Files, link: Link, vlans: list[str], *, in_bond: bool) -> str:
    ini = Ini(files.get(_network(files, link.name), ""))
    ini.put("Match", "Name", [link.name])
    ini.put("Link", "MTUBytes", [] if link.is_virtual else _given(link.mtu))
    ini.put("Link", "ActivationPolicy", ["manual"] if link.start == "none" and link.master is None else [])
    ini.drop("Address")
    master = _given(link.master)
    ini.put("Network", "Bridge", [] if in_bond else master)
    ini.put("Network", "Bond", master if in_bond else [])
    ini.put("Network", "PrimarySlave", ["yes"] if link.primary else [])
    ini.put("Network", "VLAN", vlans)
    _put_families(ini, link)
    return ini.text()


def _put_families(ini: Ini, link: Link) -> None:
    v4, v6 = link.family(IPV4), link.family(IPV6)
    words = {(True, True): ["yes"], (True, False): ["ipv4"], (False, True): ["ipv6"]}
    ini.put("Network", "DHCP", words.get((v4.dhcp, v6.dhcp), []))
    ini.put("Network", "Address", [f"{address}/{prefix}" for one in (v4, v6) for address, prefix in one.addresses])
    ini.put("Network", "Gateway", [one.gateway for one in (v4, v6) if one.gateway is not None])
    ini.put("Network", "IPv6AcceptRA", ["yes" if v6.autoconf else "no"] if link.master is None else [])
    ini.put("Network", "LinkLocalAddressing", ["no"] if link.master is not None else [])
    for section, family in (("DHCPv4", v4), ("DHCPv6", v6)):
        ini.put(section, "UseDNS", ["no"] if family.dhcp and not family.peer_dns else [])


def _given(value: object) -> list[str]:
    return [] if value is None else [str(value)]
