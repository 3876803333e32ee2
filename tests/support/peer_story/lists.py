"""Lists of guests with every filter, and guests by their names."""

from __future__ import annotations

from tests.support.peer_story.guests import blank
from tests.support.peer_story.recorder import Recorder, told

NOBODY = "6e4f2f9e-4c6b-4f0e-9f5c-ffffffffffff"


def lists(r: Recorder) -> None:
    """Lists with every filter."""
    c = r.conn
    c.defineXML(blank(r.name("off"), 10))
    c.defineXML(blank(r.name("auto"), 11)).setAutostart(1)
    c.defineXML(blank(r.name("run"), 12)).create()
    c.createXML(blank(r.name("paused"), 13), 1)
    both = [0, 3, 12, 48, 112, 17, 18, 33, 34, 65, 66, 5, 9, 6, 10, 1 << 16, 1 << 20, 1 << 31, 1024 | 2, 513]
    for flags in [1 << bit for bit in range(16)] + both:
        r.do(
            f"listAllDomains {flags:#x}",
            lambda flags=flags: sorted(told(dom) for dom in c.listAllDomains(flags) if dom.name().startswith(r.prefix)),
        )
    for dom in c.listAllDomains():
        name = told(dom)
        for call in (
            "isActive",
            "isPersistent",
            "isUpdated",
            "autostart",
            "hasManagedSaveImage",
            "hasCurrentSnapshot",
            "snapshotNum",
            "snapshotListNames",
            "listAllSnapshots",
            "listAllCheckpoints",
            "OSType",
            "maxMemory",
            "state",
            "UUIDString",
            "snapshotCurrent",
            "autostartOnce",
        ):
            if hasattr(dom, call):
                r.do(f"{call} of {name}", getattr(dom, call))
        r.do(f"info of {name}", lambda dom=dom: dom.info()[:4])
        r.do(f"state flags of {name}", dom.state, 1)
        r.do(f"ID of {name}", lambda dom=dom: dom.ID() > 0)
    r.do("lookupByName", c.lookupByName, "diff-nobody")
    r.do("lookupByName empty", c.lookupByName, "")
    r.do("lookupByID", c.lookupByID, 99999)
    r.do("lookupByID negative", c.lookupByID, -1)
    r.do("lookupByUUIDString", c.lookupByUUIDString, NOBODY)
    r.do("lookupByUUIDString bad", c.lookupByUUIDString, "nonsense")
    for command in (
        "list --all",
        "list --all --uuid",
        "list --all --name --title",
        "list --transient --all",
        "list --state-paused",
        "list --inactive --autostart --name",
    ):
        r.virsh(*command.split(), "--name") if "--uuid" not in command else r.virsh(*command.split())
    r.do("create with autostart transient", c.lookupByName(r.name("paused")).setAutostart, 1)
    r.do("undefine transient", c.lookupByName(r.name("paused")).undefine)
    r.do("rename transient", c.lookupByName(r.name("paused")).rename, r.name("x"))
    r.do("rename running", c.lookupByName(r.name("run")).rename, r.name("x"))
    off = c.lookupByName(r.name("off"))
    for label, new in (("same", r.name("off")), ("taken", r.name("run")), ("empty", ""), ("slash", "a/b")):
        r.do(f"rename {label}", off.rename, new)
    r.do("rename flags", off.rename, r.name("x"), 1)
    r.do("rename", off.rename, r.name("renamed"))
    r.do("lookup after rename", c.lookupByName, r.name("off"))
    r.events("lists")
