"""Documents of secrets: what is read is written again in libvirt's form, and what is wrong is refused in its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.errors import LibvirtError
from guesthouse.model.secret import USAGES, format_secret, parse_secret

UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"
NAMED_BY = {"volume": "volume", "ceph": "name", "iscsi": "target", "tls": "name", "vtpm": "name"}
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), min_size=1)


def document(usage: str, name: str) -> str:
    tag = NAMED_BY[usage]
    return f"""<secret ephemeral='no' private='yes'>
  <uuid>{UUID}</uuid>
  <description>what it opens</description>
  <usage type='{usage}'>
    <{tag}>{name}</{tag}>
  </usage>
</secret>
"""


@pytest.mark.parametrize("usage", USAGES[1:])
def test_every_usage(usage: str) -> None:
    secret = parse_secret(document(usage, "/a b"), validate=True)
    assert (secret.uuid, secret.usage_type, secret.usage_id) == (UUID, USAGES.index(usage), "/a b")
    assert format_secret(secret) == document(usage, "/a b")


def test_what_may_be_left_out() -> None:
    secret = parse_secret("<secret private=''><uuid/><description/><usage type='none'/></secret>")
    assert secret.uuid != parse_secret("<secret/>").uuid
    expected = f"<secret ephemeral='no' private='no'>\n  <uuid>{secret.uuid}</uuid>\n</secret>\n"
    assert format_secret(secret) == expected
    assert (secret.usage_type, secret.usage_id) == (0, "")


@given(NAMES)
def test_names_survive(name: str) -> None:
    secret = parse_secret(document("ceph", "x"))
    assert secret.usage is not None
    secret.usage.name = name
    assert parse_secret(format_secret(secret)).usage_id == name


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("<secret ephemeral='maybe'/>", 27, "invalid value of 'ephemeral'"),
        ("<secret private='1'/>", 27, "invalid value of 'private'"),
        ("<secret><uuid>x</uuid></secret>", 1, "malformed uuid element"),
        ("<secret><usage/></secret>", 27, "Missing required attribute 'type' in element 'usage'"),
        ("<secret><usage type='x'/></secret>", 27, "Invalid value for attribute 'type' in element 'usage': 'x'."),
        ("<secret><usage type='volume'/></secret>", 1, "volume usage specified, but volume path is missing"),
        ("<secret><usage type='ceph'><name/></usage></secret>", 1, "Ceph usage specified, but name is missing"),
        ("<secret><usage type='iscsi'/></secret>", 1, "iSCSI usage specified, but target is missing"),
        ("<secret><usage type='tls'/></secret>", 1, "TLS usage specified, but name is missing"),
        ("<secret><usage type='vtpm'/></secret>", 1, "vTPM usage specified, but name is missing"),
        ("<secret><usage type='tls'><name>a</name><target>b</target></usage></secret>", 27, "'target' does not belong"),
        ("<secret><value>aGk=</value></secret>", 67, "'value'"),
        ("<pool/>", 27, "expecting root element of 'secret', not 'pool'"),
    ],
)
def test_refusals(text: str, code: int, message: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_secret(text)
    assert caught.value.code == code
    assert message in caught.value.message


@pytest.mark.parametrize(
    "inner", ["<usage type='none'/>", "<usage type='volume'><volume>relative</volume></usage>", "<value>aGk=</value>"]
)
def test_what_only_validation_refuses(inner: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_secret(f"<secret>{inner}</secret>", validate=True)
    assert caught.value.code == 92
