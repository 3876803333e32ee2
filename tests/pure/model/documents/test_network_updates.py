"""Parts of a network are added, replaced and removed, and what does not fit is refused in libvirt's words."""

from __future__ import annotations

import re

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.model.network.updating import ADD_FIRST, ADD_LAST, DELETE, MODIFY, update_network

HOST, RANGE, INTERFACE, GROUP, DNS_HOST, DNS_TXT, DNS_SRV = 4, 5, 7, 9, 10, 11, 12

NETWORK = """<network>
  <name>lab</name>
  <uuid>0f70c681-06be-45c6-a65b-5d1b9e33e557</uuid>
  <forward mode='bridge'>
    <interface dev='eth0'/>
  </forward>
  <dns>
    <txt name='old' value='1'/>
    <srv service='a' protocol='tcp'/>
    <srv service='a' protocol='udp'/>
    <host ip='10.7.0.2'>
      <hostname>dir</hostname>
    </host>
  </dns>
  <ip address='10.7.0.1' prefix='24'>
    <dhcp>
      <range start='10.7.0.100' end='10.7.0.110'/>
      <host mac='52:54:00:00:00:01' name='one' ip='10.7.0.11'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='2001:db8:7::1' prefix='64'/>
  <ip address='10.8.0.1' prefix='24'/>
  <portgroup name='sales' default='yes'/>
</network>
"""


def changed(command: int, section: int, xml: str, index: int = -1) -> str:
    """The definition after a change."""
    network = parse_network(NETWORK)
    update_network(network, command, section, index, xml)
    text = format_network(network)
    assert format_network(parse_network(text, validate=True)) == text
    return text


def _order(text: str, *parts: str) -> bool:
    places = [text.index(part) for part in parts]
    return places == sorted(places)


def test_clients_of_dhcp() -> None:
    second = "<host mac='52:54:00:00:00:02' name='two' ip='10.7.0.12'/>"
    assert _order(changed(ADD_LAST, HOST, second), "name='one'", "name='two'")
    assert _order(changed(ADD_FIRST, HOST, second, 0), "name='two'", "name='one'")
    assert "<host mac='52:54:00:00:00:01' name='uno' ip='10.7.0.19'/>" in changed(
        MODIFY, HOST, "<host mac='52:54:00:00:00:01' name='uno' ip='10.7.0.19'/>"
    )
    assert "<host mac" not in changed(DELETE, HOST, "<host name='one'/>")
    assert "<host id='0:1' ip='2001:db8:7::5'/>" in changed(ADD_LAST, HOST, "<host id='0:1' ip='2001:db8:7::5'/>", 1)


def test_ranges() -> None:
    assert _order(changed(ADD_FIRST, RANGE, "<range start='10.7.0.50' end='10.7.0.60'/>"), ".50", ".100")
    assert "<range" not in changed(DELETE, RANGE, "<range start='10.7.0.100' end='10.7.0.110'/>")


def test_interfaces() -> None:
    assert "<forward dev='eth1' mode='bridge'>" in changed(ADD_FIRST, INTERFACE, "<interface dev='eth1'/>")
    assert "<forward mode='bridge'/>" in changed(DELETE, INTERFACE, "<interface dev='eth0'/>")


def test_port_groups() -> None:
    assert "<portgroup name='sales' trustGuestRxFilters='yes'>" in changed(
        MODIFY, GROUP, "<portgroup name='sales' trustGuestRxFilters='yes'/>"
    )
    assert _order(changed(ADD_LAST, GROUP, "<portgroup name='more'/>"), "'sales'", "'more'")
    assert "portgroup" not in changed(DELETE, GROUP, "<portgroup name='sales'/>")


def test_records_of_the_name_server() -> None:
    record = "<host ip='10.7.0.3'><hostname>web</hostname></host>"
    assert _order(changed(ADD_FIRST, DNS_HOST, record), "10.7.0.3", "10.7.0.2")
    assert "<hostname>web</hostname>" in changed(MODIFY, DNS_HOST, record.replace(".3", ".2"))
    assert "hostname" not in changed(DELETE, DNS_HOST, "<host><hostname>dir</hostname></host>")
    assert "<txt name='old' value='2'/>" in changed(MODIFY, DNS_TXT, "<txt name='old' value='2'/>")
    assert "<txt name='new' value='3'/>" in changed(ADD_LAST, DNS_TXT, "<txt name='new' value='3'/>")
    assert "<txt" not in changed(DELETE, DNS_TXT, "<txt name='old'/>")
    assert "protocol='udp'" not in changed(DELETE, DNS_SRV, "<srv protocol='udp'/>")
    assert "service='b'" in changed(ADD_LAST, DNS_SRV, "<srv service='b' protocol='tcp'/>")


