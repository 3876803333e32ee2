"""The files of ifupdown: `/etc/network/interfaces` and those that it takes in from `interfaces.d`.

A device has one stanza a family and address, and `auto` or `allow-hotplug` before the first. What is new goes into one
file of its own, or into the first file where that one takes nothing in.

Source: interfaces(5), bridge-utils-interfaces(5), vlan-interfaces(5), and ifenslave's README.Debian.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from guesthouse.drivers.interface.formats import Changes, Files
from guesthouse.drivers.interface.formats.bonding import mode_of, monitor_of, number, primary, settings_of
from guesthouse.drivers.interface.link import FAMILIES, IPV4, IPV6, Link, Links, by_name
from guesthouse.errors import Origin, UnsupportedConfigError

_MAIN: Final = "network/interfaces"
_OURS: Final = "network/interfaces.d/guesthouse"
_FAMILIES: Final = {"inet": IPV4, "inet6": IPV6}
_WORDS: Final = {family: word for word, family in _FAMILIES.items()}
#: What begins a new part of a file.
_HEADS: Final = ("iface", "auto", "mapping", "source", "source-directory", "rename", "template")
#: Options that a document can say; a stanza keeps the others.
_KNOWN: Final = (
    *("address", "netmask", "broadcast", "gateway", "mtu", "dhcp", "autoconf", "accept_ra"),
    *("bridge_ports", "bridge_stp", "bridge_fd", "vlan_raw_device", "vlan_id"),
    *("bond_mode", "bond_slaves", "bond_miimon", "bond_updelay", "bond_downdelay", "bond_use_carrier"),
    *("bond_arp_interval", "bond_arp_ip_target", "bond_arp_validate", "bond_primary", "bond_master"),
)
_YES: Final = ("on", "yes", "1", "true")


@dataclass(slots=True)
class Stanza:
    """A part of a file: its first line in words, and all its lines as they are."""

    head: list[str]
    lines: list[str] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """The device of an `iface` stanza of a family that documents know."""
        known = len(self.head) >= 4 and self.head[0] == "iface" and self.head[2] in _FAMILIES
        return self.head[1] if known else None

    def options(self) -> dict[str, str]:
        """Its options; dashes and underscores in their names are the same."""
        found = {}
        for line in self.lines[1:]:
            key, _, value = line.strip().partition(" ")
            if key and not key.startswith("#"):
                found[key.replace("-", "_")] = value.strip()
        return found


class IfUpDown:
    """The format."""

    name = "ifupdown"
    patterns = (_MAIN, "network/interfaces.d/*")
    mode = 0o644

    def parse(self, files: Files) -> dict[str, Link]:
        """What is configured."""
        stanzas = [stanza for path in sorted(files) for stanza in _split(files[path])]
        starts = dict(_starts(stanzas))
        found: dict[str, Link] = {}
        masters: dict[str, str] = {}
        primaries: set[str] = set()
        for stanza in stanzas:
            name = stanza.name
            if name is None or name == "lo":
                continue
            options = stanza.options()
            found[name] = _with_family(_with_kind(found.get(name) or Link(name), options), stanza, options)
            inside = f"{options.get('bridge_ports', '')} {options.get('bond_slaves', '')}".split()
            masters |= dict.fromkeys((port for port in inside if port != "none"), name)
            if options.get("bond_master"):
                masters[name] = options["bond_master"]
            primaries.add(options.get("bond_primary", "").split(" ")[0])
        found = {name: Link(name) for name in masters} | found
        return by_name(
            replace(
                link,
                master=masters.get(link.name),
                start=None if link.name in masters else starts.get(link.name, "none"),
                families={} if link.name in masters else link.families,
                primary=link.name in masters and link.name in primaries,
            )
            for link in found.values()
        )

    def change(self, files: Files, put: Links, removed: Collection[str]) -> Changes:
        """The files that change. Raises `UnsupportedConfigError` for name servers that are not wanted."""
        after = {name: link for name, link in self.parse(files).items() if name not in removed} | dict(put)
        gone = {*put, *removed}
        kept: dict[str, list[str]] = {}
        texts: dict[str, str] = {}
        for path in sorted(files):
            stanzas = _split(files[path])
            for stanza in stanzas:
                if stanza.name in gone:
                    kept.setdefault(f"{stanza.name} {stanza.head[2]}", []).extend(_others(stanza))
            texts[path] = _without(stanzas, gone)
        target = _OURS if _takes_in(files.get(_MAIN)) else _MAIN
        new = [text for name in put for text in _texts(after, after[name], kept)]
        texts[target] = (
            "\n".join(part for part in (texts.get(target, "").rstrip("\n"), *new) if part).lstrip("\n") + "\n"
        )
        return {
            path: text if text.strip() or path == _MAIN else None
            for path, text in texts.items()
            if text.strip() != files.get(path, "").strip()
        }


def _split(text: str) -> list[Stanza]:
    """The parts of a file; the lines before the first are one without a head."""
    found = [Stanza([])]
    for line in text.splitlines():
        words = line.split()
        if words and (words[0] in _HEADS or words[0].startswith("allow-")):
            found.append(Stanza(words))
        found[-1].lines.append(line)
    return found


def _starts(stanzas: list[Stanza]) -> Iterator[tuple[str, str]]:
    for word, start in (("allow-hotplug", "hotplug"), ("auto", "onboot"), ("allow-auto", "onboot")):
        for stanza in stanzas:
            if stanza.head[:1] == [word]:
                yield from ((name, start) for name in stanza.head[1:])


def _with_kind(link: Link, options: dict[str, str]) -> Link:
    link = replace(link, mtu=number(options.get("mtu")) or link.mtu)
    if "bridge_ports" in options:
        stp, delay = options.get("bridge_stp"), options.get("bridge_fd")
        return replace(
            link,
            kind="bridge",
            stp=None if stp is None else stp in _YES,
            delay=float(delay) if delay is not None and delay.replace(".", "", 1).isdecimal() else None,
        )
    bond = {key.removeprefix("bond_"): value for key, value in options.items() if key.startswith("bond_")}
    if "slaves" in bond or "mode" in bond:
        return replace(link, kind="bond", mode=mode_of(bond), monitor=monitor_of(bond))
    device, dot, tag = link.name.rpartition(".")
    if "vlan_raw_device" in options or (dot and tag.isdecimal()):
        given = number(options.get("vlan_id"))
        digits = "".join(filter(str.isdecimal, tag or link.name))
        return replace(link, kind="vlan", device=options.get("vlan_raw_device") or device, tag=given or number(digits))
    return link


def _with_family(link: Link, stanza: Stanza, options: dict[str, str]) -> Link:
    name, method = _FAMILIES[stanza.head[2]], stanza.head[3]
    family = link.family(name)
    address, _, prefix = options.get("address", "").partition("/")
    if method == "static" and address:
        bits = number(prefix) or _bits(options.get("netmask"), name)
        family = replace(family, addresses=(*family.addresses, (address, bits)))
    family = replace(
        family,
        gateway=options.get("gateway") or family.gateway,
        dhcp=family.dhcp or method == "dhcp" or (method == "auto" and options.get("dhcp") == "1"),
        autoconf=family.autoconf or method == "auto",
    )
    return replace(link, families={**link.families, name: family}) if family else link


def _bits(netmask: str | None, family: str) -> int:
    """The length of a prefix, from a mask of whatever kind."""
    if netmask is None:
        return 64 if family == IPV6 else 24
    if "." not in netmask:
        return number(netmask) or 0
    return sum(bin(number(part) or 0).count("1") for part in netmask.split("."))


# -- writing ------------------------------------------------------------------------------------------


def _takes_in(main: str | None) -> bool:
    """Whether the first file takes in those of the folder; one that is not there can be made so."""
    return main is not None and any(
        stanza.head[:1] in (["source"], ["source-directory"]) and "interfaces.d" in " ".join(stanza.head[1:])
        for stanza in _split(main)
    )


def _others(stanza: Stanza) -> list[str]:
    """The lines of a stanza that a document cannot say."""
    lines = [line for line in stanza.lines[1:] if line.strip()]
    return [line for line in lines if line.strip().partition(" ")[0].replace("-", "_") not in _KNOWN]


def _without(stanzas: list[Stanza], gone: Collection[str]) -> str:
    """The text of a file without some devices."""
    lines: list[str] = []
    for stanza in stanzas:
        if stanza.name in gone:
            continue
        if stanza.head[:1] == ["auto"] or (stanza.head and stanza.head[0].startswith("allow-")):
            left = [name for name in stanza.head[1:] if name not in gone]
            if not left:
                lines += [line for line in stanza.lines[1:] if line.strip()]
                continue
            lines += [" ".join([stanza.head[0], *left]), *stanza.lines[1:]]
        else:
            lines += stanza.lines
    return "\n".join(lines).rstrip("\n") + "\n" if any(line.strip() for line in lines) else ""


def _texts(links: Links, link: Link, kept: dict[str, list[str]]) -> Iterator[str]:
    """The stanzas of a link, each with an empty line before it."""
    if link.master is None and link.start in ("onboot", "hotplug"):
        yield f"\n{'auto' if link.start == 'onboot' else 'allow-hotplug'} {link.name}"
    shared = _kind_lines(links, link)
    for family in FAMILIES:
        for place, (method, lines) in enumerate(_methods(link, family)):
            own = lines if place else [*shared, *lines, *kept.get(f"{link.name} {_WORDS[family]}", [])]
            shared = []
            body = "".join(f"\n    {line.strip()}" for line in own)
            yield f"{'' if place or link.start in ('onboot', 'hotplug') else chr(10)}iface {link.name} " + (
                f"{_WORDS[family]} {method}{body}"
            )


def _methods(link: Link, name: str) -> list[tuple[str, list[str]]]:
    """Method and options of the stanzas of a family."""
    family = link.family(name)
    if not family.peer_dns:
        raise UnsupportedConfigError(
            f"ifupdown takes the name servers that DHCP tells, also for interface '{link.name}'",
            domain=Origin.INTERFACE,
            hint="leave peerdns='no' out, and say it in the configuration of the DHCP client",
        )
    found: list[tuple[str, list[str]]] = []
    if family.autoconf:
        found.append(("auto", ["dhcp 1"] if family.dhcp else []))
    elif family.dhcp:
        found.append(("dhcp", []))
    gateway = [f"gateway {family.gateway}"] if family.gateway is not None else []
    for address, prefix in family.addresses:
        found.append(("static", [f"address {address}/{prefix}", *gateway]))
        gateway = []
    return found or ([("manual", gateway)] if name == IPV4 else [])


def _kind_lines(links: Links, link: Link) -> list[str]:
    lines = [] if link.mtu is None else [f"mtu {link.mtu}"]
    inside = " ".join(port.name for port in links.values() if port.master == link.name) or "none"
    if link.kind == "bridge":
        lines.append(f"bridge_ports {inside}")
        lines += [] if link.stp is None else [f"bridge_stp {'on' if link.stp else 'off'}"]
        lines += [] if link.delay is None else [f"bridge_fd {link.delay:g}"]
    elif link.kind == "vlan":
        lines += [f"vlan-raw-device {link.device}", f"vlan-id {link.tag}"]
    elif link.kind == "bond":
        lines.append(f"bond-slaves {inside}")
        lines += [f"bond-{key.replace('_', '-')} {value}" for key, value in settings_of(link).items()]
        first = primary(links, link.name)
        lines += [f"bond-primary {first}"] if first is not None else []
    return lines
