"""Virtual functions of network cards (SR-IOV): whose they are, and what the card is told about them. Linux alone.

Every function raises OSError, and may wait for the kernel's lock: call it in a thread.

Source: the kernel's `Documentation/PCI/pci-iov-howto.rst` and `include/uapi/linux/if_link.h`.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import dataclass
from typing import Final

from guesthouse.host import links
from guesthouse.host.netlink import SETLINK, Attributes, Netlink, link_message
from guesthouse.host.sysfs import HostTree

#: The address of a virtual function that nobody gave one: its driver then draws one by lot.
NO_MAC: Final = "00:00:00:00:00:00"

_VFINFO_LIST, _VF_INFO, _VF_MAC, _VF_VLAN = 22, 1, 1, 2
_HOST: Final = HostTree()


@dataclass(frozen=True, slots=True)
class VirtualFunction:
    """A virtual function: the network device of its card, and its number there."""

    card: str
    number: int


def virtual_function(address: str, tree: HostTree = _HOST) -> VirtualFunction:
    """The virtual function at a PCI address. Raises OSError (ENODEV) for what is none, or none of a network card."""
    card = tree.sys / "bus/pci/devices" / address / "physfn"
    if not card.exists():
        raise OSError(errno.ENODEV, f"PCI device {address} is no virtual function")
    names = sorted(entry.name for entry in (card / "net").iterdir()) if (card / "net").is_dir() else []
    if not names:
        raise OSError(errno.ENODEV, f"PCI device {address} is no virtual function of a network card")
    for link in card.glob("virtfn[0-9]*"):
        if os.path.basename(link.readlink()) == address:
            return VirtualFunction(names[0], int(link.name.removeprefix("virtfn")))
    raise OSError(errno.ENODEV, f"PCI device {address} has no number at '{names[0]}'")


def configure(function: VirtualFunction, mac: str, vlan: int) -> None:
    """Give a virtual function its address, and the VLAN that the card adds to its frames; 0 for none."""
    wanted: Attributes = [
        (_VF_MAC, struct.pack("=I32s", function.number, links.mac_bytes(mac))),
        (_VF_VLAN, struct.pack("=III", function.number, vlan, 0)),
    ]
    message = link_message(SETLINK, [(_VFINFO_LIST, [(_VF_INFO, wanted)])], index=links.index(function.card))
    with Netlink() as netlink:
        netlink.transact([message])
