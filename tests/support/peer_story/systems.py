"""Guests with a system in them: one that runs Linux, and one whose agent is not there."""

from __future__ import annotations

import time

import libvirt

from tests.support.peer_story.guests import blank, tiny
from tests.support.peer_story.recorder import Recorder, shape


def linux(r: Recorder) -> None:
    """A guest that runs Linux: it reboots and powers off by itself and when asked."""
    c = r.conn
    dom = c.defineXML(tiny(r.name("linux"), 60, r.kernel, agent=False))
    r.do("start", dom.create)
    r.events("start")
    stream = c.newStream()
    dom.openConsole(None, stream, 0)
    second = libvirt.open(r.uri)
    other = second.lookupByName(r.name("linux"))
    r.do("console busy", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 0))
    r.do("console safe busy", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 2))
    _until(stream, b"login:")
    stream.send(b"root\n")
    _until(stream, b"# ")
    stream.send(b"reboot\n")
    _until(stream, b"login:")
    r.events("reboot by the guest")
    r.do("state after reboot", dom.state)
    r.do("console force", lambda: other.openConsole(None, second.newStream(libvirt.VIR_STREAM_NONBLOCK), 1))
    r.do("shutdown", dom.shutdown)
    r.events("shutdown", until="[5, ")
    r.do("state after shutdown", dom.state)


def _until(stream: libvirt.virStream, text: bytes) -> None:
    seen = b""
    end = time.monotonic() + 40
    while text not in seen:
        part = stream.recv(4096)
        if not part or time.monotonic() > end:
            raise TimeoutError(f"no {text!r} in {seen[-200:]!r}")
        seen += part


def agent(r: Recorder) -> None:
    """A guest with a channel for an agent that is not there."""
    c = r.conn
    silent = c.defineXML(
        blank(
            r.name("silent"),
            70,
            devices="<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>",
        )
    )
    silent.create()
    calls = {
        "hostname": lambda dom: dom.hostname(2),
        "getTime": lambda dom: shape(dom.getTime()),
        "setTime": lambda dom: dom.setTime({"seconds": 1}),
        "shutdown": lambda dom: dom.shutdownFlags(2),
        "reboot": lambda dom: dom.reboot(2),
        "interfaces": lambda dom: dom.interfaceAddresses(1),
        "vcpus": lambda dom: dom.vcpusFlags(9),
        "fsInfo": lambda dom: shape(dom.fsInfo()),
        "guestInfo": lambda dom: shape(dom.guestInfo()),
        "fsFreeze": lambda dom: dom.fsFreeze(),
        "guestVcpus": lambda dom: shape(dom.guestVcpus()),
        "agentTimeout": lambda dom: dom.agentSetResponseTimeout(2),
        "agentTimeout bad": lambda dom: dom.agentSetResponseTimeout(-9),
    }
    for word, call in calls.items():
        r.do(f"{word} silent", call, silent)
    for channel in (None, "org.qemu.guest_agent.0"):
        r.do(f"channel {channel}", silent.openChannel, channel, c.newStream())
    r.events("silent")
    silent.destroy()
