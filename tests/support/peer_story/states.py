"""The states of a guest: every transition, and what is said about it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import libvirt

from tests.support.peer_story.guests import SERIAL, blank
from tests.support.peer_story.recorder import Recorder


def transitions(r: Recorder) -> None:
    """Every transition and what is said about it."""
    c = r.conn
    dom = c.defineXML(blank(r.name("life"), 20, devices=SERIAL))

    def step(word: str, call: str, *args: object) -> None:
        r.do(word, getattr(dom, call), *args)
        r.events(word)
        r.do(f"state after {word}", dom.state)

    r.events("define")
    step("off", "state")
    for word, call, args in (
        ("suspend off", "suspend", ()),
        ("resume off", "resume", ()),
        ("destroy off", "destroy", ()),
        ("shutdown off", "shutdown", ()),
        ("reboot off", "reboot", ()),
        ("reset off", "reset", ()),
        ("graceful off", "destroyFlags", (1,)),
        ("destroy bad flags", "destroyFlags", (8,)),
        ("start bad flags", "createWithFlags", (1 << 9,)),
        ("start", "create", ()),
        ("start again", "create", ()),
        ("resume running", "resume", ()),
        ("suspend", "suspend", ()),
        ("suspend again", "suspend", ()),
        ("reset paused", "reset", ()),
        ("resume", "resume", ()),
        ("reset", "reset", ()),
        ("reset flags", "reset", (1,)),
        ("reboot bad", "reboot", (64,)),
        ("reboot initctl", "reboot", (4,)),
        ("reboot agent", "reboot", (2,)),
        ("shutdown bad", "shutdownFlags", (64,)),
        ("shutdown agent", "shutdownFlags", (2,)),
        ("shutdown initctl", "shutdownFlags", (4,)),
        ("shutdown signal", "shutdownFlags", (8,)),
        ("shutdown paravirt", "shutdownFlags", (16,)),
        ("shutdown acpi", "shutdownFlags", (1,)),
        ("pmSuspend", "pMSuspendForDuration", (0, 0)),
        ("pmSuspend bad", "pMSuspendForDuration", (9, 0)),
        ("wakeup", "pMWakeup", ()),
        ("nmi", "injectNMI", ()),
        ("undefine running", "undefine", ()),
        ("define running", "isPersistent", ()),
    ):
        step(word, call, *args)
    r.do("define again", c.defineXML, blank(r.name("life"), 20, devices=SERIAL))
    r.events("define again")
    step("destroy", "destroy")
    step("start paused", "createWithFlags", 1)
    step("shutdown paused", "shutdown")
    step("graceful", "destroyFlags", 1)
    step("start reset-nvram", "createWithFlags", 32)
    os.kill(_pid(dom), signal.SIGKILL)
    r.events("kill", until="[5, ")
    step("killed", "state")
    bad = c.defineXML(
        blank(
            r.name("fail"),
            21,
            devices="<disk type='file' device='disk'><source file='/none/such'/>"
            "<target dev='vda' bus='virtio'/></disk>",
        )
    )
    r.do("start without disk", bad.create)
    r.do("state after failed start", bad.state)
    r.events("failed start")
    r.do("undefine bad flags", bad.undefineFlags, 1 << 12)
    r.do("undefine exclusive", bad.undefineFlags, 4 | 8)
    r.do("undefine all", bad.undefineFlags, 1 | 2 | 4 | 16)
    r.do("undefine twice", bad.undefine)
    r.do("start undefined", bad.create)
    r.events("undefine")
    transient = r.do("create", c.createXML, blank(r.name("brief"), 23), 0)
    r.do("undefine transient", transient.undefine)
    r.do("destroy transient", transient.destroy)
    r.events("transient")
    r.do("state of gone", transient.state)
    firmware = blank(r.name("efi"), 24, extra="<features><acpi/></features>").replace("<os>", "<os firmware='efi'>")
    efi = r.do("define efi", c.defineXML, firmware)
    r.do("start efi", efi.create)
    r.do("destroy efi", efi.destroy)
    r.do("undefine efi", efi.undefine)
    r.do("undefine efi nvram", efi.undefineFlags, 4)
    second = libvirt.open(r.uri)
    own = second.defineXML(blank(r.name("auto"), 25))
    r.do("start autodestroy", own.createWithFlags, 2)
    r.do("autodestroy XML", lambda: "autodestroy" in own.XMLDesc())
    r.events("autodestroy start")
    own = None
    second.close()
    r.events("autodestroy", until="[5, ")
    r.do("state after autodestroy", c.lookupByName(r.name("auto")).state)


def _pid(dom: libvirt.virDomain) -> int:
    """The process of a guest, by its name."""
    mark = f"guest={dom.name()},".encode()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    raise LookupError(dom.name())
