"""Asking a QEMU that was just started which processor it made.

Properties of QEMU's x86 processors: `feature-words` holds the CPUID registers as the guest sees them,
`unavailable-features` what was asked for and could not be given. Two answers tell what each feature's own property
would take some hundred questions to tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from guesthouse.model.domain.cpu_report import CpuReport
from guesthouse.qemu.json_value import Json, JsonObject, Sendable, as_list, objects, text_of

#: The first processor of every x86 machine.
_PROCESSOR: Final = "/machine/unattached/device[0]"

QUESTIONS: Final[tuple[tuple[str, Mapping[str, Sendable] | None], ...]] = (
    ("qom-get", {"path": _PROCESSOR, "property": "feature-words"}),
    ("qom-get", {"path": _PROCESSOR, "property": "unavailable-features"}),
)


def read_report(answers: Sequence[Json]) -> CpuReport:
    """What the answers to `QUESTIONS` say. Raises `LibvirtError` for an answer of another form."""
    cpuid: dict[tuple[int, int], dict[str, int]] = {}
    for word in objects(answers[0], "feature-words"):
        where = (_number(word, "cpuid-input-eax"), _number(word, "cpuid-input-ecx"))
        cpuid.setdefault(where, {})[text_of(word, "cpuid-register").lower()] = _number(word, "features")
    unavailable = tuple(name for name in as_list(answers[1], "unavailable-features") if isinstance(name, str))
    return CpuReport(cpuid, unavailable)


def _number(word: JsonObject, name: str) -> int:
    """A member that is 0 where it is left out."""
    value = word.get(name)
    return value if isinstance(value, int) else 0
