"""Variables of filter rules: which a rule uses, and the rules that it stands for once they have values.

A variable has a list of values. `$IP` and `$IP[@1]` run over all of them: those with the same iterator in parallel,
those with different ones in all combinations. `$IP[2]` is one value.

Source: https://libvirt.org/formatnwfilter.html#usage-of-variables-in-filters
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from guesthouse.errors import InternalError, InvalidArgumentError, Origin
from guesthouse.model.domain.devices.interface.filterref import FilterParameter
from guesthouse.model.kinds import Kind
from guesthouse.model.nwfilter.protocols import PROTOCOLS
from guesthouse.model.nwfilter.rule import Rule
from guesthouse.model.nwfilter.values import Variable, variable

#: The values of each variable.
Values = Mapping[str, tuple[str, ...]]
#: What libvirt names in the variables' own right.
MAC: Final = "MAC"
IP: Final = "IP"
LEARNING: Final = "CTRL_IP_LEARNING"
DHCP_SERVER: Final = "DHCPSERVER"

#: One rule stands for no more than this many.
_MOST: Final = 4096
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:]+")


def values_of(parameters: Iterable[FilterParameter]) -> dict[str, tuple[str, ...]]:
    """The values that a reference gives. Raises `InvalidArgumentError` for a character that no value has."""
    found: dict[str, tuple[str, ...]] = {}
    for parameter in parameters:
        if not _VALUE.fullmatch(parameter.value):
            raise InvalidArgumentError(
                "Variable value contains invalid character",
                domain=Origin.NWFILTER,
                hint=f"variable '{parameter.name}' takes letters, digits, '_', '.' and ':'",
            )
        found[parameter.name] = (*found.get(parameter.name, ()), parameter.value)
    return found


def _used(rule: Rule) -> list[Variable]:
    found = [variable(text) for text in (*rule.match.values(), *rule.unmatch.values())]
    return [one for one in dict.fromkeys(found) if one is not None]


def missing(rule: Rule, values: Values) -> set[str]:
    """The variables of a rule that have no value, as rules name them, without the sign."""
    return {
        str(one).removeprefix("$")
        for one in _used(rule)
        if len(values.get(one.name, ())) <= (0 if one.iterates else one.index)
    }


def expanded(rule: Rule, values: Values) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What matches and what must not, for each rule that this one stands for, no two the same.

    Raises `InternalError` for lists of different lengths that are walked in parallel, for a value that is not of the
    attribute's kind, and for more rules than make sense.
    """
    seen = set()
    for number, chosen in enumerate(_choices(_used(rule), values)):
        if number >= _MOST:
            raise InternalError(f"a filter rule stands for more than {_MOST} rules", domain=Origin.NWFILTER)
        match, unmatch = (_resolved(rule, given, chosen) for given in (rule.match, rule.unmatch))
        key = (*match.items(), None, *unmatch.items())
        if key not in seen:
            seen.add(key)
            yield match, unmatch


def _choices(used: list[Variable], values: Values) -> Iterator[dict[str, str]]:
    fixed = {str(one): values[one.name][one.index] for one in used if not one.iterates}
    iterators: dict[int, list[Variable]] = {}
    for one in used:
        if one.iterates:
            iterators.setdefault(one.index, []).append(one)
    columns = []
    for parallel in iterators.values():
        if len({len(values[one.name]) for one in parallel}) > 1:
            raise InternalError(
                "Cardinality of list items must be the same for processing them in parallel",
                domain=Origin.NWFILTER,
                hint=f"{', '.join(map(str, parallel))}: give them as many values each, or iterators of their own",
            )
        names = [str(one) for one in parallel]
        columns.append(
            [dict(zip(names, row, strict=True)) for row in zip(*(values[one.name] for one in parallel), strict=True)]
        )
    for row in itertools.product(*columns):
        yield dict(itertools.chain(fixed.items(), *(part.items() for part in row)))


def _resolved(rule: Rule, given: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    kinds = PROTOCOLS[rule.protocol] if rule.protocol is not None else {}
    return {name: _value(name, text, kinds[name], chosen) for name, text in given.items()}


def _value(name: str, text: str, kind: Kind[str], chosen: Mapping[str, str]) -> str:
    if text not in chosen:
        return text
    try:
        return kind.parse(chosen[text])
    except ValueError:
        raise InternalError(
            f"value '{chosen[text]}' of variable '{text}' is not valid for attribute '{name}'",
            domain=Origin.NWFILTER,
            hint=f"it takes {kind.name}",
        ) from None
