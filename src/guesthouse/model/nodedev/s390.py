"""Devices of mainframes: channels, crypto adapters.

Format: https://libvirt.org/formatnode.html
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.binding import attr, choices, content, default, element, leaf, many, one, opt_leaf
from guesthouse.model.kinds import TEXT, hexadecimal, one_of
from guesthouse.model.nodedev.parts import Capability, MdevTypes

_CSSID: Final = hexadecimal(1, 0xFE)
_SSID: Final = hexadecimal(1, 3)
_DEVNO: Final = hexadecimal(4, 0xFFFF)
_STATE: Final = one_of("offline", "online")
_QETH: Final = ("qeth_generic", "qeth_layer2", "qeth_layer3")


@element("capability")
class CcwGroupMember(Capability):
    """The device is part of a group."""

    type: str = default(one_of("ccwgroup_member"), "ccwgroup_member")
    group_device: str = leaf(TEXT)


@element("capability", two_lines=True)
class CcwDevice(Capability):
    """A channel device."""

    type: str = default(one_of("ccw"), "ccw")
    state: str | None = opt_leaf(_STATE)
    cssid: int = leaf(_CSSID)
    ssid: int = leaf(_SSID)
    devno: int = leaf(_DEVNO)
    member: CcwGroupMember | None = one(CcwGroupMember)


@element("channel_dev_addr")
class ChannelAddress:
    """The address of the channel device behind a subchannel."""

    cssid: int = leaf(_CSSID)
    ssid: int = leaf(_SSID)
    devno: int = leaf(_DEVNO)


@element("capability", two_lines=True)
class CssDevice(Capability):
    """A subchannel."""

    type: str = default(one_of("css"), "css")
    cssid: int = leaf(_CSSID)
    ssid: int = leaf(_SSID)
    devno: int = leaf(_DEVNO)
    channel: ChannelAddress | None = one(ChannelAddress)
    mdev_types: MdevTypes | None = one(MdevTypes)


@element("ccw_device")
class CcwMember:
    """A member of a group: its role and its name."""

    ref: str = attr(TEXT)
    device: str = content(TEXT)


@element("members")
class CcwMembers:
    """The members of a group."""

    devices: list[CcwMember] = many(CcwMember)


@element("capability")
class QethGroup(Capability):
    """The group is a network card."""

    type: str = default(one_of(*_QETH), _QETH[0])
    card_type: str | None = opt_leaf(TEXT)
    chpid: str | None = opt_leaf(TEXT)


_GROUPS: Final[dict[str, type[Capability]]] = dict.fromkeys(_QETH, QethGroup)


@element("capability", two_lines=True)
class CcwGroup(Capability):
    """Several channel devices that act as one."""

    type: str = default(one_of("ccwgroup"), "ccwgroup")
    state: str | None = opt_leaf(_STATE)
    cssid: int = leaf(_CSSID)
    ssid: int = leaf(_SSID)
    devno: int = leaf(_DEVNO)
    members: CcwMembers | None = one(CcwMembers)
    kinds: list[Capability] = choices("type", _GROUPS)


@element("capability", two_lines=True)
class ApCard(Capability):
    """A crypto adapter."""

    type: str = default(one_of("ap_card"), "ap_card")
    adapter: int = leaf(hexadecimal(2, 0xFF), "ap-adapter")


@element("capability", two_lines=True)
class ApQueue(Capability):
    """A queue of a crypto adapter."""

    type: str = default(one_of("ap_queue"), "ap_queue")
    adapter: int = leaf(hexadecimal(2, 0xFF), "ap-adapter")
    domain: int = leaf(hexadecimal(4, 0xFF), "ap-domain")


@element("capability", two_lines=True)
class ApMatrix(Capability):
    """The device from which mediated crypto devices are made."""

    type: str = default(one_of("ap_matrix"), "ap_matrix")
    mdev_types: MdevTypes | None = one(MdevTypes)
