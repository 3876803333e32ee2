"""The key files of NetworkManager: one profile a device, readable by root alone.

NetworkManager has no word for a bridge's card that asks for addresses itself, and none for `hotplug`: its profiles
start when their device comes. It asks for DHCPv6 where a router says so, so `autoconf` with `dhcp` is `autoconf` there.

Source: nm-settings-keyfile(5), nm-settings-nmcli(5).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from guesthouse.drivers.interface.formats import Changes, Files
from guesthouse.drivers.interface.formats.bonding import mode_of, monitor_of, number, primary, settings_of
from guesthouse.drivers.interface.formats.ini import Ini
from guesthouse.drivers.interface.link import IPV4, IPV6, Family, Link, Links, by_name

_FOLDER: Final = "NetworkManager/system-connections"
_KINDS: Final = {
    "ethernet": "ethernet",
    "802-3-ethernet": "ethernet",
    "bridge": "bridge",
    "bond": "bond",
    "vlan": "vlan",
}
_BOND_KEYS: Final = (
    *("mode", "miimon", "updelay", "downdelay", "use_carrier", "arp_interval", "arp_ip_target", "arp_validate"),
)
_YES: Final = ("true", "1", "yes", "on")
#: Names of our profiles' UUIDs: the same device always has the same one.
_NAMESPACE: Final = uuid.UUID("b6d3a0e5-0f5c-5f0e-9a53-6a1d2f1a3c41")


class KeyFiles:
    """The format."""

    name = "NetworkManager"
    patterns = (f"{_FOLDER}/*.nmconnection",)
    mode = 0o600

    def parse(self, files: Files) -> dict[str, Link]:
        """What is configured."""
        profiles = [Ini(files[path]) for path in sorted(files, reverse=True)]
        uuids = {ini.value("connection", "uuid"): ini.value("connection", "interface-name") for ini in profiles}
        found = by_name(link for ini in profiles if (link := _link(ini, uuids)) is not None)
        chosen = {ini.value("bond", "primary") for ini in profiles}
        return by_name(
            replace(link, primary=link.master is not None and link.name in chosen) for link in found.values()
        )

    def change(self, files: Files, put: Links, removed: Collection[str]) -> Changes:
        """The files that change."""
        after = {name: link for name, link in self.parse(files).items() if name not in removed} | dict(put)
        changes: Changes = {}
        for name in {*put, *removed}:
            path = _path(files, name)
            text = _text(Ini(files.get(path, "")), after, name) if name in after else None
            if text != files.get(path):
                changes[path] = text
        return changes


def profile(name: str) -> str:
    """The UUID of the profile that we make for a device."""
    return str(uuid.uuid5(_NAMESPACE, name))


def uuid_of(files: Files, name: str) -> str:
    """The UUID of the profile of a device."""
    return Ini(files.get(_path(files, name), "")).value("connection", "uuid") or profile(name)


def _path(files: Files, name: str) -> str:
    for path in sorted(files):
        ini = Ini(files[path])
        if ini.value("connection", "interface-name") == name and ini.value("connection", "type") in _KINDS:
            return path
    return f"{_FOLDER}/{name}.nmconnection"


# -- reading ------------------------------------------------------------------------------------------


def _link(ini: Ini, uuids: dict[str | None, str | None]) -> Link | None:
    name, kind = ini.value("connection", "interface-name"), _KINDS.get(ini.value("connection", "type") or "")
    if name is None or kind is None:
        return None
    master = ini.value("connection", "master") or ini.value("connection", "controller")
    master = uuids.get(master) or master
    start = "none" if ini.value("connection", "autoconnect") in ("false", "0", "no", "off") else "onboot"
    families = {family: found for family in (IPV4, IPV6) if (found := _family(ini, family))}
    link = Link(
        name,
        kind,
        start=start if master is None else None,
        mtu=number(ini.value("ethernet", "mtu") or ini.value("802-3-ethernet", "mtu")) or None,
        master=master,
        families=families if master is None else {},
    )
    if kind == "bridge":
        stp, delay = ini.value("bridge", "stp"), number(ini.value("bridge", "forward-delay"))
        return replace(link, stp=None if stp is None else stp in _YES, delay=None if delay is None else float(delay))
    if kind == "vlan":
        parent = ini.value("vlan", "parent")
        return replace(link, tag=number(ini.value("vlan", "id")), device=uuids.get(parent) or parent)
    if kind == "bond":
        settings = {key: value for key in _BOND_KEYS if (value := ini.value("bond", key)) is not None}
        return replace(link, mode=mode_of(settings), monitor=monitor_of(settings))
    return link


def _family(ini: Ini, name: str) -> Family:
    method = ini.value(name, "method")
    addresses, gateway = [], ini.value(name, "gateway")
    count = 1
    while (text := ini.value(name, f"address{count}")) is not None:
        own, _, first_gateway = text.partition(",")
        address, _, prefix = own.partition("/")
        addresses.append((address, number(prefix) or (128 if name == IPV6 else 32)))
        gateway = gateway or first_gateway.strip() or None
        count += 1
    dhcp = method == ("auto" if name == IPV4 else "dhcp")
    peer_dns = not dhcp or ini.value(name, "ignore-auto-dns") not in _YES
    return Family(tuple(addresses), gateway, dhcp, peer_dns, autoconf=name == IPV6 and method == "auto")


# -- writing ------------------------------------------------------------------------------------------


def _text(ini: Ini, links: Links, name: str) -> str:
    link = links[name]
    master = links.get(link.master or "")
    ini.put("connection", "id", [ini.value("connection", "id") or name])
    ini.put("connection", "uuid", [ini.value("connection", "uuid") or profile(name)])
    ini.put("connection", "type", [link.kind])
    ini.put("connection", "interface-name", [name])
    ini.put("connection", "autoconnect", ["false"] if link.start == "none" and link.master is None else [])
    ini.put("connection", "controller", [])
    ini.put("connection", "port-type", [])
    ini.put("connection", "master", _given(link.master))
    ini.put("connection", "slave-type", [] if link.master is None else [master.kind if master else "bridge"])
    ini.put("802-3-ethernet", "mtu", [])
    ini.put("ethernet", "mtu", _given(link.mtu))
    _put_kind(ini, links, link)
    for family in (IPV4, IPV6):
        _put_family(ini, family, link)
    return ini.text()


def _put_kind(ini: Ini, links: Links, link: Link) -> None:
    if link.kind == "bridge":
        ini.put("bridge", "stp", [] if link.stp is None else ["true" if link.stp else "false"])
        ini.put("bridge", "forward-delay", [] if link.delay is None else [str(round(link.delay))])
    elif link.kind == "vlan":
        ini.put("vlan", "id", _given(link.tag))
        ini.put("vlan", "parent", _given(link.device))
    elif link.kind == "bond":
        settings = settings_of(link)
        for key in _BOND_KEYS:
            ini.put("bond", key, _given(settings.get(key)))
        ini.put("bond", "primary", _given(primary(links, link.name)))


def _put_family(ini: Ini, name: str, link: Link) -> None:
    family = link.family(name)
    method = "manual" if family.addresses else "disabled"
    if family.autoconf or (family.dhcp and name == IPV4):
        method = "auto"
    elif family.dhcp:
        method = "dhcp"
    ini.put(name, "method", [] if link.master is not None else [method])
    count = 1
    while ini.values(name, f"address{count}"):
        ini.put(name, f"address{count}", [])
        count += 1
    for place, (address, prefix) in enumerate(family.addresses, 1):
        ini.put(name, f"address{place}", [f"{address}/{prefix}"])
    ini.put(name, "gateway", _given(family.gateway))
    ini.put(name, "ignore-auto-dns", ["true"] if family.dhcp and not family.peer_dns else [])


def _given(value: object) -> list[str]:
    return [] if value is None else [str(value)]
