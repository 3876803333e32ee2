"""Storage volumes with a stock client: the same answers as libvirtd's, and the same files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import SYSTEM_PYTHON, Daemon, need

pytestmark = pytest.mark.stock

#: Everything that can be asked of volumes of files, and what came of it, a line each. Times are left out.
STORY = r"""
import os, re
conn = libvirt.open(sys.argv[1])
folder = sys.argv[2]
MIB = 2 ** 20
def plain(value):
    text = repr(value).replace(folder, "FOLDER")
    text = re.sub(r"<([acm]time)>[0-9.]+</", r"<\1>T</", text)
    return re.sub(r"available( unit='bytes')?>\d+", r"available>N", text)
def say(what, function, *arguments):
    try:
        got = function(*arguments)
        if isinstance(got, libvirt.virStorageVol): got = [got.name(), got.key(), got.path()]
        print(what, plain(got))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), plain(str(error)))
    except OSError as error:
        print(what, error)
def xml(name, inside="", capacity=MIB, more="", allocation=0):
    size = "" if capacity is None else f"<capacity>{capacity}</capacity>"
    taken = "" if allocation is None else f"<allocation>{allocation}</allocation>"
    return f"<volume><name>{name}</name>{size}{taken}<target>{inside}</target>{more}</volume>"
def fmt(kind, more=""): return f"<format type='{kind}'/>{more}"
BACKING = "<backingStore><path>{}</path>{}</backingStore>"
pool = conn.storagePoolCreateXML(f"<pool type='dir'><name>v</name><target><path>{folder}</path></target></pool>")
def files():
    for name in sorted(os.listdir(folder)):
        facts = os.stat(folder + "/" + name)
        print("file", name, facts.st_size, oct(facts.st_mode), facts.st_uid, facts.st_gid)
