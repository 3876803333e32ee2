"""Labels of security drivers: `<seclabel>`.

Format: https://libvirt.org/formatdomain.html#security-label. Guesthouse has no such driver: a guest without label is
what it runs. Definitions keep their labels, as they may come from or go to a host that has one; a start with a label
that somebody chose by hand is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import default, element, opt, opt_leaf
from guesthouse.model.kinds import TEXT, YES_NO, one_of

#: The model that labels nothing.
NONE: Final = "none"


@element("seclabel")
class SecurityLabel:
    """`none` runs the guest without label, `static` with this one, and `dynamic` with one that the host chooses.

    What the host chose is shown of a running guest; `base_label` is what it starts from.
    """

    type: str = default(one_of("none", "dynamic", "static"), "dynamic")
    model: str | None = opt(TEXT)
    relabel: bool | None = opt(YES_NO)
    label: str | None = opt_leaf(TEXT)
    image_label: str | None = opt_leaf(TEXT, "imagelabel", live=True)
    base_label: str | None = opt_leaf(TEXT, "baselabel")

    def parsed(self) -> None:
        """Check the parts against the type, and keep those that belong to it."""
        self.relabel = (self.type == "dynamic") if self.relabel is None else self.relabel
        if self.model == NONE:
            self.clear()
            return
        if self.type == "dynamic" and not self.relabel:
            raise UnsupportedConfigError("dynamic label type must use resource relabeling")
        if self.type == "none":
            if self.relabel:
                raise UnsupportedConfigError("resource relabeling is not compatible with 'none' label type")
            self.relabel = self.label = self.base_label = None
        elif self.type == "static":
            self.base_label = None
            if self.label is None:
                raise XmlError("security label is missing")

    def clear(self) -> None:
        """Make it the label that labels nothing."""
        self.type, self.model = "none", NONE
        self.relabel = self.label = self.image_label = self.base_label = None


def settle(labels: list[SecurityLabel]) -> None:
    """Name the model where one label leaves it open. Raises `LibvirtError` with libvirt's texts."""
    models = [label.model for label in labels]
    for model in models:
        if models.count(model) > 1 and model is not None:
            raise LibvirtError(
                f"seclabel for model {model} is already provided", code=Code.XML_DETAIL, domain=Origin.DOMAIN
            )
    if len(labels) == 1 and models[0] is None:
        only = labels[0]
        if only.type == "static" or only.base_label is not None:
            raise XmlError("missing security model in domain seclabel")
        only.clear()
    elif None in models:
        raise XmlError("missing security model when using multiple labels")


class _DeviceLabel(Protocol):
    """What a device says of its file."""

    model: str | None
    label: str | None


def check_start(labels: Iterable[SecurityLabel], of_devices: Iterable[_DeviceLabel] = ()) -> None:
    """Refuse to start a guest with a label that nobody here can give it, or one of its files.

    Raises `UnsupportedConfigError`.
    """
    chosen = [label.model for label in labels if label.type == "static" or label.base_label is not None]
    chosen += [label.model for label in of_devices if label.label is not None and label.model != NONE]
    if chosen:
        raise UnsupportedConfigError(
            f"Security driver model '{chosen[0] or 'default'}' is not available",
            hint="remove the <seclabel>; this host labels no guests",
        )
