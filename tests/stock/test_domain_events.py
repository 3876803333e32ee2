"""Events as libvirt-python hears them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

LISTEN = """
import threading
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
got = []
def loop():
    while True: libvirt.virEventRunDefaultImpl()
threading.Thread(target=loop, daemon=True).start()
def lifecycle(conn, dom, event, detail, opaque): got.append((opaque, dom.name(), event, detail))
def plain(conn, dom, *rest): got.append((rest[-1], dom.name(), *rest[:-1]))
def until(what):
    deadline = time.monotonic() + 40
    while not any(what(item) for item in got):
        assert time.monotonic() < deadline, got
        time.sleep(0.01)
"""


@pytest.fixture
def guests(daemon: Daemon, short_path: Path) -> Daemon:
    for name, agent in (("one", True), ("two", False)):
        path = short_path / f"{name}.xml"
        path.write_text(tiny_xml(name, memory=192, agent=agent))
        daemon.virsh("define", str(path))
    return daemon


def test_lifecycle_and_filters(guests: Daemon) -> None:
    script = """
one, two = conn.lookupByName("one"), conn.lookupByName("two")
everything = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "all")
mine = conn.domainEventRegisterAny(one, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "one")
one.createWithFlags(1); one.resume(); one.suspend(); one.destroy()
two.rename("three")
conn.lookupByName("three").undefine()
until(lambda item: item[1:3] == ("three", 1))
conn.domainEventDeregisterAny(everything)
conn.domainEventDeregisterAny(mine)
one.undefine()
time.sleep(0.2)
for item in got: print(*item)
"""
    told = guests.python(LISTEN + script).stdout.splitlines()
    life = ["2 0", "3 0", "4 0", "3 0", "6 2", "5 1"]
    assert [line for line in told if line.startswith("one")] == [f"one one {step}" for step in life]
    renamed = ["all two 1 1", "all three 0 2", "all three 1 0"]
    assert [line for line in told if line.startswith("all")] == [f"all one {step}" for step in life] + renamed


def test_reboot_and_agent(guests: Daemon) -> None:
    script = """
one = conn.lookupByName("one")
for event in (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT,
              libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE):
    conn.domainEventRegisterAny(None, event, plain, event)
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle, "life")
one.create()
until(lambda item: item == (18, "one", 1, 2))
one.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "x", None, None)
one.reset()
until(lambda item: item[0] == 1)
got.clear()
until(lambda item: item == (18, "one", 1, 2))
one.reboot(libvirt.VIR_DOMAIN_REBOOT_ACPI_POWER_BTN)
until(lambda item: item[0] == 1)
print([item for item in got if item[0] == "life"], one.state())
deadline = time.monotonic() + 40
while one.isActive():  # the button is heard only when the guest is up again
    assert time.monotonic() < deadline
    try: one.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
    except libvirt.libvirtError: pass
    time.sleep(0.5)
until(lambda item: item[0] == "life" and item[2] == 5)
print([item for item in got if item[0] == "life"])
"""
    told = guests.python(LISTEN + script).stdout.splitlines()
    assert told[0] == "[] [1, 1]"
    assert told[1] == "[('life', 'one', 6, 1), ('life', 'one', 5, 0)]"


def test_qemus_own_events(guests: Daemon) -> None:
    script = """
import libvirt_qemu
conn.lookupByName("two")
def heard(conn, dom, event, seconds, micros, details, opaque): got.append((dom.name(), event))
libvirt_qemu.qemuMonitorEventRegister(conn, None, "RES", heard, None, 1)
two = conn.lookupByName("two")
two.create(); two.reset()
until(lambda item: item == ("two", "RESET"))
print(sorted(set(got)))
"""
    assert guests.python(LISTEN + script).stdout.strip() == "[('two', 'RESET'), ('two', 'RESUME')]"
