"""Secrets with stock clients: virsh and libvirt-python, and the same answers as libvirtd's."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from pathlib import Path

import pytest

from bench.hosts import Libvirtd
from tests.support.daemon import BIN, SYSTEM_PYTHON, Daemon, need

pytestmark = pytest.mark.stock

ONE, TWO = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "0a81f5b2-8403-7b23-c8d6-21ccc2f80d70"
VALUE = b"open sesame, please\x00\xff"

#: Everything that can be asked of secrets, and what came of it, a line each.
STORY = r"""
import threading
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
VALUE = b"open sesame, please\x00\xff"
def uuid(number): return "0a81f5b2-8403-7b23-c8d6-21ccc2f8%04x" % number
def xml(number, usage=None, name="x", words="", more=""):
    tag = {"volume": "volume", "iscsi": "target"}.get(usage, "name")
    inner = f"<usage type='{usage}'><{tag}>{name}</{tag}></usage>" if usage else ""
    return f"<secret {words}><uuid>{uuid(number)}</uuid>{more}{inner}</secret>"
def say(what, function, *arguments):
    try:
        got = function(*arguments)
        if isinstance(got, libvirt.virSecret): got = (got.UUIDString(), got.usageType(), got.usageID())
        print(what, repr(got))
    except libvirt.libvirtError as error:
        print(what, error.get_error_code(), error.get_error_domain(), error)
heard = []
def lifecycle(conn, secret, event, detail, opaque):
    heard.append((opaque, secret.UUIDString(), secret.usageType(), secret.usageID(), event, detail))
def changed(conn, secret, opaque): heard.append((opaque, secret.UUIDString(), secret.usageType()))

first = conn.secretDefineXML(xml(1, "volume", "/a"))
numbers = [conn.secretEventRegisterAny(which, event, (lifecycle, changed)[event], word) for which, event, word in (
    (None, 0, "all"), (first, 0, "1"), (None, 1, "value"), (first, 1, "1"))]
for number, usage in enumerate(("volume", "ceph", "iscsi", "tls", "vtpm"), 2):
    say(f"define {usage}", conn.secretDefineXML, xml(number, usage, "/x y" if usage == "volume" else "x y"))
say("define none", conn.secretDefineXML, xml(7))
say("define none too", conn.secretDefineXML, xml(8, words="ephemeral='yes'"))
say("define private", conn.secretDefineXML, xml(9, "tls", "p", "private='yes'", "<description>a &amp; b</description>"))
say("define validated", conn.secretDefineXML, xml(9, "tls", "p", "private='yes'"), 1)
for what, document in (
    ("other usage", xml(1, "volume", "/b")), ("no usage", xml(7, "tls", "z")), ("usage taken", xml(10, "volume", "/a")),
    ("not private", xml(9, "tls", "p")), ("bad ephemeral", xml(10, words="ephemeral='x'")),
    ("bad private", xml(10, words="private='x'")), ("bad uuid", "<secret><uuid>x</uuid></secret>"),
    ("no type", "<secret><usage/></secret>"), ("bad type", "<secret><usage type='x'/></secret>"),
    ("no volume", "<secret><usage type='volume'/></secret>"), ("no name", "<secret><usage type='ceph'/></secret>"),
    ("no target", "<secret><usage type='iscsi'/></secret>"), ("root", "<pool/>"),
):
    say(f"define {what}", conn.secretDefineXML, document)
say("define flags", conn.secretDefineXML, xml(1, "volume", "/a"), 2)
say("num", conn.numOfSecrets)
say("list", lambda: sorted(conn.listSecrets()))
for flags in (0, 1, 2, 3, 4, 8, 12, 5, 10, 16):
    say(f"list {flags}", lambda: sorted(s.UUIDString() for s in conn.listAllSecrets(flags)))
say("by uuid", conn.secretLookupByUUIDString, uuid(3))
say("by unknown uuid", conn.secretLookupByUUIDString, uuid(99))
for kind, name in ((1, "/a"), (1, "/b"), (2, "x y"), (3, "x y"), (4, "x y"), (5, "x y"), (0, ""), (9, "x"), (-1, "x")):
    say(f"by usage {kind} {name}", conn.secretLookupByUsage, kind, name)
