"""python3-libvirt as a program uses it: an event loop in a thread, callbacks, streams that do not block, many threads.

What single calls answer is in `test_domain_*` and `test_connect_calls`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import SYSTEM_PYTHON, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.stock

#: `VIR_DOMAIN_EVENT_SHUTDOWN`, which QEMU sends or not before it is killed.
SHUTDOWN = 6

#: A program with libvirt's default event loop in a thread. `wait(test)` waits until `test()` is true.
PROGRAM = """
import json, os, sys, threading, time
import libvirt
libvirt.registerErrorHandler(lambda *a: None, None)
libvirt.virEventRegisterDefaultImpl()
def loop():
    while True:
        libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
def wait(test, seconds=40):
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
def code(function, *arguments):
    try:
        function(*arguments)
    except libvirt.libvirtError as error:
        return error.get_error_code()
    return 0
conn = libvirt.open(sys.argv[1])
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """One daemon for all tests of this file; each removes its guests."""
    need("virsh", "qemu-system-x86_64", SYSTEM_PYTHON)
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


@pytest.fixture
def tiny(host: Daemon) -> Iterator[str]:
    """The name of a guest that is defined, and gone after the test."""
    path = host.root / "tiny.xml"
    path.write_text(tiny_xml("tiny", devices="<graphics type='vnc' port='-1'/>"))
    host.virsh("define", str(path))
    yield "tiny"
    host.virsh("destroy", "tiny", check=False)
    host.virsh("undefine", "tiny", check=False)


def program(host: Daemon, script: str, *arguments: str) -> object:
    """Run a script after `PROGRAM`; the value that it prints as JSON."""
    done = host.run(SYSTEM_PYTHON, "-c", PROGRAM + script, host.uri, *arguments)
    return json.loads(done.stdout)


def test_a_life_with_its_events(host: Daemon, tiny: str) -> None:
    script = """
seen = []
conn.setKeepAlive(1, 3)
def lifecycle(conn, dom, event, detail, opaque):
    seen.append([dom.name(), event, detail, opaque])
number = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "all")
dom = conn.lookupByName(sys.argv[2])
one = conn.domainEventRegisterAny(dom, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "one")
states = [dom.state()]
for action in (dom.create, dom.suspend, dom.resume, dom.destroy):
    action()
    states.append(dom.state())
time.sleep(2.5)  # keepalive packets come and go meanwhile
assert conn.isAlive()
wait(lambda: sum(event[1] == libvirt.VIR_DOMAIN_EVENT_STOPPED for event in seen) == 2)
conn.domainEventDeregisterAny(number)
conn.domainEventDeregisterAny(one)
print(json.dumps({"states": states, "all": [s[1:3] for s in seen if s[3] == "all"],
                  "one": [s[1:3] for s in seen if s[3] == "one"]}))
"""
    found = program(host, script, tiny)
    assert isinstance(found, dict)
    assert found["states"] == [[5, 0], [1, 1], [3, 1], [1, 5], [5, 2]]
    resumed, started, suspended, stopped = [4, 0], [2, 0], [3, 0], [5, 1]
    told = [event for event in found["all"] if event[0] != SHUTDOWN]
    assert told == [resumed, started, suspended, resumed, stopped]
    assert found["one"] == found["all"]


def test_the_end_of_the_daemon_is_told(short_path: Path) -> None:
    need("virsh", SYSTEM_PYTHON)
    daemon = Daemon(short_path / "root").start()
    try:
        script = """
import signal
reasons = []
conn.registerCloseCallback(lambda conn, reason, opaque: reasons.append([reason, opaque]), "told")
os.kill(int(sys.argv[2]), signal.SIGKILL)
wait(lambda: reasons)
print(json.dumps([reasons, conn.isAlive(), code(conn.getHostname)]))
"""
        assert program(daemon, script, str(daemon.pid)) == [[[1, "told"]], 0, 1]
    finally:
        daemon.stop()


