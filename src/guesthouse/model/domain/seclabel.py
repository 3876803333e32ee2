"""Labels of security drivers: `<seclabel>`.

Format: https://libvirt.org/formatdomain.html#security-label
"""

from __future__ import annotations

from guesthouse.model.binding import default, element, opt, opt_leaf
from guesthouse.model.kinds import TEXT, YES_NO, one_of


@element("seclabel")
class SecurityLabel:
    """`none` runs the guest without label; `dynamic` leaves the label to the host, which then says what it chose."""

    type: str = default(one_of("none", "dynamic"), "dynamic")
    model: str | None = opt(TEXT)
    relabel: bool | None = opt(YES_NO)
    label: str | None = opt_leaf(TEXT, live=True)
    image_label: str | None = opt_leaf(TEXT, "imagelabel", live=True)
