"""Volumes with stock virsh and with our command: every `vol-*` command, and what each daemon's user sees of it."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.stock

MIB = 1024 * 1024
SECRET = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f"


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """One daemon with one pool of files, `p`, for all tests of this file."""
    need("virsh", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        (Path(folder) / "p").mkdir()
        try:
            daemon.start()
            daemon.virsh("pool-create-as", "p", "dir", "--target", str(Path(folder) / "p"))
            yield daemon
        finally:
            daemon.stop()


@pytest.fixture
def pool(host: Daemon) -> Path:
    return host.root.parent / "p"


@pytest.fixture(autouse=True)
def _clean(host: Daemon) -> Iterator[None]:
    yield
    for path in (host.root.parent / "p").iterdir():
        assert not path.name.startswith(".guesthouse-"), path
        path.rmdir() if path.is_dir() else path.unlink()
    host.virsh("pool-refresh", "p")


def refusal(host: Daemon, *command: str) -> str:
    done = host.virsh(*command, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def document(host: Daemon, name: str) -> ET.Element:
    return ET.fromstring(host.virsh("vol-dumpxml", name, "p").stdout)


def image_info(path: Path) -> dict[str, object]:
    done = subprocess.run(["qemu-img", "info", "--output=json", str(path)], check=True, capture_output=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_the_commands_of_the_guide(host: Daemon, pool: Path) -> None:
    """Section 6.2.1.3 and 6.2.1.4, as printed, with virsh and with guest."""
    for run, name in ((host.virsh, "one"), (host.guest, "two")):
        assert run("vol-create-as", "p", name, "12G", "--format", "raw", "--allocation", "4M").stdout == (
            f"Vol {name} created\n\n"
        )
        facts = (pool / name).stat()
        assert (facts.st_size, facts.st_blocks * 512) == (12 << 30, 4 * MIB)
        run("vol-create-as", "p", f"{name}.qcow2", "12G", "--format", "qcow2")
        assert run("vol-clone", f"{name}.qcow2", f"{name}-copy", "--pool", "p").stdout == (
            f"Vol {name}-copy cloned from {name}.qcow2\n\n"
        )
        run("vol-clone", str(pool / f"{name}.qcow2"), f"{name}-copy2")
        assert "12.00 GiB" in run("vol-list", "--details", "p").stdout
        assert run("vol-delete", name, "--pool", "p").stdout == f"Vol {name} deleted\n\n"
        assert run("vol-delete", str(pool / f"{name}.qcow2")).stdout == f"Vol {pool / name}.qcow2 deleted\n\n"
    assert sorted(os.listdir(pool)) == ["one-copy", "one-copy2", "two-copy", "two-copy2"]
    assert image_info(pool / "one-copy")["format"] == "qcow2"


def test_both_commands_print_the_same(host: Daemon, pool: Path) -> None:
    host.virsh("vol-create-as", "p", "a.qcow2", "64M", "--format", "qcow2")
    host.virsh("vol-create-as", "p", "b", "1000000", "--allocation", "0")
    for words in (
        ["vol-list", "p"],
        ["vol-list", "p", "--details"],
        ["vol-info", "b", "p"],
        ["vol-info", "b", "p", "--bytes", "--physical"],
        ["vol-path", "b", "p"],
        ["vol-key", "b", "--pool", "p"],
        ["vol-name", str(pool / "b")],
        ["vol-pool", str(pool / "b")],
        ["vol-pool", str(pool / "b"), "--uuid"],
        ["vol-dumpxml", "a.qcow2", "p"],
        ["vol-dumpxml", "a.qcow2", "p", "--xpath", "//path"],
        ["vol-create-as", "p", "c&d", "1G", "--allocation", "1k", "--format", "qcow2", "--backing-vol", "a.qcow2",
         "--backing-vol-format", "qcow2", "--print-xml"],
        ["vol-clone", "a.qcow2", "new", "p", "--print-xml"],
        ["vol-info", "nope", "p"],
        ["vol-info", "/nope"],
        ["vol-info", "b", "nope"],
        ["vol-create-as", "p", "x", "1Q"],
        ["vol-create-as", "p", "a.qcow2", "1M"],
        ["vol-create-as", "p", "x", "1M", "--format", "nope"],
        ["vol-resize", "b", "-1", "p"],
        ["vol-resize", "b", "1", "p"],
        ["vol-wipe", "b", "p", "--algorithm", "nope"],
        ["vol-upload", "b", "/nope", "p"],
        ["vol-delete", "b", "p", "--delete-snapshots"],
    ):  # fmt: skip
        stock, ours = host.virsh(*words, check=False), host.guest(*words, check=False)
        if words[:4] == ["vol-create-as", "p", "c&d", "1G"]:
            assert ours.stdout == stock.stdout.replace("c&d", "c&amp;d")  # virsh writes no XML there
            continue
        assert (ours.stdout, ours.stderr, ours.returncode) == (stock.stdout, stock.stderr, stock.returncode), words


def test_json(host: Daemon, pool: Path) -> None:
    made = json.loads(host.guest("vol-create-as", "p", "a", "1M", "--json").stdout)
    assert made == {"name": "a", "pool": "p", "key": str(pool / "a")}
    [listed] = json.loads(host.guest("vol-list", "p", "--json").stdout)
    assert {key: listed[key] for key in ("name", "type", "format", "capacity", "state", "guests")} == {
        "name": "a", "type": "file", "format": "raw", "capacity": MIB, "state": None, "guests": [],
    }  # fmt: skip
    assert json.loads(host.guest("vol-info", "a", "p", "--json").stdout)["allocation"] == MIB
    for command, key in (("vol-path", "path"), ("vol-key", "key")):
        assert json.loads(host.guest(command, "a", "p", "--json").stdout) == {key: str(pool / "a")}
    assert json.loads(host.guest("vol-name", str(pool / "a"), "--json").stdout) == {"name": "a"}
    assert json.loads(host.guest("vol-pool", str(pool / "a"), "--json").stdout) == {"pool": "p"}
    assert json.loads(host.guest("vol-dumpxml", "a", "p", "--json").stdout)["tag"] == "volume"


def test_images_with_everything_that_qcow2_has(host: Daemon, pool: Path, tmp_path: Path) -> None:
    text = """<volume><name>new.qcow2</name><capacity unit='MiB'>64</capacity><allocation>0</allocation><target>
        <format type='qcow2'/><permissions><mode>0640</mode><owner>0</owner><group>0</group></permissions>
        <compat>1.1</compat><nocow/><clusterSize unit='KiB'>128</clusterSize>
        <features><lazy_refcounts/><extended_l2/></features></target></volume>"""
    (tmp_path / "v.xml").write_text(text)
    host.virsh("vol-create", "p", str(tmp_path / "v.xml"), "--prealloc-metadata", "--validate")
    root = document(host, "new.qcow2")
    assert root.findtext("target/compat") == "1.1"
    assert root.findtext("target/clusterSize") == str(128 * 1024)
    assert [child.tag for child in root.findall("target/features/*")] == ["lazy_refcounts", "extended_l2"]
    assert root.findtext("target/permissions/mode") == "0640"
    data = image_info(pool / "new.qcow2")["format-specific"]
    assert isinstance(data, dict)
    assert (data["data"]["lazy-refcounts"], data["data"]["extended-l2"]) == (True, True)
    layer = ["--backing-vol", "new.qcow2", "--backing-vol-format", "qcow2"]
    host.virsh("vol-create-as", "p", "layer.qcow2", "64M", "--format", "qcow2", *layer)
    root = document(host, "layer.qcow2")
    assert root.findtext("backingStore/path") == str(pool / "new.qcow2")
    assert root.findtext("backingStore/permissions/mode") == "0640"
    assert root.findtext("backingStore/timestamps/mtime")
    # A copy of it does not lie on anything.
    (tmp_path / "v.xml").write_text("<volume><name>flat.vmdk</name><target><format type='vmdk'/></target></volume>")
    host.virsh("vol-create-from", "p", str(tmp_path / "v.xml"), "layer.qcow2", "--inputpool", "p")
    assert document(host, "flat.vmdk").find("backingStore") is None
    assert image_info(pool / "flat.vmdk")["format"] == "vmdk"
    assert "metadata preallocation conflicts with backing store" in refusal(
        host, "vol-create-as", "p", "x", "64M", "--format", "qcow2", *layer, "--prealloc-metadata"
    )
    assert "cannot set backing store for raw volume" in refusal(
        host, "vol-clone", "layer.qcow2", "x", "p", "--reflink"
    ) + refusal(host, "vol-create-as", "p", "x", "64M", "--format", "luks", *layer).replace(
        "unknown volume format type luks", "cannot set backing store for raw volume"
    )
    host.virsh("vol-create-as", "p", "sub", "0", "--format", "dir")
    assert (pool / "sub").is_dir()
    assert document(host, "sub").get("type") == "dir"
    host.virsh("vol-delete", "sub", "p")


def test_encrypted_images(host: Daemon, pool: Path, tmp_path: Path) -> None:
    """A passphrase opens what was made with it, and is on no command line: `qemu-img` reads it from a descriptor."""
    (tmp_path / "secret.xml").write_text(
        f"<secret ephemeral='yes'><uuid>{SECRET}</uuid><usage type='volume'><volume>{pool}/luks.img</volume></usage>"
        "</secret>"
    )
    (tmp_path / "passphrase").write_text("letmein")
    host.virsh("secret-define", str(tmp_path / "secret.xml"))
    host.virsh("secret-set-value", SECRET, "--file", str(tmp_path / "passphrase"), "--plain")
    (tmp_path / "v.xml").write_text(
        "<volume><name>luks.img</name><capacity unit='MiB'>8</capacity><target><format type='raw'/>"
        f"<encryption format='luks'><secret type='passphrase' uuid='{SECRET}'/></encryption></target></volume>"
    )
    host.virsh("vol-create", "p", str(tmp_path / "v.xml"))
    root = document(host, "luks.img")
    assert root.find("target/format").get("type") == "raw"  # type: ignore[union-attr]
    assert root.find("target/encryption/secret").get("uuid") == SECRET  # type: ignore[union-attr]
    assert root.findtext("capacity") == str(8 * MIB)
    host.virsh("secret-undefine", SECRET)
    assert "no secret provided for luks encryption" in refusal(host, "vol-resize", "luks.img", "32M", "p")


def test_bytes_go_up_and_down(host: Daemon, pool: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.write(os.urandom(300_000))
        file.seek(5 * MIB)
        file.write(os.urandom(10))
    host.virsh("vol-create-as", "p", "v", "8M", "--allocation", "0")
    for run in (host.virsh, host.guest):
        for sparse in ([], ["--sparse"]):
            run("vol-upload", "v", str(source), "p", *sparse)
            inode = (pool / "v").stat().st_ino
            assert (pool / "v").stat().st_size == 8 * MIB
            run("vol-download", "v", str(target), "p", "--length", str(source.stat().st_size), *sparse)
            assert target.read_bytes() == source.read_bytes()
            if sparse:
                assert (pool / "v").stat().st_blocks * 512 < MIB
                assert target.stat().st_blocks * 512 < MIB
            assert inode  # a whole new file took its place
        # A part leaves the rest as it was.
        (tmp_path / "part").write_bytes(b"part")
        run("vol-upload", "v", str(tmp_path / "part"), "p", "--offset", "100", "--length", "4")
        run("vol-download", "v", str(target), "p", "--offset", "98", "--length", "8")
        assert target.read_bytes()[2:6] == b"part"
        assert (pool / "v").stat().st_size == 8 * MIB
        refused = run("vol-upload", "v", str(source), "p", "--length", "1000", check=False)
        assert refused.returncode == 1
        assert "cannot write to stream" in refused.stderr
        run("vol-download", "v", str(target), "p", "--offset", "98", "--length", "8")
        assert target.read_bytes()[2:6] == b"part"


def test_sizes(host: Daemon, pool: Path) -> None:
    host.virsh("vol-create-as", "p", "v", "1M", "--allocation", "0")
    assert host.virsh("vol-resize", "v", "2M", "p").stdout == "Size of volume 'v' successfully changed to 2M\n\n"
    assert host.virsh("vol-resize", "v", "1M", "p", "--delta").stdout == (
        "Size of volume 'v' successfully changed by 1M\n\n"
    )
    assert "unless shrink flag explicitly specified" in refusal(host, "vol-resize", "v", "1M", "p")
    host.virsh("vol-resize", "v", "-1M", "p", "--shrink")
    assert (pool / "v").stat().st_size == 2 * MIB
    host.virsh("vol-resize", "v", "4M", "p", "--allocate")
    assert (pool / "v").stat().st_blocks * 512 == 4 * MIB
    assert "can't shrink capacity below existing allocation" in refusal(host, "vol-resize", "v", "1M", "p", "--shrink")
    assert "Not enough space left in storage pool" in refusal(host, "vol-resize", "v", "1E", "p", "--allocate")
    host.virsh("vol-create-as", "p", "q", "1M", "--format", "qcow2")
    host.virsh("vol-resize", "q", "10M", "p")
    assert image_info(pool / "q")["virtual-size"] == 10 * MIB
    assert "preallocate is only supported for raw type volume" in refusal(
        host, "vol-resize", "q", "1G", "p", "--allocate"
    )


def test_wiping(host: Daemon, pool: Path) -> None:
    for algorithm in ("zero", "trim", "random"):
        (pool / "v").write_bytes(b"secret" * 1000)
        host.virsh("pool-refresh", "p")
        if algorithm == "random":
            need("scrub")
        host.virsh("vol-wipe", "v", "p", "--algorithm", algorithm)
        data = (pool / "v").read_bytes()
        assert b"secret" not in data
        assert len(data) >= 6000
    script = """
