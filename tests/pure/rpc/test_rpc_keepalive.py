"""Keepalive, with the clock in the test's hand."""

from __future__ import annotations

from guesthouse.rpc.keepalive import Keepalive


def test_a_silent_peer_is_pinged_and_then_dead() -> None:
    keepalive = Keepalive(100.0, interval=5, count=2)
    seen: list[tuple[float, str]] = []
    now = 100.0
    while not seen or seen[-1][1] != "dead":
        deadline = keepalive.deadline
        assert deadline is not None
        assert keepalive.tick(deadline - 0.001) == "wait"
        now = deadline
        seen.append((now, keepalive.tick(now)))
    assert seen == [(105.0, "ping"), (110.0, "ping"), (115.0, "dead")]


def test_any_packet_starts_anew() -> None:
    keepalive = Keepalive(0.0, interval=5, count=1)
    for now in (5.0, 11.0, 17.0):
        assert keepalive.tick(now) == "ping"
        keepalive.received(now + 1)
        assert keepalive.deadline == now + 6
        assert keepalive.tick(now + 5) == "wait"


def test_count_0_kills_without_a_ping() -> None:
    assert Keepalive(0.0, interval=5, count=0).tick(5.0) == "dead"


def test_interval_0_turns_it_off() -> None:
    keepalive = Keepalive(0.0, interval=0)
    assert keepalive.deadline is None
    assert keepalive.tick(1e9) == "wait"
