"""Every kind of document: what is printed is read and printed the same; what is declared stands in one of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

import guesthouse.model
from guesthouse.model.binding import accepted_names, elements
from guesthouse.model.documents import kind_of, names, validate
from guesthouse.model.element_plans import PLANS

SHAPES = sorted(Path(__file__).parent.glob("*.xml"))

#: What stands in no printed document: it is for running networks, dropped when it is read, or tested by itself.
ELSEWHERE = {
    ("network", "connections"), ("interface", "connections"), ("disk", "size"), ("usage", "name"), ("target", "nocow"),
    ("volume", "source"), ("source", "device"), ("device", "extent"), ("extent", "start"), ("extent", "end"),
    ("device", "freeExtent"), ("freeExtent", "start"), ("freeExtent", "end"), ("volume", "physical"),
    ("physical", "unit"), ("target", "timestamps"), ("timestamps", "atime"), ("timestamps", "mtime"),
    ("timestamps", "ctime"), ("timestamps", "btime"), ("backingStore", "timestamps"),
}  # fmt: skip

#: Modules of documents whose elements are to be seen in one of the shapes.
MODULES = (
    "network", "network_port", "nwfilter_binding", "owner", "interface", "nodedev", "secret", "moment", "snapshot",
    "checkpoint", "backup", "pool", "pool_source", "volume",
)  # fmt: skip


def _name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", SHAPES, ids=_name)
def test_what_is_read_is_printed(path: Path) -> None:
    text = path.read_text()
    kind = kind_of(text)
    assert kind is not None
    assert kind.name == path.stem.partition("-")[0]
    assert kind.printed(text) == text


def test_there_is_a_shape_of_each_kind() -> None:
    seen = {path.stem.partition("-")[0] for path in SHAPES}
    assert names() - {"domain", "device", "cpu"} <= seen


def _seen() -> set[tuple[str, str]]:
    """Every attribute and child in the shapes, with the element that it is in."""
    found = set()
    for path in SHAPES:
        for node in etree.fromstring(path.read_bytes()).iter():
            found |= {(str(node.tag), str(name)) for name in node.keys()}  # noqa: SIM118 - an element is no mapping
            found |= {(str(node.tag), str(child.tag)) for child in node}
    return found


def _declared() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        package = importlib.import_module(f"guesthouse.model.{module}")
        for part in pkgutil.iter_modules(getattr(package, "__path__", [])):
            importlib.import_module(f"guesthouse.model.{module}.{part.name}")
    prefixes = tuple(f"{guesthouse.model.__name__}.{module}" for module in MODULES)
    for cls, tag in elements().items():
        if any(cls.__module__ == prefix or cls.__module__.startswith(f"{prefix}.") for prefix in prefixes):
            attributes, children = accepted_names(cls)
            void = {name.removeprefix("@") for name in PLANS[cls].drops}
            yield from ((tag, name) for name in (attributes | children) - void)


def test_what_is_declared_is_touched() -> None:
    missing = set(_declared()) - _seen() - ELSEWHERE
    # The images of backups have everything that sources of disks have, which is tested there.
    assert {(tag, name) for tag, name in missing if tag not in ("scratch", "target")} == set()


def test_the_kind_can_be_asked_for() -> None:
    text = SHAPES[0].read_text()
    name = SHAPES[0].stem.partition("-")[0]
    assert validate(text, name) == name
