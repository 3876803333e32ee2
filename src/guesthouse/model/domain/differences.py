"""What distinguishes two definitions of a guest: what was added, removed and changed, under names that people use.

Both are compared as documents, so that a difference is told in the words of the format: `vcpu/@current`,
`devices/disk[vda]/source/@file`. Elements of which there can be several are recognised by what identifies them; the
others by their order among equals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from lxml import etree

from guesthouse.model.binding import Style
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain

#: Tag to the places, below the element, of the texts that identify it; the first that are all there count.
_IDENTITY: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "disk": (("target/@dev",),),
    "interface": (("mac/@address",),),
    "controller": (("@type", "@index", "master/@startport"), ("@type", "@index")),
    "filesystem": (("target/@dir",),),
    "graphics": (("@type",),),
    "memory": (("address/@slot",),),
    "channel": (("target/@name",),),
    "hostdev": (("alias/@name",),),
    "vcpupin": (("@vcpu",),),
    "iothreadpin": (("@iothread",),),
    "iothread": (("@id",),),
    "timer": (("@name",),),
    "feature": (("@name",),),
    "cell": (("@id",),),
    "memnode": (("@cellid",),),
    "audio": (("@id",),),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `path` names the place; `old` and `new` are what stands there, None where nothing does.

    For an attribute or a text they are its value, for an element that comes or goes its XML. `name` is the path
    without what identifies its elements: what rules are about (`devices/disk/source/@file`).
    """

    path: str
    name: str
    old: str | None
    new: str | None

    @property
    def is_device(self) -> bool:
        """Whether a whole device comes or goes."""
        return self.name.startswith("devices/") and self.name.count("/") == 1 and not self.name.endswith("emulator")


def compare(old: Domain, new: Domain) -> list[Difference]:
    """The differences between two definitions, in the order of the document. What only a running guest has is left
    out.
    """
    before, after = (etree.fromstring(format_domain(domain, Style(secure=True))) for domain in (old, new))
    return list(_elements(before, after, "", ""))


def _elements(old: etree._Element, new: etree._Element, path: str, name: str) -> Iterator[Difference]:
    for key in dict.fromkeys((*old.keys(), *new.keys())):
        before, after = old.get(key), new.get(key)
        if before != after:
            yield Difference(_under(path, "@" + str(key)), _under(name, "@" + str(key)), _text(before), _text(after))
    before, after = (old.text or "").strip(), (new.text or "").strip()
    if before != after:
        yield Difference(path, name, before or None, after or None)
    yield from _children(old, new, path, name)


def _text(value: str | bytes | None) -> str | None:
    return None if value is None else str(value)


def _under(path: str, step: str) -> str:
    return f"{path}/{step}" if path else step


def _children(old: etree._Element, new: etree._Element, path: str, name: str) -> Iterator[Difference]:
    before, after = _keyed(old, new), _keyed(new, old)
    for key in dict.fromkeys((*before, *after)):
        tag, identity = key
        there, here = before.get(key), after.get(key)
        below, plain = _under(path, f"{tag}[{identity}]" if identity else tag), _under(name, tag)
        if there is not None and here is not None:
            yield from _elements(there, here, below, plain)
        else:
            yield Difference(below, plain, _xml(there), _xml(here))


def _xml(node: etree._Element | None) -> str | None:
    return None if node is None else etree.tostring(node, encoding="unicode", with_tail=False)


_Key: TypeAlias = tuple[str, str]


def _keyed(parent: etree._Element, other: etree._Element) -> dict[_Key, etree._Element]:
    """The children by tag and identity. Those that nothing identifies are numbered, unless there is one at most."""
    single = {tag for tag in _tags(parent) | _tags(other) if max(_count(parent, tag), _count(other, tag)) <= 1}
    identify = _identity if parent.tag != "devices" else _of_device
    found: dict[_Key, etree._Element] = {}
    for child in parent:
        tag = str(child.tag)
        identity = identify(child, tag in single)
        number = 1
        key = (tag, identity)
        while key in found or (not identity and tag not in single and number == 1):
            key = (tag, f"{identity}#{number}" if identity else str(number))
            number += 1
        found[key] = child
    return found


def _tags(parent: etree._Element) -> set[str]:
    return {str(child.tag) for child in parent}


def _count(parent: etree._Element, tag: str) -> int:
    return sum(1 for child in parent if child.tag == tag)


def _identity(child: etree._Element, single: bool) -> str:
    if single and str(child.tag) not in ("vcpupin", "iothreadpin", "timer", "feature", "cell", "memnode"):
        return ""
    for places in _IDENTITY.get(str(child.tag), ()):
        texts = [_at(child, place) for place in places]
        if all(texts):
            return ":".join(texts)
    return ""


def _of_device(child: etree._Element, single: bool) -> str:
    """Devices of a kind with an identity are told apart by it even where there is one: another one is another."""
    named = _identity(child, False)
    return named or _identity(child, single)


def _at(node: etree._Element, place: str) -> str:
    *steps, attribute = place.split("/")
    found = node.find("/".join(steps)) if steps else node
    return "" if found is None else str(found.get(attribute.removeprefix("@")) or "")
