"""Where the guest's processes are accounted: `<resource>`.

Format: https://libvirt.org/formatdomain.html#resource-partitioning
"""

from __future__ import annotations

from guesthouse.model.binding import element, opt_leaf
from guesthouse.model.kinds import ABSOLUTE_PATH


@element("resource", omit_empty=True)
class Resource:
    """`partition` is a path in the tree of control groups."""

    partition: str | None = opt_leaf(ABSOLUTE_PATH)
