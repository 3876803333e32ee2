"""Every kind of document, known by its root element, and how each is validated.

Validation is what defining does with `VIR_DOMAIN_DEFINE_VALIDATE` and its likes: what no field claims is an error that
names the element and the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.backup import format_backup, parse_backup
from guesthouse.model.binding import Style, write
from guesthouse.model.checkpoint import format_checkpoint, parse_checkpoint
from guesthouse.model.cpu_definition import format_cpu, parse_cpu
from guesthouse.model.domain.device_document import FIELDS, parse_device
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.interface import FORMS, format_interface, parse_interface
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.model.network_port import format_network_port, parse_network_port
from guesthouse.model.nodedev.device import format_node_device, parse_node_device
from guesthouse.model.nwfilter.filter import format_nwfilter, parse_nwfilter
from guesthouse.model.nwfilter_binding import format_nwfilter_binding, parse_nwfilter_binding
from guesthouse.model.pool import format_pool, parse_pool
from guesthouse.model.reports import check_report
from guesthouse.model.secret import format_secret, parse_secret
from guesthouse.model.snapshot import format_snapshot, parse_snapshot
from guesthouse.model.volume import Volume, complete_volume, format_volume, parse_volume
from guesthouse.model.xmltext import Lines, parse_any

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document: its name, what reads one strictly, and what reads one and prints it as libvirt does."""

    name: str
    read: Callable[[str], object]
    printed: Callable[[str], str]


def _kind(name: str, read: Callable[[str], T], write: Callable[[T], str]) -> DocumentKind:
    return DocumentKind(name, read, lambda text: write(read(text)))


def _write(item: object) -> str:
    lines = Lines()
    write(item, lines, Style())
    return lines.text()


def _is_whole(text: str) -> bool:
    """Whether a snapshot or a checkpoint is one that is there, not one that is asked for."""
    root = parse_any(text, "document")
    return root.find("creationTime") is not None and (root.tag != "domainsnapshot" or root.find("state") is not None)


def _write_volume(volume: Volume) -> str:
    """A volume as a pool shows it; which type of pool it is for does not stand in the document."""
    formatted = volume.target is not None and volume.target.format is not None
    return format_volume(complete_volume(volume, "logical" if volume.type == "block" and not formatted else "dir"))


def _report(name: str) -> DocumentKind:
    return _kind(name, lambda text: check_report(text, validate=True), str)


#: Root element to the kind.
KINDS: Final[dict[str, DocumentKind]] = {
    "domain": _kind(
        "domain", lambda text: parse_domain(text, validate=True), lambda domain: format_domain(domain, Style())
    ),
    "network": _kind("network", lambda text: parse_network(text, validate=True), format_network),
    "networkport": _kind("networkport", lambda text: parse_network_port(text, validate=True), format_network_port),
    "filter": _kind("nwfilter", lambda text: parse_nwfilter(text, validate=True), format_nwfilter),
    "filterbinding": _kind(
        "nwfilterbinding", lambda text: parse_nwfilter_binding(text, validate=True), format_nwfilter_binding
    ),
    "device": _kind("nodedev", lambda text: parse_node_device(text, validate=True), format_node_device),
    "secret": _kind("secret", lambda text: parse_secret(text, validate=True), format_secret),
    "domainsnapshot": _kind(
        "domainsnapshot",
        lambda text: parse_snapshot(text, redefine=_is_whole(text), validate=True),
        lambda snapshot: format_snapshot(snapshot, secure=True, files=True),
    ),
    "domaincheckpoint": _kind(
        "domaincheckpoint",
        lambda text: parse_checkpoint(text, redefine=_is_whole(text), validate=True),
        lambda checkpoint: format_checkpoint(checkpoint, secure=True),
    ),
    "domainbackup": _kind(
        "domainbackup",
        lambda text: parse_backup(text, status=True),
        lambda backup: format_backup(backup, status=backup.private is not None),
    ),
    "cpu": _kind("cpu", lambda text: parse_cpu(text, validate=True), format_cpu),
    "pool": _kind("storagepool", lambda text: parse_pool(text, validate=True), format_pool),
    "volume": _kind("storagevol", lambda text: parse_volume(text, validate=True), _write_volume),
    "capabilities": _report("capability"),
    "domainCapabilities": _report("domaincaps"),
    "storagepoolCapabilities": _report("storagepoolcaps"),
    "sources": _report("storagepoolsources"),
    "sysinfo": _report("sysinfo"),
    **{tag: _kind("device", parse_device, lambda element: _write(element.device)) for tag in FIELDS},
}


#: A host's interface has the same root element as a guest's card.
_HOST_INTERFACE: Final = _kind("interface", lambda text: parse_interface(text, validate=True), format_interface)


def kind_of(text: str) -> DocumentKind | None:
    """The kind of a document; None for a root element that nobody knows. Raises `LibvirtError` with code 35."""
    root = parse_any(text, "document")
    if root.tag == "interface" and root.get("type") in FORMS and root.get("name") is not None:
        return _HOST_INTERFACE
    return KINDS.get(str(root.tag))


def validate(text: str, kind: str | None = None) -> str:
    """Check a document. Returns the name of its kind, which its root element tells; `kind` says which it has to be.

    Raises `LibvirtError` with what is wrong: not well formed (35), a wrong value (27), something that no field claims
    (92 or 67).
    """
    found = kind_of(text)
    if found is None:
        root = str(parse_any(text, "document").tag)
        raise UnsupportedConfigError(
            f"root element '{root}' is not known here", hint=f"expected is one of {', '.join(sorted(names()))}"
        )
    if kind is not None and found.name != kind:
        raise UnsupportedConfigError(
            f"the document is of kind '{found.name}'", hint=f"expected is a document of kind '{kind}'"
        )
    found.read(text)
    return found.name


def names() -> set[str]:
    """The names of all kinds."""
    return {kind.name for kind in (*KINDS.values(), _HOST_INTERFACE)}
