"""What goes to QEMU past libvirt: `<qemu:commandline>`."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import Style
from guesthouse.model.domain.document import copy, format_domain, parse_domain

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
        ("<devices/>", "<devices/><qemu:capabilities/>", Code.CONFIG_UNSUPPORTED, "capabilities' in 'domain'"),
    ],
)
def test_what_is_wrong(old: str, new: str, code: int, text: str) -> None:
    assert old in DOMAIN
    with pytest.raises(LibvirtError) as caught:
        parse_domain(DOMAIN.replace(old, new))
    assert caught.value.code == code
    assert text in str(caught.value)
