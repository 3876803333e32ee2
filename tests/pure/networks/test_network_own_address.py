"""The host's own address in a network, where a display listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.drivers.network import own_address
from guesthouse.errors import InternalError
from guesthouse.host import links
from guesthouse.model.network.document import parse_network

HEADER = "<name>net</name><uuid>0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f</uuid>"
DEVICES = "<forward mode='{}'><interface dev='lo'/><interface dev='eth7'/></forward>"


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<ip address='192.168.122.1' netmask='255.255.255.0'/>", "192.168.122.1"),
        ("<forward mode='nat'/><ip family='ipv6' address='2001:db8::1' prefix='64'/>", "2001:db8::1"),
        ("<forward mode='bridge'/><bridge name='lo'/>", "127.0.0.1"),
        (DEVICES.format("bridge"), "127.0.0.1"),
        (DEVICES.format("vepa"), "127.0.0.1"),
    ],
)
def test_of_each_mode(inner: str, expected: str) -> None:
    assert own_address.find(parse_network(f"<network>{HEADER}{inner}</network>")) == expected


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("", "network 'net' doesn't have an IP address"),
        ("<forward mode='private'/>", "network 'net' has no associated interface or bridge"),
        ("<forward mode='hostdev'/>", "network 'net' has no associated interface or bridge"),
        ("<forward mode='bridge'/><bridge name='nowhere7'/>", "no IP address found for interface 'nowhere7'"),
    ],
)
def test_without_one(inner: str, text: str) -> None:
    with pytest.raises(InternalError, match=text):
        own_address.find(parse_network(f"<network>{HEADER}{inner}</network>"))


def test_an_address_of_the_sixth_version(tmp_path: Path) -> None:
    table = tmp_path / "if_inet6"
    table.write_text(
        "fe800000000000000000000000000001 02 40 20 80     eth7\n"
        "20010db8000000000000000000000005 03 40 00 80     eth8\n"
        "20010db8000000000000000000000007 02 40 00 80     eth7\n"
    )
    assert links.ipv6_address("eth7", table) == "2001:db8::7"
    assert links.ipv6_address("eth9", table) is None
    assert links.ipv6_address("eth7", tmp_path / "none") is None
