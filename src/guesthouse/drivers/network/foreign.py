"""The firewall rules that libvirtd made for a network which is ours from now on: its status file says how they go.

Source: libvirt 11.3, `<firewall name='fwRemoval'>` of a network's status file.
"""

from __future__ import annotations

import logging
from typing import Final

from lxml import etree

from guesthouse.errors import LibvirtError
from guesthouse.host.child import run
from guesthouse.model.xmltext import parse_document

log = logging.getLogger(__name__)

#: By the layer of an order, the program that does it. Those of nftables are in our own table, which is written anew.
_PROGRAMS: Final = {"ipv4": ("iptables", "-w"), "ipv6": ("ip6tables", "-w")}
_BACKEND: Final = "iptables"
_DEADLINE: Final = 10.0


def orders(text: str) -> list[list[str]]:
    """The commands that remove what libvirtd made, as a status file lists them; none where it lists none.

    Raises `LibvirtError` for what is no status file.
    """
    root = parse_document(text, "networkstatus", "network_status")
    found = []
    for action in root.iterfind(f"firewall[@backend='{_BACKEND}']/group/action"):
        program = _PROGRAMS.get(action.get("layer", ""))
        if program is not None:
            found.append([*program, *_items(action)])
    return found


def _items(action: etree._Element) -> list[str]:
    return [item.text or "" for item in action.iterfind("args/item")]


async def remove(commands: list[list[str]]) -> None:
    """Run these; one that fails is logged: the rule has gone already."""
    for command in commands:
        try:
            finished = await run(command, deadline=_DEADLINE)
        except LibvirtError as error:
            log.warning("%s", error.message)
            return
        if not finished.ok:
            log.debug("'%s': %s", " ".join(command), finished.error_text)
