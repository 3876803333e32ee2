"""The host's end of a vsock: a context id on the kernel's vhost-vsock.

Source: linux/vhost.h (`VHOST_VSOCK_SET_GUEST_CID`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, LibvirtError

DEVICE: Final = Path("/dev/vhost-vsock")
#: The context ids below are not for guests; ids are 32 bits, of which all set means none.
FIRST: Final = 3
_LAST: Final = 2**32 - 2
#: `_IOW(VHOST_VIRTIO, 0x60, __u64)`.
_SET_GUEST_CID: Final = 0x4008AF60


def claim(cid: int | None, device: Path = DEVICE) -> tuple[int, int]:
    """Open the device and claim a context id, any free one for None. The id and the descriptor, which holds the claim.

    Raises a `LibvirtError` (38) where there is no such device or the id is taken.
    """
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise LibvirtError(
            f"unable to open vhost-vsock device: {error.strerror}",
            code=Code.SYSTEM_ERROR,
            hint="load the kernel module vhost_vsock",
        ) from error
    try:
        return _claim_on(descriptor, cid), descriptor
    except Exception:
        os.close(descriptor)
        raise


def _claim_on(descriptor: int, cid: int | None) -> int:
    for number in range(FIRST, _LAST) if cid is None else (cid,):
        try:
            fcntl.ioctl(descriptor, _SET_GUEST_CID, struct.pack("=Q", number))
        except OSError as error:
            if cid is None and error.errno == errno.EADDRINUSE:
                continue
            raise LibvirtError(
                f"failed to set guest cid: {error.strerror}",
                code=Code.SYSTEM_ERROR,
                hint=f"is the id {number} another guest's?" if error.errno == errno.EADDRINUSE else "",
            ) from error
        return number
    raise LibvirtError("failed to acquire guest cid: no unused guest cid found", code=Code.SYSTEM_ERROR)
