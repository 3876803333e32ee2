"""What sysfs tells of a network device.

Source: Documentation/ABI/testing/sysfs-class-net.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.nodedev.ethtool import features
from guesthouse.drivers.nodedev.sysdevice import SysDevice
from guesthouse.host.sysfs import HostTree
from guesthouse.model.binding import new
from guesthouse.model.interface import Link
from guesthouse.model.nodedev.net import NetDevice, NetFeature, NetKind
from guesthouse.model.nodedev.parts import Capability

_HOST: Final = HostTree()
_STATES: Final = ("notpresent", "down", "lowerlayerdown", "testing", "dormant", "up")


def read_net(device: SysDevice) -> Capability | None:
    """The card, its cable and its features; a bridge or a tunnel is one too."""
    wireless = device.properties.get("DEVTYPE") == "wlan"
    # Only the kernel itself tells the features, and only of the host that this runs on.
    able = features(device.name) if device.tree == _HOST else []
    return new(
        NetDevice,
        interface=device.name,
        address=device.text("address"),
        link=_link(device),
        features=[NetFeature(name=name) for name in able],
        kind=NetKind(type="80211" if wireless else "80203"),
    )


def _link(device: SysDevice) -> Link:
    state = device.text("operstate")
    if state not in _STATES:
        state = "unknown"
    # A card that does not know its speed says -1, which libvirt prints as the largest number.
    speed = device.number("speed") if state == "up" else None
    return Link(speed=(speed & 0xFFFFFFFF) or None if speed is not None else None, state=state)
