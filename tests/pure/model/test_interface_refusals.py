"""Network cards that cannot be: what is refused, with which code, and what the text names."""

from __future__ import annotations

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.domain.devices.base import Device
from tests.pure.model import device_cases as cases

XML_ERROR, INVALID_ARGUMENT, XML_DETAIL, UNSUPPORTED, TOO_BIG = 27, 8, 35, 67, 82

MAC = "<mac address='52:54:00:00:00:01'/>"
USER, BRIDGE = ("user", ""), ("bridge", "<source bridge='br0'/>")
ETHERNET, VHOST_USER = ("ethernet", ""), ("vhostuser", "<source type='unix' path='/s' mode='{}'>{}</source>")
PORT = "<source bridge='br0'/><virtualport type='{}'>{}</virtualport>"
PARAMETERS = "<parameters managerid='1' typeid='2' typeidversion='3'/>"

# Type, what is in the element, model, error code, and a part of its text.
REFUSED = [
    # What the type needs, and what does not belong to it.
    ("network", "", "virtio", XML_ERROR, "requires a 'source' element"),
    ("bridge", "<source/>", "virtio", XML_ERROR, "'bridge' in element 'source'"),
    ("direct", "<source mode='vepa'/>", "virtio", XML_ERROR, "'dev' in element 'source'"),
    ("direct", "<source dev='eth0' mode='server'/>", "virtio", XML_ERROR, "'server'"),
    ("internal", "<source/>", "virtio", XML_ERROR, "'name' in element 'source'"),
    ("vdpa", "<source/>", "virtio", XML_ERROR, "'dev' in element 'source'"),
    ("server", "", "virtio", XML_ERROR, "requires a 'source' element"),
    ("server", "<source address='127.0.0.1'/>", "virtio", XML_ERROR, "'port' in element 'source'"),
    ("client", "<source port='1'/>", "virtio", XML_ERROR, "'address' in element 'source'"),
    ("udp", "<source address='::1' port='1'/>", "virtio", XML_ERROR, "'<local>' element missing"),
    ("udp", "<source address='::1' port='1'><local port='2'/></source>", "virtio", XML_ERROR, "'address'"),
    ("hostdev", "<source/>", "", UNSUPPORTED, "unknown host device source address type"),
    ("user", "<source network='default'/>", "virtio", UNSUPPORTED, "'network' does not fit"),
    ("null", "", "virtio", UNSUPPORTED, "'null'"),
    ("vds", "<source/>", "virtio", UNSUPPORTED, "'vds'"),
    # The host's side.
    ("bridge", "<source bridge='b'><ip address='::1'/></source>", "virtio", UNSUPPORTED, "'ips' does not fit"),
    (*BRIDGE[:1], BRIDGE[1] + "<target dev='t' managed='no'/>", "virtio", UNSUPPORTED, "unmanaged target dev"),
    (*BRIDGE[:1], BRIDGE[1] + "<script path='/s'/>", "virtio", UNSUPPORTED, "scripts are not supported"),
    (*BRIDGE[:1], BRIDGE[1] + "<backenddomain name='net'/>", "virtio", UNSUPPORTED, "<backenddomain> is for Xen"),
    ("user", "<vlan><tag id='1'/></vlan>", "virtio", UNSUPPORTED, "vlan tag not supported"),
    ("direct", "<source dev='e'/><vlan><tag id='1'/></vlan>", "virtio", UNSUPPORTED, "vlan tag not supported"),
    ("ethernet", "<port isolated='yes'/>", "virtio", UNSUPPORTED, "<port isolated='yes'/>"),
    ("user", "<filterref filter='f'/>", "virtio", UNSUPPORTED, "filterref is not supported"),
    ("direct", "<source dev='e'/><backend tap='/t'/>", "virtio", UNSUPPORTED, "custom tap device path"),
    ("ethernet", "<coalesce><rx><frames max='5'/></rx></coalesce>", "virtio", UNSUPPORTED, "coalesce settings"),
    ("user", "<mtu size='1400'/>", "virtio", UNSUPPORTED, "setting MTU on interface type user"),
    # VLANs, virtual ports, rates.
    ("network", "<source network='n'/><vlan/>", "virtio", XML_ERROR, "missing tag id"),
    ("network", "<source network='n'/><vlan><tag id='5000'/></vlan>", "virtio", XML_ERROR, "5000 too large"),
    (
        "network",
        "<source network='n'/><vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>",
        "virtio",
        XML_ERROR,
        "trunk='yes' is required",
    ),
    (
        "network",
        "<source network='n'/><vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>",
        "virtio",
        XML_ERROR,
        "not allowed with a native vlan",
    ),
    ("network", "<source network='n'/><vlan trunk='perhaps'><tag id='1'/></vlan>", "virtio", XML_ERROR, "yes or no"),
    ("user", "<virtualport type='openvswitch'/>", "virtio", UNSUPPORTED, "<virtualport> element unsupported"),
    ("bridge", "<source bridge='b'/><virtualport/>", "virtio", XML_ERROR, "missing required virtualport type"),
    ("bridge", PORT.format("802.1Qbg", ""), "virtio", XML_ERROR, "missing managerid"),
    ("bridge", PORT.format("openvswitch", PARAMETERS), "virtio", XML_ERROR, "extra managerid"),
    ("bridge", "<source bridge='b'/><bandwidth><inbound peak='1'/></bandwidth>", "virtio", XML_DETAIL, "mandatory"),
    (
        "network",
        "<source network='n'/><bandwidth><inbound floor='1' peak='1'/></bandwidth>",
        "virtio",
        UNSUPPORTED,
        "require 'average'",
    ),
    (
        "bridge",
        "<source bridge='b'/><bandwidth><inbound average='1' floor='1'/></bandwidth>",
        "virtio",
        UNSUPPORTED,
        "floor attribute",
    ),
    (
        "bridge",
        "<source bridge='b'/><bandwidth><outbound average='18014398509481985'/></bandwidth>",
        "virtio",
        TOO_BIG,
        "18014398509481984",
    ),
    # The card.
    ("user", "", "nope", UNSUPPORTED, "'nope'"),
    ("user", "<driver queues='4'/>", "virtio", UNSUPPORTED, "multiqueue is not supported"),
    ("user", "<driver rx_queue_size='300'/>", "virtio", UNSUPPORTED, "power of two"),
    ("user", "<driver iommu='on'/>", "e1000", UNSUPPORTED, "iommu"),
    ("user", "<driver name='vfio'/>", "virtio", UNSUPPORTED, "'vfio'"),
    ("vdpa", "<source dev='/d'/>", "e1000", UNSUPPORTED, "must be 'virtio'"),
    ("user", "<teaming type='persistent'/>", "e1000", UNSUPPORTED, "must be <model type='virtio'/>"),
    ("user", "<teaming type='persistent' persistent='ua-x'/>", "virtio", UNSUPPORTED, "not allowed"),
    ("network", "<source network='n'/><teaming type='transient'/>", "virtio", UNSUPPORTED, "must be set"),
    ("user", "<teaming type='transient' persistent='ua-x'/>", "virtio", UNSUPPORTED, "must be type='hostdev'"),
    # User-mode networks.
    ("user", "<portForward proto='tcp'/>", "virtio", UNSUPPORTED, "<portForward>"),
    ("user", "<source dev='eth0'/>", "virtio", UNSUPPORTED, "'dev'"),
    ("user", "<backend logFile='/l'/>", "virtio", UNSUPPORTED, "'logFile'"),
    ("ethernet", "<backend type='passt'/>", "virtio", UNSUPPORTED, "'passt' backend"),
    ("user", "<ip address='10.0.0.1'/><ip address='10.0.0.2'/>", "virtio", UNSUPPORTED, "IPv4"),
    ("user", "<ip address='10.0.0.1' prefix='30'/>", "virtio", XML_ERROR, "4-27"),
    ("user", "<ip address='::1' prefix='60'/>", "virtio", UNSUPPORTED, "must be 64"),
    ("user", "<ip address='10.0.0.1' peer='10.0.0.2'/>", "virtio", UNSUPPORTED, "peer IP"),
    ("user", "<ip address='10.0.0.1' family='ipv6'/>", "virtio", XML_ERROR, "10.0.0.1"),
    ("ethernet", "<ip address='10.0.0.1'/>", "virtio", UNSUPPORTED, "IP address info"),
    ("user", "<route address='10.0.0.0' prefix='8' gateway='10.0.0.1'/>", "virtio", UNSUPPORTED, "IP route"),
    ("user", "<portForward proto='tcp'><range end='5'/></portForward>", "virtio", UNSUPPORTED, "requires 'start'"),
    ("user", "<portForward proto='tcp'><range start='5' end='4'/></portForward>", "virtio", XML_ERROR, "before its"),
    # Vhost-user.
    ("vhostuser", "<source type='unix' mode='client'/>", "virtio", XML_ERROR, "'path' in element 'source'"),
    (VHOST_USER[0], VHOST_USER[1].format("client", ""), "virtio", UNSUPPORTED, "requires shared memory"),
    (
        VHOST_USER[0],
        VHOST_USER[1].format("server", "<reconnect enabled='yes' timeout='1'/>"),
        "virtio",
        UNSUPPORTED,
        "mode='server'",
    ),
    (
        VHOST_USER[0],
        VHOST_USER[1].format("client", "<reconnect enabled='yes' timeout='0'/>"),
        "virtio",
        INVALID_ARGUMENT,
        "cannot be '0'",
    ),
]


