"""Which pools may not be beside each other."""

from __future__ import annotations

import pytest

from guesthouse.drivers.storage.registry import Registry, StoragePool
from guesthouse.errors import LibvirtError
from guesthouse.model.pool import parse_pool

TARGET = "<target><path>/t/{}</path></target>"


def pool(kind: str, source: str, name: str) -> StoragePool:
    target = "" if kind in ("rbd", "gluster", "iscsi-direct") else TARGET.format(name)
    return StoragePool(parse_pool(f"<pool type='{kind}'><name>{name}</name><source>{source}</source>{target}</pool>"))


DEVICE = "<device path='/dev/x'/>"
HOST = "<host name='h'/>"
FC = "<adapter type='fc_host' wwnn='20000000c9831b4b' wwpn='{}'/>"


@pytest.mark.parametrize(
    ("one", "other", "conflict"),
    [
        (("fs", DEVICE), ("logical", f"<name>vg</name>{DEVICE}"), True),
        (("fs", DEVICE), ("disk", "<device path='/dev/y'/>"), False),
        (("fs", DEVICE), ("dir", ""), False),
        (("netfs", f"{HOST}<dir path='/e'/>"), ("netfs", f"{HOST}<dir path='/e'/>"), True),
        (("netfs", f"{HOST}<dir path='/e'/>"), ("netfs", "<host name='i'/><dir path='/e'/>"), False),
        (("netfs", f"{HOST}<dir path='/e'/>"), ("netfs", f"{HOST}<dir path='/f'/>"), False),
        (("iscsi", f"{HOST}<device path='iqn'/>"), ("iscsi", "<host name='i'/><device path='iqn'/>"), True),
        (
            ("iscsi", f"{HOST}<device path='iqn'/>"),
            ("iscsi", f"{HOST}<device path='iqn'/><initiator><iqn name='me'/></initiator>"),
            False,
        ),
        (("scsi", FC.format("1" * 16)), ("scsi", FC.format("1" * 16)), True),
        (("scsi", FC.format("1" * 16)), ("scsi", FC.format("2" * 16)), False),
        (("scsi", "<adapter name='scsi_host3'/>"), ("scsi", "<adapter name='host3'/>"), True),
        (("mpath", ""), ("mpath", ""), True),
        (
            ("gluster", f"{HOST}<name>v</name><dir path='/'/>"),
            ("gluster", f"{HOST}<name>v</name><dir path='/'/>"),
            True,
        ),
        (("rbd", f"{HOST}<name>v</name>"), ("rbd", f"{HOST}<name>v</name>"), False),
        (("vstorage", "<name>c</name>"), ("vstorage", "<name>c</name>"), True),
    ],
)
def test_the_same_storage(one: tuple[str, str], other: tuple[str, str], conflict: bool) -> None:
    registry = Registry()
    registry.add(pool(*one, "one"))
    second = pool(*other, "two").definition
    if conflict:
        with pytest.raises(LibvirtError, match="Storage source conflict with pool: 'one'"):
            registry.check_free(second)
    else:
        assert registry.check_free(second) is None


def test_names_and_uuids() -> None:
    registry = Registry()
    first = pool("dir", "", "one")
    registry.add(first)
    assert registry.check_free(first.definition) is first
    with pytest.raises(LibvirtError, match="pool 'one' already exists with uuid"):
        registry.check_free(pool("dir", "", "one").definition)
    first.busy = True
    with pytest.raises(LibvirtError, match="pool 'one' is starting up"):
        registry.check_free(first.definition, inactive=True)
    first.busy, first.active = False, True
    with pytest.raises(LibvirtError, match="pool is already active as 'one'"):
        registry.check_free(first.definition, inactive=True)
