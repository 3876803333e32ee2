"""Whose something is: the `<owner>` of network ports and of bindings of filters."""

from __future__ import annotations

from guesthouse.model.binding import element, leaf
from guesthouse.model.kinds import TEXT, UUID


@element("owner")
class Owner:
    """A guest."""

    name: str = leaf(TEXT)
    uuid: str = leaf(UUID)