def checked(kind: str, content: str, model: str) -> Device:
    """A card that was read, completed and checked for a QEMU without a card 'nope'."""
    chosen = f"<model type='{model}'/>" if model else ""
    devices = cases.parse(f"<devices><interface type='{kind}'>{MAC}{content}{chosen}</interface></devices>")
    ctx = cases.context(devices, "q35", assign=False)
    known = ("virtio-net-pci", "e1000", "rtl8139")
    ctx.shared_memory = False
    ctx.qemu = cases.capabilities(frozenset(known))
    card = devices.interfaces[0]
    card.defaults(ctx)
    card.check(ctx)
    return card


@pytest.mark.parametrize(("kind", "content", "model", "code", "part"), REFUSED)
def test_card_is_refused(kind: str, content: str, model: str, code: int, part: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        checked(kind, content, model)
    assert caught.value.code == code, caught.value
    assert part in caught.value.message


def test_a_multicast_address_is_refused() -> None:
    with pytest.raises(LibvirtError, match="multicast"):
        cases.parse("<devices><interface type='user'><mac address='53:54:00:00:00:01'/></interface></devices>")


@pytest.mark.parametrize(
    ("kind", "content", "model"),
    [
        (*USER, "virtio"),
        (*BRIDGE, "e1000"),
        (*ETHERNET, "virtio"),
        ("network", "<source network='n'/><vlan><tag id='1'/></vlan><filterref filter='f'/>", "virtio"),
        ("direct", "<source dev='e' mode='passthrough'/><vlan><tag id='1'/></vlan>", "virtio"),
        ("user", "<backend type='passt'/><mtu size='1400'/><portForward proto='tcp'><range/></portForward>", "virtio"),
        ("ethernet", "<source><ip address='::1'/></source><script path='/s'/>", "e1000"),
        ("internal", "<source name='n'/>", "rtl8139"),
    ],
)
def test_card_is_accepted(kind: str, content: str, model: str) -> None:
    checked(kind, content, model)
