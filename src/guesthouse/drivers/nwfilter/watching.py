"""Listening to a guest's card until its IP address is known, or for as long as it has leases.

A guest that sends more than its share is not listened to for a while: nobody can keep the daemon busy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from guesthouse.drivers.nwfilter.seen import Lease, address_of, lease_of
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host import sniffing as bpf
from guesthouse.host.links import mac_bytes
from guesthouse.model.nwfilter.learning import ANY, DHCP

log = logging.getLogger(__name__)

_LARGEST: Final = 2048
#: So many frames are looked at within so many seconds; each lease can change rules, and a guest needs few of them.
_SHARE, _WINDOW = {ANY: 50, DHCP: 10}, 1.0
_TAKE, _LEAVE = (bpf.RET, 0, 0, _LARGEST), (bpf.RET, 0, 0, 0)

#: ARP and IPv4 without a VLAN's tag.
_ANYTHING: Final = (
    (bpf.LD_W, 0, 0, bpf.VLAN_PRESENT),
    (bpf.JEQ, 0, 4, 0),
    (bpf.LD_H, 0, 0, 12),
    (bpf.JEQ, 1, 0, 0x0806),
    (bpf.JEQ, 0, 1, 0x0800),
    _TAKE,
    _LEAVE,
)
#: Whole UDP packets of IPv4, without a VLAN's tag, from a DHCP client's port or a server's.
_LEASES: Final = (
    (bpf.LD_W, 0, 0, bpf.VLAN_PRESENT),
    (bpf.JEQ, 0, 11, 0),
    (bpf.LD_H, 0, 0, 12),
    (bpf.JEQ, 0, 9, 0x0800),
    (bpf.LD_B, 0, 0, 23),
    (bpf.JEQ, 0, 7, 17),
    (bpf.LD_H, 0, 0, 20),
    (bpf.JSET, 5, 0, 0x1FFF),
    (bpf.LDX_MSH, 0, 0, 14),
    (bpf.LD_IND_H, 0, 0, 14),
    (bpf.JEQ, 1, 0, 67),
    (bpf.JEQ, 0, 1, 68),
    _TAKE,
    _LEAVE,
)


class Watcher:
    """Listens on one device. `heard` is called in the event loop with each thing that says something of the address."""

    def __init__(self, device: str, mac: str, method: str, heard: Callable[[Watcher, Lease], None]) -> None:
        self.method = method
        self._device = device
        self._mac = mac_bytes(mac)
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._seen = 0
        self._rest: asyncio.TimerHandle | None = None
        try:
            self._socket = bpf.listen(device, _ANYTHING if method == ANY else _LEASES)
        except OSError as error:
            raise LibvirtError(
                f"cannot listen on '{device}' for the address of its guest: {error.strerror}",
                code=Code.SYSTEM_ERROR,
                domain=Origin.NWFILTER,
                hint="give the address: <parameter name='IP' value='…'/>",
            ) from error
        self._loop.add_reader(self._socket, self._readable)

    def close(self) -> None:
        """Listen no more."""
        if self._rest is not None:
            self._rest.cancel()
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        if self._rest is None:
            self._rest = self._loop.call_later(_WINDOW, self._again)
        while self._seen < _SHARE[self.method]:
            try:
                frame, address = self._socket.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError as error:  # the device is gone, or down
                log.debug("'%s': %s", self._device, error)
                return
            self._seen += 1
            self._look(frame, outgoing=address[2] == bpf.OUTGOING)
            if self._socket.fileno() < 0:
                return
        self._loop.remove_reader(self._socket)

    def _again(self) -> None:
        busy = self._seen >= _SHARE[self.method]
        self._seen, self._rest = 0, None
        if busy:
            self._loop.add_reader(self._socket, self._readable)

    def _look(self, frame: bytes, *, outgoing: bool) -> None:
        if self.method == ANY:
            address = address_of(frame, self._mac, outgoing=outgoing)
            found = Lease(address, None) if address is not None else None
        else:
            found = lease_of(frame, self._mac, outgoing=outgoing)
        if found is not None:
            self._heard(self, found)