private = conn.secretLookupByUUIDString(uuid(9))
ephemeral = conn.secretLookupByUUIDString(uuid(8))
for secret in (first, private, ephemeral): say("xml", secret.XMLDesc)
say("xml flags", first.XMLDesc, 1)
say("no value", first.value)
for secret in (first, private, ephemeral):
    say("set", secret.setValue, VALUE)
    say("get", secret.value)
say("set again", first.setValue, b"x" * 65536)
say("get again", lambda: first.value() == b"x" * 65536)
say("set too much", first.setValue, b"x" * 65537)
say("set nothing", first.setValue, b"")
say("set flags", first.setValue, VALUE, 1)
say("get flags", first.value, 1)
say("event flags", conn.secretEventRegisterAny, None, 2, lifecycle, None)
say("redefine", conn.secretDefineXML, xml(1, "volume", "/a", "ephemeral='yes'"))
say("get", lambda: first.value() == b"x" * 65536)
readonly = libvirt.openReadOnly(sys.argv[2])
other = readonly.secretLookupByUUIDString(uuid(1))
say("readonly xml", lambda: other.XMLDesc() == first.XMLDesc())
say("readonly get", other.value)
say("readonly set", other.setValue, VALUE)
say("readonly undefine", other.undefine)
say("readonly define", readonly.secretDefineXML, xml(1, "volume", "/a"))
say("undefine", first.undefine)
for what, call in (("undefine", first.undefine), ("set", lambda: first.setValue(VALUE)), ("get", first.value),
                   ("xml", first.XMLDesc)):
    say(f"gone {what}", call)
conn.secretEventDeregisterAny(numbers[0])
conn.secretEventDeregisterAny(numbers[2])
for secret in conn.listAllSecrets(): secret.undefine()
say("num", conn.numOfSecrets)
deadline = time.monotonic() + 10
while ("1", uuid(1), 1, "/a", 1, 0) not in heard and time.monotonic() < deadline: time.sleep(0.02)
time.sleep(0.3)
for kind in ("all", "1", "value"):
    for event in heard:
        if event[0] == kind: print(*event)