@pytest.mark.parametrize(
    ("command", "section", "xml", "code", "text"),
    [
        (MODIFY, 1, "<bridge/>", Code.OPERATION_UNSUPPORTED, "can't update 'bridge' section of network 'lab'"),
        (MODIFY, 99, "<x/>", Code.OPERATION_UNSUPPORTED, "can't update unrecognized section of network"),
        (7, HOST, "<host/>", Code.OPERATION_UNSUPPORTED, "unrecognized network update command code 7"),
        (ADD_LAST, HOST, "<range/>", Code.XML_ERROR, "unexpected element <range>, expecting <host>, while updating"),
        (ADD_LAST, HOST, "<host name='x'/>", Code.XML_ERROR, "Missing IP address in static host definition"),
        (DELETE, HOST, "<host/>", Code.XML_ERROR, "At least one of name, mac, or ip attribute must be specified"),
        (DELETE, HOST, "<host name='x'/>", Code.OPERATION_INVALID, "couldn't locate a matching dhcp host entry in"),
        (
            ADD_LAST,
            HOST,
            "<host name='one' ip='10.7.0.99'/>",
            Code.OPERATION_INVALID,
            "there is an existing dhcp host entry in network 'lab' that matches \"<host mac='unknown' name='one'",
        ),
        (
            MODIFY,
            HOST,
            "<host name='x' ip='10.7.0.99'/>",
            Code.OPERATION_INVALID,
            "couldn't locate an existing dhcp host entry with \"mac='unknown'\" \"name='x'\" \"ip='10.7.0.99'\"",
        ),
        (
            MODIFY,
            RANGE,
            "<range/>",
            Code.OPERATION_UNSUPPORTED,
            "dhcp ranges cannot be modified",
        ),
        (
            ADD_LAST,
            RANGE,
            "<range start='10.7.0.100' end='10.7.0.110'/>",
            Code.OPERATION_INVALID,
            "there is an existing dhcp range entry in network 'lab'",
        ),
        (DELETE, INTERFACE, "<interface dev='x'/>", Code.OPERATION_INVALID, "couldn't find an interface entry in"),
        (
            ADD_LAST,
            INTERFACE,
            "<interface dev='eth0'/>",
            Code.OPERATION_INVALID,
            "there is an existing interface",
        ),
        (ADD_LAST, GROUP, "<portgroup name='sales'/>", Code.OPERATION_INVALID, "there is an existing portgroup entry"),
        (DELETE, GROUP, "<portgroup name='x'/>", Code.OPERATION_INVALID, "couldn't find a portgroup entry in network"),
        (
            ADD_LAST,
            GROUP,
            "<portgroup name='x' default='yes'/>",
            Code.OPERATION_INVALID,
            "a different portgroup entry in network 'lab' is already set as the default",
        ),
        (DELETE, DNS_SRV, "<srv service='a'/>", Code.OPERATION_INVALID, "multiple DNS SRV records matching all"),
        (DELETE, DNS_TXT, "<txt name='x'/>", Code.OPERATION_INVALID, "couldn't locate a matching DNS TXT record in"),
        (ADD_LAST, DNS_TXT, "<txt name='old' value='2'/>", Code.OPERATION_INVALID, "there is already a DNS TXT record"),
        (ADD_LAST, DNS_HOST, "<host ip='10.7.0.9'/>", Code.XML_DETAIL, "Missing hostname in network 'lab' DNS HOST"),
    ],
)
def test_what_does_not_fit(command: int, section: int, xml: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError, match=re.escape(text)) as caught:
        changed(command, section, xml)
    assert caught.value.code == code


def test_where_dhcp_cannot_be() -> None:
    with pytest.raises(LibvirtError, match="dhcp is supported only for a single IPv4 address on each network"):
        changed(ADD_LAST, HOST, "<host name='x' ip='10.8.0.9'/>", 2)
    with pytest.raises(LibvirtError, match="no <ip> element found at index 7 in network 'lab'"):
        changed(ADD_LAST, HOST, "<host name='x' ip='10.8.0.9'/>", 7)
