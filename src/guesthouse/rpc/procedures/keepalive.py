"""Signs of life: messages without payload and with serial 0, in either direction.

Source: libvirt's `virkeepaliveprotocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import KEEPALIVE_PROGRAM, Family

_family = Family(KEEPALIVE_PROGRAM)
event = _family.event

PING = event(1, "PING", None, "0.9.8")
PONG = event(2, "PONG", None, "0.9.8")
