"""Listening to the frames of one network device, with a program in the kernel that says which are wanted. Linux alone.

Source: packet(7); the kernel's `Documentation/networking/filter.rst`.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence
from typing import Final

_ETH_P_ALL: Final = 0x0003
_SO_ATTACH_FILTER: Final = 26
_INSTRUCTION: Final = struct.Struct("=HBBI")
_PROGRAM: Final = struct.Struct("@HP")

#: Instructions: load a word, a half word or a byte; the length of an IP header; half a word behind it; compare; end.
LD_W, LD_H, LD_B, LDX_MSH, LD_IND_H = 0x20, 0x28, 0x30, 0xB1, 0x48
JEQ, JSET, RET = 0x15, 0x45, 0x06
#: What is loaded is whether the frame had a VLAN's tag, which the kernel takes out.
VLAN_PRESENT: Final = 0xFFFFF000 + 48
#: A frame's direction, as the address of `recvfrom` tells it: the host sends it.
OUTGOING: Final = 4

#: One instruction: what it does, how far to jump where a comparison is true and where not, a constant.
Instruction = tuple[int, int, int, int]


def listen(device: str, program: Sequence[Instruction]) -> socket.socket:
    """A socket that gets the frames of a device which `program` lets through; it does not block. Raises OSError."""
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    try:
        attached = _PROGRAM.pack(len(program), ctypes.addressof(buffer))
        made.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attached)
        made.bind((device, _ETH_P_ALL))
    except Exception:
        made.close()
        raise
    return made
