"""Definitions as they are given back, what may be written into them, and what a reader may not do."""

from __future__ import annotations

import libvirt

from tests.support.peer_story.guests import SERIAL, blank
from tests.support.peer_story.recorder import Recorder


def xml(r: Recorder) -> None:
    """Definitions as they are given back."""
    c = r.conn
    devices = (
        f"{SERIAL}<graphics type='vnc' autoport='yes' passwd='secret'/><video><model type='vga'/></video>"
        "<input type='tablet' bus='usb'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        "<interface type='user'><mac address='52:54:00:aa:00:01'/><model type='virtio'/></interface>"
        "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    )
    extra = (
        "<title>One</title><description>Two</description><metadata><x:a xmlns:x='urn:x'><x:b/></x:a></metadata>"
        "<features><acpi/><apic/></features><cpu mode='custom' match='exact'><model>Nehalem</model></cpu>"
        "<clock offset='utc'/><on_crash>preserve</on_crash>"
    )
    dom = c.defineXML(blank(r.name("full"), 30, extra=extra, devices=devices))
    flags = (0, 1, 2, 3, 4, 8, 15, 16, 1 << 20)
    for state in ("off", "on"):
        for flag in flags:
            r.do(f"XML {flag} {state}", dom.XMLDesc, flag)
        if state == "off":
            dom.createWithFlags(1)
    reader = libvirt.openReadOnly(r.uri.replace("libvirt-sock", "libvirt-sock-ro"))
    seen = reader.lookupByName(r.name("full"))
    for flag in flags:
        r.do(f"XML {flag} read-only", seen.XMLDesc, flag, see=lambda text: str("passwd" in text))
    for word, call in {
        "destroy": seen.destroy,
        "suspend": seen.suspend,
        "create": seen.create,
        "undefine": seen.undefine,
        "screenshot": lambda: seen.screenshot(reader.newStream(), 0),
        "shutdown": seen.shutdown,
        "setAutostart": lambda: seen.setAutostart(1),
        "rename": lambda: seen.rename("x"),
        "define": lambda: reader.defineXML("<domain/>"),
        "createXML": lambda: reader.createXML("<domain/>"),
        "setMetadata": lambda: seen.setMetadata(0, "x", None, None, 2),
        "sendKey": lambda: seen.sendKey(0, 0, [1], 1),
        "console": lambda: seen.openConsole(None, reader.newStream()),
        "hostname": lambda: seen.hostname(2),
        "getTime": seen.getTime,
        "setTime": lambda: seen.setTime({"seconds": 1}),
        "managedSave": seen.managedSave,
        "setMemory": lambda: seen.setMemory(1),
        "nmi": seen.injectNMI,
        "capabilities": lambda: bool(reader.getCapabilities()),
        "stats": lambda: bool(reader.getAllDomainStats()),
        "state": seen.state,
        "metadata": lambda: seen.metadata(0, None),
        "registerAny": lambda: reader.domainEventRegisterAny(None, 0, lambda *_: None, None) >= 0,
        "guestVcpus": lambda: seen.guestVcpus(),
        "fsInfo": seen.fsInfo,
        "guestInfo": lambda: seen.guestInfo(),
        "nodeSuspend": lambda: reader.suspendForDuration(0, 60),
        "dom id": lambda: seen.ID() > 0,
    }.items():
        r.do(f"read-only {word}", call)
    c.lookupByName(r.name("full")).resume()
    for kind, value, key, uri, flag in (
        (0, "d", None, None, 0),
        (0, "d2", None, None, 1),
        (0, "d3", None, None, 2),
        (0, "d4", None, None, 3),
        (1, "t", None, None, 0),
        (1, "t\nu", None, None, 2),
        (1, "", None, None, 2),
        (1, None, None, None, 1),
        (2, "<a/>", "k", "urn:k", 0),
        (2, "<b/>", "k", "urn:k", 2),
        (2, "<b", "k", "urn:k", 2),
        (2, "<b/>", "k", None, 2),
        (2, "<b/>", None, "urn:k", 2),
        (2, None, "k", "urn:k", 3),
        (7, "x", None, None, 0),
        (2, None, "k", "urn:none", 2),
        (0, "d", "k", "urn", 0),
        (0, "d", None, None, 8),
        (2, "<b c='d'>e</b>", "k2", "urn:k2", 3),
    ):
        r.do(f"setMetadata {kind} {value} {key} {uri} {flag}", dom.setMetadata, kind, value, key, uri, flag)
        r.events(f"setMetadata {kind} {value} {key} {uri} {flag}", quiet=0.05)
    for kind, uri, flag in (
        (0, None, 0),
        (0, None, 1),
        (0, None, 2),
        (1, None, 0),
        (1, None, 2),
        (2, "urn:x", 0),
        (2, "urn:k2", 2),
        (2, "urn:none", 0),
        (2, None, 0),
        (7, None, 0),
        (0, None, 3),
        (0, None, 8),
        (0, "urn", 0),
    ):
        r.do(f"metadata {kind} {uri} {flag}", dom.metadata, kind, uri, flag)
    r.do("inactive XML after", dom.XMLDesc, 2)
    bare = c.defineXML(blank(r.name("bare"), 31))
    for kind, flag in ((0, 0), (1, 0), (2, 0), (0, 1), (0, 2)):
        r.do(f"metadata of bare {kind} {flag}", bare.metadata, kind, "urn:x" if kind == 2 else None, flag)
    r.do("setMetadata live off", bare.setMetadata, 0, "x", None, None, 1)
    for call, args in (
        ("domainXMLFromNative", ("qemu-argv", "x")),
        ("domainXMLFromNative", ("bad", "x")),
        ("domainXMLToNative", ("bad", blank("x", 40))),
    ):
        r.do(f"{call} {args[0]}", getattr(c, call), *args)
