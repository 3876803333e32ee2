"""Where the guest's processes are accounted: `<resource>`.

Format: https://libvirt.org/formatdomain.html#resource-partitioning
"""

from __future__ import annotations

from guesthouse.model.binding import element, opt, opt_leaf
from guesthouse.model.kinds import ABSOLUTE_PATH, matching


@element("resource", omit_empty=True)
class Resource:
    """`partition` is a path in the tree of control groups; `fibre_channel_id` marks the guest's fibre channel frames
    (https://libvirt.org/formatdomain.html#fibre-channel-vmid).
    """

    partition: str | None = opt_leaf(ABSOLUTE_PATH)
    fibre_channel_id: str | None = opt(
        matching(r"[ -~]{1,128}", "up to 128 printable characters"), "appid", within="fibrechannel"
    )
