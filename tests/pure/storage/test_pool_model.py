"""A pool's document: what is read is written back, and what is wrong is refused by name."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.pool import format_pool, measure, parse_pool

UUID = "0f70c681-06be-45c6-a65b-5d1b9e33e557"
POOL = f"""<pool type='dir'>
  <name>images</name>
  <uuid>{UUID}</uuid>
  <capacity unit='bytes'>300</capacity>
  <allocation unit='bytes'>100</allocation>
  <available unit='bytes'>200</available>
  <source>
  </source>
  <target>
    <path>/srv/images</path>
    <permissions>
      <mode>0711</mode>
      <owner>0</owner>
      <group>0</group>
    </permissions>
  </target>
</pool>
"""


def test_a_pool_comes_back() -> None:
    pool = parse_pool(POOL)
    measure(pool, 300, 100, 200)
    assert format_pool(pool) == POOL


def test_what_is_left_out() -> None:
    pool = parse_pool("<pool type='dir'><name>p</name><target><path>//srv//x/</path></target></pool>")
    assert pool.target.path == "/srv/x"
    assert len(pool.uuid or "") == len(UUID)
    assert "<capacity unit='bytes'>0</capacity>" in format_pool(pool)


TARGET = "<target><path>/x</path></target>"


@pytest.mark.parametrize(
    ("xml", "code", "text"),
    [
        (f"<pool type='dir'>{TARGET}</pool>", Code.XML_ERROR, "missing pool source name element"),
        ("<pool type='dir'><name>p</name></pool>", Code.XML_ERROR, "missing storage pool target path"),
        (f"<pool type='dir'><name>a/b</name>{TARGET}</pool>", Code.XML_ERROR, "cannot contain '/'"),
        (
            f"<pool type='foo'><name>p</name>{TARGET}</pool>",
            Code.XML_ERROR,
            "attribute 'type' in element 'pool': 'foo'",
        ),
        (
            f"<pool type='netfs'><name>p</name>{TARGET}<features><cow state='no'/></features>"
            "<source><host name='h'/><dir path='/d'/></source></pool>",
            Code.NO_SUPPORT,
            "cow feature may only be used for 'fs' and 'dir' pools",
        ),
        (f"<pool type='dir'><name>p</name><feature/>{TARGET}</pool>", Code.CONFIG_UNSUPPORTED, "element 'feature'"),
        ("<volume/>", Code.XML_ERROR, "expecting root element of .pool., not .volume."),
    ],
)
def test_what_is_wrong(xml: str, code: int, text: str) -> None:
    with pytest.raises(LibvirtError, match=text.replace("<", ".")) as caught:
        parse_pool(xml)
    assert caught.value.code == code
