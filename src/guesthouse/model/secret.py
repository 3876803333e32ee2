"""What a secret is for: `<secret>`. Its value is never in the document.

Format: https://libvirt.org/formatsecret.html
"""

from __future__ import annotations

import uuid as _uuid
from typing import Final

from guesthouse.errors import InternalError, Origin, XmlError
from guesthouse.model.binding import Reading, Style, attr, default, element, one, opt_leaf, read, write
from guesthouse.model.kinds import PROSE, TEXT, UUID, YES_NO, one_of
from guesthouse.model.noticed import noticed_by
from guesthouse.model.xmltext import Lines, parse_document

#: Usage to the element that names what it is for, and libvirt's text where that is missing.
_USAGES: Final = {
    "volume": ("volume", "volume usage specified, but volume path is missing"),
    "ceph": ("name", "Ceph usage specified, but name is missing"),
    "iscsi": ("target", "iSCSI usage specified, but target is missing"),
    "tls": ("name", "TLS usage specified, but name is missing"),
    "vtpm": ("name", "vTPM usage specified, but name is missing"),
}
USAGES: Final = ("none", *_USAGES)


@element("usage")
class Usage:
    """What needs the secret, and which of its kind; the name stands in an element that the type tells."""

    type: str = attr(one_of(*USAGES))
    volume: str | None = opt_leaf(TEXT)
    name: str | None = opt_leaf(TEXT)
    target: str | None = opt_leaf(TEXT)

    def parsed(self) -> None:
        """The name is there, and nothing else."""
        wanted, text = _USAGES.get(self.type, ("", ""))
        for tag in ("volume", "name", "target"):
            if tag != wanted and getattr(self, tag) is not None:
                raise XmlError(f"element '{tag}' does not belong to a secret with usage '{self.type}'")
        if wanted and getattr(self, wanted) is None:
            raise InternalError(text, domain=Origin.SECRET)

    @property
    def id(self) -> str:
        """The name, whatever element it stands in; empty where there is none."""
        return self.volume or self.name or self.target or ""


@element("secret")
class Secret:
    """A secret. An `ephemeral` one is only kept in memory, the value of a `private` one is never handed out."""

    ephemeral: bool = default(YES_NO, False)
    private: bool = default(YES_NO, False)
    uuid: str | None = opt_leaf(UUID)
    description: str | None = opt_leaf(PROSE)
    usage: Usage | None = one(Usage)

    @property
    def usage_type(self) -> int:
        """The usage as libvirt's number, `virSecretUsageType`."""
        return USAGES.index(self.usage.type) if self.usage is not None else 0

    @property
    def usage_id(self) -> str:
        """What it is for; empty where nothing is named."""
        return self.usage.id if self.usage is not None else ""


def parse_secret(xml: str, *, validate: bool = False) -> Secret:
    """The secret that `xml` defines, with a UUID. Raises `LibvirtError` with libvirt's codes."""
    with noticed_by(Origin.SECRET):
        node = parse_document(xml, "secret", "definition_of_secret")
        secret = read(Secret, node, Reading(validate=validate))
    secret.uuid = secret.uuid or str(_uuid.uuid4())
    if secret.usage is not None and secret.usage.type == "none":
        secret.usage = None
    return secret


def format_secret(secret: Secret) -> str:
    """The secret as libvirt writes it."""
    lines = Lines()
    write(secret, lines, Style())
    return lines.text()