def test_a_frozen_daemon_is_noticed_by_keepalive(short_path: Path) -> None:
    need("virsh", SYSTEM_PYTHON)
    daemon = Daemon(short_path / "root").start()
    try:
        script = """
import signal
reasons = []
conn.registerCloseCallback(lambda conn, reason, opaque: reasons.append(reason), None)
conn.setKeepAlive(1, 2)
os.kill(int(sys.argv[2]), signal.SIGSTOP)
wait(lambda: reasons)
os.kill(int(sys.argv[2]), signal.SIGCONT)
print(json.dumps(reasons))
"""
        assert program(daemon, script, str(daemon.pid)) == [2]
    finally:
        daemon.stop()


def test_lists_with_every_filter(host: Daemon, tiny: str) -> None:
    script = """
names = sorted(name for name in dir(libvirt) if name.startswith("VIR_CONNECT_LIST_DOMAINS_"))
def listed():
    return [name[25:] for name in names if conn.listAllDomains(getattr(libvirt, name))]
off = listed()
dom = conn.lookupByName(sys.argv[2])
dom.create()
on = listed()
dom.suspend()
paused = listed()
print(json.dumps([off, on, paused]))
"""
    everywhere = {"NO_AUTOSTART", "NO_CHECKPOINT", "NO_MANAGEDSAVE", "NO_SNAPSHOT", "PERSISTENT"}
    found = program(host, script, tiny)
    assert isinstance(found, list)
    off, on, paused = ({*names} for names in found)
    assert off == everywhere | {"INACTIVE", "SHUTOFF"}
    assert on == everywhere | {"ACTIVE", "RUNNING"}
    assert paused == everywhere | {"ACTIVE", "PAUSED"}


def test_a_console_without_blocking(host: Daemon, tiny: str) -> None:
    """Data comes through the stream's callback in the event loop's thread; what is typed goes the other way."""
    script = """
dom = conn.lookupByName(sys.argv[2])
dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
dom.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
got = bytearray()
def ready(stream, events, opaque):
    if events & libvirt.VIR_STREAM_EVENT_READABLE:
        while isinstance(data := stream.recv(1024), bytes) and data:
            got.extend(data)
stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE, ready, None)
dom.resume()
wait(lambda: b"login:" in got)
assert stream.send(b"root\\r") == 5
wait(lambda: b"# " in got)
stream.send(b"echo $((6*7))\\r")
wait(lambda: b"\\n42\\r" in got)
other = conn.newStream()
busy = code(dom.openConsole, None, other, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
stream.eventRemoveCallback()
stream.finish()
third = conn.newStream()
dom.openConsole(None, third, 0)
third.send(b"echo again$((1+1))\\r")
data = b""
while b"again2" not in data:
    data += third.recv(1024)
third.abort()
print(json.dumps(busy))
"""
    assert program(host, script, tiny) == 9


def test_a_screenshot_by_callback(host: Daemon, tiny: str) -> None:
    script = """
dom = conn.lookupByName(sys.argv[2])
dom.create()
stream = conn.newStream()
mime = dom.screenshot(stream, 0)
parts = []
stream.recvAll(lambda stream, data, opaque: parts.append(data) or len(data), None)
stream.finish()
whole = b"".join(parts)
print(json.dumps([mime, len(whole) > 1000, whole[:2] == b"P6" or whole[1:4] == b"PNG"]))
"""
    found = program(host, script, tiny)
    assert found in (["image/x-portable-pixmap", True, True], ["image/png", True, True])


