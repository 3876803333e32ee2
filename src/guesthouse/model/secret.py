"""What a secret is for and how it is kept: `<secret>`. Its value is never in the document.

Format: https://libvirt.org/formatsecret.html
"""

from __future__ import annotations

import uuid as _uuid
from typing import Final

from lxml import etree

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, XmlError
from guesthouse.model.binding import Reading, Style, attr, default, element, one, opt_leaf, read, write
from guesthouse.model.kinds import PROSE, UUID, YES_NO, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document

#: Usage to the element that names what it is for, and libvirt's text where that is missing.
_NAMED_BY: Final = {
    "volume": ("volume", "volume usage specified, but volume path is missing"),
    "ceph": ("name", "Ceph usage specified, but name is missing"),
    "iscsi": ("target", "iSCSI usage specified, but target is missing"),
    "tls": ("name", "TLS usage specified, but name is missing"),
    "vtpm": ("name", "vTPM usage specified, but name is missing"),
}

#: What a secret can be for, by number (`virSecretUsageType`).
USAGES: Final = ("none", *_NAMED_BY)


@element("usage")
class Usage:
    """What needs the secret, and which of its kind; the name stands in an element that the type tells."""

    type: str = attr(one_of(*USAGES))
    volume: str | None = opt_leaf(PROSE)
    name: str | None = opt_leaf(PROSE)
    target: str | None = opt_leaf(PROSE)

    @property
    def id(self) -> str:
        """The name, whatever element it stands in; empty where there is none."""
        return self.volume or self.name or self.target or ""


@element("secret")
class Secret:
    """A secret. An `ephemeral` one is only kept in memory, the value of a `private` one is told to no client."""

    ephemeral: bool = default(YES_NO, False)
    private: bool = default(YES_NO, False)
    uuid: str | None = opt_leaf(UUID)
    description: str | None = opt_leaf(PROSE)
    usage: Usage | None = one(Usage)

    @property
    def usage_type(self) -> int:
        """The usage as libvirt's number, `virSecretUsageType`: the place in `USAGES`."""
        return USAGES.index(self.usage.type) if self.usage is not None else 0

    @property
    def usage_id(self) -> str:
        """What it is for; empty where nothing is named."""
        return self.usage.id if self.usage is not None else ""


def parse_secret(xml: str, *, validate: bool = False) -> Secret:
    """The secret that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes and texts."""
    with noticed_by(Origin.XML):
        node = parse_document(xml, "secret", "definition_of_secret")
    with noticed_by(Origin.SECRET):
        _check_attributes(node)
        _check_uuid(node)
        usage = node.find("usage")
        if usage is not None:
            _check_usage(usage, validate)
        secret = read(Secret, node, Reading(validate=validate))
    secret.uuid = secret.uuid or str(_uuid.uuid4())
    secret.description = secret.description or None
    if secret.usage_type == 0:
        secret.usage = None
    return secret


def _check_attributes(node: etree._Element) -> None:
    """Both are `yes` or `no`; empty is as good as missing."""
    for name in ("ephemeral", "private"):
        given = node.get(name)
        if given == "":
            del node.attrib[name]
        elif given not in (None, "yes", "no"):
            raise XmlError(f"invalid value of '{name}'", hint=f"it takes yes or no; line {node.sourceline}")


def _check_uuid(node: etree._Element) -> None:
    """It is a UUID; empty is as good as missing."""
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
        raise _attribute_error("Missing required attribute 'type' in element 'usage'")
    if given not in USAGES:
        raise _attribute_error(
            f"Invalid value for attribute 'type' in element 'usage': '{given[:200]}'.",
            "it takes one of " + ", ".join(USAGES),
        )
    if given == "none" and validate:
        raise Reading(validate=True).refuse(node, "type 'none'")
    tag, text = _NAMED_BY.get(given, ("", ""))
    name = node.findtext(tag) if tag else None
    if tag and not name:
        raise InternalError(text, domain=Origin.SECRET)
    if validate and name and tag == "volume" and not name.startswith("/"):
        raise Reading(validate=True).refuse(node, f"the relative path '{name[:200]}'")
    for child in node:
        if child.tag != tag and child.tag in ("volume", "name", "target"):
            raise XmlError(f"element '{child.tag}' does not belong to a secret with usage '{given}'")


def _attribute_error(text: str, hint: str = "") -> LibvirtError:
    return LibvirtError(text, code=Code.XML_ERROR, domain=Origin.XML, hint=hint)


def format_secret(secret: Secret) -> str:
    """The secret as libvirt writes it."""
    lines = Lines()
    write(secret, lines, Style())
    return lines.text()
