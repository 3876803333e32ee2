"""A secret: `<secret>`. What it is for and how it is kept; its value never stands in a document.

Format: https://libvirt.org/formatsecret.html
"""

from __future__ import annotations

import uuid as _uuid
from typing import Final

from lxml import etree

from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.model.binding import Reading, Style, attr, default, element, one, opt_leaf, read, write
from guesthouse.model.kinds import PROSE, UUID, YES_NO, one_of
from guesthouse.model.xmltext import Lines, parse_document

#: What a secret can be for, by number (`virSecretUsageType`).
USAGE_TYPES: Final = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")

#: Usage type to the element that names what exactly, and the error where that is missing.
_NAMED_BY: Final[dict[str, tuple[str, str]]] = {
    "volume": ("volume", "volume usage specified, but volume path is missing"),
    "ceph": ("name", "Ceph usage specified, but name is missing"),
    "iscsi": ("target", "iSCSI usage specified, but target is missing"),
    "tls": ("name", "TLS usage specified, but name is missing"),
    "vtpm": ("name", "vTPM usage specified, but name is missing"),
}


@element("usage")
class Usage:
    """What a secret is for: the path of a volume, a Ceph user, an iSCSI target, the name of a TLS key or of a TPM."""

    type: str = attr(one_of(*USAGE_TYPES))
    volume: str | None = opt_leaf(PROSE)
    name: str | None = opt_leaf(PROSE)
    target: str | None = opt_leaf(PROSE)


@element("secret")
class Secret:
    """A secret. An `ephemeral` one is never on disk, the value of a `private` one is told to no client."""

    ephemeral: bool = default(YES_NO, False)
    private: bool = default(YES_NO, False)
    uuid: str | None = opt_leaf(UUID)
    description: str | None = opt_leaf(PROSE)
    usage: Usage | None = one(Usage)

    @property
    def usage_type(self) -> str:
        """One of `USAGE_TYPES`."""
        return self.usage.type if self.usage is not None else "none"

    @property
    def usage_id(self) -> str | None:
        """What exactly it is for; None where it is for nothing."""
        usage = self.usage
        return None if usage is None else usage.volume or usage.name or usage.target


def parse_secret(xml: str, *, validate: bool = False) -> Secret:
    """The secret that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes and texts."""
    node = parse_document(xml, "secret", "definition_of_secret")
    _check_attributes(node)
    _check_uuid(node)
    usage = node.find("usage")
    if usage is not None:
        _check_usage(usage, validate)
    secret = read(Secret, node, Reading(validate=validate))
    secret.uuid = secret.uuid or str(_uuid.uuid4())
    secret.description = secret.description or None
    if secret.usage_type == "none":
        secret.usage = None
    return secret


def _check_attributes(node: etree._Element) -> None:
    """Both are `yes` or `no`; empty is as good as missing."""
    for name in ("ephemeral", "private"):
        given = node.get(name)
        if given == "":
            del node.attrib[name]
        elif given not in (None, "yes", "no"):
            raise LibvirtError(f"invalid value of '{name}'", code=Code.XML_ERROR, domain=Origin.SECRET)


def _check_uuid(node: etree._Element) -> None:
    found = node.find("uuid")
    if found is None:
        return
    if not found.text:
        node.remove(found)
        return
    try:
        UUID.parse(found.text.strip())
    except ValueError:
        raise InternalError("malformed uuid element", domain=Origin.SECRET) from None


def _check_usage(node: etree._Element, validate: bool) -> None:
    """The type is known, and what it is for is named by the right element. The schema has no secret for nothing."""
    given = node.get("type")
    if given is None:
        raise LibvirtError(
            "Missing required attribute 'type' in element 'usage'", code=Code.XML_ERROR, domain=Origin.XML
        )
    if given not in USAGE_TYPES:
        raise LibvirtError(
            f"Invalid value for attribute 'type' in element 'usage': '{given}'.",
            code=Code.XML_ERROR,
            domain=Origin.XML,
            hint="it takes one of " + ", ".join(USAGE_TYPES),
        )
    if given == "none":
        if validate:
            raise Reading(validate=True).refuse(node, "type 'none'")
        return
    tag, missing = _NAMED_BY[given]
    name = node.findtext(tag)
    if not name:
        raise InternalError(missing, domain=Origin.SECRET)
    if validate and tag == "volume" and not name.startswith("/"):
        raise Reading(validate=True).refuse(node, f"the relative path '{name[:200]}'")
    for child in node:
        if child.tag != tag:
            raise Reading(validate=validate).refuse(node, f"element '{child.tag}'", child)


def format_secret(secret: Secret) -> str:
    """The document, as libvirt writes it."""
    lines = Lines()
    write(secret, lines, Style())
    return lines.text()