def test_many_threads_share_a_connection(host: Daemon, tiny: str) -> None:
    """Calls overtake each other: nobody waits for the slow one, and every answer goes to whoever asked."""
    script = """
dom = conn.lookupByName(sys.argv[2])
uuid = dom.UUIDString()
failures = []
def ask(number):
    for turn in range(100):
        try:
            assert conn.lookupByUUIDString(uuid).name() == dom.name()
            assert dom.info()[1] == 192 * 1024
            assert code(conn.lookupByName, f"no-{number}-{turn}") == libvirt.VIR_ERR_NO_DOMAIN
        except Exception as error:
            failures.append(repr(error))
threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
for thread in threads: thread.start()
dom.create()
dom.destroy()
for thread in threads: thread.join()
print(json.dumps(failures))
"""
    assert program(host, script, tiny) == []


def test_a_read_only_connection_looks_and_does_not_touch(host: Daemon, tiny: str) -> None:
    script = """
ro = libvirt.openReadOnly(sys.argv[1])
dom = ro.lookupByName(sys.argv[2])
denied = {
    "create": code(dom.create), "destroy": code(dom.destroy), "undefine": code(dom.undefine),
    "define": code(ro.defineXML, "<domain/>"), "createXML": code(ro.createXML, "<domain/>", 0),
    "secrets": code(dom.XMLDesc, libvirt.VIR_DOMAIN_XML_SECURE), "autostart": code(dom.setAutostart, 1),
    "rename": code(dom.rename, "x"), "metadata": code(dom.setMetadata, 1, "t", None, None, 0),
}
allowed = [len(dom.XMLDesc(0)) > 100, dom.state(), dom.autostart(), len(ro.getCapabilities()) > 100, ro.isAlive(),
           len(ro.getAllDomainStats()) == 1]
print(json.dumps([sorted(set(denied.values())), allowed]))
"""
    assert program(host, script, tiny) == [[29], [True, [5, 0], 0, True, 1, True]]


def test_handles_of_what_is_gone(host: Daemon) -> None:
    script = """
dom = conn.defineXML(sys.argv[2])
same = conn.defineXML(sys.argv[2].replace("</name>", f"</name><uuid>{dom.UUIDString()}</uuid>"))
other = code(conn.defineXML, sys.argv[2])
stale = conn.lookupByName(dom.name())
dom.undefine()
print(json.dumps([dom.UUIDString() == same.UUIDString(), other, code(stale.info), code(stale.create),
                  code(stale.undefine), code(conn.lookupByID, 12345),
                  code(conn.lookupByUUIDString, "00000000-0000-0000-0000-000000000001"),
                  code(conn.defineXML, "<domain"), code(conn.defineXML, "<network/>"),
                  code(conn.lookupByName, "x" * 5000)]))
"""
    assert program(host, script, tiny_xml("gone")) == [True, 9, 42, 42, 42, 42, 42, 35, 27, 42]


def test_a_guest_that_ends_with_its_connection(host: Daemon) -> None:
    script = """
seen = []
def lifecycle(conn, dom, event, detail, opaque):
    seen.append((event, detail))
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, None)
short = libvirt.open(sys.argv[1])
dom = short.createXML(sys.argv[2], libvirt.VIR_DOMAIN_START_AUTODESTROY)
running = conn.lookupByName("brief").isPersistent()
del dom
short.close()
wait(lambda: (5, 1) in seen)
print(json.dumps([running, code(conn.lookupByName, "brief")]))
"""
    assert program(host, script, tiny_xml("brief")) == [0, 42]


def test_processors_of_the_host(host: Daemon) -> None:
    script = """
def cpu(model):
    return f"<cpu><arch>x86_64</arch><model>{model}</model></cpu>"
baseline = conn.baselineCPU([cpu("Nehalem"), cpu("Penryn")], 0)
print(json.dumps([
    "Penryn" in baseline, conn.compareCPU(cpu("486")) >= 0, code(conn.compareCPU, cpu("nope")),
    "Nehalem" in conn.getCPUModelNames("x86_64"), conn.getCPUMap()[0] == conn.getInfo()[2],
    len(conn.getCellsFreeMemory(0, 1)), conn.getMaxVcpus(None) > 0,
]))
"""
    assert program(host, script) == [True, True, 1, True, True, 1, True]
