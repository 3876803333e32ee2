"""The VLAN tags of an interface: one that the host adds and removes, or several that the guest sees (a trunk).

Source: https://libvirt.org/formatdomain.html#setting-vlan-tag-on-supported-network-types-only.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, element, many, opt
from guesthouse.model.kinds import TEXT, UINT, one_of

_LAST: Final = 4095


@element("tag")
class VlanTag:
    """One tag. On a trunk the native one belongs to frames without a tag."""

    id: int = attr(UINT)
    native_mode: str | None = opt(one_of("tagged", "untagged"), "nativeMode")

    def parsed(self) -> None:
        """It has 12 bits."""
        if self.id > _LAST:
            raise XmlError(f"vlan tag id {self.id} too large (maximum {_LAST})")


@element("vlan")
class Vlan:
    """The tags. `trunk` is `yes` or None."""

    trunk: str | None = opt(TEXT)
    tags: list[VlanTag] = many(VlanTag)

    def parsed(self) -> None:
        """Several tags, or a native one, are a trunk."""
        if not self.tags:
            raise XmlError("missing tag id - each <vlan> must have at least one <tag id='n'/> subelement")
        native = [tag for tag in self.tags if tag.native_mode is not None]
        if len(native) > 1:
            raise XmlError("duplicate native vlan setting")
        given = self.trunk
        if given is None:
            self.trunk = "yes" if len(self.tags) > 1 else None
        elif given.lower() == "yes":
            self.trunk = "yes"
        else:
            self._refuse(given, native=bool(native))
            self.trunk = None

    def _refuse(self, given: str, *, native: bool) -> None:
        if len(self.tags) > 1:
            raise XmlError(
                f"invalid \"trunk='{given}'\" in <vlan> - trunk='yes' is required for more than one vlan tag"
            )
        if native:
            raise XmlError("invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id")
        if given.lower() != "no":
            raise XmlError(f"invalid \"trunk='{given}'\" in <vlan> - must be yes or no")

    @property
    def native(self) -> VlanTag | None:
        """The tag of frames without one, on a trunk."""
        return next((tag for tag in self.tags if tag.native_mode is not None), None)
