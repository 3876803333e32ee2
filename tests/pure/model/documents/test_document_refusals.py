"""What is wrong in a document is refused in libvirt's words, and by element and line where nobody claims it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.backup import parse_backup
from guesthouse.model.checkpoint import parse_checkpoint
from guesthouse.model.documents import kind_of, validate
from guesthouse.model.interface import parse_interface
from guesthouse.model.network.document import parse_network
from guesthouse.model.network_port import parse_network_port
from guesthouse.model.nodedev.device import parse_node_device
from guesthouse.model.nwfilter.filter import parse_nwfilter
from guesthouse.model.nwfilter_binding import parse_nwfilter_binding
from guesthouse.model.pool import parse_pool
from guesthouse.model.secret import parse_secret
from guesthouse.model.snapshot import parse_snapshot
from guesthouse.model.volume import parse_volume

SHAPES = sorted(Path(__file__).parent.glob("*.xml"))


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", SHAPES, ids=_name)
def test_what_nobody_claims_is_named_with_its_line(path: Path) -> None:
    text = path.read_text()
    head, _, rest = text.partition("\n")
    if not rest.startswith("  <"):
        pytest.skip("a document without children")
    root = re.match(r"<(\w+)", head)
    assert root is not None
    with pytest.raises(LibvirtError) as caught:
        validate(f"{head}\n  <surprise/>\n{rest}")
    assert caught.value.code == Code.XML_INVALID_SCHEMA
    assert f"element 'surprise' in '{root[1]}' is not supported (line 2)" in caught.value.message
    with pytest.raises(LibvirtError) as caught:
        validate(head.replace(">", " surprise='1'>", 1) + "\n" + rest)
    assert f"attribute 'surprise' in '{root[1]}' is not supported (line 1)" in caught.value.message


NETWORK = "<network><name>n</name>{}</network>"
IP = "<ip address='10.0.0.1' netmask='255.255.255.0'/>"


@pytest.mark.parametrize(
    ("inside", "code", "text"),
    [
        (
            "<forward mode='nat'/>",
            Code.XML_ERROR,
            "nat forwarding requested, but no IP address provided for",
        ),
        ("<forward mode='other'/>", Code.XML_ERROR, "Invalid value for attribute 'mode' in element 'forward': 'other'"),
        (f"<forward mode='open' dev='e'/>{IP}", Code.XML_ERROR, "forward dev not allowed for network 'n'"),
        ("<forward mode='vepa'/><bridge name='b'/>", Code.XML_ERROR, "bridge name not allowed in vepa mode"),
        ("<forward mode='bridge'/><bridge name='b' stp='on'/>", Code.XML_ERROR, "bridge delay/stp/zone options only"),
        ("<forward mode='bridge'/><mtu size='9000'/>", Code.XML_ERROR, "mtu size only allowed in open, route"),
        (f"<forward mode='route'><nat/></forward>{IP}", Code.XML_ERROR, "The <nat> element can only be used when"),
        (
            "<forward mode='private'><interface dev='a'/><interface dev='a'/></forward>",
            Code.XML_ERROR,
            "interface 'a' can only be listed once in network n",
        ),
        ("<dns enable='no'><txt name='a' value='b'/></dns>", Code.XML_ERROR, "Extra data in disabled network 'n'"),
        ("<dns><host ip='10.0.0.2'/></dns>", Code.XML_DETAIL, "Missing hostname in network 'n' DNS HOST record"),
        ("<dns><srv service='a'/></dns>", Code.XML_DETAIL, "missing required protocol attribute in DNS SRV record 'a'"),
        (
            "<dns><srv service='a' protocol='tcp' port='1'/></dns>",
            Code.XML_DETAIL,
            "DNS SRV port attribute not permitted without target",
        ),
        ("<ip address='10.0.0.1' family='ipv6'/>", Code.CONFIG_UNSUPPORTED, "Family 'ipv6' specified for non-IPv6"),
        ("<ip address='10.0.0.1' prefix='33'/>", Code.CONFIG_UNSUPPORTED, "Invalid IPv4 prefix '33' in network 'n'"),
        ("<ip address='10.0.0.1' netmask='255.0.255.0'/>", Code.XML_ERROR, "Invalid netmask '255.0.255.0'"),
        (
            "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.1.2' end='10.0.1.3'/></dhcp></ip>",
            Code.INTERNAL_ERROR,
            "range 10.0.1.2 - 10.0.1.3 is not entirely within network 10.0.0.1/24",
        ),
        (
            "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.9' end='10.0.0.3'/></dhcp></ip>",
            Code.INTERNAL_ERROR,
            "is reversed",
        ),
        (
            "<ip address='10.0.0.1' prefix='24'><dhcp><host ip='10.0.0.3'/></dhcp></ip>",
            Code.XML_ERROR,
            "Static host definition in IPv4 network 'n' must have mac or name attribute",
        ),
        (
            "<ip address='10.0.0.1' prefix='24'><dhcp><range start='10.0.0.2' end='10.0.0.3'><lease expiry='1'/>"
            "</range></dhcp></ip>",
            Code.CONFIG_UNSUPPORTED,
            "The minimum lease time should be greater than 2 minutes",
        ),
        (
            f"{IP}<route address='10.9.0.0' prefix='16' gateway='10.8.0.1'/>",
            Code.CONFIG_UNSUPPORTED,
            "unreachable static route gateway '10.8.0.1' specified for network 'n'",
        ),
        ("<domain name='d' register='yes'/>", Code.CONFIG_UNSUPPORTED, "requires 'localOnly=yes' in network n"),
        ("<mac address='01:00:00:00:00:01'/>", Code.XML_ERROR, "Invalid multicast bridge mac address"),
        ("<title>a\nb</title>", Code.XML_ERROR, "Network title can't contain newlines"),
        (
            "<bandwidth><inbound average='1' floor='1'/></bandwidth>",
            Code.CONFIG_UNSUPPORTED,
            "floor attribute is not supported for this config",
        ),
        ("<virtualport/>", Code.XML_ERROR, "missing required virtualport type"),
    ],
)
def test_networks(inside: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_network(NETWORK.format(inside))
    assert text in caught.value.message
    assert caught.value.code == code
    if code in (Code.XML_ERROR, Code.CONFIG_UNSUPPORTED):
        assert caught.value.domain == Origin.NETWORK


def test_a_network_needs_a_name() -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_network("<network><bridge name='b'/></network>")
    assert caught.value.code == Code.NO_NAME


RULE = "<filter name='f'><rule action='drop' direction='in'>{}</rule></filter>"


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        ("<filter/>", Code.INTERNAL_ERROR, "filter has no name"),
        ("<filter name='f' chain='other'/>", Code.INVALID_ARG, "Invalid chain name 'other'. Please use a chain name"),
        ("<filter name='f' chain='mac-0123456789'/>", Code.INVALID_ARG, "Name of chain is longer than 12 characters"),
        ("<filter name='f' chain='mac' priority='2000'/>", Code.INVALID_ARG, "outside valid range of [-1000,1000]"),
        (RULE.format("<tcp srcportstart='65536'/>"), Code.INTERNAL_ERROR, "srcportstart has illegal value 65536"),
        (RULE.format("<mac srcmacmask='ff:00:ff:00:00:00'/>"), Code.INTERNAL_ERROR, "srcmacmask has illegal value"),
        (RULE.format("<ip dscp='64'/>"), Code.INTERNAL_ERROR, "dscp has illegal value 64"),
        (RULE.format("<tcp srcipaddr='$A[B]'/>"), Code.INTERNAL_ERROR, "srcipaddr has illegal value $A[B]"),
        (RULE.format("<tcp state='NEVER'/>"), Code.INTERNAL_ERROR, "state has illegal value NEVER"),
        (RULE.format("<ip dstportstart='80'/>"), Code.INTERNAL_ERROR, "IP rule with port specification requires"),
        (RULE.format("<tcp/><udp/>"), Code.CONFIG_UNSUPPORTED, "element 'udp' in 'filter/rule' is not supported"),
        (RULE.format("<tcp typo='1'/>"), Code.CONFIG_UNSUPPORTED, "attribute 'typo' in 'filter/rule/tcp'"),
        ("<filter name='f'><rule direction='in'/></filter>", Code.XML_ERROR, "Missing required attribute 'action'"),
    ],
)
def test_filters(xml: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_nwfilter(xml)
    assert text in caught.value.message
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        ("<secret><usage type='ceph'/></secret>", Code.INTERNAL_ERROR, "Ceph usage specified, but name is missing"),
        ("<secret><usage type='odd'/></secret>", Code.XML_ERROR, "Invalid value for attribute 'type'"),
        ("<secret ephemeral='x'/>", Code.XML_ERROR, "'ephemeral'"),
    ],
)
def test_secrets(xml: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_secret(xml)
    assert text in caught.value.message
    assert caught.value.code == code


SNAPSHOT = "<domainsnapshot><name>s</name>{}</domainsnapshot>"


@pytest.mark.parametrize(
    ("inside", "redefine", "text"),
    [
        ("<memory snapshot='manual'/>", False, "'manual' memory snapshot mode not supported"),
        ("<memory snapshot='external'/>", False, "external memory snapshots require a filename"),
        ("<memory file='/a' snapshot='internal'/>", False, "memory filename '/a' requires external snapshot"),
        ("<memory file='a'/>", False, "memory snapshot file path (a) must be absolute"),
        ("<disks><disk name='vda' type='dir'/></disks>", False, "unsupported disk snapshot type 'dir'"),
        ("", True, "missing creationTime from existing snapshot"),
        ("<creationTime>1</creationTime>", True, "missing state from existing snapshot"),
        (
            "<creationTime>1</creationTime><state>shutoff</state><memory snapshot='internal'/>",
            True,
            "memory state cannot be saved with offline or disk-only snapshot",
        ),
    ],
)
def test_snapshots(inside: str, redefine: bool, text: str) -> None:
    with pytest.raises(LibvirtError, match=re.escape(text)):
        parse_snapshot(SNAPSHOT.format(inside), redefine=redefine)


def test_moments_are_named_like_files() -> None:
    with pytest.raises(LibvirtError, match=r"invalid snapshot name .*: name can't contain '/'"):
        parse_snapshot("<domainsnapshot><name>../x</name></domainsnapshot>")
    with pytest.raises(LibvirtError, match=r"invalid checkpoint name .*: name can't start with"):
        parse_checkpoint("<domaincheckpoint><name>.x</name></domaincheckpoint>")
    with pytest.raises(LibvirtError, match="a redefined checkpoint must have a name"):
        parse_checkpoint("<domaincheckpoint/>", redefine=True)


def test_a_request_keeps_nothing_of_what_is_there() -> None:
    text = (Path(__file__).parent / "domainsnapshot-whole.xml").read_text()
    snapshot = parse_snapshot(text)
    assert (snapshot.state, snapshot.parent, snapshot.creation_time, snapshot.domain) == (None, None, None, None)
    assert snapshot.disks is not None
    assert [disk.name for disk in snapshot.disks.disks] == ["vda", "vdb"]


@pytest.mark.parametrize(
    ("inside", "mode", "text"),
    [
        ("<server name='h'/>", "push", "use of <server> requires pull mode backup"),
        ("<server transport='unix' socket='a'/>", "pull", "backup socket path 'a' must be absolute"),
        ("<server transport='rdma' name='a'/>", "pull", "transport rdma is not supported for <server>"),
        ("<disks><disk name='vda' type='network'/></disks>", "push", "unsupported disk backup type 'network'"),
        ("<disks><disk name='vda'><scratch file='/a'/></disk></disks>", "push", "element 'scratch' of disk 'vda'"),
    ],
)
def test_backups(inside: str, mode: str, text: str) -> None:
    with pytest.raises(LibvirtError, match=re.escape(text)):
        parse_backup(f"<domainbackup mode='{mode}'>{inside}</domainbackup>")


POOL = "<pool type='{}'><name>p</name>{}<target><path>/p</path></target></pool>"


@pytest.mark.parametrize(
    ("kind", "inside", "text"),
    [
        ("netfs", "", "missing storage pool source host name"),
        ("netfs", "<source><host name='h'/></source>", "missing storage pool source path"),
        ("fs", "", "missing storage pool source device name"),
        ("fs", "<source><device path='/d'/><format type='x'/></source>", "unknown pool format type x"),
        ("scsi", "", "missing storage pool source adapter"),
        ("scsi", "<source><adapter type='fc_host'/></source>", "'wwnn' and 'wwpn' must be specified for adapter type"),
        ("scsi", "<source><adapter parent='a'/></source>", "attributes requires use of the adapter 'type'"),
        ("rbd", "<source><host name='h'/></source>", "element 'name' is mandatory for RBD pool"),
        (
            "iscsi-direct",
            "<source><host name='h'/><device path='t'/></source>",
            "missing initiator IQN",
        ),
        ("iscsi", "<source><host name=''/><host/></source>", "Missing required attribute 'name' in element 'host'"),
        (
            "netfs",
            "<source><host name='h'/><dir path='/d'/><format type='cifs'/><protocol ver='4'/></source>",
            "storage pool protocol ver unsupported for pool type 'cifs'",
        ),
        ("mpath", "<features><cow state='no'/></features>", "cow feature may only be used for 'fs' and 'dir' pools"),
    ],
)
def test_pools(kind: str, inside: str, text: str) -> None:
    with pytest.raises(LibvirtError, match=re.escape(text)):
        parse_pool(POOL.format(kind, inside))


@pytest.mark.parametrize(
    ("reading", "xml", "text"),
    [
        (parse_volume, "<volume/>", "missing volume name element"),
        (parse_interface, "<interface name='a'/>", "interface misses the type attribute"),
        (parse_interface, "<interface type='odd' name='a'/>", "unknown interface type odd"),
        (parse_interface, "<interface type='bond'/>", "interface has no name"),
        (
            parse_interface,
            "<interface type='ethernet' name='e'><protocol family='ipv4'><ip address='::1'/></protocol></interface>",
            "address '::1' is not of family 'ipv4'",
        ),
        (parse_node_device, "<device><name>d</name></device>", "no device capabilities for 'd'"),
        (
            parse_node_device,
            "<device><capability type='odd'/></device>",
            "type 'odd' in 'device/capability' is not supported",
        ),
        (parse_network_port, "<networkport/>", "network port has no uuid"),
        (parse_nwfilter_binding, "<filterbinding/>", "filter binding has no port dev name"),
    ],
)
def test_others(reading: object, xml: str, text: str) -> None:
    assert callable(reading)
    with pytest.raises(LibvirtError, match=re.escape(text)):
        reading(xml)


def test_a_card_of_a_guest_is_no_interface_of_the_host() -> None:
    card = kind_of("<interface type='bridge'><source bridge='br0'/></interface>")
    assert card is not None
    assert card.name == "device"
    assert validate("<interface type='bridge' name='br0'><bridge/></interface>") == "interface"
