"""What goes to QEMU past libvirt: `<qemu:commandline>`."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.document import copy, format_domain, parse_domain
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.qemu_namespace import PassThrough, adjusted
from guesthouse.model.qemu_objects import Device
from tests.support.capabilities import qemu_capabilities

DOMAIN = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>a</name>
  <uuid>4db34d00-cf0b-43c8-b928-84150f868335</uuid>
  <metadata>
    <f:x xmlns:f="http://f" a="1"/>
  </metadata>
  <memory unit='KiB'>1024</memory>
  <vcpu>1</vcpu>
  <os>
    <type>hvm</type>
  </os>
  <clock offset='utc'/>
  <devices/>
  <qemu:commandline>
    <qemu:arg value='-foo'/>
    <qemu:arg value='a &lt; b'/>
    <qemu:env name='TMPDIR' value='/var/tmp'/>
    <qemu:env name='_EMPTY'/>
  </qemu:commandline>
  <qemu:capabilities>
    <qemu:add capability='sdl'/>
    <qemu:del capability='virtio-rng-pci'/>
  </qemu:capabilities>
  <qemu:override>
    <qemu:device alias='ua-d'>
      <qemu:frontend>
        <qemu:property name='a' type='string' value='b'/>
        <qemu:property name='c' type='signed' value='-3'/>
        <qemu:property name='d' type='unsigned' value='7'/>
        <qemu:property name='e' type='bool' value='true'/>
        <qemu:property name='f' type='remove'/>
      </qemu:frontend>
    </qemu:device>
    <qemu:device alias='ua-e'/>
  </qemu:override>
  <qemu:deprecation behavior='crash'/>
</domain>
"""


def test_it_is_read_and_written_back() -> None:
    domain = parse_domain(DOMAIN)
    assert domain.pass_through is not None
    assert domain.pass_through.arguments == ("-foo", "a < b")
    assert domain.pass_through.environment == (("TMPDIR", "/var/tmp"), ("_EMPTY", None))
    assert format_domain(domain, Style()) == DOMAIN
    assert format_domain(copy(domain), Style()) == DOMAIN


def test_any_prefix_will_do() -> None:
    other = DOMAIN.replace("qemu:", "q:").replace("xmlns:qemu", "xmlns:q")
    assert format_domain(parse_domain(other), Style()) == DOMAIN


def test_an_empty_one_is_nothing() -> None:
    start, end = DOMAIN.index("  <qemu:commandline>"), DOMAIN.index("</domain>")
    domain = parse_domain(DOMAIN[:start] + "<qemu:commandline/>" + DOMAIN[end:])
    assert domain.pass_through is None
    assert "xmlns" not in format_domain(domain, Style()).splitlines()[0]


@pytest.mark.parametrize(
    ("old", "new", "code", "text"),
    [
        ("<qemu:arg value='-foo'/>", "<qemu:arg/>", Code.INTERNAL_ERROR, "No qemu command-line argument specified"),
        ("name='TMPDIR' ", "", Code.INTERNAL_ERROR, "No qemu environment name specified"),
        ("'TMPDIR'", "'1A'", Code.INTERNAL_ERROR, "it must begin with a letter or underscore"),
        ("'TMPDIR'", "'A=B'", Code.INTERNAL_ERROR, "it must contain only alphanumerics and underscore"),
        ("qemu:arg value='-foo'", "qemu:sub", Code.CONFIG_UNSUPPORTED, "sub' in "),
        ("<devices/>", "<devices/><qemu:warp/>", Code.CONFIG_UNSUPPORTED, "element 'qemu:warp'"),
        ("capability='sdl'", "", Code.INTERNAL_ERROR, "missing capability name"),
        ("alias='ua-d'", "", Code.XML_ERROR, "missing 'alias' attribute for qemu:device"),
        ("name='a' ", "", Code.XML_ERROR, "missing 'name' attribute for qemu:property"),
        ("type='string'", "type='text'", Code.XML_ERROR, "invalid type 'text'"),
        ("value='-3'", "value='3x'", Code.XML_ERROR, "invalid value '3x'"),
        ("value='7'", "value='-7'", Code.XML_ERROR, "invalid value '-7'"),
        ("value='true'", "value='yes'", Code.XML_ERROR, "invalid value 'yes'"),
        ("'crash'", "'panic'", Code.CONFIG_UNSUPPORTED, "Unsupported deprecation behavior 'panic'"),
    ],
)
def test_what_is_wrong(old: str, new: str, code: int, text: str) -> None:
    assert old in DOMAIN
    with pytest.raises(LibvirtError) as caught:
        parse_domain(DOMAIN.replace(old, new))
    assert caught.value.code == code
    assert text in str(caught.value)


def test_properties_of_a_device_are_replaced() -> None:
    extra = parse_domain(DOMAIN).pass_through
    assert extra is not None
    given = [Device({"driver": "x", "id": "ua-d", "a": 1, "f": 2}), Device({"driver": "y", "id": "other", "f": 2})]
    changed, same = extra.override(given)
    assert isinstance(changed, Device)
    assert changed.props == {"driver": "x", "id": "ua-d", "a": "b", "c": -3, "d": 7, "e": True}
    assert same is given[1]


def test_what_is_done_with_what_is_deprecated() -> None:
    assert PassThrough(deprecation="omit").compat_arguments() == ["-compat", '{"deprecated-output":"hide"}']
    assert PassThrough(deprecation="none").compat_arguments() == []
    crash = ["-compat", '{"deprecated-output":"hide","deprecated-input":"crash"}']
    assert PassThrough(deprecation="crash").compat_arguments() == crash


def test_devices_of_a_qemu_are_added_and_removed_for_one_guest() -> None:
    launch = LaunchContext(qemu_capabilities(), guest_dir="/g")
    changed = adjusted(launch, PassThrough(present=("warp-drive",), missing=("virtio-rng-pci",))).caps
    assert changed.has_device("warp-drive")
    assert not changed.has_device("virtio-rng-pci")
    assert launch.caps.has_device("virtio-rng-pci")
    assert changed.canonical_machine("q35") == launch.caps.canonical_machine("q35")
