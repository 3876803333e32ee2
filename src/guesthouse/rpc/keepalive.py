"""When to ask a silent peer for a sign of life, and when to give it up. The caller owns the clock and the timer.

Every packet from the peer starts the count anew. After each `interval` of silence a PING goes out; when `count` of
them brought nothing, the peer is dead one interval later: after (count + 1) * interval in all. With count 0 silence
alone is enough. A server may only ping a client that has asked for it (CONNECT_SUPPORTS_FEATURE 10); whoever is
pinged answers at once, whatever else is going on.

Source: `keepalive_interval` and `keepalive_count` of libvirtd.conf, whose defaults stand here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Action = Literal["wait", "ping", "dead"]

#: Seconds of silence before a PING.
INTERVAL = 5.0

#: PINGs without an answer.
COUNT = 5


class Keepalive:
    """The silence of one peer. Times are seconds of any steady clock; `interval` 0 or less turns it off."""

    __slots__ = ("_interval", "_limit", "_since", "_unanswered")

    def __init__(self, now: float, interval: float = INTERVAL, count: int = COUNT) -> None:
        self._interval = interval
        self._limit = count
        self._since = now
        self._unanswered = 0

    def received(self, now: float) -> None:
        """The peer sent something, whatever it is."""
        self._since = now
        self._unanswered = 0

    @property
    def deadline(self) -> float | None:
        """When to call `tick` next; None when keepalive is off. May have moved by the time it comes."""
        return self._since + self._interval if self._interval > 0 else None

    def tick(self, now: float) -> Action:
        """What to do now: wait until `deadline`, send a PING, or close the connection because the peer is dead."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return "wait"
        if self._unanswered >= self._limit:
            return "dead"
        self._unanswered += 1
        self._since = now
        return "ping"