LUKS = "<encryption format='luks'>{}</encryption>"
SECRET = "<secret type='passphrase' uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/>"
for what, document, flags in (
    ("sparse", xml("sparse"), 0), ("full", xml("full", allocation=None), 0),
    ("half", xml("half", allocation=MIB // 2), 0), ("more", xml("more", allocation=2 * MIB), 0),
    ("units",
     "<volume><name>units</name><capacity unit='KiB'>3</capacity><allocation unit='B'>0</allocation></volume>", 0),
    ("again", xml("sparse"), 0), ("no capacity", xml("x", capacity=None), 0), ("void", xml("void", capacity=0), 0),
    ("no name", "<volume><capacity>1</capacity></volume>", 0), ("slash", xml("a/b"), 0),
    ("root", "<pool/>", 0), ("broken", "<volume", 0), ("flags", xml("x"), 64), ("validated", xml("valid"), 4),
    ("negative", xml("x", capacity=-1), 0),
    ("mode", xml("mode", "<permissions><mode>0640</mode><owner>1</owner><group>2</group></permissions>"), 0),
    ("nocow", xml("nocow", "<nocow/>"), 0),
    ("dir", xml("dir", fmt("dir")), 0), ("qcow2", xml("q.qcow2", fmt("qcow2")), 0),
    ("metadata", xml("meta.qcow2", fmt("qcow2")), 1), ("falloc", xml("falloc.qcow2", fmt("qcow2"), allocation=None), 1),
    ("compat", xml("old.qcow2", fmt("qcow2", "<compat>0.10</compat>")), 0),
    ("bad compat", xml("x", fmt("qcow2", "<compat>9</compat>")), 0),
    ("features", xml("f.qcow2", fmt("qcow2", "<features><lazy_refcounts/></features>")), 0),
    ("extended", xml("e.qcow2", fmt("qcow2", "<features><extended_l2/></features>")), 0),
    ("old features", xml("x", fmt("qcow2", "<compat>0.10</compat><features><lazy_refcounts/></features>")), 0),
    ("unknown feature", xml("x", fmt("qcow2", "<features><nope/></features>")), 0),
    ("cluster", xml("c.qcow2", fmt("qcow2", "<clusterSize unit='KiB'>128</clusterSize>")), 0),
    ("uneven", xml("u.qcow2", fmt("qcow2"), capacity=1000), 0),
    ("vmdk", xml("v.vmdk", fmt("vmdk")), 0), ("vdi", xml("v.vdi", fmt("vdi")), 0), ("qed", xml("v.qed", fmt("qed")), 0),
    ("qcow", xml("v.qcow", fmt("qcow")), 0), ("vpc", xml("v.vpc", fmt("vpc")), 0), ("iso", xml("v.iso", fmt("iso")), 0),
    ("bochs", xml("x", fmt("bochs")), 0), ("cloop", xml("x", fmt("cloop")), 0), ("none", xml("x", fmt("none")), 0),
    ("unknown", xml("x", fmt("nope")), 0), ("ploop", xml("x", fmt("ploop")), 0),
    ("raw metadata", xml("x"), 1), ("vmdk metadata", xml("x", fmt("vmdk")), 1),
    ("raw compat", xml("rawcompat", "<compat>1.1</compat>"), 0),
    ("vmdk compat", xml("x", fmt("vmdk", "<compat>1.1</compat>")), 0),
    ("vmdk features", xml("x", fmt("vmdk", "<features/>")), 0),
    ("backed", xml("b.qcow2", fmt("qcow2"), more=BACKING.format(folder + "/q.qcow2", fmt("qcow2"))), 0),
    ("backed size", xml("bs.qcow2", fmt("qcow2"), None, BACKING.format(folder + "/q.qcow2", fmt("qcow2"))), 0),
    ("backed near", xml("bn.qcow2", fmt("qcow2"), more=BACKING.format("q.qcow2", fmt("qcow2"))), 0),
    ("backed raw", xml("br.qcow2", fmt("qcow2"), more=BACKING.format(folder + "/sparse", "")), 0),
    ("backed gone", xml("x", fmt("qcow2"), more=BACKING.format("/nowhere", fmt("raw"))), 0),
    ("backed kind", xml("x", fmt("qcow2"), more=BACKING.format(folder + "/sparse", fmt("nope"))), 0),
    ("raw backed", xml("x", more=BACKING.format(folder + "/sparse", "")), 0),
    ("dir backed", xml("x", fmt("dir"), more=BACKING.format(folder + "/sparse", "")), 0),
    ("backed metadata", xml("x", fmt("qcow2"), more=BACKING.format(folder + "/sparse", "")), 1),
    ("luks none", xml("x", LUKS.format("")), 0), ("luks two", xml("x", LUKS.format(SECRET * 2)), 0),
    ("luks vmdk", xml("x", fmt("vmdk", LUKS.format(SECRET))), 0),
    ("luks gone", xml("x", LUKS.format(SECRET)), 0),
    ("qcow encryption", xml("x", fmt("qcow2", "<encryption format='qcow'/>")), 0),
):
    say("create " + what, pool.createXML, document, flags)
open(folder + "/late", "w").close()
say("create late", pool.createXML, xml("late"))
os.unlink(folder + "/late")
files()
say("list", lambda: sorted(pool.listVolumes()))
say("number", pool.numOfVolumes)
say("list flags", pool.listAllVolumes, 1)
for name in sorted(pool.listVolumes()):
    volume = pool.storageVolLookupByName(name)
    say("info " + name, volume.info)
    say("physical " + name, volume.infoFlags, 1)
pool.refresh()
for name in sorted(pool.listVolumes()): say("refreshed " + name, pool.storageVolLookupByName(name).XMLDesc)
sparse = pool.storageVolLookupByName("sparse")
say("xml flags", sparse.XMLDesc, 1)
say("info flags", sparse.infoFlags, 2)
say("by name", pool.storageVolLookupByName, "nowhere")
say("by key", conn.storageVolLookupByKey, folder + "/sparse")
say("by no key", conn.storageVolLookupByKey, "/nowhere")
say("by path", conn.storageVolLookupByPath, folder + "/sparse")
say("by long path", conn.storageVolLookupByPath, folder + "//sparse")
say("by no path", conn.storageVolLookupByPath, "/nowhere")
say("pool", lambda: sparse.storagePoolLookupByVolume().name())
q = pool.storageVolLookupByName("q.qcow2")
for what, call in (
    ("same", lambda: sparse.resize(MIB)), ("grow", lambda: sparse.resize(2 * MIB)),
    ("less", lambda: sparse.resize(MIB)),
    ("shrink", lambda: sparse.resize(MIB, 4)), ("delta", lambda: sparse.resize(MIB, 2)),
    ("back", lambda: sparse.resize(MIB, 6)), ("far back", lambda: sparse.resize(1 << 50, 6)),
    ("allocate", lambda: sparse.resize(4 * MIB, 1)), ("below", lambda: sparse.resize(MIB, 4)),
    ("no room", lambda: sparse.resize(1 << 60, 1)), ("flags", lambda: sparse.resize(MIB, 64)),
    ("qcow2", lambda: q.resize(4 * MIB)), ("qcow2 allocate", lambda: q.resize(8 * MIB, 1)),
    ("qcow2 uneven", lambda: q.resize(4 * MIB + 100)), ("qcow2 less", lambda: q.resize(MIB)),
    ("qcow2 shrink", lambda: q.resize(MIB, 4)),
):
    say("resize " + what, call)
    print(os.stat(folder + "/sparse").st_size, sparse.info(), q.info()[:2])
open(folder + "/half", "r+b").write(b"secret")
half = pool.storageVolLookupByName("half")
for number, flags in ((0, 0), (9, 1), (10, 0), (77, 0)): say(f"wipe {number} {flags}", half.wipePattern, number, flags)
print(open(folder + "/half", "rb").read(6), half.info())
say("wipe flags", half.wipe, 1)
for what, document, source, flags in (
    ("raw", xml("copy", capacity=None), half, 0), ("larger", xml("large", capacity=3 * MIB), half, 0),
    ("smaller", xml("small", capacity=1), half, 0), ("full", xml("fullcopy", capacity=None, allocation=None), half, 0),
    ("qcow2", xml("copy.qcow2", fmt("qcow2"), None), half, 0), ("back", xml("backcopy", "", None), q, 0),
    ("again", xml("copy"), half, 0), ("flags", xml("x"), half, 64),
    ("metadata", xml("cm"), half, 1), ("reflink", xml("cr"), half, 2),
    ("flat", xml("flat.qcow2", fmt("qcow2"), None), pool.storageVolLookupByName("b.qcow2"), 0),
):
    say("copy " + what, pool.createXMLFrom, document, source, flags)
pool.refresh()
for name in ("copy", "large", "small", "fullcopy", "copy.qcow2", "backcopy", "flat.qcow2"):
    say("xml " + name, pool.storageVolLookupByName(name).XMLDesc)
def upload(data, *arguments):
    stream = conn.newStream()
    half.upload(stream, *arguments)
    stream.send(data)
    stream.finish()
    return open(folder + "/half", "rb").read(8), os.stat(folder + "/half").st_size
def download(*arguments):
    stream = conn.newStream()
    half.download(stream, *arguments)
    parts = []
    stream.recvAll(lambda _s, data, _o: parts.append(data), None)
    stream.finish()
    return len(b"".join(parts)), b"".join(parts)[:8]
for what, call in (
    ("all", lambda: upload(b"abc", 0, 0)), ("part", lambda: upload(b"x", 1, 1)),
    ("long", lambda: upload(b"12", 2 * MIB, 0)),
    ("flags", lambda: upload(b"", 0, 0, 64)),
):
    say("upload " + what, call)
for what, arguments in (("all", (0, 0)), ("part", (1, 4)), ("end", (2 * MIB, 0)), ("beyond", (1 << 40, 0)),
("flags", (0, 0, 64))):
    say("download " + what, download, *arguments)
say("delete flags", half.delete, 2)
say("delete zeroed", half.delete, 1)
os.mkdir(folder + "/dir/full")
say("delete full dir", pool.storageVolLookupByName("dir").delete)
os.rmdir(folder + "/dir/full")
say("delete dir", pool.storageVolLookupByName("dir").delete)
os.unlink(folder + "/full")
say("info gone", pool.storageVolLookupByName("full").info)
say("xml gone", pool.storageVolLookupByName("full").XMLDesc)
say("delete gone", pool.storageVolLookupByName("full").delete)
say("delete", half.delete)
for what, call in (("info", half.info), ("xml", half.XMLDesc), ("path", half.path),
("delete", half.delete)): say("gone " + what, call)
readonly = libvirt.openReadOnly(sys.argv[3]).storagePoolLookupByName("v").storageVolLookupByName("sparse")
for what, call in (("delete", readonly.delete), ("wipe", readonly.wipe), ("resize", lambda: readonly.resize(1))):
    say("readonly " + what, call)
files()
pool.destroy()
for what, call in (("info", sparse.info), ("path", sparse.path),
("delete", sparse.delete)): say("stopped " + what, call)
"""


def tell(uri: str, readonly: str, folder: Path) -> list[str]:
    folder.mkdir()
    opening = "import sys, time, libvirt\nlibvirt.registerErrorHandler(lambda *a: None, None)\n"
    argv = [SYSTEM_PYTHON, "-c", opening + STORY, uri, str(folder), readonly]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return done.stdout.splitlines()


_HINT = re.compile(r" \([^()]*\)(?=['\"]?$)")

_PART = "the same refusal, ascribed to another part"
_WORDS = "the same refusal in other words"
#: Steps whose results differ, to the reason.
ALLOWED = {
    "create root": _PART,
    "create broken": _PART,
    "create nocow": _PART,
    "create negative": _WORDS,
    "create bad compat": _WORDS,
    "create unknown feature": _WORDS,
    "create bochs": _WORDS,
    "create cloop": _WORDS,
    "info v.iso": "qemu-img allocates the first block of what is a raw file",
    "refreshed v.iso": "the same",
}


def different(ours: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    """The steps that differ and may not."""
    pairs = zip([_HINT.sub("", line) for line in ours], [_HINT.sub("", line) for line in theirs], strict=True)
    return [
        (mine, its) for mine, its in pairs if mine != its and not any(mine.startswith(f"{step} ") for step in ALLOWED)
    ]


def test_the_same_answers_as_libvirtds(daemon: Daemon, short_path: Path) -> None:
    """All calls; only a hint at the end of an error is ours."""
    need("virsh", "qemu-img")
    ours = tell(daemon.uri, f"qemu+unix:///system?socket={daemon.readonly_socket}", short_path / "ours")
    assert "create sparse ['sparse', 'FOLDER/sparse', 'FOLDER/sparse']" in ours
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    peer = Libvirtd("libvirtd", short_path / "peer")
    try:
        peer.start()
        theirs = tell(peer.uri, peer.uri, short_path / "theirs")
    finally:
        peer.stop()
    assert different(ours, theirs) == []
