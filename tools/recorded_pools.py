"""Storage pools as the recorded results know them: from libvirt's test data, with volumes that are named as they are.

`TYPE+NAME` is a volume of that type, anything else a block device.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from guesthouse.errors import Code, LibvirtError, OperationInvalidError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.devices.disk.source_parts import Host
from guesthouse.model.domain.devices.volumes import VolumeLookup
from guesthouse.model.domain.secrets import Auth, SecretReference

_ATTRIBUTES = {"file": "file", "block": "dev", "dir": "dir_"}


def lookup(folder: Path) -> VolumeLookup:
    """Finds volumes in the pools that `folder` has documents of."""

    def find(pool: str, volume: str, mode: str | None) -> tuple[str, PlainSource]:
        path = folder / f"{pool}.xml"
        if volume == "nonexistent" or not path.exists():
            if pool == "inactive":
                raise OperationInvalidError(f"storage pool '{pool}' is not active")
            raise LibvirtError(f"'{volume}' of '{pool}'", code=Code.NO_STORAGE_VOL)
        if mode == "direct":
            return "network", _target(etree.parse(str(path)).getroot(), volume)
        kind, plus, name = volume.partition("+")
        if not plus:
            kind, name = "block", volume
        return kind, new(PlainSource, **{_ATTRIBUTES[kind]: f"/some/{kind}/device/{name}"})

    return find


def _target(pool: etree._Element, volume: str) -> PlainSource:
    """A unit of an iSCSI target, which QEMU reaches by itself."""
    source = pool.find("source")
    assert source is not None
    host, device, login = source.find("host"), source.find("device"), source.find("auth")
    assert host is not None
    assert device is not None
    auth = None
    if login is not None:
        secret = login.find("secret")
        named = secret.get("uuid") if secret is not None else None
        reference = new(SecretReference, uuid=named, usage=None if named or secret is None else secret.get("usage"))
        auth = new(Auth, username=login.get("username"), secret=reference)
    return new(
        PlainSource,
        protocol="iscsi",
        name=f"{device.get('path')}/{volume.rpartition(':')[2]}",
        hosts=[new(Host, name=host.get("name"), port=int(host.get("port") or 3260))],
        auth=auth,
    )
