"""What the accelerator counts: QEMU's `query-stats`, under the names that it has there.

The kind of a counter follows its name: `.sum` for what only grows, `.cur` for what is now, `.max` for a peak. KVM has
such counters; QEMU's own emulation has none. Source: QEMU's `qapi/stats.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.typed import ULLONG, Param
from guesthouse.qemu.json_value import Json, as_list, as_object, objects, text_of

#: QEMU's kinds that are one number, and their suffixes here.
_SUFFIXES: Final = {"cumulative": "sum", "instant": "cur", "peak": "max"}


def gather_guest(guest: Guest, found: list[Param]) -> None:
    """`vm.*`, of the guest as a whole."""
    if guest.run is not None:
        found += [(f"vm.{name}", ULLONG, value) for name, value in guest.run.readings.guest_counters.items()]


def gather_processor(run: Run, number: int, found: list[Param]) -> None:
    """`vcpu.N.*`, of one processor."""
    counters = run.readings.processor_counters.get(number, {})
    found += [(f"vcpu.{number}.{name}", ULLONG, value) for name, value in counters.items()]


def kinds(answer: Json) -> dict[str, str]:
    """The suffix of each counter, from the answer of `query-stats-schemas`."""
    found: dict[str, str] = {}
    for schema in objects(answer, "the reply of query-stats-schemas"):
        for entry in objects(schema.get("stats") or [], "stats"):
            suffix = _SUFFIXES.get(text_of(entry, "type"))
            if suffix is not None:
                found[text_of(entry, "name")] = suffix
    return found


def of_guest(answer: Json, suffixes: Mapping[str, str]) -> dict[str, int]:
    """Counters by name, from the answer of `query-stats` about the guest."""
    found: dict[str, int] = {}
    for result in as_list(answer, "the reply of query-stats"):
        found |= _numbers(as_object(result, "a result").get("stats"), suffixes)
    return found


def of_processors(answer: Json, suffixes: Mapping[str, str]) -> dict[int, dict[str, int]]:
    """Counters by processor and name, from the answer of `query-stats` about processors, in QEMU's order."""
    found: dict[int, dict[str, int]] = {}
    paths: list[str] = []
    for result in objects(answer, "the reply of query-stats"):
        path = text_of(result, "qom-path")
        if path not in paths:
            paths.append(path)
        found.setdefault(paths.index(path), {}).update(_numbers(result.get("stats"), suffixes))
    return found


def _numbers(stats: Json, suffixes: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in objects(stats or [], "stats"):
        name, value = text_of(entry, "name"), entry.get("value")
        if name in suffixes and isinstance(value, int):
            found[f"{name}.{suffixes[name]}"] = int(value)
    return found
