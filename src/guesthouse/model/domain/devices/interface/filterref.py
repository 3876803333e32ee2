"""The network filter of an interface, with the values of its variables.

Source: https://libvirt.org/formatnwfilter.html.
"""

from __future__ import annotations

from guesthouse.model.binding import attr, element, many
from guesthouse.model.kinds import TEXT, matching


@element("parameter")
class FilterParameter:
    """A value of a variable; one with several is given several times."""

    name: str = attr(matching(r"[A-Za-z0-9_]+", "the name of a variable"))
    value: str = attr(TEXT)


@element("filterref")
class FilterRef:
    """A filter by its name."""

    filter: str = attr(TEXT)
    parameters: list[FilterParameter] = many(FilterParameter)

    def parsed(self) -> None:
        """The variables are ordered by their names, as libvirt prints them."""
        self.parameters.sort(key=lambda parameter: parameter.name)
