"""The chains of one device of a guest's card: a filter's rules, in the order in which they are looked at.

There are four beginnings: frames from the guest, frames to it, packets from it and packets to it. Frames go through
the chain `root`, which sends those of a protocol through the chains of their own, each at its priority. Rules about
packets have no chains, only an order.

Source: https://libvirt.org/formatnwfilter.html#filtering-chains
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from guesthouse.errors import Origin, UnsupportedConfigError
from guesthouse.model.nwfilter.filter import CHAINS, ROOT
from guesthouse.model.nwfilter.nft.frames import FRAMES, STP_GROUP, terms
from guesthouse.model.nwfilter.nft.packets import matched
from guesthouse.model.nwfilter.tree import Placed
from guesthouse.model.nwfilter.variables import expanded

#: The maps that say which chain a device's frames and packets begin in: from the guest, and to it.
FRAMES_OUT, FRAMES_IN, PACKETS_OUT, PACKETS_IN = "frames-out", "frames-in", "packets-out", "packets-in"

_DEVICE: Final = re.compile(r"[A-Za-z0-9_.:+@-]{1,15}")
_ODD: Final = re.compile(r"[^A-Za-z0-9.-]")
_LONGEST_COMMENT: Final = 120
_NOT_IN_COMMENTS: Final = re.compile(r"[^ !#-~]")
#: What goes from the root chain into chains whose names begin so.
_DOORS: Final = {
    "mac": "", "stp": f"ether daddr {STP_GROUP} ", "vlan": "ether type vlan ", "arp": "ether type arp ",
    "rarp": "ether type 0x8035 ", "ipv4": "ether type ip ", "ipv6": "ether type ip6 ",
}  # fmt: skip


@dataclass(slots=True)
class Chains:
    """What a device needs. `begins` are the first chains, by the map; the rest are names to rules, sets to types.

    Chains and sets of packets are apart from those of frames: they may be in another table. `tracked` says that
    packets' connections are looked at, `rejected` that some to the guest are answered with an error.
    """

    device: str
    begins: dict[str, str] = field(default_factory=dict)
    frames: dict[str, list[str]] = field(default_factory=dict)
    packets: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    tracked: bool = False
    rejected: bool = False


def chains_of(device: str, placed: Sequence[Placed]) -> Chains:
    """The chains for a device, from the rules of its filter, whose variables all have values.

    Raises `UnsupportedConfigError` for what nftables cannot do, and what `expanded` raises.
    """
    if not _DEVICE.fullmatch(device):
        raise UnsupportedConfigError(
            f"the name of device '{device}' cannot be used with network filters",
            domain=Origin.NWFILTER,
            hint="it takes at most 15 letters, digits and characters of '_.:+@-'",
        )
    made = Chains(device)
    _add_frames(made, placed, FRAMES_OUT, "out")
    _add_frames(made, placed, FRAMES_IN, "in")
    ordered = sorted(
        (one for one in placed if one.rule.protocol is not None and one.rule.protocol not in FRAMES),
        key=lambda one: (one.chain != ROOT, one.rule.priority),
    )
    _add_packets(made, ordered, PACKETS_OUT, incoming=False)
    _add_packets(made, ordered, PACKETS_IN, incoming=True)
    return made


def _spelled(text: str) -> str:
    """A part of a chain's name."""
    return _ODD.sub(lambda found: f"_{ord(found[0]):02x}", text)


def _ending(placed: Placed, action: str, given: dict[str, str]) -> str:
    comment = _NOT_IN_COMMENTS.sub("?", given.get("comment", ""))[:_LONGEST_COMMENT]
    return f'{action} comment "{comment}"' if comment else action


# -- frames -----------------------------------------------------------------------------------------


def _add_frames(made: Chains, placed: Sequence[Placed], begin: str, direction: str) -> None:
    chains: dict[str, list[Placed]] = {}
    for one in placed:
        about_frames = one.rule.protocol is None or one.rule.protocol in FRAMES
        if about_frames and one.rule.direction in (direction, "inout"):
            chains.setdefault(one.chain, []).append(one)
    if not chains:
        return
    root = f"{begin}/{_spelled(made.device)}"
    names = {chain: f"{root}/{_spelled(chain)}" for chain in chains if chain != ROOT}
    for chain, name in names.items():
        ordered = sorted(chains[chain], key=lambda one: one.rule.priority)
        made.frames[name] = [text for one in ordered for text in _frame_rules(one, direction)]
    steps = [(chains[chain][-1].priority, 0, [_door(chain, name)]) for chain, name in names.items()]
    steps += [(one.rule.priority, 1, _frame_rules(one, direction)) for one in chains.get(ROOT, ())]
    made.frames[root] = [text for _, _, texts in sorted(steps, key=lambda step: step[:2]) for text in texts]
    made.begins[begin] = root


def _door(chain: str, name: str) -> str:
    prefix = next(prefix for prefix in CHAINS if chain.startswith(prefix))
    return f"{_DOORS[prefix]}jump {name}"


def _frame_rules(placed: Placed, direction: str) -> list[str]:
    rule = placed.rule
    action = "drop" if rule.action == "reject" else rule.action
    swapped = direction == "in" and rule.direction == "inout"
    found = []
    for match, unmatch in expanded(rule, placed.values):
        parts = terms(rule.protocol, match, unmatch, swapped=swapped) if rule.protocol is not None else []
        found.append(" ".join((*parts, _ending(placed, action, {**match, **unmatch}))))
    return found


# -- packets ----------------------------------------------------------------------------------------


def _add_packets(made: Chains, ordered: Sequence[Placed], begin: str, *, incoming: bool) -> None:
    def new_set(kind: str) -> str:
        name = f"connections/{_spelled(made.device)}/{len(made.sets)}"
        made.sets[name] = kind
        return name

    name = f"{begin}/{_spelled(made.device)}"
    rules = []
    for one in ordered:
        for match, unmatch in expanded(one.rule, one.values):
            found = matched(one.rule, match, unmatch, incoming=incoming, new_set=new_set)
            if found is not None:
                made.tracked = made.tracked or found.tracked
                # Answers to the guest that a rule for the other direction refuses just do not come.
                answer = incoming and one.rule.direction == "out" and one.rule.action == "reject"
                action = "drop" if answer else one.rule.action
                made.rejected = made.rejected or (incoming and action == "reject")
                rules.append(" ".join((*found.terms, _ending(one, action, {**match, **unmatch}))))
    if rules:
        made.packets[name] = rules
        made.begins[begin] = name
