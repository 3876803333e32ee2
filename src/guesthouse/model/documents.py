"""Every kind of document, known by its root element, and how each is validated.

Validation is what defining does with `VIR_DOMAIN_DEFINE_VALIDATE` and its likes: what no field claims is an error that
names the element and the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.cpu_definition import parse_cpu
from guesthouse.model.domain.device_document import FIELDS, parse_device
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.pool import parse_pool
from guesthouse.model.volume import parse_volume
from guesthouse.model.xmltext import parse_any


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document: its name, and what reads one strictly."""

    name: str
    read: Callable[[str], object]


#: Root element to the kind.
KINDS: Final[dict[str, DocumentKind]] = {
    "domain": DocumentKind("domain", lambda text: parse_domain(text, validate=True)),
    "cpu": DocumentKind("cpu", lambda text: parse_cpu(text, validate=True)),
    "pool": DocumentKind("storagepool", lambda text: parse_pool(text, validate=True)),
    "volume": DocumentKind("storagevol", lambda text: parse_volume(text, validate=True)),
    **{tag: DocumentKind("device", parse_device) for tag in FIELDS},
}


def validate(text: str, kind: str | None = None) -> str:
    """Check a document. Returns the name of its kind, which its root element tells; `kind` says which it has to be.

    Raises `LibvirtError` with what is wrong: not well formed (35), a wrong value (27), something that no field claims
    (92 or 67).
    """
    root = str(parse_any(text, "document").tag)
    found = KINDS.get(root)
    if found is None or (kind is not None and found.name != kind):
        wanted = f"a document of kind '{kind}'" if kind is not None else "one of " + ", ".join(sorted(names()))
        raise UnsupportedConfigError(f"root element '{root}' is not known here", hint=f"expected is {wanted}")
    found.read(text)
    return found.name


def names() -> set[str]:
    """The names of all kinds."""
    return {kind.name for kind in KINDS.values()}
