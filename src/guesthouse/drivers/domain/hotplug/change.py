"""A change of devices that is under way, as the status file tells of it.

    <change come='vdb' go='net1'>
      <definition>...</definition>
      <former>...</former>
    </change>

`come` are the aliases of devices that stand in the status file's `<domain>` and that QEMU may not have yet, `go` is the
device that the guest is asked to let go of. `definition` is what the guest is defined as once all that is done, as XML
text; `former` is a drive as it was before its disc was changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from guesthouse.model.domain.definition import Domain
from guesthouse.model.xmltext import escape


@dataclass(frozen=True, slots=True)
class Change:
    """What is under way. `live` is the guest with everything that comes, None where nothing does; it is not read back:
    the status file's own `<domain>` is it.
    """

    come: tuple[str, ...] = ()
    go: str = ""
    definition: str = ""
    former: str = ""
    live: Domain | None = None


def format_change(change: Change) -> list[str]:
    """The lines of the element."""
    head = f"  <change come='{escape(' '.join(change.come))}' go='{escape(change.go)}'"
    parts = (("definition", change.definition), ("former", change.former))
    inner = [f"    <{tag}>{escape(text)}</{tag}>" for tag, text in parts if text]
    return [f"{head}>", *inner, "  </change>"] if inner else [f"{head}/>"]


def read_change(node: etree._Element | None) -> Change | None:
    """The change that the element tells of."""
    if node is None:
        return None
    return Change(
        come=tuple((node.get("come") or "").split()),
        go=node.get("go") or "",
        definition=node.findtext("definition") or "",
        former=node.findtext("former") or "",
    )
