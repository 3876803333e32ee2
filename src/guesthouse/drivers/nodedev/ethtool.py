"""What a network card can do without the processor, as the kernel's `ethtool` calls tell it.

Source: the kernel's `linux/ethtool.h`; the names are those of https://libvirt.org/formatnode.html.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_GFLAGS: Final = 0x25
_GFEATURES: Final = 0x3A
#: Calls that answer with one number, and the feature that it switches.
_SWITCHES: Final = {0x14: "rx", 0x16: "tx", 0x18: "sg", 0x1E: "tso", 0x23: "gso", 0x2B: "gro"}
#: Bits of the answer to `_GFLAGS`.
_FLAGS: Final = {1 << 15: "lro", 1 << 8: "rxvlan", 1 << 7: "txvlan", 1 << 27: "ntuple", 1 << 28: "rxhash"}
#: The bit of `tx-udp_tnl-segmentation` in the first block of active features.
_UDP_TUNNEL: Final = 1 << 25


def features(interface: str) -> list[str]:
    """The features that are on. Empty where the kernel does not tell, or this network namespace has no such card."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        for command, name in _SWITCHES.items():
            if _ask(channel, interface, struct.pack("=II", command, 0), 4):
                found.append(name)
        flags = _ask(channel, interface, struct.pack("=II", _GFLAGS, 0), 4)
        found += [name for bit, name in _FLAGS.items() if flags & bit]
        # Two blocks of four words: available, requested, active, never changed.
        if _ask(channel, interface, struct.pack("=II8I", _GFEATURES, 2, *[0] * 8), 16) & _UDP_TUNNEL:
            found.append("txudptnl")
    return found


def _ask(channel: socket.socket, interface: str, request: bytes, place: int) -> int:
    """The number at `place` of the answer; 0 where there is none."""
    answer = ctypes.create_string_buffer(request, len(request))
    try:
        fcntl.ioctl(channel, _SIOCETHTOOL, struct.pack("16sP16x", interface.encode()[:15], ctypes.addressof(answer)))
    except OSError:
        return 0
    number: int = struct.unpack_from("=I", answer.raw, place)[0]
    return number
