"""What a disk on a volume is for QEMU, for each type of pool."""

from __future__ import annotations

import pytest

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.lookup import volume_lookup
from guesthouse.drivers.storage.registry import NoPoolError, NoVolumeError, Registry, StoragePool
from guesthouse.errors import OperationInvalidError, XmlError
from guesthouse.model.domain.devices.volumes import VolumeLookup
from guesthouse.model.pool import parse_pool

AUTH = "<auth type='{}' username='u'><secret usage='s'/></auth>"
TARGET = "<host name='srv'/><device path='iqn.a:b'/>"
POOLS = {
    "dir": ("", "/p"),
    "logical": ("<source><name>vg</name></source>", "/p"),
    "iscsi": (f"<source>{TARGET}{AUTH.format('chap')}</source>", "/dev/disk/by-path"),
    "iscsi-direct": (f"<source>{TARGET}<initiator><iqn name='iqn.me'/></initiator></source>", ""),
    "rbd": (f"<source><name>images</name><host name='mon' port='6789'/>{AUTH.format('ceph')}</source>", ""),
    "gluster": ("<source><name>vol</name><host name='g'/><dir path='/sub/'/></source>", ""),
}
VOLUMES = {
    "dir": VolumeFacts("a", "file", "/p/a", "/p/a", "raw", 1, 1),
    "logical": VolumeFacts("a", "block", "/dev/vg/a", "uuid", "", 1, 1),
    "iscsi": VolumeFacts("a:0:0:7", "block", "/dev/disk/by-path/x", "k", "", 1, 1),
    "iscsi-direct": VolumeFacts("unit:0:0:7", "network", "p", "p", "", 1, 1),
    "rbd": VolumeFacts("a", "network", "images/a", "images/a", "raw", 1, 1),
    "gluster": VolumeFacts("a", "network", "gluster://g/vol/sub/a", "k", "raw", 1, 1),
}


@pytest.fixture
def lookup() -> VolumeLookup:
    registry = Registry()
    for kind, (source, path) in POOLS.items():
        target = f"<target><path>{path}</path></target>" if path else ""
        pool = StoragePool(parse_pool(f"<pool type='{kind}'><name>{kind}</name>{source}{target}</pool>"), active=True)
        pool.volumes = {VOLUMES[kind].name: VOLUMES[kind]}
        registry.add(pool)
    registry.add(StoragePool(parse_pool("<pool type='dir'><name>off</name><target><path>/o</path></target></pool>")))
    return volume_lookup(registry)


def test_paths(lookup: VolumeLookup) -> None:
    kind, source = lookup("dir", "a", None)
    assert (kind, source.file) == ("file", "/p/a")
    kind, source = lookup("logical", "a", None)
    assert (kind, source.dev) == ("block", "/dev/vg/a")
    kind, source = lookup("iscsi", "a:0:0:7", "host")
    assert (kind, source.dev) == ("block", "/dev/disk/by-path/x")


def test_iscsi_that_qemu_reaches_itself(lookup: VolumeLookup) -> None:
    kind, source = lookup("iscsi", "a:0:0:7", "direct")
    assert (kind, source.protocol, source.name) == ("network", "iscsi", "iqn.a:b/7")
    assert [(host.name, host.port) for host in source.hosts] == [("srv", 3260)]
    assert source.auth is not None
    assert (source.auth.type, source.auth.username, source.auth.secret.type) == (None, "u", "iscsi")
    _, source = lookup("iscsi-direct", "unit:0:0:7", None)
    assert source.initiator is not None
    assert source.initiator.iqn is not None
    assert source.initiator.iqn.name == "iqn.me"


def test_clusters(lookup: VolumeLookup) -> None:
    kind, source = lookup("rbd", "a", None)
    assert (kind, source.protocol, source.name) == ("network", "rbd", "images/a")
    assert source.auth is not None
    assert source.auth.secret.type == "ceph"
    kind, source = lookup("gluster", "a", None)
    assert (source.protocol, source.name, source.hosts[0].name) == ("gluster", "vol/sub/a", "g")


def test_what_there_is_not(lookup: VolumeLookup) -> None:
    with pytest.raises(NoPoolError):
        lookup("none", "a", None)
    with pytest.raises(NoVolumeError):
        lookup("dir", "b", None)
    with pytest.raises(OperationInvalidError, match="containing volume 'a' is not active"):
        lookup("off", "a", None)
    with pytest.raises(XmlError, match="only valid when storage pool is of iscsi type"):
        lookup("dir", "a", "host")
