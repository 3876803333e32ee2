"""Network filters with stock clients: virsh and libvirt-python, and the same answers as libvirtd's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import BIN, SYSTEM_PYTHON, Daemon, need
from tests.support.netns import Namespace

pytestmark = pytest.mark.stock

UUID = "0a81f5b2-8403-7b23-c8d6-21ccc2f80e01"
FILTER = (
    f"<filter name='mine' chain='ipv4'><uuid>{UUID}</uuid><rule action='drop' direction='out'>"
    "<ip protocol='udp' dstportstart='53'/></rule></filter>"
)
BINDING = (
    "<filterbinding><owner><name>web</name><uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid></owner>"
    "<portdev name='nowhere0'/><mac address='52:54:00:00:00:0a'/><filterref filter='mine'/></filterbinding>"
)

#: Everything that can be asked of filters, and what came of it, a line each.
STORY = r"""
conn = libvirt.open(sys.argv[1])
def uuid(number): return "0a81f5b2-8403-7b23-c8d6-21ccc2f8%04x" % number
def xml(number, name="one", inner="", words=""):
    return f"<filter name='{name}' {words}><uuid>{uuid(number)}</uuid>{inner}</filter>"
def say(what, function, *arguments):
    try:
        got = function(*arguments)
        if isinstance(got, libvirt.virNWFilter): got = [got.UUIDString(), got.name()]
        if isinstance(got, libvirt.virNWFilterBinding): got = [got.portDev(), got.filterName()]
        print(what, repr(got))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), error)
DROP = "<rule action='drop' direction='out'/>"
for what, document in (
    ("plain", xml(1)), ("same", xml(1)), ("other uuid", xml(2)), ("other name", xml(1, "other")),
    ("rules", xml(1, inner=DROP)), ("refers", xml(3, "outer", "<filterref filter='one'/>")),
    ("loop", xml(1, inner="<filterref filter='outer'/>")), ("itself", xml(1, inner="<filterref filter='one'/>")),
    ("missing", xml(4, "hollow", "<filterref filter='nowhere'/>")),
    ("values", xml(5, "values", "<rule action='accept' direction='in' priority='-7' statematch='0'><tcp srcipaddr='$A' "
        "dstportstart='$B[2]' dstportend='0x50'/></rule><filterref filter='one'><parameter name='B' value='1'/>"
        "<parameter name='A' value='2'/></filterref>")),
    ("chain", xml(6, "arps", DROP, "chain='arp-x' priority='-600'")),
    ("wrong chain", xml(7, "x", DROP, "chain='tcp'")), ("long chain", xml(7, "x", DROP, "chain='arp-aaaaaaaaaaaaaaa'")),
    ("odd chain", xml(7, "x", DROP, "chain='arp-ä'")), ("priority", xml(7, "x", DROP, "chain='arp' priority='1001'")),
    ("no name", "<filter/>"), ("root", "<domain/>"), ("broken", "<filter"),
    ("action", xml(7, "x", "<rule direction='out'/>")), ("direction", xml(7, "x", "<rule action='drop'/>")),
):
    say(f"define {what}", conn.nwfilterDefineXML, document)
say("define flags", lambda: conn.nwfilterDefineXMLFlags(xml(1), 2))
say("define validated", lambda: conn.nwfilterDefineXMLFlags(xml(1), 1))
for name in ("one", "outer", "values", "arps"):
    say(f"xml {name}", lambda: conn.nwfilterLookupByName(name).XMLDesc())
say("xml flags", lambda: conn.nwfilterLookupByName("one").XMLDesc(1))
say("by name", conn.nwfilterLookupByName, "one")
say("by unknown name", conn.nwfilterLookupByName, "nowhere")
say("by uuid", conn.nwfilterLookupByUUIDString, uuid(1))
say("by unknown uuid", conn.nwfilterLookupByUUIDString, uuid(99))
MINE = ("one", "outer", "hollow", "values", "arps")
say("numbers agree", lambda: conn.numOfNWFilters() == len(conn.listNWFilters()) == len(conn.listAllNWFilters()))
say("list", lambda: sorted(name for name in conn.listNWFilters() if name in MINE))
say("list all", lambda: sorted(one.name() for one in conn.listAllNWFilters() if one.name() in MINE))
say("list flags", conn.listAllNWFilters, 1)

def binding(device="nowhere0", name="outer", parameters="", head=""):
    return (f"<filterbinding>{head}<owner><name>web</name><uuid>{uuid(200)}</uuid></owner><portdev name='{device}'/>"
            f"<mac address='52:54:00:00:00:0A'/><filterref filter='{name}'>{parameters}</filterref></filterbinding>")
for what, document in (
    ("plain", binding()), ("again", binding()), ("another", binding("nowhere1", "one")),
    ("no device", "<filterbinding/>"), ("broken", "<filterbinding"), ("root", "<filter/>"),
    ("no owner", "<filterbinding><portdev name='a'/></filterbinding>"),
):
    say(f"bind {what}", conn.nwfilterBindingCreateXML, document)
say("bind flags", conn.nwfilterBindingCreateXML, binding("nowhere2"), 2)
say("bind validated", conn.nwfilterBindingCreateXML, binding("nowhere2"), 1)
say("bindings", lambda: sorted((one.portDev(), one.filterName()) for one in conn.listAllNWFilterBindings()))
say("bindings flags", conn.listAllNWFilterBindings, 1)
say("on device", conn.nwfilterBindingLookupByPortDev, "nowhere0")
say("on no device", conn.nwfilterBindingLookupByPortDev, "nowhere9")
bound = conn.nwfilterBindingLookupByPortDev("nowhere0")
say("binding flags", bound.XMLDesc, 1)
for device in ("nowhere0", "nowhere1", "nowhere2"):
    say("unbind", conn.nwfilterBindingLookupByPortDev(device).delete)
