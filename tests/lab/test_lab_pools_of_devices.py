"""Pools of devices with stock virsh: volume groups, partitions, SCSI adapters, multipath devices."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # our own daemon's documents
from pathlib import Path

from tests.lab.support import loop_device, output, until
from tests.support.daemon import Daemon

MEBIBYTE = 1 << 20


def refusal(host: Daemon, *command: str) -> str:
    """What virsh says of a command that must fail."""
    done = host.virsh(*command, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def names(host: Daemon, pool: str) -> list[str]:
    """The volumes of a pool."""
    return [line.split()[0] for line in host.virsh("vol-list", pool).stdout.splitlines()[2:] if line.strip()]


def numbers(host: Daemon, pool: str) -> dict[str, int]:
    """The sizes of a pool, in bytes."""
    lines = host.virsh("pool-info", pool, "--bytes").stdout.splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: int(fields[name]) for name in ("Capacity", "Allocation", "Available")}


def beginning(path: str) -> bytes:
    """The first bytes of a device."""
    with Path(path).open("rb") as device:
        return device.read(10)


def test_volume_group(host: Daemon, tmp_path: Path) -> None:
    """Made, filled, emptied, stopped while it is in use, removed."""
    with loop_device(tmp_path / "one", megabytes=96) as first, loop_device(tmp_path / "two", megabytes=64) as second:
        (tmp_path / "pool.xml").write_text(
            f"""<pool type='logical'><name>lvm</name><source><name>labpool</name>
            <device path='{first}'/><device path='{second}'/></source><target><path>/dev/other</path></target></pool>"""
        )
        host.virsh("pool-define", str(tmp_path / "pool.xml"))
        assert "cannot find logical volume group name 'labpool'" in refusal(host, "pool-start", "lvm")
        output("mkfs.ext4", "-q", second)
        assert "does not match the expected format 'LVM2_member'" in refusal(host, "pool-build", "lvm")
        assert output("pvs", "--noheadings").strip() == "", "what was begun is taken back"
        host.virsh("pool-build", "lvm", "--overwrite")
        sources = ET.fromstring(host.virsh("find-storage-pool-sources", "logical").stdout)
        assert [device.get("path") for device in sources.iterfind("source/device")] == [first, second]
        assert sources.findtext("source/name") == "labpool"
        host.virsh("pool-start", "lvm")
        assert ET.fromstring(host.virsh("pool-dumpxml", "lvm").stdout).findtext("target/path") == "/dev/labpool"
        before = numbers(host, "lvm")
        host.virsh("vol-create-as", "lvm", "disk", "16M")
        host.virsh("vol-create-as", "lvm", "thin", "32M", "--allocation", "4M")
        host.virsh("vol-create-as", "lvm", "snap", "16M", "--allocation", "8M", "--backing-vol", "disk")
        (tmp_path / "content").write_bytes(b"guesthouse" * 1000)
        host.virsh("vol-upload", "disk", str(tmp_path / "content"), "--pool", "lvm")
        host.virsh("vol-clone", "disk", "copy", "--pool", "lvm")
        assert beginning("/dev/labpool/copy") == b"guesthouse"
        assert names(host, "lvm") == ["copy", "disk", "snap", "thin"]
        root = ET.fromstring(host.virsh("vol-dumpxml", "snap", "lvm").stdout)
        assert root.findtext("backingStore/path") == "/dev/labpool/disk"
        root = ET.fromstring(host.virsh("vol-dumpxml", "disk", "lvm").stdout)
        assert root.findtext("key") == output("lvs", "--noheadings", "-o", "lv_uuid", "labpool/disk").strip()
        assert [device.get("path") for device in root.iterfind("source/device")] == [first]
        assert int(root.findtext("capacity") or 0) == 16 * MEBIBYTE
        assert numbers(host, "lvm")["Available"] == before["Available"] - (16 + 4 + 8 + 16) * MEBIBYTE
        assert "is sparse, volume wipe not supported" in refusal(host, "vol-wipe", "thin", "lvm")
        host.virsh("vol-wipe", "disk", "lvm")
        assert not any(beginning("/dev/labpool/disk"))
        host.virsh("vol-delete", "snap", "lvm")
        host.virsh("vol-delete", "thin", "lvm")

        # In use, it is stopped and stays where it is.
        with Path("/dev/labpool/copy").open("rb"):
            host.virsh("pool-destroy", "lvm")
            assert Path("/dev/labpool/copy").exists()
        until(lambda: "stays active, because volumes of it are in use" in host.output, "the log says so")
        host.virsh("pool-start", "lvm")
        host.kill()
        host.start()
        assert "running" in host.virsh("pool-info", "lvm").stdout
        assert names(host, "lvm") == ["copy", "disk"]
        host.virsh("pool-destroy", "lvm")
        assert not Path("/dev/labpool/copy").exists()
        done = host.guest("pool-delete", "lvm")
        assert "this removes the volume group 'labpool' and every volume on it" in done.stderr
        assert output("pvs", "--noheadings").strip() == ""
        host.virsh("pool-undefine", "lvm")


def test_partitions(host: Daemon, tmp_path: Path) -> None:
    """A DOS table with four primary partitions at most, one of them for the rest."""
    with loop_device(tmp_path / "disk", megabytes=128) as device:
        host.virsh(
            "pool-define-as", "parts", "disk", "--source-dev", device, "--target", "/dev", "--source-format", "dos"
        )
        assert f"Device '{device}' is unrecognized, requires build" in refusal(host, "pool-start", "parts")
        host.virsh("pool-build", "parts")
        assert f"Device '{device}' already formatted using 'dos'" in refusal(host, "pool-build", "parts")
        host.virsh("pool-start", "parts")
        disk = Path(device).name
        assert f"invalid partition name 'x', expected '{disk}p1'" in refusal(
            host, "vol-create-as", "parts", "x", "8M", "--format", "linux"
        )
        assert names(host, "parts") == []
        for number, format_ in ((1, "linux"), (2, "fat32"), (3, "linux-swap")):
            host.virsh("vol-create-as", "parts", f"{disk}p{number}", "8M", "--format", format_)
        host.virsh("vol-create-as", "parts", f"{disk}p4", "64M", "--format", "extended")
        host.virsh("vol-create-as", "parts", f"{disk}p5", "8M", "--format", "linux")
        host.virsh("vol-create-as", "parts", f"{disk}p6", "8M", "--format", "linux")
        assert names(host, "parts") == [f"{disk}p{number}" for number in range(1, 7)]
        assert "no large enough free extent" in refusal(host, "vol-create-as", "parts", f"{disk}p7", "100M")
        info = host.virsh("vol-info", f"{disk}p4", "parts", "--bytes").stdout
        assert str(64 * MEBIBYTE) in info
        assert "cannot wipe extended partition" in refusal(host, "vol-wipe", f"{disk}p4", "parts")
        assert numbers(host, "parts")["Capacity"] == 128 * MEBIBYTE
        host.virsh("vol-delete", f"{disk}p6", "parts")
        host.virsh("pool-refresh", "parts")
        assert names(host, "parts") == [f"{disk}p{number}" for number in range(1, 6)]
        root = ET.fromstring(host.virsh("pool-dumpxml", "parts").stdout)
        free = [(int(one.get("start", "")), int(one.get("end", ""))) for one in root.iter("freeExtent")]
        assert all(start < end for start, end in free)
        assert len(free) > 1
        host.virsh("pool-destroy", "parts")
        host.virsh("pool-delete", "parts")
        assert "PTTYPE" not in output("sh", "-c", f"blkid -p {device} || true")
        host.virsh("pool-undefine", "parts")


def test_scsi_adapter(host: Daemon) -> None:
    """The lab's USB stick is a disk behind an adapter."""
    address = next(path.name for path in Path("/sys/bus/scsi/devices").iterdir() if path.name.endswith(":0:0:0"))
    adapter = address.split(":")[0]
    refused = refusal(host, "pool-create-as", "wrong", "scsi", "--adapter-name", f"host{adapter}", "--target", "/srv")
    assert "unable to use target path '/srv'" in refused
    host.virsh("pool-create-as", "usb", "scsi", "--adapter-name", f"host{adapter}", "--target", "/dev/disk/by-path")
    assert names(host, "usb") == ["unit:0:0:0"]
    path = host.virsh("vol-path", "unit:0:0:0", "--pool", "usb").stdout.strip()
    assert path.startswith("/dev/disk/by-path/")
    assert numbers(host, "usb")["Capacity"] == 16 * MEBIBYTE
    assert "storage pool does not support volume creation" in refusal(host, "vol-create-as", "usb", "x", "1M")
    host.virsh("pool-destroy", "usb")


def test_multipath(host: Daemon, tmp_path: Path) -> None:
    with loop_device(tmp_path / "disk", megabytes=32) as device:
        output("modprobe", "dm-multipath")
        output("modprobe", "dm-service-time")
        table = f"0 65536 multipath 0 0 1 1 service-time 0 1 1 {device} 1"
        output("dmsetup", "create", "labmpath", "--table", table)
        try:
            host.virsh("pool-create-as", "paths", "mpath", "--target", "/dev/mapper")
            [name] = names(host, "paths")
            assert name.startswith("dm-")
            assert host.virsh("vol-path", name, "--pool", "paths").stdout.strip() == "/dev/mapper/labmpath"
            assert "Storage source conflict with pool: 'paths'" in refusal(
                host, "pool-define-as", "more", "mpath", "--target", "/dev/mapper"
            )
            host.virsh("pool-destroy", "paths")
        finally:
            output("dmsetup", "remove", "labmpath")
