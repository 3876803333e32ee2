"""What `nft -f -` is told: one text is one transaction, which is done as a whole or not at all.

The daemon has one table in the family `bridge`. Maps lead from a device's name to the first of its chains, so that a
frame's way is as short with a hundred guests as with one. A change is about the chains of some devices; `rebuilt` makes
the table anew, which is how a daemon begins.

Packets are looked at where connections are known. With the kernel's connection tracking for bridges that is in the same
table. Otherwise it is in a table of the family `inet`, to which `br_netfilter` brings what is bridged: the name of the
tap is lost there, so that frames carry a mark from the bridge to the next chain, and lose it again.

Source: nft(8); https://wiki.nftables.org/wiki-nftables/index.php/Bridge_filtering
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from guesthouse.model.nwfilter.nft.chains import FRAMES_IN, FRAMES_OUT, PACKETS_IN, PACKETS_OUT, Chains


class Tracking(enum.Enum):
    """Where the kernel knows the connections of bridged packets; `NONE` if nowhere."""

    BRIDGE = "bridge"
    INET = "inet"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Installed:
    """The chains of a device as they are in the kernel. `number` marks its packets, 1 to 65535."""

    chains: Chains
    number: int


@dataclass(frozen=True, slots=True)
class _Base:
    """A chain at a hook of the kernel: its map, the hook, its priority, and what of a packet is looked up."""

    map: str
    hook: str
    priority: int
    key: str


#: Before and after anything else that a host may do to frames.
_FRAME_BASES: Final = (
    _Base(FRAMES_OUT, "prerouting", -300, "iifname"),
    _Base(FRAMES_IN, "postrouting", 300, "oifname"),
)
#: After connection tracking (-200), before addresses are translated.
_BRIDGE_BASES: Final = (
    _Base(PACKETS_OUT, "prerouting", -150, "iifname"),
    _Base(PACKETS_IN, "postrouting", 290, "oifname"),
)
_INET_BASES: Final = (
    _Base(PACKETS_OUT, "prerouting", -150, "meta mark"),
    _Base(PACKETS_IN, "forward", -150, "meta mark"),
)
_MARK_OUT, _MARK_IN, _MARK_MASK = 0x4E57_0000, 0x4E58_0000, 0xFFFF_0000
#: A map from devices to marks: the base chain that sets them. `br_netfilter` is at 0 and at -1.
_MARKING: Final = (
    _Base("marks-out", "prerouting", -250, "iifname"),
    _Base("marks-in", "forward", -250, "oifname"),
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes transactions on the daemon's `table`."""

    table: str
    tracking: Tracking

    def rebuilt(self, devices: Iterable[Installed]) -> str:
        """The whole table anew, with these devices."""
        every = list(devices)
        lines = [f"{verb} table {family} {self.table}" for family in ("bridge", "inet") for verb in ("add", "delete")]
        if every:
            lines += self._base()
        for one in every:
            lines += self._installed(one)
        return _text(lines)

    def changed(self, old: Iterable[Installed], new: Iterable[Installed]) -> str:
        """The devices `old` out of the table, `new` into it."""
        lines = self._base()
        for one in old:
            lines += self._removed(one)
        for one in new:
            lines += self._installed(one)
        return _text(lines)

    @property
    def _apart(self) -> bool:
        return self.tracking is Tracking.INET

    @property
    def _packets(self) -> str:
        """The table in which packets are looked at."""
        return f"{'inet' if self._apart else 'bridge'} {self.table}"

    def _base(self) -> list[str]:
        bridge = f"bridge {self.table}"
        lines = [f"add table {bridge}"]
        for base in _FRAME_BASES:
            lines += _hooked(bridge, base, "ifname : verdict", "vmap")
        if not self._apart:
            for base in _BRIDGE_BASES:
                lines += _hooked(bridge, base, "ifname : verdict", "vmap")
            return lines
        for base in _MARKING:
            lines += _hooked(bridge, base, "ifname : mark", "map")
        lines.append(f"add table {self._packets}")
        for base, mark in zip(_INET_BASES, (_MARK_OUT, _MARK_IN), strict=True):
            lines += _hooked(self._packets, base, "mark : verdict", "vmap")
            done = f"marked/{base.map}"
            lines += [
                f"add chain {self._packets} {done} {_hook(base.hook, base.priority + 1)}",
                f"flush chain {self._packets} {done}",
                f"add rule {self._packets} {done} meta mark & {_MARK_MASK:#x} == {mark:#x} meta mark set 0",
            ]
        return lines

    def _elements(self, one: Installed) -> list[str]:
        """The elements of maps that lead to a device's chains: table, map, element, and what it leads to."""
        found = []
        device = f'"{one.chains.device}"'
        for begin, chain in one.chains.begins.items():
            about_packets = begin in (PACKETS_OUT, PACKETS_IN)
            table = self._packets if about_packets else f"bridge {self.table}"
            key = device
            if about_packets and self._apart:
                key = f"{(_MARK_OUT if begin == PACKETS_OUT else _MARK_IN) | one.number:#x}"
                marks = "marks-out" if begin == PACKETS_OUT else "marks-in"
                found.append((f"bridge {self.table} {marks}", device, key))
            found.append((f"{table} {begin}", key, f"goto {chain}"))
        return [f"element {place} {{ {key} : {value} }}" for place, key, value in found]

    def _installed(self, one: Installed) -> list[str]:
        lines = [
            f"add set {self._packets} {name} {{ type {kind} ; size 65535 ; flags dynamic ; }}"
            for name, kind in one.chains.sets.items()
        ]
        for table, chains in ((f"bridge {self.table}", one.chains.frames), (self._packets, one.chains.packets)):
            lines += [f"add chain {table} {name}" for name in chains]
            lines += [f"add rule {table} {name} {rule}" for name, rules in chains.items() for rule in rules]
        return [*lines, *(f"add {element}" for element in self._elements(one))]

    def _removed(self, one: Installed) -> list[str]:
        lines = [f"delete {element}" for element in self._elements(one)]
        for table, chains in ((f"bridge {self.table}", one.chains.frames), (self._packets, one.chains.packets)):
            lines += [f"flush chain {table} {name}" for name in chains]
            lines += [f"delete chain {table} {name}" for name in chains]
        return [*lines, *(f"delete set {self._packets} {name}" for name in one.chains.sets)]


def _hook(hook: str, priority: int) -> str:
    return f"{{ type filter hook {hook} priority {priority} ; policy accept ; }}"


def _hooked(table: str, base: _Base, kind: str, lookup: str) -> list[str]:
    chain = f"hook/{base.map}"
    marking = f"meta protocol {{ ip, ip6 }} meta mark set {base.key} map @{base.map}"
    target = marking if lookup == "map" else f"{base.key} vmap @{base.map}"
    return [
        f"add map {table} {base.map} {{ type {kind} ; }}",
        f"add chain {table} {chain} {_hook(base.hook, base.priority)}",
        f"flush chain {table} {chain}",
        f"add rule {table} {chain} {target}",
    ]


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
