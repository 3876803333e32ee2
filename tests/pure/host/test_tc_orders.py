"""The orders that limit a device's rate: libvirt's own, as `tc` takes them."""

from __future__ import annotations

from guesthouse.host.tc import Limit, orders


def test_what_is_sent_is_shaped() -> None:
    wanted, fairer = orders("vnet0", Limit(1000, 5000, 1024), None)
    assert wanted == [
        "qdisc add dev vnet0 root handle 1: htb default 1",
        "class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps burst 1024kb quantum 85",
    ]
    assert fairer == [
        "qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10",
        "filter add dev vnet0 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
    ]


def test_what_is_received_is_policed() -> None:
    wanted, fairer = orders("vnet0", None, Limit(128, 256))
    assert wanted == [
        "qdisc add dev vnet0 ingress",
        "filter add dev vnet0 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 128kb mtu 64kb "
        "drop flowid :1",
    ]
    assert fairer == []


def test_a_burst_fits_into_32_bits() -> None:
    wanted, _ = orders("t", None, Limit(2**40))
    assert "burst 4194303kb" in wanted[1]


def test_a_quantum_is_at_least_one() -> None:
    assert orders("t", Limit(1), None)[0][1].endswith("quantum 1")


def test_no_limit_is_no_order() -> None:
    assert orders("t", None, None) == ([], [])
