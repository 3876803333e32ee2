"""What the tools of storage print, as recorded from real ones, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.drivers.storage.backend import Extent
from guesthouse.drivers.storage.backends import disk_layout, iscsi_direct, iscsi_text, logical, mpath, rbd, zfs
from guesthouse.drivers.storage.backends.mounts import Mount, parse_mounts
from guesthouse.drivers.storage.backends.probing import Signature, parse_blkid
from guesthouse.drivers.storage.backends.sources import parse_exports, parse_gluster
from guesthouse.errors import InternalError, LibvirtError

MEBIBYTE = 1 << 20


def recorded(name: str) -> str:
    return (Path(__file__).with_name("recorded") / name).read_text()


def test_logical_volumes() -> None:
    volumes = {volume.name: volume for volume in logical.parse_volumes(recorded("lvs.json"))}
    assert list(volumes) == ["lin", "mir", "rd", "snap", "sparse", "str", "th", "tp"]
    assert volumes["lin"].extents == (Extent("/dev/loop0", 0, 32 * MEBIBYTE),)
    assert volumes["str"].extents == (
        Extent("/dev/loop0", 32 * MEBIBYTE, 64 * MEBIBYTE),
        Extent("/dev/loop1", 0, 32 * MEBIBYTE),
    )
    assert volumes["snap"].extents[0].start == 12 * 4 * MEBIBYTE
    assert (volumes["snap"].origin, volumes["snap"].sparse) == ("lin", True)
    assert volumes["sparse"].origin == "[sparse_vorigin]"
    assert volumes["th"].extents == ()
    assert [name for name, volume in volumes.items() if not volume.is_volume] == ["tp"]
    assert all(volume.active for volume in volumes.values())
    assert volumes["mir"].uuid == "6wY3m0-xDBW-vZzA-QoNw-QyzF-pFYQ-yskf9w"
    assert volumes["th"].size == 64 * MEBIBYTE


def test_volume_of_several_segments() -> None:
    row = (
        '{"lv_name":"a", "origin":"", "lv_uuid":"u", "devices":"/dev/x(%d)", "segtype":"linear", "stripes":"1", '
        '"seg_size":"4194304", "vg_extent_size":"4194304", "lv_size":"8388608", "lv_attr":"-wi-------"}'
    )
    rows = row.replace("%d", "1") + "," + row.replace("%d", "7")
    [volume] = logical.parse_volumes('{"report":[{"lv":[' + rows + "]}]}")
    assert [extent.start // 4194304 for extent in volume.extents] == [1, 7]
    assert not volume.active


def test_volume_groups() -> None:
    assert logical.parse_size(recorded("vgs.json")) == (528482304, 327155712)
    assert logical.parse_devices(recorded("pvs.json")) == {"vg": ["/dev/loop0", "/dev/loop1"], "": ["/dev/loop2"]}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"report":[]}', '{"report":[{"vg":[{}]}]}', '{"report":[{"vg":[]}]}'])
def test_reports_that_are_none(text: str) -> None:
    with pytest.raises(LibvirtError):
        logical.parse_size(text)


def test_partitions() -> None:
    layout = disk_layout.combine(recorded("sfdisk-dos.json"), recorded("parted-dos.txt"))
    assert (layout.label, layout.size) == ("dos", 256 * MEBIBYTE)
    assert [(part.number, part.kind) for part in layout.partitions] == [
        (1, disk_layout.PRIMARY),
        (2, disk_layout.EXTENDED),
        (5, disk_layout.LOGICAL),
    ]
    assert layout.partitions[0].start == MEBIBYTE
    assert layout.partitions[0].size == 9 * MEBIBYTE
    assert [free.logical for free in layout.free] == [False, True, True, False]
    assert disk_layout.kind_of_new(layout, "linux") == disk_layout.PRIMARY
    with pytest.raises(InternalError, match="extended partition already exists"):
        disk_layout.kind_of_new(layout, "extended")
    start, end = disk_layout.place(layout, 5 * MEBIBYTE, logical=True)
    assert (start, end) == (21 * MEBIBYTE, 26 * MEBIBYTE), "the sector before it describes it"
    assert disk_layout.place(layout, 5 * MEBIBYTE, logical=False) == (100 * MEBIBYTE, 105 * MEBIBYTE)


def test_empty_table() -> None:
    layout = disk_layout.combine(recorded("sfdisk-gpt.json"), recorded("parted-gpt.txt"))
    assert (layout.label, layout.partitions) == ("gpt", ())
    assert disk_layout.place(layout, MEBIBYTE, logical=False) == (MEBIBYTE, 2 * MEBIBYTE)
    assert disk_layout.kind_of_new(layout, "extended") == disk_layout.PRIMARY
    with pytest.raises(InternalError, match="no large enough free extent"):
        disk_layout.place(layout, 256 * MEBIBYTE, logical=False)
    assert disk_layout.parse_label(recorded("parted-dos.txt")) == "dos"


@given(st.integers(1, 250 * MEBIBYTE))
def test_new_partitions_have_room(size: int) -> None:
    layout = disk_layout.combine(recorded("sfdisk-gpt.json"), recorded("parted-gpt.txt"))
    start, end = disk_layout.place(layout, size, logical=False)
    assert start % MEBIBYTE == 0
    assert end - start >= size
    assert any(free.start <= start < end <= free.end for free in layout.free)


def test_names_with_colons() -> None:
    parted = recorded("parted-gpt.txt").replace("/dev/loop3", "/dev/disk/by-path/ip-1.2.3.4:3260-iscsi-iqn.x:y-lun-1")
    assert disk_layout.parse_free(parted)[0] == 256 * MEBIBYTE


def test_signatures() -> None:
    assert parse_blkid(recorded("blkid-dos.txt")) == Signature(None, "dos")
    assert parse_blkid("DEVNAME=x\nTYPE=ext4\nUSAGE=filesystem\n").name == "ext4"
    assert parse_blkid("").name is None


def test_mounts() -> None:
    assert parse_mounts(recorded("mountinfo.txt")) == [
        Mount("x", "/srv/ex", "tmpfs"),
        Mount("127.0.0.1:/srv/ex", "/mnt/x", "nfs"),
    ]
    [mount] = parse_mounts(r"43 31 0:38 / /mnt/a\040b rw shared:1 - ext4 /dev/sda1 rw")
    assert mount.target == "/mnt/a b"


def test_exports() -> None:
    assert parse_exports(recorded("showmount.txt")) == ["/srv/with space", "/srv/ex"]
    assert parse_gluster(
        "<cliOutput><volInfo><volumes><volume><name>v</name></volume></volumes></volInfo></cliOutput>"
    ) == ["v"]
    with pytest.raises(InternalError):
        parse_gluster("no")


def test_iscsi() -> None:
    assert iscsi_text.parse_sessions(recorded("iscsi-sessions.txt")) == {"iqn.2026-01.lab:disks": 1}
    assert iscsi_text.parse_targets(recorded("iscsi-targets.txt")) == ["iqn.2026-01.lab:disks"]
    ours = "libvirt-iface-253db048 tcp,<empty>,<empty>,<empty>,iqn.2017-03.com.user:client\n"
    interfaces = iscsi_text.parse_interfaces(recorded("iscsi-interfaces.txt") + ours)
    assert interfaces["iqn.2017-03.com.user:client"] == "libvirt-iface-253db048"


def test_iscsi_records() -> None:
    record = "# BEGIN RECORD 2.1.8\nnode.name = a\nnode.session.auth.authmethod = None\n# END RECORD\n"
    changed = iscsi_text.with_settings(
        record, {"node.session.auth.authmethod": "CHAP", "node.session.auth.username": "u"}
    )
    assert changed.splitlines() == [
        "# BEGIN RECORD 2.1.8",
        "node.name = a",
        "node.session.auth.authmethod = CHAP",
        "node.session.auth.username = u",
        "# END RECORD",
    ]


def test_iscsi_without_the_kernel() -> None:
    listing = (
        "Target:iqn.a:b Portal:127.0.0.1:3260,1\n"
        "Lun:0    Type:STORAGE_ARRAY_CONTROLLER\n"
        "Lun:1    Type:DIRECT_ACCESS (Size:31M)\n"
    )
    assert iscsi_direct.parse_listing(listing) == {"iqn.a:b": [1]}
    assert (
        iscsi_direct.parse_capacity("RETURNED LOGICAL BLOCK ADDRESS:65535\nLOGICAL BLOCK LENGTH IN BYTES:512\n")
        == 32 * MEBIBYTE
    )
    with pytest.raises(InternalError):
        iscsi_direct.parse_capacity("")


def test_multipath() -> None:
    assert mpath.parse_maps("No devices found\n") == {}
    assert mpath.parse_maps("mpatha\t(254:3)\nmpathb  (254, 4)\n") == {
        "dm-3": "/dev/mapper/mpatha",
        "dm-4": "/dev/mapper/mpathb",
    }


def test_zfs() -> None:
    [one, two] = zfs.parse_volumes("tank/a\t1073741824\t0\ntank/deep/b\t5\tnone\nbroken\n")
    assert (one.name, one.size, two.name, two.reserved) == ("a", 1073741824, "b", 0)
    assert zfs.parse_properties("t\thealth\tONLINE\t-\nt\tsize\t100\t-\nt\tfree\t40\t-\n") == {"size": 100, "free": 40}


def test_rbd() -> None:
    listing = '[{"image":"a","size":1048576,"format":2},{"image":"a","snapshot":"s","size":1048576,"format":2}]'
    assert rbd.parse_images(listing) == [rbd.Image("a", 1048576)]
    usage = '{"images":[{"name":"a","snapshot":"s","used_size":4},{"name":"a","used_size":3}]}'
    assert rbd.parse_usage(usage) == {"a": 7}
    sizes = (
        '{"stats":{"total_bytes":9,"total_avail_bytes":5},"pools":[{"name":"p","stats":{"stored":2,"bytes_used":6}}]}'
    )
    assert rbd.parse_sizes(sizes, "p") == (9, 5, 2)
    with pytest.raises(LibvirtError, match="Does the pool 'q' exist"):
        rbd.parse_sizes(sizes, "q")
