"""What a reader of the guide does: types a command as printed, pastes a fragment where the text says, looks.

`Reader` types into a shell in which `sudo` does nothing and `virsh` is the stock one or, for a reader of our own
command, `guest`. `paste` puts a printed fragment into a document; `missing` tells what of a fragment a document lacks.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import xml.etree.ElementTree as ET  # our own daemon's documents
from dataclasses import dataclass
from pathlib import Path

from tests.support.daemon import BIN, Daemon

#: What the guide calls the guest.
NAME = "sles15"
#: How a reader may type the guide's commands.
PROGRAMS = ("virsh", "guest")
DEADLINE = 60.0

#: Elements of which there is one: what is pasted takes the place of what was there. Of others there may be many.
_ALONE = frozenset(
    (
        "type",
        "vcpu",
        "cpu",
        "memory",
        "currentMemory",
        "os",
        "kernel",
        "initrd",
        "boot",
        "memballoon",
        "video",
        "graphics",
    )
)
_ELLIPSIS = re.compile(r"^\s*(?:\.\.\.|\[\.\.\.\])\s*$|(?<=>)\.\.\.(?=<)|\.\.\.(?=\s*/>)", re.MULTILINE)
_HERE = "here"


@dataclass(frozen=True)
class Reader:
    """A reader at a shell of the host. `program` is the command that is typed: `virsh` or `guest`."""

    daemon: Daemon
    program: str

    def types(self, line: str, *, check: bool = True, editor: str = "false") -> str:
        """What a printed line comes to, errors included; with `check` it must succeed."""
        opening = 'sudo() { "$@"; }; '
        if self.program == "guest":
            opening += f'virsh() {{ {shlex.quote(str(BIN / "guest"))} "$@"; }}; '
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", opening + line], capture_output=True, text=True, timeout=DEADLINE,
            check=False, stdin=subprocess.DEVNULL, cwd=self.daemon.root,
            env={**os.environ, "LIBVIRT_DEFAULT_URI": self.daemon.uri, "VISUAL": editor, "TERM": "dumb"},
        )  # fmt: skip
        assert not check or done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def edits(self, text: str, *, check: bool = True, name: str = NAME) -> str:
        """`sudo virsh edit NAME`, with an editor that leaves `text` behind."""
        path = self.daemon.root / "typed.xml"
        path.write_text(text)
        return self.types(f"sudo virsh edit {name}", check=check, editor=f"cp {path}")

    def defines(self, text: str, *, check: bool = True) -> str:
        """`virsh define FILE`: what `edit` does with the text at its end, and says only to a terminal."""
        path = self.daemon.root / "typed.xml"
        path.write_text(text)
        return self.types(f"virsh define {path}", check=check)

    def document(self, name: str = NAME, *, live: bool = False) -> str:
        """The guest's document, as it will start or as it runs."""
        return self.types(f"virsh dumpxml {name}{'' if live else ' --inactive'}")

    def objects(self, name: str = NAME) -> list[dict[str, object]]:
        """The QEMU objects that the guest's definition comes to: `qemu_objects` of `domxml-to-native`."""
        return qemu_objects(self.types(f"virsh domxml-to-native qemu-argv --domain {name}"))


def as_typed(printed: str, changes: tuple[tuple[str, str], ...] = ()) -> str:
    """A printed fragment without its ellipses, which stand for what is there already, and with these corrections."""
    text = _ELLIPSIS.sub("", printed)
    for misprinted, meant in changes:
        assert misprinted in text, misprinted
        text = text.replace(misprinted, meant)
    return text


def paste(document: str, fragment: str, into: str) -> str:
    """The document with the fragment at the end of the element `into` (a path below the root), as it was typed.

    Elements of which there can be one only, of the fragment's names, and controllers that it has are taken away first.
    The fragment itself need not be well-formed.
    """
    root = ET.fromstring(document)
    parent = root if not into else root.find(into)
    assert parent is not None, f"no {into} in {document}"
    names = _names(fragment) & _ALONE
    for child in list(parent):
        if child.tag in names or (child.tag == "controller" and _is_controller_of(child, fragment)):
            parent.remove(child)
    # A domain's first elements come before the others in every document that people write.
    parent.insert(1 if not into else len(parent), ET.Comment(_HERE))
    return ET.tostring(root, encoding="unicode").replace(f"<!--{_HERE}-->", fragment)


def _is_controller_of(controller: ET.Element, fragment: str) -> bool:
    """Whether the fragment has this one itself."""
    return f"<controller type='{controller.get('type')}' index='{controller.get('index')}' " in fragment


def _names(fragment: str) -> set[str]:
    """The names of the fragment's outermost elements."""
    names: set[str] = set()
    depth = 0
    for closing, name, empty in re.findall(r"<(/?)(\w+)[^>]*?(/?)>", fragment):
        if closing:
            depth -= 1
            continue
        if depth == 0:
            names.add(name)
        depth += not empty
    return names


def missing(document: str, fragment: str, into: str) -> list[str]:
    """What of the fragment's elements, attributes and texts the document does not have in the element `into`."""
    root = ET.fromstring(document)
    parent = root if not into else root.find(into)
    assert parent is not None, f"no {into} in {document}"
    wanted = ET.fromstring(f"<fragment>{fragment}</fragment>")
    return [ET.tostring(child, encoding="unicode").strip() for child in _absent(parent, wanted)]


def _absent(have: ET.Element, want: ET.Element) -> list[ET.Element]:
    rest = list(have)
    lacking = []
    for child in want:
        found = next((one for one in rest if _holds(one, child)), None)
        if found is None:
            lacking.append(child)
        else:
            del rest[: rest.index(found) + 1]  # the order is the printed one
    return lacking


def _holds(have: ET.Element, want: ET.Element) -> bool:
    return (
        have.tag == want.tag
        and want.attrib.items() <= have.attrib.items()
        and (want.text or "").strip() in ("", (have.text or "").strip())
        and not _absent(have, want)
    )


def qemu_objects(line: str) -> list[dict[str, object]]:
    """Each option of a command line: its properties, and under `-` its own name. Of plain values, the value."""
    words = shlex.split(line.strip())
    start = next(place for place, word in enumerate(words) if Path(word).name.startswith("qemu-system-"))
    found: list[dict[str, object]] = []
    for place, word in enumerate(words[start:], start):
        if not word.startswith("-"):
            continue
        value = words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("-") else ""
        properties = json.loads(value) if value.startswith("{") else {"value": value}
        found.append({"-": word, **properties})
    return found


def lacking(objects: list[dict[str, object]], wanted: tuple[dict[str, object], ...]) -> list[dict[str, object]]:
    """Those of the wanted objects that no object has all properties of."""
    return [one for one in wanted if not any(one.items() <= have.items() for have in objects)]