"""


def define(daemon: Daemon, folder: Path, text: str) -> str:
    path = folder / "secret.xml"
    path.write_text(text)
    return daemon.virsh("secret-define", str(path)).stdout


@pytest.fixture
def secret(daemon: Daemon, short_path: Path) -> Daemon:
    need("virsh")
    text = f"<secret><uuid>{ONE}</uuid><usage type='volume'><volume>/a</volume></usage></secret>"
    assert define(daemon, short_path, text) == f"Secret {ONE} created\n\n"
    return daemon


def tell(uri: str, readonly: str) -> list[str]:
    opening = "import sys, time, libvirt\nlibvirt.registerErrorHandler(lambda *a: None, None)\n"
    argv = [SYSTEM_PYTHON, "-c", opening + STORY, uri, readonly]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


_HINT = re.compile(r" \([^()]*\)$")


def test_the_same_answers_as_libvirtds(daemon: Daemon, short_path: Path) -> None:
    """All calls and all events; only a hint at the end of an error is ours."""
    need("virsh")
    ours = tell(daemon.uri, f"qemu+unix:///system?socket={daemon.readonly_socket}")
    assert f"get {VALUE!r}" in ours
    assert "get 65 30 Invalid secret: secret is private" in ours
    mine = f"{ONE[:-4]}0001 1"
    assert [line for line in ours if line.startswith("1 ")] == [
        f"1 {mine}", f"1 {mine}", f"1 {mine} /a 0 0", f"1 {mine} /a 1 0",
    ]  # fmt: skip
    assert len([line for line in ours if line.startswith("all ")]) == 11
    if reason := Libvirtd.missing():
        pytest.skip(reason)
    peer = Libvirtd("libvirtd", short_path / "peer")
    try:
        peer.start()
        theirs = tell(peer.uri, peer.uri)
    finally:
        peer.stop()
    assert [_HINT.sub("", line) for line in ours] == [_HINT.sub("", line) for line in theirs]


def test_virshs_commands(secret: Daemon, short_path: Path) -> None:
    value = short_path / "value"
    value.write_bytes(base64.b64encode(VALUE) + b"\n")
    assert secret.virsh("secret-set-value", ONE, "--file", str(value)).stdout == "Secret value set\n\n"
    assert base64.b64decode(secret.virsh("secret-get-value", ONE).stdout) == VALUE
    value.write_bytes(b"in plain text")
    secret.virsh("secret-set-value", ONE, "--plain", "--file", str(value))
    assert secret.virsh("secret-get-value", ONE, "--plain").stdout == "in plain text\n"
    assert ONE in secret.virsh("secret-list", "--no-private", "--no-ephemeral").stdout
    assert ONE not in secret.virsh("secret-list", "--private").stdout
    assert f"<uuid>{ONE}</uuid>" in secret.virsh("secret-dumpxml", ONE).stdout
    refused = secret.virsh("secret-get-value", ONE, check=False, readonly=True)
    assert "read only access prevents virSecretGetValue" in refused.stderr
    assert secret.virsh("secret-undefine", ONE).stdout == f"Secret {ONE} deleted\n\n"
    gone = secret.virsh("secret-dumpxml", ONE, check=False)
    assert gone.stderr.splitlines() == [
        f"error: failed to get secret '{ONE}'",
        f"error: Secret not found: no secret with matching uuid '{ONE}'",
    ]


#: Command lines for virsh and for guest under its name; FOLDER holds `secret.xml`, `value` and `plain`.
LINES = f"""
secret-list
secret-define FOLDER/secret.xml
secret-define FOLDER/secret.xml --validate
secret-define FOLDER/other.xml
secret-define FOLDER/nowhere
secret-define FOLDER
secret-list
secret-list --ephemeral
secret-list --no-ephemeral --private --no-private
secret-dumpxml {ONE}
secret-dumpxml {ONE} --xpath //usage
secret-dumpxml {ONE} --xpath //usage --wrap
secret-dumpxml {TWO}
secret-dumpxml nothing
secret-dumpxml
secret-set-value {ONE}
secret-set-value {ONE} --file FOLDER/value
secret-get-value {ONE}
secret-get-value {ONE} --plain
secret-set-value {ONE} --plain --file FOLDER/plain
secret-get-value {ONE} --plain
secret-set-value {ONE} --file FOLDER/nowhere
secret-set-value {ONE} --file FOLDER
secret-set-value {ONE} aGVsbG8=
secret-set-value {ONE} --base64 aGVsbG8=
secret-set-value {ONE} --base64 aGVsbG8= --file FOLDER/value
secret-set-value {ONE} --base64 aGVsbG8= --plain
secret-set-value {ONE} --base64 aGVsbG8= --interactive
secret-set-value {ONE} --plain --interactive
secret-set-value {ONE} --interactive --file FOLDER/value
secret-set-value {TWO} --base64 aGVsbG8=
-r secret-set-value {ONE} --file FOLDER/value
-r secret-get-value {ONE}
secret-get-value {ONE}
secret-get-value {TWO}
secret-event --list
secret-event
secret-event --event nothing
secret-event --event lifecycle --timeout 0
secret-event --event lifecycle --timeout 1
-q secret-list
secret-undefine {TWO}
secret-undefine {ONE}
secret-undefine
help secret-nothing
""".strip().splitlines()


def test_the_same_bytes_as_virsh(daemon: Daemon, short_path: Path) -> None:
    need("virsh")
    (short_path / "virsh").symlink_to(BIN / "guest")
    usage = "<usage type='ceph'><name>client admin</name></usage>"
    (short_path / "secret.xml").write_text(f"<secret><uuid>{ONE}</uuid>{usage}</secret>")
    (short_path / "other.xml").write_text(f"<secret><uuid>{TWO}</uuid>{usage}</secret>")
    (short_path / "value").write_bytes(base64.b64encode(VALUE))
    (short_path / "plain").write_bytes(b"in plain text")
    told = []
    for program in ("virsh", str(short_path / "virsh")):
        answers = []
        for line in LINES:
            words = line.replace("FOLDER", str(short_path)).split()
            done = subprocess.run(
                [program, "-c", daemon.uri, *words], capture_output=True, timeout=30, check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            answers.append((line, done.returncode, done.stdout, done.stderr))
        told.append(answers)
    for theirs, ours in zip(*told, strict=True):
        assert ours == theirs