volume = conn.storagePoolLookupByName('p').storageVolLookupByName('v')
try:
    volume.wipePattern(77)
except libvirt.libvirtError as error:
    print(error)
"""
    assert "wiping algorithm 77 not supported" in host.python(script).stdout


def test_a_volume_of_a_guest(host: Daemon, pool: Path) -> None:
    """The list and the document tell who has it; while the guest runs it is not deleted unless that is forced."""
    host.virsh("vol-create-as", "p", "base.qcow2", "8M", "--format", "qcow2")
    layer = ["--backing-vol", "base.qcow2", "--backing-vol-format", "qcow2"]
    host.virsh("vol-create-as", "p", "vda.qcow2", "8M", "--format", "qcow2", *layer)
    host.virsh("vol-create-as", "p", "vdb.img", "8M")
    host.virsh("vol-create-as", "p", "free.img", "1M")
    disks = (
        "<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/><source pool='p' volume='vda.qcow2'/>"
        f"<target dev='vda' bus='virtio'/></disk><disk type='file' device='disk'><source file='{pool}/vdb.img'/>"
        "<target dev='vdb' bus='virtio'/></disk>"
    )
    definition = host.root.parent / "guest.xml"
    definition.write_text(tiny_xml("user", devices=disks))
    host.virsh("define", str(definition))
    known = {one["name"]: one["guests"] for one in json.loads(host.guest("vol-list", "p", "--json").stdout)}
    assert [guest["name"] for guest in known["vdb.img"]] == ["user"]
    assert known["free.img"] == []
    host.virsh("start", "user")
    try:
        known = {one["name"]: one["guests"] for one in json.loads(host.guest("vol-list", "p", "--json").stdout)}
        for name, target in (("base.qcow2", "vda"), ("vda.qcow2", "vda"), ("vdb.img", "vdb")):
            assert [(guest["target"], guest["running"]) for guest in known[name]] == [(target, True)], name
        table = host.guest("vol-list", "p", "--details").stdout.splitlines()
        assert [row.split()[-1] for row in table if "base.qcow2" in row or "free.img" in row] == ["user", "-"]
        [shown] = document(host, "base.qcow2").findall(".//{urn:guesthouse:volume:users:1}guest")
        assert shown.get("name") == "user"
        for name in ("base.qcow2", "vda.qcow2", "vdb.img"):
            text = refusal(host, "vol-delete", name, "p")
            assert f"volume '{name}' cannot be deleted: guest 'user' runs with it" in text
        assert "cannot be wiped: guest 'user' runs with it" in refusal(host, "vol-wipe", "vdb.img", "p")
        # The document with the guests is one that can be asked for again.
        host.virsh("vol-clone", "vdb.img", "copy.img", "p")
        host.guest("vol-delete", "vdb.img", "p", "--force")
        assert not (pool / "vdb.img").exists()
        # A volume comes and goes while the guest runs.
        extra = host.root.parent / "disk.xml"
        extra.write_text(
            "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='p' volume='free.img'/>"
            "<target dev='vdc' bus='virtio'/></disk>"
        )
        host.virsh("attach-device", "user", str(extra))
        assert "cannot be deleted: guest 'user' runs with it as disk 'vdc'" in refusal(
            host, "vol-delete", "free.img", "p"
        )
    finally:
        host.virsh("destroy", "user")
        host.virsh("undefine", "user")
    host.virsh("vol-delete", "base.qcow2", "p")


def test_virt_install_takes_its_disks_from_pools(host: Daemon, pool: Path) -> None:
    need("virt-install")
    host.virsh("vol-create-as", "p", "there.qcow2", "64M", "--format", "qcow2")
    plain = ["--virt-type", "qemu", "--noautoconsole", "--memory", "128", "--osinfo", "generic", "--import"]
    disks = {
        "vol": ("vol=p/there.qcow2", "there.qcow2"),
        "pool": ("pool=p,size=1,sparse=yes", "pool.qcow2"),
        "raw": ("pool=p,size=1,format=raw,sparse=yes", "raw.img"),
        "plain": ("size=1,sparse=yes", None),
    }
    for name, (words, file) in disks.items():
        host.run("virt-install", "--connect", host.uri, "--name", name, *plain, "--network", "none", "--disk", words)
        assert host.virsh("domstate", name).stdout.strip() == "running"
        source = ET.fromstring(host.virsh("dumpxml", name).stdout).find("devices/disk/source")
        assert source is not None
        found = source.get("volume") or os.path.basename(source.get("file", ""))
        assert found == file or (file is None and found)
        host.virsh("destroy", name)
        host.virsh("undefine", name, "--remove-all-storage")
    assert sorted(os.listdir(pool)) == []


def test_volumes_go_with_their_guest(host: Daemon, pool: Path) -> None:
    """`undefine --storage` and its neighbours, byte by byte as virsh."""
    disks = (
        "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source pool='p' volume='one'/>"
        f"<target dev='vda' bus='virtio'/></disk><disk type='file' device='disk'><source file='{pool}/two'/>"
        "<target dev='vdb' bus='virtio'/></disk><disk type='file' device='disk'><source file='/nowhere'/>"
        "<target dev='vdc' bus='virtio'/></disk>"
    )
    definition = host.root.parent / "gone.xml"
    definition.write_text(tiny_xml("gone", devices=disks))
    said = []
    for run in (host.virsh, host.guest):
        host.virsh("vol-create-as", "p", "one", "1M")
        host.virsh("vol-create-as", "p", "two", "1M")
        host.virsh("define", str(definition))
        for words in (["--storage", "vdz,one"], ["--storage", "one", "--remove-all-storage"], ["--storage", "vda"]):
            done = run("undefine", "gone", *words, check=False)
            said.append((run, done.stdout, done.stderr, done.returncode))
        assert sorted(os.listdir(pool)) == ["two"]
        host.virsh("define", str(definition))
        done = run("undefine", "gone", "--remove-all-storage", "--wipe-storage", check=False)
        said.append((run, done.stdout, done.stderr, done.returncode))
        assert os.listdir(pool) == []
    half = len(said) // 2
    assert [one[1:] for one in said[:half]] == [one[1:] for one in said[half:]]