say("unbind again", bound.delete)
say("binding of none", bound.XMLDesc)
readonly = libvirt.openReadOnly(sys.argv[2])
other = readonly.nwfilterLookupByName("one")
say("readonly xml", lambda: other.XMLDesc() == conn.nwfilterLookupByName("one").XMLDesc())
say("readonly undefine", other.undefine)
say("readonly define", readonly.nwfilterDefineXML, xml(1))
say("readonly bind", readonly.nwfilterBindingCreateXML, binding())
for name in MINE:
    found = conn.nwfilterLookupByName(name)
    say("undefine", found.undefine)
say("undefine again", found.undefine)
say("xml of none", found.XMLDesc)
"""


@pytest.fixture
def daemon(short_path: Path) -> Iterator[Daemon]:
    """A running guesthoused whose rules are nobody else's."""
    need("virsh", "nft", "unshare", "nsenter")
    namespace = Namespace()
    made = namespace.daemon(short_path / "root")
    try:
        yield made.start()
    finally:
        made.stop()
        namespace.close()


def tell(uri: str, readonly: str) -> list[str]:
    opening = "import sys, libvirt\nlibvirt.registerErrorHandler(lambda *a: None, None)\n"
    argv = [SYSTEM_PYTHON, "-c", opening + STORY, uri, readonly]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


_HINT = re.compile(r" \([^()]*\)$")


def test_the_same_answers_as_libvirtds(daemon: Daemon, short_path: Path) -> None:
    """All calls; only a hint at the end of an error is ours."""
    ours = tell(daemon.uri, f"qemu+unix:///system?socket={daemon.readonly_socket}")
    assert "list ['arps', 'hollow', 'one', 'outer', 'values']" in ours
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    peer = Libvirtd("libvirtd", short_path / "peer")
    try:
        peer.start()
        theirs = tell(peer.uri, peer.uri)
    finally:
        peer.stop()
    assert [_HINT.sub("", line) for line in ours] == [_HINT.sub("", line) for line in theirs]


#: Command lines for virsh and for guest under its name; FOLDER holds `mine.xml`, `wrong.xml` and `binding.xml`.
LINES = f"""
nwfilter-list
nwfilter-define FOLDER/mine.xml
nwfilter-define FOLDER/mine.xml --validate
nwfilter-define FOLDER/wrong.xml
nwfilter-define FOLDER/nowhere
nwfilter-list
nwfilter-dumpxml mine
nwfilter-dumpxml {UUID}
nwfilter-dumpxml nowhere
nwfilter-dumpxml 0a81f5b2-8403-7b23-c8d6-21ccc2f80e99
nwfilter-dumpxml mine --xpath //ip
nwfilter-dumpxml mine --xpath //uuid --wrap
nwfilter-edit mine
nwfilter-binding-list
nwfilter-binding-create FOLDER/binding.xml
nwfilter-binding-create FOLDER/binding.xml --validate
nwfilter-binding-create FOLDER/wrong.xml
nwfilter-binding-list
nwfilter-binding-dumpxml nowhere0
nwfilter-binding-dumpxml nowhere9
nwfilter-undefine mine
nwfilter-binding-delete nowhere0
nwfilter-binding-delete nowhere0
nwfilter-undefine mine
nwfilter-undefine mine
nwfilter-undefine
nwfilter-list --nonsense
help nwfilter-nothing
""".strip().splitlines()


def test_the_same_bytes_as_virsh(daemon: Daemon, short_path: Path) -> None:
    (short_path / "virsh").symlink_to(BIN / "guest")
    (short_path / "mine.xml").write_text(FILTER)
    (short_path / "wrong.xml").write_text("<filter/>")
    (short_path / "binding.xml").write_text(BINDING)
    told = []
    for program in ("virsh", str(short_path / "virsh")):
        answers = []
        for line in LINES:
            words = line.replace("FOLDER", str(short_path)).split()
            done = subprocess.run(
                [program, "-c", daemon.uri, *words], capture_output=True, timeout=30, check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8", "EDITOR": "true"}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            answers.append((line, done.returncode, done.stdout, done.stderr))
        told.append(answers)
    for theirs, ours in zip(*told, strict=True):
        assert ours == theirs


def test_what_the_command_tells_programs(daemon: Daemon, short_path: Path) -> None:
    """`--json` of each command that tells something."""
    (short_path / "mine.xml").write_text(FILTER)
    (short_path / "binding.xml").write_text(BINDING)
    assert daemon.guest("nwfilter-define", str(short_path / "mine.xml"), "--json").stdout.split() == (
        ["{", '"name":', '"mine",', '"uuid":', f'"{UUID}"', "}"]
    )
    bound = daemon.guest("nwfilter-binding-create", str(short_path / "binding.xml"), "--json").stdout
    listed = daemon.guest("nwfilter-binding-list", "--json").stdout
    assert '"device": "nowhere0"' in bound
    assert '"filter": "mine"' in bound
    assert '"device": "nowhere0"' in listed
    assert f'"uuid": "{UUID}"' in daemon.guest("nwfilter-list", "--json").stdout
    daemon.guest("nwfilter-binding-delete", "nowhere0")
    daemon.guest("nwfilter-undefine", UUID)
